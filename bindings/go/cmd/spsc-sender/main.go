// Spsc-sender sends messages, by the library's own framing, for another program to check, in whatever
// language.
//
// Usage: spsc-sender NAME COUNT SEED close|kill
package main

import (
	"fmt"
	"os"

	"github.com/spsc-shm/spsc-shm/bindings/go/internal/stream"
)

func main() {
	job, err := stream.ParseJob(os.Args[1:])
	if err == nil {
		err = job.Send()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "spsc-sender:", err)
		os.Exit(1)
	}
}
