// Package stream is the stream of messages by which programs in several languages check each
// other: u32 length, u32 FNV-1a checksum of the payload, payload; numbers little-endian. Lengths
// and payloads follow from a seed, so that the consumer knows every byte beforehand.
package stream

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/spsc-shm/spsc-shm/bindings/go/spscshm"
)

const (
	header     = 8
	maxPayload = 1499
	// Of the library's own framing: four times the ring of the tests, and mostly less.
	maxTagged   = 16384
	mostlyBelow = 300
)

// End is how the producer ends.
type End string

const (
	EndClose End = "close" // it closes its handle
	EndKill  End = "kill"  // it kills itself
)

// Job is what a peer is told on its command line: NAME COUNT SEED END.
type Job struct {
	Name  string
	Count uint64
	Seed  uint64
	End   End
}

// ParseJob reads a command line, less the program.
func ParseJob(args []string) (Job, error) {
	if len(args) != 4 {
		return Job{}, errors.New("usage: NAME COUNT SEED close|kill")
	}
	count, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return Job{}, fmt.Errorf("COUNT: %w", err)
	}
	seed, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return Job{}, fmt.Errorf("SEED: %w", err)
	}
	end := End(args[3])
	if end != EndClose && end != EndKill {
		return Job{}, fmt.Errorf("END: neither %q nor %q", EndClose, EndKill)
	}
	return Job{args[0], count, seed, end}, nil
}

func (j Job) connect() (*spscshm.Ring, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return spscshm.Connect(ctx, j.Name)
}

// produce sends the messages one by one, as send does it, and ends as the job says.
func (j Job) produce(send func(*spscshm.Producer, *messages) error) error {
	ring, err := j.connect()
	if err != nil {
		return err
	}
	defer ring.Close()
	producer := ring.Producer()
	messages := newMessages(j.Seed)
	for i := uint64(0); i < j.Count; i++ {
		if err := send(producer, messages); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return j.end()
}

// consume receives the messages one by one, as receive does it, and checks with more, which waits for
// another, how it ends.
func (j Job) consume(receive func(*spscshm.Consumer, *messages) error, more func(*spscshm.Consumer) error) error {
	ring, err := j.connect()
	if err != nil {
		return err
	}
	defer ring.Close()
	consumer := ring.Consumer()
	messages := newMessages(j.Seed)
	for i := uint64(0); i < j.Count; i++ {
		if err := receive(consumer, messages); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	if err := more(consumer); !errors.Is(err, j.expected()) {
		return fmt.Errorf("after the last message: not %q but %v", j.expected(), err)
	}
	return nil
}

// Produce sends the stream.
func (j Job) Produce() error {
	return j.produce(func(producer *spscshm.Producer, messages *messages) error {
		message := messages.next()
		space, err := producer.Claim(len(message), spscshm.Forever)
		if err != nil {
			return err
		}
		copy(space, message)
		return producer.Publish(len(message))
	})
}

// end is how a sender ends after its last message.
func (j Job) end() error {
	if j.End == EndKill {
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return nil
}

// expected is what the other side finds behind the last message.
func (j Job) expected() error {
	if j.End == EndKill {
		return spscshm.ErrPeerDead
	}
	return spscshm.ErrPeerClosed
}

// Send sends the messages with the library's own framing.
func (j Job) Send() error {
	return j.produce(func(producer *spscshm.Producer, messages *messages) error {
		tag, payload := messages.nextTagged()
		return producer.Send(tag, payload, spscshm.Forever)
	})
}

// Receive receives what Send sends, checks every byte of it, and checks how it ends.
func (j Job) Receive() error {
	return j.consume(func(consumer *spscshm.Consumer, messages *messages) error {
		message, err := consumer.Receive(spscshm.Forever)
		if err != nil {
			return err
		}
		tag, payload := messages.nextTagged()
		if message.Tag != tag || !bytes.Equal(message.Data, payload) {
			return errors.New("not the tag and the bytes that the seed says")
		}
		return nil
	}, func(consumer *spscshm.Consumer) error {
		_, err := consumer.Receive(spscshm.Forever)
		return err
	})
}

// Consume receives the stream, checks every byte of it, and checks how it ends.
func (j Job) Consume() error {
	return j.consume(func(consumer *spscshm.Consumer, messages *messages) error {
		return receive(consumer, messages.next())
	}, func(consumer *spscshm.Consumer) error {
		_, err := consumer.Peek(1, spscshm.Forever)
		return err
	})
}

func receive(consumer *spscshm.Consumer, expected []byte) error {
	data, err := consumer.Peek(header, spscshm.Forever)
	if err != nil {
		return err
	}
	length := binary.LittleEndian.Uint32(data)
	checksum := binary.LittleEndian.Uint32(data[4:])
	if length > maxPayload {
		return fmt.Errorf("a length of %d", length)
	}
	if data, err = consumer.Peek(header+int(length), spscshm.Forever); err != nil {
		return err
	}
	if checksum != sum(data[header:]) {
		return errors.New("the checksum is wrong")
	}
	if !bytes.Equal(data, expected) {
		return errors.New("not the message that the seed says")
	}
	return consumer.Release(len(data))
}

// messages makes the stream's messages, one after the other.
type messages struct {
	state uint64
	bytes [maxTagged]byte
}

func newMessages(seed uint64) *messages {
	return &messages{state: seed*2 + 1}
}

// random is xorshift64*.
func (m *messages) random() uint64 {
	m.state ^= m.state >> 12
	m.state ^= m.state << 25
	m.state ^= m.state >> 27
	return m.state * 0x2545F4914F6CDD1D
}

// next is valid until the next one.
func (m *messages) next() []byte {
	length := int(m.random() % (maxPayload + 1))
	base := m.random()
	message := m.bytes[:header+length]
	payload := message[header:]
	fill(payload, base)
	binary.LittleEndian.PutUint32(message, uint32(length))
	binary.LittleEndian.PutUint32(message[4:], sum(payload))
	return message
}

// nextTagged is the same for the library's own framing.
func (m *messages) nextTagged() (tag uint32, payload []byte) {
	below := uint64(mostlyBelow)
	if m.random()%4 == 0 {
		below = maxTagged + 1
	}
	payload = m.bytes[:m.random()%below]
	tag = uint32(m.random())
	fill(payload, m.random())
	return tag, payload
}

func fill(payload []byte, base uint64) {
	for j := range payload {
		payload[j] = byte(base>>(8*(j%8))) ^ byte(j/8)
	}
}

func sum(payload []byte) uint32 {
	hash := fnv.New32a()
	hash.Write(payload)
	return hash.Sum32()
}
