package spscshm_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/spsc-shm/spsc-shm/bindings/go/spscshm"
)

// Two handles on a ring: mostly they are in two processes.
func Example() {
	name := fmt.Sprintf("example-%d", os.Getpid())
	sender, err := spscshm.Create(name, 1<<16)
	if err != nil {
		log.Fatal(err)
	}
	defer sender.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	receiver, err := spscshm.Connect(ctx, name)
	if err != nil {
		log.Fatal(err)
	}
	defer receiver.Close()
	// Both have it open: the name has done its work.
	if err := spscshm.Unlink(name); err != nil {
		log.Fatal(err)
	}

	producer := sender.Producer()
	fmt.Fprintln(producer, "one line")
	fmt.Fprintln(producer, "and another")
	producer.Close()

	lines := bufio.NewScanner(receiver.Consumer())
	for lines.Scan() {
		fmt.Println(lines.Text())
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// one line
	// and another
}

func ring() *spscshm.Ring {
	r, err := spscshm.Anonymous(1 << 12)
	if err != nil {
		log.Fatal(err)
	}
	return r
}

// A message is written and read where it lies, without a copy.
func ExampleProducer_Claim() {
	r := ring()
	defer r.Close()

	producer := r.Producer()
	space, err := producer.Claim(5, spscshm.Forever)
	if err != nil {
		log.Fatal(err)
	}
	copy(space, "hello")
	if err := producer.Publish(5); err != nil {
		log.Fatal(err)
	}

	consumer := r.Consumer()
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

// Many messages that are published at once.
func ExampleProducer_ClaimSome() {
	r := ring()
	defer r.Close()

	space, err := r.Producer().ClaimSome(8, spscshm.Forever)
	if err != nil {
		log.Fatal(err)
	}
	used := 0
	for number := uint64(1); len(space)-used >= 8; number++ {
		binary.LittleEndian.PutUint64(space[used:], number)
		used += 8
	}
	if err := r.Producer().Publish(used); err != nil {
		log.Fatal(err)
	}

	data, err := r.Consumer().PeekSome(8, spscshm.Forever)
	if err != nil {
		log.Fatal(err)
	}
	sum := uint64(0)
	for rest := data; len(rest) >= 8; rest = rest[8:] {
		sum += binary.LittleEndian.Uint64(rest)
	}
	if err := r.Consumer().Release(len(data)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(used/8, "numbers, their sum is", sum)
	// Output: 512 numbers, their sum is 131328
}

// A wait ends with its context.
func ExampleConsumer_PeekContext() {
	r := ring()
	defer r.Close()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err := r.Consumer().PeekContext(ctx, 1)
	fmt.Println(err)
	// Output: context canceled
}

// The two ends of one handle, in two goroutines.
func ExampleConsumer_WriteTo() {
	r := ring()
	defer r.Close()
	go func() {
		producer := r.Producer()
		defer producer.Close()
		fmt.Fprintln(producer, "one line")
		fmt.Fprintln(producer, "and another")
	}()
	if _, err := io.Copy(os.Stdout, r.Consumer()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// one line
	// and another
}

// A ring without a name is handed over as a file: to a child by os/exec.Cmd.ExtraFiles, or over a
// Unix socket.
func ExampleFromFile() {
	r := ring()
	defer r.Close()
	file, err := r.File()
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()

	// In the other process:
	peer, err := spscshm.FromFile(file)
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()
	fmt.Println(peer.Capacity())
	// Output: 4096
}

// What a wait can end with, told apart.
func ExampleStatus() {
	r := ring()
	defer r.Close()
	_, err := r.Consumer().Peek(1, 5*time.Millisecond)
	switch {
	case errors.Is(err, spscshm.ErrPeerClosed):
		fmt.Println("end of stream")
	case errors.Is(err, spscshm.ErrPeerDead):
		fmt.Println("the producer died")
	case errors.Is(err, spscshm.ErrTimeout):
		fmt.Println(err)
	}
	// Output: spscshm: peek: the time ran out first
}

// A message arrives as it was sent, with its tag.
func ExampleProducer_Send() {
	r := ring()
	defer r.Close()
	if err := r.Producer().Send(42, []byte("hello"), spscshm.Forever); err != nil {
		log.Fatal(err)
	}
	message, err := r.Consumer().Receive(spscshm.Forever)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d: %s\n", message.Tag, message.Data)
	if err := r.Consumer().ReceiveDone(); err != nil {
		log.Fatal(err)
	}
	// Output: 42: hello
}

// One consumer of several producers, each with a ring of its own.
func ExampleWaitAny() {
	var items []spscshm.WaitItem
	for i := range [3]int{} {
		r := ring()
		defer r.Close()
		go func(producer *spscshm.Producer, tag int) {
			defer producer.Close()
			if err := producer.Send(uint32(tag), []byte("hello"), spscshm.Forever); err != nil {
				log.Print(err)
			}
		}(r.Producer(), i)
		items = append(items, spscshm.WaitItem{End: r.Consumer(), Need: 1})
	}
	for len(items) > 0 {
		if _, err := spscshm.WaitAny(items, spscshm.Forever); err != nil {
			log.Fatal(err)
		}
		// Every ring that is ready gets its turn before the next wait.
		var open []spscshm.WaitItem
		for _, item := range items {
			if item.Err == nil {
				consumer := item.End.(*spscshm.Consumer)
				message, err := consumer.Receive(0)
				if err != nil {
					log.Fatal(err)
				}
				fmt.Printf("%s from %d\n", message.Data, message.Tag)
				// Else it would still be there for the next wait.
				if err := consumer.ReceiveDone(); err != nil {
					log.Fatal(err)
				}
			}
			if item.Err == nil || !item.Ready() {
				open = append(open, item)
			} else if !errors.Is(item.Err, spscshm.ErrPeerClosed) {
				log.Fatal(item.Err)
			}
		}
		items = open
	}
	// Unordered output:
	// hello from 0
	// hello from 1
	// hello from 2
}
