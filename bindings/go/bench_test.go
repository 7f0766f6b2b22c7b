package spscshm

import (
	"bufio"
	"encoding/binary"
	"io"
	"testing"
)

// What a message of 64 bytes costs, by how often Go crosses to C for it. One goroutine plays both
// sides, so that nobody ever waits: the difference is the crossings'.
const messageSize = 64

// check is ok without the cost of Helper.
func check(b *testing.B, err error) {
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCrossing is the cheapest call there is.
func BenchmarkCrossing(b *testing.B) {
	r := anonymous(b, 1<<16)
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		nativeAvailable(r.ring)
	}
}

// BenchmarkMessagePerCall makes four crossings for each message.
func BenchmarkMessagePerCall(b *testing.B) {
	r := anonymous(b, 1<<16)
	b.SetBytes(messageSize)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		space, err := r.Claim(messageSize, Forever)
		check(b, err)
		binary.LittleEndian.PutUint64(space, uint64(i))
		check(b, r.Publish(messageSize))
		data, err := r.Peek(messageSize, Forever)
		check(b, err)
		if binary.LittleEndian.Uint64(data) != uint64(i) {
			b.Fatal("not the message")
		}
		check(b, r.Release(messageSize))
	}
}

// BenchmarkMessageBatched makes four crossings for each 512 messages.
func BenchmarkMessageBatched(b *testing.B) {
	const batch = 512 * messageSize
	r := anonymous(b, 1<<16)
	b.SetBytes(messageSize)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; {
		space, err := r.ClaimSome(batch, Forever)
		check(b, err)
		first := i
		for at := 0; at < batch; at += messageSize {
			binary.LittleEndian.PutUint64(space[at:], uint64(i))
			i++
		}
		check(b, r.Publish(batch))
		data, err := r.PeekSome(batch, Forever)
		check(b, err)
		for at := 0; at < batch; at += messageSize {
			if binary.LittleEndian.Uint64(data[at:]) != uint64(first) {
				b.Fatal("not the message")
			}
			first++
		}
		check(b, r.Release(batch))
	}
}

// BenchmarkStream is one goroutine to another, as fast as it goes.
func BenchmarkStream(b *testing.B) {
	message := make([]byte, messageSize)
	ways := map[string]func(*Ring) io.Writer{
		"unbuffered": func(r *Ring) io.Writer { return onlyWriter{r} },
		"bufio":      func(r *Ring) io.Writer { return bufio.NewWriterSize(onlyWriter{r}, 1<<15) },
	}
	for name, way := range ways {
		b.Run(name, func(b *testing.B) {
			r := anonymous(b, 1<<16)
			peer := another(b, r)
			b.SetBytes(messageSize)
			received := later(b, func() error {
				_, err := peer.WriteTo(io.Discard)
				return err
			})
			w := way(r)
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				_, err := w.Write(message)
				check(b, err)
			}
			if buffered, is := w.(*bufio.Writer); is {
				ok(b, buffered.Flush())
			}
			ok(b, r.Close())
			ok(b, received())
		})
	}
}
