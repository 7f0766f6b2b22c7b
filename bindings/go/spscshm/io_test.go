package spscshm

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand"
	"strings"
	"testing"
	"testing/iotest"
)

// onlyReader and onlyWriter hide all other methods from io.Copy.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

func randomBytes(n int) []byte {
	data := make([]byte, n)
	rand.New(rand.NewSource(int64(n))).Read(data)
	return data
}

// carried sends through one handle, closes its end, and returns what another handle received.
func carried(t *testing.T, send func(*Producer) error, receive func(*Consumer) ([]byte, error)) []byte {
	t.Helper()
	p, c := apart(t, 1)
	sent := later(t, func() error {
		defer p.Close()
		return send(p)
	})
	got, err := receive(c)
	ok(t, err)
	ok(t, sent())
	return got
}

func TestWhatIsCopiedInComesOutByEveryWay(t *testing.T) {
	data := randomBytes(300_000)
	senders := map[string]func(*Producer) error{
		"Write": func(p *Producer) error {
			n, err := p.Write(data)
			equal(t, n, len(data))
			return err
		},
		"Write in small pieces": func(p *Producer) error {
			for rest := data; len(rest) > 0; {
				n, err := p.Write(rest[:min(len(rest), 1+len(rest)%700)])
				if err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nil
		},
		"ReadFrom": func(p *Producer) error {
			n, err := io.Copy(p, onlyReader{bytes.NewReader(data)})
			equal(t, n, int64(len(data)))
			return err
		},
		"ReadFrom in small pieces": func(p *Producer) error {
			_, err := p.ReadFrom(iotest.HalfReader(iotest.DataErrReader(bytes.NewReader(data))))
			return err
		},
		"bufio": func(p *Producer) error {
			w := bufio.NewWriterSize(onlyWriter{p}, 512)
			for _, b := range data {
				if err := w.WriteByte(b); err != nil {
					return err
				}
			}
			return w.Flush()
		},
	}
	receivers := map[string]func(*Consumer) ([]byte, error){
		"Read":              func(c *Consumer) ([]byte, error) { return io.ReadAll(onlyReader{c}) },
		"Read byte by byte": func(c *Consumer) ([]byte, error) { return io.ReadAll(iotest.OneByteReader(c)) },
		"WriteTo": func(c *Consumer) ([]byte, error) {
			var all bytes.Buffer
			n, err := io.Copy(onlyWriter{&all}, c)
			equal(t, n, int64(all.Len()))
			return all.Bytes(), err
		},
		"another ring": func(c *Consumer) ([]byte, error) {
			return carried(t, func(second *Producer) error { _, err := io.Copy(second, c); return err },
				func(second *Consumer) ([]byte, error) { return io.ReadAll(second) }), nil
		},
	}
	for from, send := range senders {
		for to, receive := range receivers {
			t.Run(from+" to "+to, func(t *testing.T) {
				if !bytes.Equal(carried(t, send, receive), data) {
					t.Fatal("not what was sent")
				}
			})
		}
	}
}

func TestReadTakesWhatFitsAndEndsWithEOF(t *testing.T) {
	p, c := apart(t, 1)
	send(t, p, "abcde")
	ok(t, p.Close())
	two := make([]byte, 2)
	for _, expected := range []string{"ab", "cd", "e"} {
		n, err := c.Read(two)
		ok(t, err)
		equal(t, string(two[:n]), expected)
	}
	n, err := c.Read(nil)
	equal(t, n, 0)
	ok(t, err)
	n, err = c.Read(two)
	equal(t, n, 0)
	exactly(t, err, io.EOF)
}

func TestReadAndWriteAreInterrupted(t *testing.T) {
	r, p, c := anonymous(t, 1)
	reading := later(t, func() error { _, err := c.Read(make([]byte, 1)); return err })
	asleep(t, r, consumer)
	ok(t, r.WakeupAll())
	is(t, reading(), ErrInterrupted)
	// The producer, too, meets the first interruption at its first wait.
	written, err := p.Write(make([]byte, r.Capacity()+1))
	is(t, err, ErrInterrupted)
	equal(t, written, r.Capacity())
}

func TestReadAndWriteReplaceASlice(t *testing.T) {
	_, p, c := anonymous(t, 1)
	_, err := p.Claim(5, 0)
	ok(t, err)
	_, err = p.Write([]byte("abc"))
	ok(t, err)
	is(t, p.Publish(1), ErrMisuse)
	_, err = c.Peek(3, 0)
	ok(t, err)
	_, err = c.Read(make([]byte, 1))
	ok(t, err)
	is(t, c.Release(1), ErrMisuse)
	receive(t, c, "bc")
}

func TestReadFromSeesTheEndThoughTheRingIsFull(t *testing.T) {
	r, p, _ := anonymous(t, 1)
	n, err := p.ReadFrom(onlyReader{strings.NewReader(strings.Repeat("x", r.Capacity()))})
	ok(t, err)
	equal(t, n, int64(r.Capacity()))
	equal(t, r.Available(), r.Capacity())
}

func TestReadFromPassesOnTheErrorsOfItsReader(t *testing.T) {
	_, p, c := anonymous(t, 1)
	broken := errors.New("broken")
	n, err := p.ReadFrom(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)))
	is(t, err, broken)
	equal(t, n, 3)
	receive(t, c, "abc")
	_, err = p.ReadFrom(emptyReader{})
	is(t, err, io.ErrNoProgress)
	for _, count := range []int{-1, 1 << 40} {
		_, err = p.ReadFrom(lyingReader(count))
		is(t, err, errBadCount)
	}
	equal(t, p.Ring().Available(), 0)
}

// emptyReader never gives anything.
type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

// lyingReader says that it gave more, or less, than can be.
type lyingReader int

func (n lyingReader) Read([]byte) (int, error) { return int(n), nil }

// shortWriter takes two bytes of each write.
type shortWriter struct{ err error }

func (w shortWriter) Write([]byte) (int, error) { return 2, w.err }

func TestWriteToConsumesWhatItsWriterTook(t *testing.T) {
	_, p, c := anonymous(t, 1)
	send(t, p, "abcdef")
	n, err := c.WriteTo(shortWriter{})
	is(t, err, io.ErrShortWrite)
	equal(t, n, 2)
	broken := errors.New("broken")
	n, err = c.WriteTo(shortWriter{broken})
	is(t, err, broken)
	equal(t, n, 2)
	receive(t, c, "ef")
}
