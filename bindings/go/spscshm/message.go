package spscshm

import (
	"context"
	"errors"
	"math/bits"
	"sync/atomic"
	"time"
	"unsafe"
)

// Message is a message that was received, or is to be sent.
type Message struct {
	// Tag is the caller's, to tell kinds of messages apart.
	Tag uint32
	// Data is the payload.
	Data []byte
}

// A message is a frame in the stream: the payload's length with two flags above it, the tag, the
// payload, and zeros up to a multiple of 8. One of more than half the ring goes in several frames,
// its fragments: all but the last have moreFollow, all but the first have continues. A frame is
// published whole or not at all. docs/PROTOCOL.md has the rest.
//
// Frames are made and read here, in Go, and so need no call into C either.
const (
	headerSize = 8
	lengthBits = 1<<30 - 1
	moreFollow = 1 << 30
	continues  = 1 << 31
	// The largest length that is a multiple of 8.
	mostLength = lengthBits &^ 7

	defaultMaxMessage = 64 << 20
)

// frameSize is how many bytes the frame of a payload takes.
func frameSize(length uint64) uint64 { return (length + headerSize + 7) &^ 7 }

// largestFrame is the largest payload that goes in one frame.
func (c *cursor) largestFrame() uint64 { return min((c.mask+1)/2, mostLength) }

// fragmentSize is the payload of every fragment but the last: with its header a quarter of the ring,
// so that one part is written while another is read.
func (c *cursor) fragmentSize() uint64 { return min((c.mask+1)/4-headerSize, mostLength) }

// header packs a frame's first 8 bytes, as the processor stores them.
func header(length uint64, flags, tag uint32) uint64 {
	return littleEndian(uint64(uint32(length)|flags) | uint64(tag)<<32)
}

// littleEndian changes the byte order where the processor's is another.
func littleEndian(word uint64) uint64 {
	one := uint16(1)
	if *(*byte)(unsafe.Pointer(&one)) == 1 {
		return word
	}
	return bits.ReverseBytes64(word)
}

// aligned reports whether a frame can begin at the position, as in a stream of messages it always
// does.
func (c *cursor) aligned() bool { return c.position&7 == 0 }

// frameAt gives the word of a header that lies ahead of the position. The other process may change it
// at any time, so it is read once.
func (c *cursor) frameAt(ahead uint64) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Add(c.data, (c.position+ahead)&c.mask))
}

// putFrame writes a frame that lies ahead of the position. There must be room, and the position must
// be aligned.
func (c *cursor) putFrame(ahead uint64, flags, tag uint32, data []byte) {
	length := uint64(len(data))
	c.frameAt(ahead).Store(header(length, flags, tag))
	at := unsafe.Add(c.data, (c.position+ahead)&c.mask+headerSize)
	padded := unsafe.Slice((*byte)(at), frameSize(length)-headerSize)
	clear(padded[copy(padded, data):])
}

// until makes a limit that holds for several waits: its timeout counts from now on.
type until struct {
	limit
	deadline time.Time
}

func (l limit) fromNow() until {
	u := until{limit: l}
	if l.ctx == nil && l.timeout > 0 && l.timeout != Forever {
		u.deadline = time.Now().Add(l.timeout)
	}
	return u
}

// left is the limit of the next wait.
func (u *until) left() limit {
	if !u.deadline.IsZero() {
		return timeLimit(max(time.Until(u.deadline), 0))
	}
	return u.limit
}

// Send sends a copy of data as one message, once there is room for it. It may be larger than the
// ring: one of more than half the capacity goes in fragments, while the other side receives them. If
// the call ends half-way, that message is lost; those before it and after it are not.
//
// A ring carries either messages or bytes, and the consumer must know which: where bytes were sent
// before, the error may be [ErrCorrupt].
//
// With a timeout of 0 or less it does not wait, and sends all of the message or nothing; [Forever]
// has no limit.
func (p *Producer) Send(tag uint32, data []byte, timeout time.Duration) error {
	return p.end.send(tag, data, limit{timeout: timeout})
}

// SendContext is Send with a context in place of the timeout, as in ClaimContext.
func (p *Producer) SendContext(ctx context.Context, tag uint32, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return p.end.send(tag, data, limit{ctx: ctx})
}

func (e *end) send(tag uint32, data []byte, l limit) error {
	if !e.enter() {
		return e.refusal(opSend)
	}
	c := e.cursor
	length := uint64(len(data))
	size := frameSize(length)
	if length <= c.largestFrame() && c.has(size) && c.aligned() {
		c.putFrame(0, 0, tag, data)
		c.granted = 0
		e.advance(size)
		e.leave()
		return nil
	}
	defer e.exit()
	if length <= c.largestFrame() {
		return e.sendFrame(0, tag, data, l)
	}
	return e.sendFragments(tag, data, l)
}

// sendFrame sends one frame, once there is room for it.
func (e *end) sendFrame(flags, tag uint32, data []byte, l limit) error {
	c := e.cursor
	size := frameSize(uint64(len(data)))
	if !c.has(size) {
		if err := e.wait(opSend, int(size), l); err != nil {
			return err
		}
	}
	if !c.aligned() {
		return e.fail(opSend, ErrCorrupt)
	}
	c.putFrame(0, flags, tag, data)
	c.granted = 0
	e.advance(size)
	return nil
}

func (e *end) sendFragments(tag uint32, data []byte, l limit) error {
	c := e.cursor
	piece := c.fragmentSize()
	if l.ctx == nil && l.timeout <= 0 {
		// What is sent of half a message is of no use to anybody.
		whole := uint64(len(data))
		size := whole / piece * frameSize(piece)
		if rest := whole % piece; rest > 0 {
			size += frameSize(rest)
		}
		if need := min(size, c.mask+1); !c.has(need) {
			if err := e.wait(opSend, int(need), l); err != nil {
				return err
			}
		}
		if size > c.mask+1 {
			return e.result(opSend, result{status: ErrTimeout})
		}
	}
	deadline := l.fromNow()
	for flags := uint32(0); len(data) > 0; flags = continues {
		length := min(piece, uint64(len(data)))
		part := data[:length]
		data = data[length:]
		if len(data) > 0 {
			flags |= moreFollow
		}
		if err := e.sendFrame(flags, tag, part, deadline.left()); err != nil {
			return err
		}
	}
	return nil
}

// SendMany waits until there is room for the first of messages, and sends all that fit, with one
// publish. It returns how many it sent: at least one, unless there are none or the error is not nil.
// A first one of more than half the capacity is sent alone.
func (p *Producer) SendMany(messages []Message, timeout time.Duration) (int, error) {
	return p.end.sendMany(messages, limit{timeout: timeout})
}

// SendManyContext is SendMany with a context in place of the timeout, as in ClaimContext.
func (p *Producer) SendManyContext(ctx context.Context, messages []Message) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return p.end.sendMany(messages, limit{ctx: ctx})
}

func (e *end) sendMany(messages []Message, l limit) (int, error) {
	if len(messages) == 0 {
		return 0, nil
	}
	if !e.enter() {
		return 0, e.refusal(opSend)
	}
	defer e.exit()
	c := e.cursor
	first := uint64(len(messages[0].Data))
	if first > c.largestFrame() {
		if err := e.sendFragments(messages[0].Tag, messages[0].Data, l); err != nil {
			return 0, err
		}
		return 1, nil
	}
	if need := frameSize(first); !c.has(need) {
		if err := e.wait(opSend, int(need), l); err != nil {
			return 0, err
		}
	}
	if !c.aligned() {
		return 0, e.fail(opSend, ErrCorrupt)
	}
	used, sent := uint64(0), 0
	for _, m := range messages {
		length := uint64(len(m.Data))
		if length > c.largestFrame() || !c.has(used+frameSize(length)) {
			break
		}
		c.putFrame(used, 0, m.Tag, m.Data)
		used += frameSize(length)
		sent++
	}
	c.granted = 0
	e.advance(used)
	return sent, nil
}

// ClaimMessage waits until there is room for a message of maxLen bytes, at most half the capacity,
// and claims its payload, to write in place; [Producer.PublishMessage] sends it. The slice is as that
// of Claim, and aligned to 8 bytes.
func (p *Producer) ClaimMessage(maxLen int, timeout time.Duration) ([]byte, error) {
	return p.claimMessage(maxLen, limit{timeout: timeout})
}

// ClaimMessageContext is ClaimMessage with a context in place of the timeout, as in ClaimContext.
func (p *Producer) ClaimMessageContext(ctx context.Context, maxLen int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return p.claimMessage(maxLen, limit{ctx: ctx})
}

func (p *Producer) claimMessage(maxLen int, l limit) ([]byte, error) {
	e := &p.end
	if !e.enter() {
		return nil, e.refusal(opClaim)
	}
	defer e.exit()
	c := e.cursor
	// A negative one is too large, too.
	if uint64(maxLen) > c.largestFrame() {
		return nil, e.fail(opClaim, ErrTooLarge)
	}
	size := frameSize(uint64(maxLen))
	if !c.has(size) {
		if err := e.wait(opClaim, int(size), l); err != nil {
			return nil, err
		}
	}
	if !c.aligned() {
		return nil, e.fail(opClaim, ErrCorrupt)
	}
	c.granted = size
	p.claimed = maxLen
	return c.bytes(size)[headerSize : headerSize+maxLen : headerSize+maxLen], nil
}

// PublishMessage sends the first n bytes of what ClaimMessage gave as one message, and wakes the
// consumer if it sleeps. The claim is used up.
func (p *Producer) PublishMessage(tag uint32, n int) error {
	e := &p.end
	if !e.enter() {
		return e.refusal(opPublish)
	}
	defer e.exit()
	c := e.cursor
	if n < 0 || n > p.claimed || frameSize(uint64(n)) > c.granted || !c.aligned() {
		return e.fail(opPublish, ErrMisuse)
	}
	size := frameSize(uint64(n))
	c.frameAt(0).Store(header(uint64(n), 0, tag))
	clear(c.bytes(size)[headerSize+n:])
	c.granted = 0
	e.advance(size)
	return nil
}

// receiver is what a consumer knows of the messages that it receives.
type receiver struct {
	// Bytes of the frames that were given in place, and are consumed by the next receive.
	given uint64
	// The fragments of a message so far, or all of them. The memory is kept for the next message.
	assembled []byte
	// Whether assembled is a message whose end is still to come. Fragments that continue none have
	// lost their beginning, and are skipped.
	assembling bool
	tag        uint32
	max        uint64
}

// Receive waits for the next message. Its Data is valid until the next receive, of whatever kind,
// which consumes the message first; so does [Consumer.ReceiveDone]. What is not consumed when the end
// is closed is there for the next consumer.
//
// Data lies in the ring, aligned to 8 bytes, and is as the slice of a Peek: the other process can
// change it at any time, should it break the rules. A message that came in fragments is assembled in
// memory of this Consumer, which is kept for the next one; of one that is larger than
// [Consumer.SetMaxMessage] allows Receive says [ErrTooLarge], and the next one goes on behind it. If
// the producer closed or died in the midst of its fragments, that message is lost.
//
// The error is [ErrCorrupt] where no sender of messages wrote what is there.
//
// With a timeout of 0 or less it does not wait; [Forever] has no limit.
func (c *Consumer) Receive(timeout time.Duration) (Message, error) {
	return c.end.receive(&c.receiver, limit{timeout: timeout})
}

// ReceiveContext is Receive with a context in place of the timeout, as in PeekContext.
func (c *Consumer) ReceiveContext(ctx context.Context) (Message, error) {
	if err := ctx.Err(); err != nil {
		return Message{}, err
	}
	return c.end.receive(&c.receiver, limit{ctx: ctx})
}

func (e *end) receive(r *receiver, l limit) (Message, error) {
	if !e.enter() {
		return Message{}, e.refusal(opReceive)
	}
	e.receiveDone(r)
	if !r.assembling {
		if m, size := e.cursor.wholeFrame(0); size != 0 {
			e.give(r, size)
			e.leave()
			return m, nil
		}
	}
	defer e.exit()
	return e.receiveSlow(r, l)
}

// receiveDone consumes what was given last, if anything was.
func (e *end) receiveDone(r *receiver) {
	if r.given == 0 {
		return
	}
	n := r.given
	r.given = 0
	// A peek, a release or a read since then has taken its place.
	if e.cursor.granted == n {
		e.cursor.granted = 0
		e.advance(n)
	}
}

func (e *end) give(r *receiver, size uint64) {
	r.given = size
	e.cursor.granted = size
}

// wholeFrame gives the message that lies ahead of the position, and the size of its frame: 0 if it is
// not there, or not in one frame.
func (c *cursor) wholeFrame(ahead uint64) (Message, uint64) {
	if !c.aligned() || !c.has(ahead+headerSize) {
		return Message{}, 0
	}
	word := littleEndian(c.frameAt(ahead).Load())
	length := word & 0xffff_ffff
	size := frameSize(length)
	if length > lengthBits || !c.has(ahead+size) {
		return Message{}, 0
	}
	return Message{Tag: uint32(word >> 32), Data: c.payload(ahead, length)}, size
}

// payload is that of a frame ahead of the position.
func (c *cursor) payload(ahead, length uint64) []byte {
	at := unsafe.Add(c.data, (c.position+ahead)&c.mask+headerSize)
	return unsafe.Slice((*byte)(at), int(length))
}

// receiveSlow waits, and assembles fragments. The caller has entered, and exits.
func (e *end) receiveSlow(r *receiver, l limit) (Message, error) {
	// How many fragments are taken before a look whether the call's time is over. A ring holds a few
	// large ones: only a flood of small ones, as no sender makes, gets there without a wait.
	const fragments = 64

	c := e.cursor
	deadline := l.fromNow()
	for taken := 1; ; taken++ {
		if !c.has(headerSize) {
			if err := e.wait(opReceive, headerSize, deadline.left()); err != nil {
				if errors.Is(err, ErrPeerClosed) || errors.Is(err, ErrPeerDead) {
					r.forget()
				}
				return Message{}, err
			}
		}
		if m, size := c.wholeFrame(0); size != 0 {
			r.forget()
			e.give(r, size)
			return m, nil
		}
		if !c.aligned() {
			return Message{}, e.fail(opReceive, ErrCorrupt)
		}
		word := littleEndian(c.frameAt(0).Load())
		length := word & lengthBits
		// A frame is published whole, and a fragment has something in it.
		if uint32(word)&(moreFollow|continues) == 0 || length == 0 || !c.has(frameSize(length)) {
			return Message{}, e.fail(opReceive, ErrCorrupt)
		}
		tooLarge := r.take(c.payload(0, length), uint32(word), uint32(word>>32))
		c.granted = 0
		e.advance(frameSize(length))
		switch {
		case tooLarge:
			r.forget()
			return Message{}, e.fail(opReceive, ErrTooLarge)
		case r.assembling && uint32(word)&moreFollow == 0:
			r.assembling = false
			return Message{r.tag, r.assembled}, nil
		}
		if taken%fragments == 0 {
			if err := e.pause(deadline.left()); err != nil {
				return Message{}, err
			}
		}
	}
}

// take adds a fragment to what is assembled, and reports whether that gets too large. Memory grows
// with what has arrived, not with what a header announces.
func (r *receiver) take(data []byte, flags, tag uint32) bool {
	if flags&continues == 0 {
		// Whatever went before ends here, unfinished.
		r.forget()
		r.assembling = true
		r.tag = tag
	}
	if !r.assembling {
		return false
	}
	if uint64(len(r.assembled))+uint64(len(data)) > r.max {
		return true
	}
	r.assembled = append(r.assembled, data...)
	return false
}

func (r *receiver) forget() {
	r.assembling = false
	r.assembled = r.assembled[:0]
}

// pause ends a call that goes on although it need not wait, if its time is over or somebody
// interrupts it: a wait that takes no time says so.
func (e *end) pause(l limit) error {
	if l.ctx != nil {
		if err := l.ctx.Err(); err != nil {
			return err
		}
	} else if l.timeout <= 0 {
		return e.result(opReceive, result{status: ErrTimeout})
	}
	more := e.cursor.room() + 1
	if more > e.cursor.mask+1 {
		return nil
	}
	err := e.wait(opReceive, int(more), timeLimit(1))
	if errors.Is(err, ErrInterrupted) || errors.Is(err, ErrClosed) {
		return err
	}
	return nil
}

// ReceiveDone consumes what the last receive gave, which the producer may then write over, and must
// not be used any more. The next receive does so by itself; call this before a long pause, before a wait
// for more data, and before Close. If nothing is to be consumed, it does nothing.
func (c *Consumer) ReceiveDone() error {
	e := &c.end
	if !e.enter() {
		return e.refusal(opReceive)
	}
	e.receiveDone(&c.receiver)
	e.leave()
	return nil
}

// ReceiveMany waits for the next message, and gives all that are there, as many as messages has room
// for: it returns how many, at least one unless there is no room or the error is not nil. All of
// them are valid until the next receive, which consumes them. One that came in fragments is given
// alone. Otherwise it is as Receive.
func (c *Consumer) ReceiveMany(messages []Message, timeout time.Duration) (int, error) {
	return c.end.receiveMany(&c.receiver, messages, limit{timeout: timeout})
}

// ReceiveManyContext is ReceiveMany with a context in place of the timeout, as in PeekContext.
func (c *Consumer) ReceiveManyContext(ctx context.Context, messages []Message) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return c.end.receiveMany(&c.receiver, messages, limit{ctx: ctx})
}

func (e *end) receiveMany(r *receiver, messages []Message, l limit) (int, error) {
	if len(messages) == 0 {
		return 0, nil
	}
	if !e.enter() {
		return 0, e.refusal(opReceive)
	}
	defer e.exit()
	e.receiveDone(r)
	c := e.cursor
	var first Message
	size := uint64(0)
	if !r.assembling {
		first, size = c.wholeFrame(0)
	}
	if size == 0 {
		var err error
		if first, err = e.receiveSlow(r, l); err != nil {
			return 0, err
		}
		size = r.given
	}
	messages[0] = first
	count := 1
	if size != 0 {
		for count < len(messages) {
			next, more := c.wholeFrame(size)
			if more == 0 {
				break
			}
			messages[count] = next
			count++
			size += more
		}
		e.give(r, size)
	}
	return count, nil
}

// SetMaxMessage sets how many bytes of fragments this Consumer assembles to one message at most: 64
// MiB unless it is called. A message that needs no assembling may be larger.
func (c *Consumer) SetMaxMessage(bytes int) error {
	e := &c.end
	if bytes < 0 {
		return e.fail(opReceive, ErrInvalidArgument)
	}
	if !e.enter() {
		return e.refusal(opReceive)
	}
	defer e.exit()
	c.receiver.max = uint64(bytes)
	return nil
}

// Messages is an iterator over all messages that come until the producer closes its end, to be used
// with range (Go 1.23):
//
//	for message, err := range consumer.Messages(ctx) {
//
// A message is valid in its turn of the loop, and consumed at its end, also if that is a break. Any
// other end than the producer's closing comes as an error, with which the loop ends. It is a function
// of the type iter.Seq2[Message, error].
func (c *Consumer) Messages(ctx context.Context) func(yield func(Message, error) bool) {
	return func(yield func(Message, error) bool) {
		for {
			message, err := c.ReceiveContext(ctx)
			if errors.Is(err, ErrPeerClosed) {
				return
			}
			if err != nil {
				yield(Message{}, err)
				return
			}
			more := yield(message, nil)
			// Nothing is left to be done if the body closed the end, or received by itself.
			_ = c.ReceiveDone()
			if !more {
				return
			}
		}
	}
}
