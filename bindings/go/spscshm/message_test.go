package spscshm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
	"testing"
	"time"
)

// mail sends a message that need not wait.
func mail(t testing.TB, p *Producer, tag uint32, data string) {
	t.Helper()
	ok(t, p.Send(tag, []byte(data), 0))
}

func gets(t testing.TB, c *Consumer, tag uint32, data string) {
	t.Helper()
	m, err := c.Receive(patience)
	ok(t, err)
	equal(t, fmt.Sprint(m.Tag, " ", string(m.Data)), fmt.Sprint(tag, " ", data))
}

// frame is a frame as any program may write it.
func frame(word, tag uint32, payload string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, word)
	b = binary.LittleEndian.AppendUint32(b, tag)
	b = append(b, payload...)
	return append(b, make([]byte, -len(b)&7)...)
}

func writes(t testing.TB, p *Producer, b []byte) {
	t.Helper()
	_, err := p.Write(b)
	ok(t, err)
}

func TestAMessageIsAFrameOfTheFormat(t *testing.T) {
	_, p, c := anonymous(t, 1)
	// What was there before does not show in the padding.
	fill(t, p)
	space, _ := c.PeekSome(1, 0)
	ok(t, c.Release(len(space)))
	space, err := p.Claim(64, 0)
	ok(t, err)
	copy(space, bytes.Repeat([]byte{0xff}, 64))
	mail(t, p, 0x01020304, "hello")
	space, err = p.ClaimMessage(30, 0)
	ok(t, err)
	equal(t, len(space), 30)
	copy(space, "written where it lies")
	ok(t, p.PublishMessage(7, 7))
	_, err = p.SendMany([]Message{{1, nil}, {2, []byte("12345678")}}, 0)
	ok(t, err)
	expected := bytes.Join([][]byte{
		frame(5, 0x01020304, "hello"), frame(7, 7, "written"), frame(0, 1, ""), frame(8, 2, "12345678"),
	}, nil)
	data, err := c.PeekSome(1, 0)
	ok(t, err)
	equal(t, fmt.Sprintf("%x", data), fmt.Sprintf("%x", expected))
}

func TestMessagesOfEverySizeArriveWithTheirTags(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ways := map[string]struct {
		send    func(*Producer, uint32, []byte) error
		receive func(*Consumer) (Message, error)
	}{
		"timeout": {
			func(p *Producer, tag uint32, data []byte) error { return p.Send(tag, data, patience) },
			func(c *Consumer) (Message, error) { return c.Receive(patience) },
		},
		"context": {
			func(p *Producer, tag uint32, data []byte) error { return p.SendContext(ctx, tag, data) },
			func(c *Consumer) (Message, error) { return c.ReceiveContext(ctx) },
		},
		"many": {
			func(p *Producer, tag uint32, data []byte) error {
				n, err := p.SendMany([]Message{{tag, data}}, patience)
				if err == nil && n != 1 {
					return fmt.Errorf("%d sent", n)
				}
				return err
			},
			func(c *Consumer) (Message, error) {
				m := make([]Message, 1)
				_, err := c.ReceiveMany(m, patience)
				return m[0], err
			},
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			p, c := apart(t, 1)
			capacity := p.Ring().Capacity()
			sizes := []int{0, 1, 7, 8, 9, capacity/2 - 1, capacity / 2, capacity/2 + 1, capacity, 4 * capacity}
			random := rand.New(rand.NewSource(1))
			for i := 0; i < 500; i++ {
				sizes = append(sizes, random.Intn(4*capacity))
			}
			sent := later(t, func() error {
				defer p.Close()
				for i, size := range sizes {
					if err := way.send(p, uint32(i)^0xdeadbeef, randomBytes(size)); err != nil {
						return fmt.Errorf("message %d: %w", i, err)
					}
				}
				return nil
			})
			for i, size := range sizes {
				m, err := way.receive(c)
				ok(t, err)
				if m.Tag != uint32(i)^0xdeadbeef || !bytes.Equal(m.Data, randomBytes(size)) {
					t.Fatalf("message %d of %d bytes is another", i, size)
				}
			}
			_, err := way.receive(c)
			is(t, err, ErrPeerClosed)
			ok(t, sent())
		})
	}
}

func TestManyMessagesGoAtOnce(t *testing.T) {
	r, p, c := anonymous(t, 1)
	many := make([]Message, 1000)
	for i := range many {
		many[i] = Message{uint32(i), []byte("sixteen bytes ..")}
	}
	sent, err := p.SendMany(many, 0)
	ok(t, err)
	equal(t, sent, r.Capacity()/24)
	_, err = p.SendMany(many, 0)
	is(t, err, ErrTimeout)
	some := make([]Message, 100)
	for at := 0; at < sent; {
		n, err := c.ReceiveMany(some, 0)
		ok(t, err)
		equal(t, n, min(100, sent-at))
		for i, m := range some[:n] {
			equal(t, m.Tag, uint32(at+i))
			equal(t, string(m.Data), "sixteen bytes ..")
		}
		at += n
	}
	_, err = c.ReceiveMany(some, 0)
	is(t, err, ErrTimeout)
	equal(t, r.Available(), 0)
	for _, none := range [][]Message{nil, {}} {
		n, err := p.SendMany(none, 0)
		equal(t, n, 0)
		ok(t, err)
		n, err = c.ReceiveMany(none, Forever)
		equal(t, n, 0)
		ok(t, err)
	}
}

func TestAMessageIsConsumedByTheNextReceive(t *testing.T) {
	r, p, c := anonymous(t, 1)
	mail(t, p, 1, "one")
	mail(t, p, 2, "two")
	first, err := c.Receive(0)
	ok(t, err)
	equal(t, r.Available(), 32)
	second, err := c.Receive(0)
	ok(t, err)
	equal(t, r.Available(), 16)
	equal(t, string(first.Data)+string(second.Data), "onetwo")
	_, err = c.Receive(0)
	is(t, err, ErrTimeout)
	equal(t, r.Available(), 0)
	mail(t, p, 3, "three")
	gets(t, c, 3, "three")
	ok(t, c.ReceiveDone())
	ok(t, c.ReceiveDone())
	equal(t, r.Available(), 0)
	// What is not consumed is there for the next.
	mail(t, p, 4, "four")
	gets(t, c, 4, "four")
	ok(t, c.Close())
	next := another(t, r).Consumer()
	gets(t, next, 4, "four")
	// A peek takes a message's place, and so it is there again.
	_, err = next.Peek(4, 0)
	ok(t, err)
	gets(t, next, 4, "four")
}

func TestNoMessageIsSentInPart(t *testing.T) {
	r, p, c := anonymous(t, 1)
	large := make([]byte, r.Capacity())
	is(t, p.Send(1, large, 0), ErrTimeout)
	equal(t, r.Available(), 0)
	// Four fragments, which fill the ring to the last byte.
	ok(t, p.Send(1, large[:r.Capacity()-4*8], 0))
	equal(t, r.Available(), r.Capacity())
	gets(t, c, 1, string(large[:r.Capacity()-4*8]))
	_, err := c.Receive(0)
	is(t, err, ErrTimeout)
	fill := make([]byte, r.Capacity()/2)
	ok(t, p.Send(2, fill, 0))
	is(t, p.Send(3, fill, 0), ErrTimeout)
	_, err = p.ClaimMessage(len(fill), 0)
	is(t, err, ErrTimeout)
	gets(t, c, 2, string(fill))
	_, err = c.Receive(0)
	is(t, err, ErrTimeout)
	_, err = p.ClaimMessage(len(fill)+1, Forever)
	is(t, err, ErrTooLarge)
	_, err = p.ClaimMessage(-1, Forever)
	is(t, err, ErrTooLarge)
	_, err = p.ClaimMessage(5, 0)
	ok(t, err)
	is(t, p.PublishMessage(1, 6), ErrMisuse)
	is(t, p.PublishMessage(1, -1), ErrMisuse)
	ok(t, p.PublishMessage(1, 5))
	is(t, p.PublishMessage(1, 0), ErrMisuse)
}

func TestALargeMessageThatIsCutShortIsLostAndNoOther(t *testing.T) {
	r, p, c := anonymous(t, 1)
	mail(t, p, 1, "before")
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	exactly(t, p.SendContext(ctx, 2, make([]byte, 4*r.Capacity())), context.DeadlineExceeded)
	gets(t, c, 1, "before")
	_, err := c.Receive(0)
	is(t, err, ErrTimeout)
	is(t, p.Send(3, make([]byte, 8*r.Capacity()), soon), ErrTimeout)
	_, err = c.Receive(0)
	is(t, err, ErrTimeout)
	mail(t, p, 4, "after")
	gets(t, c, 4, "after")
	is(t, p.Send(5, make([]byte, 8*r.Capacity()), soon), ErrTimeout)
	ok(t, p.Close())
	_, err = c.Receive(Forever)
	is(t, err, ErrPeerClosed)
	// The next sender's continues nothing of this one.
	next := another(t, r).Producer()
	writes(t, next, frame(continues|3, 9, "end"))
	mail(t, next, 6, "whole")
	gets(t, c, 6, "whole")
}

func TestFragmentsAreAssembledUpToABound(t *testing.T) {
	_, p, c := anonymous(t, 1)
	is(t, c.SetMaxMessage(-1), ErrInvalidArgument)
	ok(t, c.SetMaxMessage(8))
	writes(t, p, frame(moreFollow|4, 1, "four"))
	writes(t, p, frame(continues|moreFollow|3, 2, "333"))
	writes(t, p, frame(continues|1, 3, "1"))
	gets(t, c, 1, "four3331")
	writes(t, p, frame(moreFollow|4, 1, "four"))
	writes(t, p, frame(continues|moreFollow|5, 1, "fifth"))
	writes(t, p, frame(continues|moreFollow|1, 1, "x"))
	writes(t, p, frame(continues|9, 1, "skipped.."))
	mail(t, p, 2, "nine bytes are no fragment")
	_, err := c.Receive(0)
	is(t, err, ErrTooLarge)
	gets(t, c, 2, "nine bytes are no fragment")
	// A first fragment, and a whole message, end an unfinished one.
	for _, begin := range []string{"lost", "gone"} {
		writes(t, p, frame(moreFollow|4, 1, begin))
	}
	writes(t, p, frame(continues|3, 1, "got"))
	gets(t, c, 1, "gonegot")
	writes(t, p, frame(moreFollow|4, 1, "lost"))
	mail(t, p, 5, "")
	writes(t, p, frame(continues|3, 1, "got"))
	gets(t, c, 5, "")
	_, err = c.Receive(0)
	is(t, err, ErrTimeout)
}

func TestWhatNoSenderWritesIsCorrupt(t *testing.T) {
	cases := map[string][]byte{
		"a length beyond what is there": frame(17, 1, "sixteen bytes .."),
		"a length beyond the ring":      frame(lengthBits, 1, ""),
		"an empty fragment":             frame(moreFollow, 1, ""),
		"an empty last fragment":        frame(continues, 1, ""),
		"a fragment that is not there":  frame(moreFollow|100, 1, "x"),
	}
	for name, bad := range cases {
		t.Run(name, func(t *testing.T) {
			_, p, c := anonymous(t, 1)
			writes(t, p, bad)
			for i := 0; i < 2; i++ {
				_, err := c.Receive(Forever)
				is(t, err, ErrCorrupt)
				_, err = c.ReceiveMany(make([]Message, 3), Forever)
				is(t, err, ErrCorrupt)
			}
		})
	}
	_, p, c := anonymous(t, 1)
	send(t, p, "bytes")
	is(t, p.Send(1, nil, 0), ErrCorrupt)
	_, err := p.ClaimMessage(1, 0)
	is(t, err, ErrCorrupt)
	_, err = p.SendMany(make([]Message, 1), 0)
	is(t, err, ErrCorrupt)
	receive(t, c, "bytes")
	send(t, p, "more than eight")
	_, err = c.Receive(0)
	is(t, err, ErrCorrupt)
}

func TestMoreThanWasSeenGoesAtOnce(t *testing.T) {
	_, p, c := anonymous(t, 1)
	mail(t, p, 0, "")
	ok(t, c.WaitForData(8, 0))
	fill := make([]Message, pageSize)
	n, err := p.SendMany(fill, 0)
	ok(t, err)
	equal(t, n, pageSize/8-1)
	n, err = c.ReceiveMany(fill, 0)
	ok(t, err)
	equal(t, n, pageSize/8)
	ok(t, c.ReceiveDone())
	mail(t, p, 0, string(make([]byte, pageSize/2)))
	gets(t, c, 0, string(make([]byte, pageSize/2)))
	ok(t, c.ReceiveDone())
	n, err = p.SendMany(fill, 0)
	ok(t, err)
	equal(t, n, pageSize/8)
}

// As long as fragments are there, a receiver need not wait, and looks up now and then nevertheless.
func TestAReceiverLooksUpFromManyFragments(t *testing.T) {
	const many, size = 200, 16
	cancelled, cancel := context.WithCancel(context.Background())
	cases := map[string]struct {
		receive func(*Consumer) error
		err     error
	}{
		"a poll":      {func(c *Consumer) error { _, err := c.Receive(0); return err }, ErrTimeout},
		"a timeout":   {func(c *Consumer) error { _, err := c.Receive(1); return err }, ErrTimeout},
		"a wake-up":   {func(c *Consumer) error { _, err := c.Receive(patience); return err }, ErrInterrupted},
		"a cancelled": {func(c *Consumer) error { return c.endless(cancelled) }, context.Canceled},
	}
	cancel()
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			r, p, c := anonymous(t, 1)
			ok(t, c.WaitForData(0, 0))
			writes(t, p, bytes.Repeat(frame(moreFollow|1, 1, "x"), many))
			ok(t, r.WakeupAll())
			is(t, end.receive(c), end.err)
			if left := r.Available(); left == 0 || left == many*size {
				t.Fatalf("%d bytes are left", left)
			}
		})
	}
}

// endless is a receive whose context is done once it is under way.
func (c *Consumer) endless(done context.Context) error {
	_, err := c.end.receive(&c.receiver, limit{ctx: done})
	return err
}

// A sender without end keeps no receiver from its deadline, and from Close.
func TestAFloodOfFragmentsDoesNotHoldAReceiver(t *testing.T) {
	_, p, c := anonymous(t, 1)
	flood := bytes.Repeat(frame(moreFollow|1, 1, "x"), 64)
	flooded := later(t, func() error {
		for {
			if _, err := p.Write(flood); err != nil {
				return err
			}
		}
	})
	_, err := c.Receive(soon)
	is(t, err, ErrTimeout)
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	_, err = c.ReceiveContext(ctx)
	exactly(t, err, context.DeadlineExceeded)
	receiving := later(t, func() error { _, err := c.Receive(Forever); return err })
	time.Sleep(soon)
	ok(t, c.Close())
	is(t, receiving(), ErrClosed)
	is(t, flooded(), ErrPeerClosed)
}

func TestTheMemoryStaysUnderAMessageThatIsOut(t *testing.T) {
	r, p, c := anonymous(t, 1)
	mail(t, p, 1, "still there")
	m, err := c.Receive(0)
	ok(t, err)
	is(t, r.Close(), ErrInUse)
	equal(t, string(m.Data), "still there")
	_, err = c.Receive(0)
	is(t, err, ErrClosed)
	equal(t, r.freed, true)
	is(t, p.Send(1, nil, 0), ErrClosed)
	is(t, c.ReceiveDone(), ErrClosed)

	// An assembled one is the garbage collector's.
	r, p, c = anonymous(t, 1)
	ok(t, p.WaitForSpace(1, 0))
	sent := later(t, func() error { return p.Send(1, make([]byte, r.Capacity()+1), patience) })
	m, err = c.Receive(patience)
	ok(t, err)
	ok(t, sent())
	ok(t, r.Close())
	equal(t, len(m.Data), r.Capacity()+1)
}

// The iterator as a function, for those whose Go has no range over it.
func TestTheIteratorGivesAllMessagesAndEndsWithTheStream(t *testing.T) {
	r, p, c := anonymous(t, 1)
	for i := uint32(0); i < 5; i++ {
		mail(t, p, i, "x")
	}
	seen := 0
	c.Messages(context.Background())(func(m Message, err error) bool {
		ok(t, err)
		seen++
		return m.Tag != 2
	})
	equal(t, seen, 3)
	// The one that broke off is consumed.
	equal(t, r.Available(), 32)
	ok(t, p.Close())
	c.Messages(context.Background())(func(m Message, err error) bool {
		ok(t, err)
		equal(t, m.Tag, uint32(seen))
		seen++
		return true
	})
	equal(t, seen, 5)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	errs := []error{}
	c.Messages(ctx)(func(_ Message, err error) bool {
		errs = append(errs, err)
		return true
	})
	equal(t, len(errs), 1)
	exactly(t, errs[0], context.Canceled)
}

func TestAnInterruptedReceiveGoesOn(t *testing.T) {
	r, p, c := anonymous(t, 1)
	receiving := later(t, func() error { _, err := c.Receive(Forever); return err })
	asleep(t, r, consumer)
	ok(t, r.WakeupAll())
	is(t, receiving(), ErrInterrupted)
	writes(t, p, frame(moreFollow|4, 1, "half"))
	_, err := c.Receive(0)
	is(t, err, ErrTimeout)
	writes(t, p, frame(continues|4, 1, "half"))
	gets(t, c, 1, "halfhalf")
	if _, err = c.Receive(0); errors.Is(err, ErrMisuse) {
		t.Fatal(err)
	}
}
