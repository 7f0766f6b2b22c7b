package spscshm

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// The control block's words that these tests read and spoil.
const (
	versionAt = 8
	headAt    = 128
	tailAt    = 256
)

func objectWord(t *testing.T, name string, at int64) uint64 {
	t.Helper()
	file, err := os.Open("/dev/shm/" + name)
	ok(t, err)
	defer file.Close()
	word := make([]byte, 8)
	_, err = file.ReadAt(word, at)
	ok(t, err)
	return binary.LittleEndian.Uint64(word)
}

func spoil(t *testing.T, name string, at int64) {
	t.Helper()
	spoilWith(t, name, at, "\xff\xff\xff\x7f")
}

func spoilWith(t *testing.T, name string, at int64, bytes string) {
	t.Helper()
	file, err := os.OpenFile("/dev/shm/"+name, os.O_WRONLY, 0)
	ok(t, err)
	defer file.Close()
	_, err = file.WriteAt([]byte(bytes), at)
	ok(t, err)
}

func objectFile(t *testing.T, name string) *os.File {
	t.Helper()
	file, err := os.OpenFile("/dev/shm/"+name, os.O_RDWR, 0)
	ok(t, err)
	t.Cleanup(func() { file.Close() })
	return file
}

func object(t *testing.T, content string) string {
	t.Helper()
	name := uniqueName(t)
	path := "/dev/shm/" + name
	ok(t, os.WriteFile(path, []byte(content), 0o600))
	t.Cleanup(func() { os.Remove(path) })
	return name
}

func TestEveryStatusHasAText(t *testing.T) {
	texts := map[string]Status{}
	for status := ErrPanic; status <= ErrPeerDead; status++ {
		text := status.Error()
		if text == "" || text == Status(999).Error() {
			t.Errorf("status %d has no text", status)
		}
		if other, twice := texts[text]; twice {
			t.Errorf("statuses %d and %d read the same", status, other)
		}
		texts[text] = status
	}
	equal(t, len(texts), 21)
}

func TestEveryErrorSaysWhatWasWrong(t *testing.T) {
	taken := named(t, 1)
	p, c := taken.Producer(), taken.Consumer()
	cases := map[string]struct {
		expected Status
		call     func() error
	}{
		"a capacity beyond the address space": {ErrInvalidArgument, func() error {
			_, err := Create(uniqueName(t), math.MaxInt)
			return err
		}},
		"a negative capacity": {ErrInvalidArgument, func() error {
			_, err := Anonymous(-1)
			return err
		}},
		"a mode for a ring without a name": {ErrInvalidArgument, func() error {
			_, err := Anonymous(1, WithMode(0o660))
			return err
		}},
		"no name":       {ErrInvalidName, func() error { return Unlink("") }},
		"a slash":       {ErrInvalidName, func() error { _, err := Open("a/b"); return err }},
		"a long name":   {ErrInvalidName, func() error { return Unlink(strings.Repeat("x", 256)) }},
		"a NUL":         {ErrInvalidName, func() error { _, err := Open(taken.Name() + "\x00x"); return err }},
		"a taken name":  {ErrAlreadyExists, func() error { _, err := Create(taken.Name(), 1); return err }},
		"no such name":  {ErrNotFound, func() error { _, err := Open(uniqueName(t)); return err }},
		"a vast ring":   {ErrNoSpace, func() error { _, err := Create(uniqueName(t), 1<<45); return err }},
		"vast memory":   {ErrNoMemory, func() error { _, err := Anonymous(1 << 45); return err }},
		"an empty file": {ErrNotReady, func() error { _, err := Open(object(t, "")); return err }},
		"another object": {ErrNotARing, func() error {
			_, err := Open(object(t, strings.Repeat("not a ring", 1000)))
			return err
		}},
		"another file": {ErrNotARing, func() error {
			_, err := FromFile(objectFile(t, object(t, strings.Repeat("not a ring", 1000))))
			return err
		}},
		"a file of a named ring": {ErrNotARing, func() error { _, err := taken.File(); return err }},
		"the object of a named ring": {ErrNotARing, func() error {
			_, err := FromFile(objectFile(t, taken.Name()))
			return err
		}},
		"another layout": {ErrVersion, func() error {
			r := named(t, 1)
			spoil(t, r.Name(), versionAt)
			_, err := Open(r.Name())
			return err
		}},
		"a second producer": {ErrRoleTaken, func() error {
			r, p, _ := anonymous(t, 1)
			send(t, p, "first")
			_, err := another(t, r).Producer().Claim(1, 0)
			return err
		}},
		"a second consumer": {ErrRoleTaken, func() error {
			r, _, c := anonymous(t, 1)
			is(t, c.WaitForData(1, 0), ErrTimeout)
			_, err := another(t, r).Consumer().PeekSome(0, Forever)
			return err
		}},
		"a claim beyond the capacity": {ErrTooLarge, func() error {
			_, err := p.Claim(taken.Capacity()+1, Forever)
			return err
		}},
		"a negative claim":     {ErrTooLarge, func() error { _, err := p.Claim(-1, Forever); return err }},
		"a negative peek":      {ErrTooLarge, func() error { _, err := c.PeekSome(-1, Forever); return err }},
		"a wait for too much":  {ErrTooLarge, func() error { return p.WaitForSpace(1<<40, Forever) }},
		"a publish of nothing": {ErrMisuse, func() error { return p.Publish(1) }},
		"a negative publish":   {ErrMisuse, func() error { return p.Publish(-1) }},
		"a release of nothing": {ErrMisuse, func() error { return c.Release(1) }},
		"a negative release":   {ErrMisuse, func() error { return c.Release(-1) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.call()
			is(t, err, c.expected)
			var full *Error
			if !errors.As(err, &full) || full.Err != c.expected || full.Op == "" {
				t.Fatalf("not an *Error, or not its fields: %#v", err)
			}
			var status Status
			if !errors.As(err, &status) || status != c.expected {
				t.Fatalf("its status is %v", status)
			}
		})
	}
}

// Whatever the other process writes into the counters, no slice leaves the memory.
func TestACounterThatLiesIsReported(t *testing.T) {
	calls := map[string]func(*Producer, *Consumer) error{
		"peek":          func(_ *Producer, c *Consumer) error { _, err := c.Peek(8, Forever); return err },
		"peek some":     func(_ *Producer, c *Consumer) error { _, err := c.PeekSome(8, Forever); return err },
		"wait for data": func(_ *Producer, c *Consumer) error { return c.WaitForData(8, Forever) },
		"claim":         func(p *Producer, _ *Consumer) error { _, err := p.Claim(8, Forever); return err },
		"claim some":    func(p *Producer, _ *Consumer) error { _, err := p.ClaimSome(8, Forever); return err },
		"write":         func(p *Producer, _ *Consumer) error { _, err := p.Write(make([]byte, 8)); return err },
		"read from": func(p *Producer, _ *Consumer) error {
			_, err := p.ReadFrom(strings.NewReader("12345678"))
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			r := named(t, 1)
			p, c := r.Producer(), r.Consumer()
			fill(t, p)
			data, err := c.PeekSome(1, 0)
			ok(t, err)
			ok(t, c.Release(len(data)-4))
			// Four bytes are there, and all but four are free.
			send(t, p, string(make([]byte, r.Capacity()-8)))
			ok(t, c.WaitForData(r.Capacity()-4, 0))
			_, err = c.PeekSome(0, 0)
			ok(t, err)
			ok(t, c.Release(r.Capacity()-8))
			for _, lie := range []string{"\xff\xff\xff\x7f", "\x00\x00\x00\x00"} {
				spoilWith(t, r.Name(), headAt, lie)
				spoilWith(t, r.Name(), tailAt, lie)
				for i := 0; i < 2; i++ {
					if err := call(p, c); err != nil {
						is(t, err, ErrCorrupt)
					}
				}
			}
		})
	}
	r := named(t, 1)
	c := r.Consumer()
	is(t, c.WaitForData(1, 0), ErrTimeout)
	spoil(t, r.Name(), headAt)
	_, err := c.Peek(1, Forever)
	is(t, err, ErrCorrupt)
	_, err = c.Read(make([]byte, 1))
	is(t, err, ErrCorrupt)
	_, err = c.PeekSome(0, 0)
	is(t, err, ErrCorrupt)
}

func TestAnErrorCarriesTheNumberOfTheOperatingSystem(t *testing.T) {
	name := uniqueName(t)
	err := Unlink(name)
	is(t, err, ErrNotFound)
	is(t, err, fs.ErrNotExist)
	is(t, err, syscall.ENOENT)
	var errno syscall.Errno
	if !errors.As(err, &errno) || errno != syscall.ENOENT {
		t.Fatalf("errno is %v", errno)
	}
	text := "spscshm: unlink " + name + ": " + ErrNotFound.Error() + ": " + errno.Error()
	equal(t, err.Error(), text)
	_, _, c := anonymous(t, 1)
	_, err = c.Peek(1, 0)
	if errors.As(err, &errno) {
		t.Fatalf("a timeout carries errno %v", errno)
	}
	equal(t, err.Error(), "spscshm: peek: "+ErrTimeout.Error())
}

func TestErrorsReadAsTheStandardLibrarys(t *testing.T) {
	is(t, ErrTimeout, os.ErrDeadlineExceeded)
	is(t, ErrAlreadyExists, fs.ErrExist)
	is(t, ErrPermission, fs.ErrPermission)
	is(t, ErrClosed, os.ErrClosed)
	is(t, ErrClosed, net.ErrClosed)
	p, c := apart(t, 1)
	_, err := c.Peek(1, 0)
	if !os.IsTimeout(err) {
		t.Fatal("a timeout is none to os.IsTimeout")
	}
	ok(t, p.WaitForSpace(1, 0))
	ok(t, p.Close())
	_, err = c.Peek(1, 0)
	is(t, err, ErrPeerClosed)
	is(t, err, io.EOF)
	for _, other := range []error{os.ErrClosed, net.ErrClosed, syscall.EPIPE, io.ErrUnexpectedEOF} {
		if errors.Is(err, other) {
			t.Fatalf("the end of the stream is taken for %q", other)
		}
	}
}

func TestAccessThatIsRefusedIsErrPermission(t *testing.T) {
	r := named(t, 1, WithMode(0o600))
	refused := later(t, func() error {
		// Root is asked for no permission, so this thread becomes nobody to the file system. It
		// ends with the goroutine, as it stays locked.
		runtime.LockOSThread()
		syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0)
		_, err := Open(r.Name())
		return err
	})
	err := refused()
	is(t, err, ErrPermission)
	is(t, err, syscall.EACCES)
	is(t, err, fs.ErrPermission)
}
