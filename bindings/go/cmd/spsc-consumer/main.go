// Spsc-consumer checks a stream of messages that another program sends, in whatever language.
//
// Usage: spsc-consumer NAME COUNT SEED close|kill
package main

import (
	"fmt"
	"os"

	"github.com/spsc-shm/spsc-shm/bindings/go/internal/stream"
)

func main() {
	job, err := stream.ParseJob(os.Args[1:])
	if err == nil {
		err = job.Consume()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "spsc-consumer:", err)
		os.Exit(1)
	}
	fmt.Println("ok", job.Count)
}
