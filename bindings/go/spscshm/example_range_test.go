//go:build go1.23

package spscshm_test

import (
	"context"
	"fmt"
	"log"

	"github.com/spsc-shm/spsc-shm/bindings/go/spscshm"
)

// All messages until the producer closes its end.
func ExampleConsumer_Messages() {
	r := ring()
	defer r.Close()
	go func() {
		producer := r.Producer()
		defer producer.Close()
		for tag, text := range []string{"one", "two", "three"} {
			if err := producer.Send(uint32(tag), []byte(text), spscshm.Forever); err != nil {
				log.Print(err)
			}
		}
	}()
	for message, err := range r.Consumer().Messages(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d: %s\n", message.Tag, message.Data)
	}
	// Output:
	// 0: one
	// 1: two
	// 2: three
}
