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

// carried sends through one handle, closes it, and returns what another received.
func carried(t *testing.T, send func(*Ring) error, receive func(*Ring) ([]byte, error)) []byte {
	t.Helper()
	r := anonymous(t, 1)
	peer := another(t, r)
	sent := later(t, func() error {
		defer r.Close()
		return send(r)
	})
	got, err := receive(peer)
	ok(t, err)
	ok(t, sent())
	return got
}

func TestWhatIsCopiedInComesOutByEveryWay(t *testing.T) {
	data := randomBytes(300_000)
	senders := map[string]func(*Ring) error{
		"Write": func(r *Ring) error {
			n, err := r.Write(data)
			equal(t, n, len(data))
			return err
		},
		"ReadFrom": func(r *Ring) error {
			n, err := io.Copy(r, onlyReader{bytes.NewReader(data)})
			equal(t, n, int64(len(data)))
			return err
		},
		"ReadFrom in small pieces": func(r *Ring) error {
			_, err := r.ReadFrom(iotest.HalfReader(iotest.DataErrReader(bytes.NewReader(data))))
			return err
		},
		"bufio": func(r *Ring) error {
			w := bufio.NewWriterSize(onlyWriter{r}, 512)
			for _, b := range data {
				if err := w.WriteByte(b); err != nil {
					return err
				}
			}
			return w.Flush()
		},
	}
	receivers := map[string]func(*Ring) ([]byte, error){
		"Read": func(r *Ring) ([]byte, error) { return io.ReadAll(onlyReader{r}) },
		"WriteTo": func(r *Ring) ([]byte, error) {
			var all bytes.Buffer
			n, err := io.Copy(onlyWriter{&all}, r)
			equal(t, n, int64(all.Len()))
			return all.Bytes(), err
		},
		"another ring": func(r *Ring) ([]byte, error) {
			return carried(t, func(second *Ring) error { _, err := io.Copy(second, r); return err },
				func(peer *Ring) ([]byte, error) { return io.ReadAll(peer) }), nil
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
	r := anonymous(t, 1)
	peer := another(t, r)
	send(t, r, "abcde")
	ok(t, r.Close())
	two := make([]byte, 2)
	for _, expected := range []string{"ab", "cd", "e"} {
		n, err := peer.Read(two)
		ok(t, err)
		equal(t, string(two[:n]), expected)
	}
	n, err := peer.Read(nil)
	equal(t, n, 0)
	ok(t, err)
	n, err = peer.Read(two)
	equal(t, n, 0)
	exactly(t, err, io.EOF)
}

func TestReadAndWriteAreInterrupted(t *testing.T) {
	r := anonymous(t, 1)
	reading := later(t, func() error { _, err := r.Read(make([]byte, 1)); return err })
	parked(t, r, consumer)
	ok(t, r.WakeupAll())
	is(t, reading(), ErrInterrupted)
	var written int
	writing := later(t, func() error {
		var err error
		written, err = r.Write(make([]byte, r.Capacity()+1))
		return err
	})
	// The producer, too, meets the first interruption at its first wait.
	is(t, writing(), ErrInterrupted)
	equal(t, written, r.Capacity())
}

func TestWriteEndsWithItsConsumer(t *testing.T) {
	r := anonymous(t, 1)
	peer := another(t, r)
	is(t, peer.WaitForData(1, 0), ErrTimeout)
	ok(t, peer.Close())
	n, err := r.Write(make([]byte, r.Capacity()+5))
	is(t, err, ErrClosed)
	equal(t, n, r.Capacity())
}

func TestReadFromSeesTheEndThoughTheRingIsFull(t *testing.T) {
	r := anonymous(t, 1)
	n, err := r.ReadFrom(onlyReader{strings.NewReader(strings.Repeat("x", r.Capacity()))})
	ok(t, err)
	equal(t, n, int64(r.Capacity()))
	equal(t, r.Available(), r.Capacity())
}

func TestReadFromPassesOnTheErrorsOfItsReader(t *testing.T) {
	r := anonymous(t, 1)
	broken := errors.New("broken")
	n, err := r.ReadFrom(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)))
	is(t, err, broken)
	equal(t, n, 3)
	receive(t, r, "abc")
	_, err = r.ReadFrom(emptyReader{})
	is(t, err, io.ErrNoProgress)
}

// emptyReader never gives anything.
type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

// shortWriter takes two bytes of each write.
type shortWriter struct{ err error }

func (w shortWriter) Write([]byte) (int, error) { return 2, w.err }

func TestWriteToConsumesWhatItsWriterTook(t *testing.T) {
	r := anonymous(t, 1)
	send(t, r, "abcdef")
	n, err := r.WriteTo(shortWriter{})
	is(t, err, io.ErrShortWrite)
	equal(t, n, 2)
	broken := errors.New("broken")
	n, err = r.WriteTo(shortWriter{broken})
	is(t, err, broken)
	equal(t, n, 2)
	receive(t, r, "ef")
}
