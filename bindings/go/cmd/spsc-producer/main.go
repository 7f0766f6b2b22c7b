// Spsc-producer sends a stream of messages for another program, in whatever language, to check.
//
// Usage: spsc-producer NAME COUNT SEED close|kill
package main

import (
	"fmt"
	"os"

	"github.com/spsc-shm/spsc-shm/bindings/go/internal/stream"
)

func main() {
	job, err := stream.ParseJob(os.Args[1:])
	if err == nil {
		err = job.Produce()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "spsc-producer:", err)
		os.Exit(1)
	}
}
