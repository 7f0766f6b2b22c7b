package spscshm

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
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
	file, err := os.OpenFile("/dev/shm/"+name, os.O_WRONLY, 0)
	ok(t, err)
	defer file.Close()
	_, err = file.WriteAt([]byte{0xff, 0xff, 0xff, 0x7f}, at)
	ok(t, err)
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
	cases := map[string]struct {
		expected Status
		call     func() error
	}{
		"a capacity beyond the address space": {ErrInvalidArgument, func() error {
			_, err := Create(uniqueName(t), math.MaxInt)
			return err
		}},
		"a negative capacity": {ErrInvalidArgument, func() error {
			_, err := CreateAnonymous(-1)
			return err
		}},
		"no descriptor": {ErrInvalidArgument, func() error {
			_, err := ConnectFD(-1)
			return err
		}},
		"a descriptor beyond 32 bits": {ErrInvalidArgument, func() error {
			_, err := ConnectFD(1 << 32)
			return err
		}},
		"no name":       {ErrInvalidName, func() error { return Unlink("") }},
		"a slash":       {ErrInvalidName, func() error { _, err := Connect("a/b"); return err }},
		"a long name":   {ErrInvalidName, func() error { return Unlink(strings.Repeat("x", 256)) }},
		"a NUL":         {ErrInvalidName, func() error { _, err := Connect(taken.Name() + "\x00x"); return err }},
		"a taken name":  {ErrAlreadyExists, func() error { _, err := Create(taken.Name(), 1); return err }},
		"no such name":  {ErrNotFound, func() error { _, err := Connect(uniqueName(t)); return err }},
		"a vast ring":   {ErrNoSpace, func() error { _, err := Create(uniqueName(t), 1<<45); return err }},
		"vast memory":   {ErrNoMemory, func() error { _, err := CreateAnonymous(1 << 45); return err }},
		"an empty file": {ErrNotReady, func() error { _, err := Connect(object(t, "")); return err }},
		"another file": {ErrNotARing, func() error {
			_, err := Connect(object(t, strings.Repeat("not a ring", 1000)))
			return err
		}},
		"a named ring's descriptor": {ErrNotARing, func() error {
			_, err := ConnectFD(taken.FD())
			return err
		}},
		"another layout": {ErrVersion, func() error {
			r := named(t, 1)
			spoil(t, r.Name(), versionAt)
			_, err := Connect(r.Name())
			return err
		}},
		"a second producer": {ErrRoleTaken, func() error {
			r := anonymous(t, 1)
			send(t, r, "first")
			_, err := another(t, r).Claim(1, 0)
			return err
		}},
		"a second consumer": {ErrRoleTaken, func() error {
			r := anonymous(t, 1)
			is(t, r.WaitForData(1, 0), ErrTimeout)
			_, err := another(t, r).Peek(1, Forever)
			return err
		}},
		"a claim beyond the capacity": {ErrTooLarge, func() error {
			_, err := taken.Claim(taken.Capacity()+1, Forever)
			return err
		}},
		"a negative claim":     {ErrTooLarge, func() error { _, err := taken.Claim(-1, Forever); return err }},
		"a negative peek":      {ErrTooLarge, func() error { _, err := taken.PeekSome(-1, Forever); return err }},
		"a wait for too much":  {ErrTooLarge, func() error { return taken.WaitForSpace(1<<40, Forever) }},
		"a publish of nothing": {ErrMisuse, func() error { return anonymous(t, 1).Publish(1) }},
		"a negative publish":   {ErrMisuse, func() error { return anonymous(t, 1).Publish(-1) }},
		"a release of nothing": {ErrMisuse, func() error { return anonymous(t, 1).Release(1) }},
		"a negative release":   {ErrMisuse, func() error { return anonymous(t, 1).Release(-1) }},
		"a head beyond the buffer": {ErrCorrupt, func() error {
			r := named(t, 1)
			is(t, r.WaitForData(1, 0), ErrTimeout)
			spoil(t, r.Name(), headAt)
			_, err := r.Peek(1, Forever)
			return err
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.call()
			is(t, err, c.expected)
			var full *Error
			if !errors.As(err, &full) || full.Err != c.expected || full.Op == "" {
				t.Fatalf("not an *Error, or not its fields: %#v", err)
			}
		})
	}
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
	_, err = anonymous(t, 1).Peek(1, 0)
	if errors.As(err, &errno) {
		t.Fatalf("a timeout carries errno %v", errno)
	}
	equal(t, err.Error(), "spscshm: peek: "+ErrTimeout.Error())
}

func TestStandardErrorsMatchToo(t *testing.T) {
	is(t, ErrTimeout, os.ErrDeadlineExceeded)
	is(t, ErrAlreadyExists, fs.ErrExist)
	is(t, ErrPermission, fs.ErrPermission)
	is(t, ErrHandleClosed, os.ErrClosed)
	if errors.Is(ErrClosed, os.ErrClosed) {
		t.Fatal("the peer's closing is taken for our own")
	}
	_, err := anonymous(t, 1).Peek(1, 0)
	if !os.IsTimeout(err) {
		t.Fatal("a timeout is none to os.IsTimeout")
	}
}

func TestAccessThatIsRefusedIsErrPermission(t *testing.T) {
	r := named(t, 1, WithMode(0))
	refused := later(t, func() error {
		// Root is asked for no permission, so this thread becomes nobody to the file system. It
		// ends with the goroutine, as it stays locked.
		runtime.LockOSThread()
		syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0)
		_, err := Connect(r.Name())
		return err
	})
	err := refused()
	is(t, err, ErrPermission)
	is(t, err, syscall.EACCES)
	is(t, err, fs.ErrPermission)
}
