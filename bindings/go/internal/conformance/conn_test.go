// Package conformance holds a Conn to what golang.org/x/net asks of every net.Conn.
package conformance

import (
	"errors"
	"net"
	"path/filepath"
	"testing"

	"github.com/spsc-shm/spsc-shm/bindings/go/spscshm"
	"golang.org/x/net/nettest"
)

func TestConn(t *testing.T) {
	for _, capacity := range []int{1, 1 << 20} {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			l, err := spscshm.Listen(filepath.Join(t.TempDir(), "socket"), spscshm.WithCapacities(capacity, capacity))
			if err != nil {
				return nil, nil, nil, err
			}
			dialled := make(chan error)
			go func() {
				c, err := spscshm.Dial(l.Addr().String())
				// A listener drops a client that does not run for a second.
				for errors.Is(err, spscshm.ErrPeerClosed) {
					c, err = spscshm.Dial(l.Addr().String())
				}
				c1 = c
				dialled <- err
			}()
			c2, err = l.Accept()
			if err = errors.Join(err, <-dialled, l.Close()); err != nil {
				return nil, nil, nil, err
			}
			return c1, c2, func() { c1.Close(); c2.Close() }, nil
		})
	}
}
