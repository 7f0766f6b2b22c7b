//go:build go1.26

// Older releases box a pointer to an incomplete C type for each call; Go 1.19 is one.

package spscshm

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestCallsDoNotAllocate(t *testing.T) {
	r, p, c := anonymous(t, 1)
	empty, _, idle := anonymous(t, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	message := make([]byte, 64)
	large := make([]byte, pageSize/4*3-3*headerSize)
	many := [4]Message{{Data: message}}
	items := []WaitItem{{End: idle, Need: 1}, {End: c, Need: 1}}
	over, stop := context.WithCancel(ctx)
	stop()
	failed := func(err, expected error) {
		if !errors.Is(err, expected) {
			t.Fatalf("not %v but %v", expected, err)
		}
	}
	calls := map[string]func(){
		"claim, publish, peek, release": func() {
			_, err := p.Claim(64, Forever)
			failed(err, nil)
			failed(p.Publish(64), nil)
			_, err = c.Peek(64, time.Second)
			failed(err, nil)
			failed(c.Release(64), nil)
		},
		"batches": func() {
			space, err := p.ClaimSome(1, Forever)
			failed(err, nil)
			failed(p.Publish(len(space)), nil)
			data, err := c.PeekSome(1, Forever)
			failed(err, nil)
			failed(c.Release(len(data)), nil)
		},
		"contexts": func() {
			_, err := p.ClaimContext(ctx, 64)
			failed(err, nil)
			failed(p.Publish(64), nil)
			_, err = c.PeekSomeContext(ctx, 64)
			failed(err, nil)
			failed(c.Release(64), nil)
		},
		"io": func() {
			_, err := p.Write(message)
			failed(err, nil)
			_, err = c.Read(message)
			failed(err, nil)
		},
		"messages": func() {
			failed(p.Send(1, message, Forever), nil)
			failed(p.SendContext(ctx, 2, message), nil)
			_, err := c.Receive(Forever)
			failed(err, nil)
			_, err = c.ReceiveContext(ctx)
			failed(err, nil)
			_, err = p.ClaimMessage(64, Forever)
			failed(err, nil)
			failed(p.PublishMessage(3, 64), nil)
			_, err = p.SendMany(many[:3], Forever)
			failed(err, nil)
			_, err = c.ReceiveMany(many[:], Forever)
			failed(err, nil)
			failed(c.ReceiveDone(), nil)
			_, err = c.Receive(0)
			failed(err, ErrTimeout)
			many = [4]Message{{Data: message}}
		},
		"large messages": func() {
			failed(p.Send(1, large, Forever), nil)
			_, err := c.Receive(Forever)
			failed(err, nil)
		},
		"many rings": func() {
			_, err := WaitAny(items, time.Microsecond)
			failed(err, ErrTimeout)
			failed(p.Send(1, message, 0), nil)
			_, err = WaitAny(items, Forever)
			failed(err, nil)
			_, err = c.Receive(0)
			failed(err, nil)
			failed(c.ReceiveDone(), nil)
		},
		"a poll":    func() { _, err := idle.Peek(1, 0); failed(err, ErrTimeout) },
		"a timeout": func() { _, err := idle.Peek(1, time.Microsecond); failed(err, ErrTimeout) },
		"waits": func() {
			failed(p.WaitForSpace(1, Forever), nil)
			failed(idle.WaitForData(1, time.Microsecond), ErrTimeout)
		},
		"an interruption": func() {
			failed(empty.WakeupAll(), nil)
			_, err := idle.Peek(1, Forever)
			failed(err, ErrInterrupted)
		},
		"a cancelled context": func() { _, err := c.PeekContext(over, 1); failed(err, context.Canceled) },
		"questions": func() {
			_, err := r.Stats()
			failed(err, nil)
			if r.Available() != 0 || r.Capacity() != pageSize {
				t.Fatal("wrong answers")
			}
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			if allocated := testing.AllocsPerRun(100, call); allocated != 0 {
				t.Errorf("%v allocations", allocated)
			}
		})
	}
}
