package main

import (
	"encoding/binary"
	"os"
	"time"

	"github.com/spsc-shm/spsc-shm/bindings/go/spscshm"
)

// peerGo is the same loops in Go.
type peerGo struct{ ring *spscshm.Ring }

func newPeerGo(file *os.File) (peer, error) {
	ring, err := spscshm.FromFile(file)
	return peerGo{ring}, err
}

func (p peerGo) produce(b block) error {
	producer := p.ring.Producer()
	message := make([]byte, b.Size)
	for i := 0; i < b.Count; i++ {
		binary.NativeEndian.PutUint64(message, uint64(i))
		if b.Messages {
			if err := producer.Send(1, message, spscshm.Forever); err != nil {
				return err
			}
			continue
		}
		space, err := producer.Claim(b.Size, spscshm.Forever)
		if err != nil {
			return err
		}
		copy(space, message)
		if err := producer.Publish(b.Size); err != nil {
			return err
		}
	}
	return nil
}

func (p peerGo) consume(b block) (int64, error) {
	consumer := p.ring.Consumer()
	message := make([]byte, b.Size)
	var start time.Time
	for i := 0; i < b.Count; i++ {
		if b.Messages {
			received, err := consumer.Receive(spscshm.Forever)
			if err != nil {
				return 0, err
			}
			copy(message, received.Data)
			if err := consumer.ReceiveDone(); err != nil {
				return 0, err
			}
		} else {
			data, err := consumer.Peek(b.Size, spscshm.Forever)
			if err != nil {
				return 0, err
			}
			copy(message, data)
			if err := consumer.Release(b.Size); err != nil {
				return 0, err
			}
		}
		if i == 0 {
			start = time.Now()
		}
	}
	return time.Since(start).Nanoseconds(), nil
}

func (p peerGo) close() { p.ring.Close() }
