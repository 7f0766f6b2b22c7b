package spscshm

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"strconv"
	"testing"
)

// What a message of 64 bytes costs. One goroutine plays both sides in most of these, so that nobody
// ever waits: it is the calls' cost.
const messageSize = 64

// check is ok without the cost of Helper.
func check(b *testing.B, err error) {
	if err != nil {
		b.Fatal(err)
	}
}

func begin(b *testing.B) {
	b.SetBytes(messageSize)
	b.ReportAllocs()
	b.ResetTimer()
}

// BenchmarkCrossing is the cheapest call into C that there is.
func BenchmarkCrossing(b *testing.B) {
	r, _, _ := anonymous(b, 1<<16)
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		nativeAvailable(r.handle)
	}
}

// BenchmarkMessage is a claim, a copy, a publish, a peek, a copy, and a release.
func BenchmarkMessage(b *testing.B) {
	_, p, c := anonymous(b, 1<<16)
	message, received := make([]byte, messageSize), make([]byte, messageSize)
	begin(b)
	for i := 0; i < b.N; i++ {
		space, err := p.Claim(messageSize, Forever)
		check(b, err)
		copy(space, message)
		check(b, p.Publish(messageSize))
		data, err := c.Peek(messageSize, Forever)
		check(b, err)
		copy(received, data)
		check(b, c.Release(messageSize))
	}
}

// BenchmarkMessageContext is the same with a context that can be cancelled.
func BenchmarkMessageContext(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, p, c := anonymous(b, 1<<16)
	message, received := make([]byte, messageSize), make([]byte, messageSize)
	begin(b)
	for i := 0; i < b.N; i++ {
		space, err := p.ClaimContext(ctx, messageSize)
		check(b, err)
		copy(space, message)
		check(b, p.Publish(messageSize))
		data, err := c.PeekContext(ctx, messageSize)
		check(b, err)
		copy(received, data)
		check(b, c.Release(messageSize))
	}
}

// BenchmarkWriteRead is a Write and a Read of each message.
func BenchmarkWriteRead(b *testing.B) {
	_, p, c := anonymous(b, 1<<16)
	message, received := make([]byte, messageSize), make([]byte, messageSize)
	begin(b)
	for i := 0; i < b.N; i++ {
		_, err := p.Write(message)
		check(b, err)
		_, err = c.Read(received)
		check(b, err)
	}
}

// BenchmarkMessageBatched hands over 512 messages at once.
func BenchmarkMessageBatched(b *testing.B) {
	const batch = 512 * messageSize
	_, p, c := anonymous(b, 1<<16)
	begin(b)
	for i := 0; i < b.N; {
		space, err := p.ClaimSome(batch, Forever)
		check(b, err)
		first := i
		for at := 0; at < batch; at += messageSize {
			binary.LittleEndian.PutUint64(space[at:], uint64(i))
			i++
		}
		check(b, p.Publish(batch))
		data, err := c.PeekSome(batch, Forever)
		check(b, err)
		for at := 0; at < batch; at += messageSize {
			if binary.LittleEndian.Uint64(data[at:]) != uint64(first) {
				b.Fatal("not the message")
			}
			first++
		}
		check(b, c.Release(batch))
	}
}

// BenchmarkStream is one goroutine to another, as fast as it goes.
func BenchmarkStream(b *testing.B) {
	message := make([]byte, messageSize)
	ways := map[string]func(*Producer) io.Writer{
		"unbuffered": func(p *Producer) io.Writer { return onlyWriter{p} },
		"bufio":      func(p *Producer) io.Writer { return bufio.NewWriterSize(onlyWriter{p}, 1<<15) },
	}
	for name, way := range ways {
		b.Run(name, func(b *testing.B) {
			p, c := apart(b, 1<<16)
			received := later(b, func() error {
				_, err := c.WriteTo(io.Discard)
				return err
			})
			w := way(p)
			begin(b)
			for i := 0; i < b.N; i++ {
				_, err := w.Write(message)
				check(b, err)
			}
			if buffered, is := w.(*bufio.Writer); is {
				ok(b, buffered.Flush())
			}
			ok(b, p.Close())
			ok(b, received())
		})
	}
}

// BenchmarkRoundTrip is a message to another goroutine and its answer, each waited for.
func BenchmarkRoundTrip(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ways := map[string]func(*Consumer) ([]byte, error){
		"timeout": func(c *Consumer) ([]byte, error) { return c.Peek(messageSize, Forever) },
		"context": func(c *Consumer) ([]byte, error) { return c.PeekContext(ctx, messageSize) },
	}
	for name, peek := range ways {
		b.Run(name, func(b *testing.B) {
			there, thereEnd := apart(b, 1)
			back, backEnd := apart(b, 1)
			message := make([]byte, messageSize)
			answered := later(b, func() error {
				for {
					data, err := peek(thereEnd)
					if err != nil {
						return nil
					}
					if _, err := back.Write(data); err != nil {
						return err
					}
					if err := thereEnd.Release(len(data)); err != nil {
						return err
					}
				}
			})
			begin(b)
			for i := 0; i < b.N; i++ {
				_, err := there.Write(message)
				check(b, err)
				_, err = peek(backEnd)
				check(b, err)
				check(b, backEnd.Release(messageSize))
			}
			ok(b, there.Close())
			ok(b, answered())
		})
	}
}

// BenchmarkSendReceive is a Send and a Receive of each message.
func BenchmarkSendReceive(b *testing.B) {
	_, p, c := anonymous(b, 1<<16)
	message := make([]byte, messageSize)
	begin(b)
	for i := 0; i < b.N; i++ {
		check(b, p.Send(uint32(i), message, Forever))
		m, err := c.Receive(Forever)
		check(b, err)
		copy(message, m.Data)
	}
}

// BenchmarkWaitAny is a message on one of some rings, which is waited for among all, and received.
func BenchmarkWaitAny(b *testing.B) {
	for _, rings := range []int{1, 8, 64, 127} {
		b.Run(strconv.Itoa(rings), func(b *testing.B) {
			items := make([]WaitItem, rings)
			var busy *Producer
			for i := range items {
				_, p, c := anonymous(b, 1)
				items[i] = WaitItem{End: c, Need: 1}
				busy = p
			}
			c := items[rings-1].End.(*Consumer)
			message := make([]byte, messageSize)
			begin(b)
			for i := 0; i < b.N; i++ {
				check(b, busy.Send(0, message, 0))
				_, err := WaitAny(items, Forever)
				check(b, err)
				_, err = c.Receive(0)
				check(b, err)
				check(b, c.ReceiveDone())
			}
		})
	}
}
