package spscshm

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"
)

// transports are connections to compare: both ends of each are goroutines of this process.
var transports = []struct {
	name string
	pair func(testing.TB) (net.Conn, net.Conn)
}{
	{"spsc", func(b testing.TB) (net.Conn, net.Conn) {
		server, client := connPair(b)
		return server, client
	}},
	{"unix", func(b testing.TB) (net.Conn, net.Conn) {
		l, err := net.Listen("unix", filepath.Join(b.TempDir(), "socket"))
		ok(b, err)
		b.Cleanup(func() { l.Close() })
		client, err := net.Dial("unix", l.Addr().String())
		ok(b, err)
		server, err := l.Accept()
		ok(b, err)
		b.Cleanup(func() { server.Close(); client.Close() })
		return server, client
	}},
}

// BenchmarkConnThroughput writes pieces of a size at one end, and reads what comes at the other.
func BenchmarkConnThroughput(b *testing.B) {
	for _, size := range []int{64, 4 << 10, 64 << 10} {
		for _, transport := range transports {
			b.Run(fmt.Sprintf("%s/%d", transport.name, size), func(b *testing.B) {
				server, client := transport.pair(b)
				total := b.N * size
				done := make(chan error)
				go func() {
					buffer := make([]byte, 64<<10)
					for total > 0 {
						n, err := server.Read(buffer)
						if err != nil {
							done <- err
							return
						}
						total -= n
					}
					done <- nil
				}()
				message := make([]byte, size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.ResetTimer()
				for i := 0; i < b.N; i++ {
					_, err := client.Write(message)
					check(b, err)
				}
				check(b, <-done)
			})
		}
	}
}

// BenchmarkConnRoundTrip is a message of 64 bytes and its answer.
func BenchmarkConnRoundTrip(b *testing.B) {
	for _, transport := range transports {
		b.Run(transport.name, func(b *testing.B) {
			server, client := transport.pair(b)
			go io.Copy(server, onlyReader{server})
			message := make([]byte, messageSize)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				_, err := client.Write(message)
				check(b, err)
				_, err = io.ReadFull(client, message)
				check(b, err)
			}
		})
	}
}
