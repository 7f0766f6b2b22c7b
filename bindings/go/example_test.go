package spscshm_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	spscshm "github.com/spsc-shm/spsc-shm/bindings/go"
)

// Two ends of a ring. They are in one process here, and in two most often.
func Example() {
	name := fmt.Sprintf("example-%d", os.Getpid())
	producer, err := spscshm.Create(name, 1<<16)
	if err != nil {
		log.Fatal(err)
	}
	defer producer.Close()
	defer spscshm.Unlink(name)
	consumer, err := spscshm.ConnectTimeout(name, 10*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	defer consumer.Close()

	space, err := producer.Claim(5, spscshm.Forever)
	if err != nil {
		log.Fatal(err)
	}
	copy(space, "hello")
	if err := producer.Publish(5); err != nil {
		log.Fatal(err)
	}

	data, err := consumer.Peek(5, spscshm.Forever)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", data)
	if err := consumer.Release(5); err != nil {
		log.Fatal(err)
	}
	// Output: hello
}

func ring() *spscshm.Ring {
	r, err := spscshm.CreateAnonymous(1 << 12)
	if err != nil {
		log.Fatal(err)
	}
	return r
}

// Many messages for the price of one call.
func ExampleRing_ClaimSome() {
	r := ring()
	defer r.Close()

	space, err := r.ClaimSome(8, spscshm.Forever)
	if err != nil {
		log.Fatal(err)
	}
	used := 0
	for number := uint64(1); len(space)-used >= 8; number++ {
		binary.LittleEndian.PutUint64(space[used:], number)
		used += 8
	}
	if err := r.Publish(used); err != nil {
		log.Fatal(err)
	}

	data, err := r.PeekSome(8, spscshm.Forever)
	if err != nil {
		log.Fatal(err)
	}
	sum := uint64(0)
	for ; len(data) >= 8; data = data[8:] {
		sum += binary.LittleEndian.Uint64(data)
	}
	fmt.Println(used/8, "numbers, their sum is", sum)
	// Output: 512 numbers, their sum is 131328
}

// A wait ends with its context.
func ExampleRing_PeekContext() {
	r := ring()
	defer r.Close()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err := r.PeekContext(ctx, 1)
	fmt.Println(err)
	// Output: context canceled
}

// A ring is a reader and a writer.
func ExampleRing_WriteTo() {
	producer := ring()
	consumer, err := spscshm.ConnectFD(producer.FD())
	if err != nil {
		log.Fatal(err)
	}
	defer consumer.Close()
	go func() {
		defer producer.Close()
		fmt.Fprintln(producer, "one line")
		fmt.Fprintln(producer, "and another")
	}()
	if _, err := io.Copy(os.Stdout, consumer); err != nil {
		log.Fatal(err)
	}
	// Output:
	// one line
	// and another
}

// What a wait can end with, told apart.
func ExampleStatus() {
	r := ring()
	defer r.Close()
	_, err := r.Peek(1, 5*time.Millisecond)
	switch {
	case errors.Is(err, spscshm.ErrClosed):
		fmt.Println("end of stream")
	case errors.Is(err, spscshm.ErrPeerDead):
		fmt.Println("the producer died")
	case errors.Is(err, spscshm.ErrTimeout):
		fmt.Println(err)
	}
	// Output: spscshm: peek: the time ran out first
}
