// Spsc-receiver checks messages, by the library's own framing, that another program sends, in whatever
// language.
//
// Usage: spsc-receiver NAME COUNT SEED close|kill
package main

import (
	"fmt"
	"os"

	"github.com/spsc-shm/spsc-shm/bindings/go/internal/stream"
)

func main() {
	job, err := stream.ParseJob(os.Args[1:])
	if err == nil {
		err = job.Receive()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "spsc-receiver:", err)
		os.Exit(1)
	}
	fmt.Println("ok", job.Count)
}
