// Producer sends its standard input to another process, through a ring in shared memory.
//
// After "cargo build --release --lib" in the root of the repository, in bindings/go:
//
//	go run ./examples/producer my-ring < FILE
//
// and in another terminal, before or after, a consumer in any language:
//
//	go run ./examples/consumer my-ring > COPY
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/spsc-shm/spsc-shm/bindings/go/spscshm"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("producer: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: producer RING-NAME < FILE")
	}
	if err := send(os.Args[1], os.Stdin); err != nil {
		log.Fatal(err)
	}
}

func send(name string, input io.Reader) error {
	ring, err := spscshm.Create(name, 64*1024)
	if err != nil {
		return err
	}
	// The consumer gets what is left in the ring, and then the end of the stream. If none has come
	// yet, the ring waits for it under its name.
	defer ring.Close()
	// The input is read right into the shared memory. An empty one is a stream, too, and has an end.
	if _, err := io.Copy(ring.Producer(), input); err != nil {
		return fmt.Errorf("nobody reads the rest: %w", err)
	}
	return nil
}
