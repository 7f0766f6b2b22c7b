// Consumer writes to its standard output what a producer sends through a ring in shared memory.
//
// After "cargo build --release --lib" in the root of the repository, in bindings/go:
//
//	go run ./examples/consumer my-ring > COPY
//
// and in another terminal, before or after, a producer in any language:
//
//	go run ./examples/producer my-ring < FILE
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/spsc-shm/spsc-shm/bindings/go/spscshm"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("consumer: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: consumer RING-NAME > FILE")
	}
	if err := receive(os.Args[1], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func receive(name string, output io.Writer) error {
	// Whichever program starts first waits for the other, or until Ctrl-C.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ring, err := spscshm.Connect(ctx, name)
	stop()
	if err != nil {
		return err
	}
	defer ring.Close()
	// Both have the ring open now, and need its name no more.
	if err := spscshm.Unlink(name); err != nil {
		return err
	}
	// Ends when the producer has closed its end. A producer that died is an error.
	_, err = io.Copy(output, ring.Consumer())
	return err
}
