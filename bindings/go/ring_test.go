package spscshm

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestWhatIsPublishedIsPeeked(t *testing.T) {
	r := anonymous(t, 1)
	send(t, r, "hello")
	equal(t, r.Available(), 5)
	receive(t, r, "hello")
	equal(t, r.Available(), 0)
}

func TestSizesOnTheTwoSidesNeedNotMatch(t *testing.T) {
	r := anonymous(t, 1)
	send(t, r, "one ")
	send(t, r, "and two")
	receive(t, r, "one and two")
	send(t, r, "three, four")
	receive(t, r, "three, ")
	receive(t, r, "four")
}

func TestAClaimIsContiguousAtEveryPosition(t *testing.T) {
	r := anonymous(t, 1)
	whole := strings.Repeat("0123456789abcdef", r.Capacity()/16)
	for position := 0; position < 3*r.Capacity(); position += 1021 {
		send(t, r, whole)
		receive(t, r, whole)
		send(t, r, whole[:1021])
		receive(t, r, whole[:1021])
	}
}

func TestSeveralPublishesShareAClaim(t *testing.T) {
	r := anonymous(t, 1)
	space, err := r.Claim(6, 0)
	ok(t, err)
	copy(space, "abcdef")
	ok(t, r.Publish(2))
	equal(t, r.Available(), 2)
	ok(t, r.Publish(0))
	ok(t, r.Publish(3))
	is(t, r.Publish(2), ErrMisuse)
	equal(t, r.Available(), 5)
	data, err := r.Peek(5, 0)
	ok(t, err)
	equal(t, string(data), "abcde")
	ok(t, r.Release(4))
	ok(t, r.Release(0))
	is(t, r.Release(2), ErrMisuse)
	equal(t, r.Available(), 1)
}

func TestSomeIsAllThatThereIs(t *testing.T) {
	r := anonymous(t, 1)
	data, err := r.PeekSome(0, Forever)
	ok(t, err)
	equal(t, len(data), 0)
	space, err := r.ClaimSome(1, Forever)
	ok(t, err)
	equal(t, len(space), r.Capacity())
	copy(space, "some bytes")
	ok(t, r.Publish(10))
	data, err = r.PeekSome(1, Forever)
	ok(t, err)
	equal(t, string(data), "some bytes")
	ok(t, r.Release(len(data)))
	_, err = r.PeekSome(1, 0)
	is(t, err, ErrTimeout)
}

func TestASliceEndsWhereItsBytesDo(t *testing.T) {
	r := anonymous(t, 1)
	space, err := r.Claim(3, 0)
	ok(t, err)
	equal(t, cap(space), 3)
	empty, err := r.Claim(0, Forever)
	ok(t, err)
	if empty == nil || len(empty) != 0 || cap(empty) != 0 {
		t.Fatalf("not an empty slice: %v", empty)
	}
}

func TestWaitsForSpaceAndDataEndWhenItComes(t *testing.T) {
	r := anonymous(t, 1)
	ok(t, r.WaitForSpace(r.Capacity(), Forever))
	is(t, r.WaitForData(1, 0), ErrTimeout)
	data := later(t, func() error { return r.WaitForData(3, Forever) })
	parked(t, r, consumer)
	send(t, r, "xyz")
	ok(t, data())
	fill(t, r)
	is(t, r.WaitForSpace(1, 0), ErrTimeout)
	space := later(t, func() error { return r.WaitForSpace(3, Forever) })
	parked(t, r, producer)
	receive(t, r, "xyz")
	ok(t, space())
	equal(t, r.Available(), r.Capacity()-3)
}

func TestATimeoutIsKept(t *testing.T) {
	r := anonymous(t, 1)
	fill(t, r)
	// The last is longer than a slice.
	for _, timeout := range []time.Duration{0, -1, time.Millisecond, 3 * soon, plainSlice + soon} {
		start := time.Now()
		_, err := r.Claim(1, timeout)
		is(t, err, ErrTimeout)
		if took := time.Since(start); took < timeout {
			t.Fatalf("%v became %v", timeout, took)
		}
	}
}

func TestAWaitOfManySlicesEndsWithTheData(t *testing.T) {
	r := anonymous(t, 1)
	for _, timeout := range []time.Duration{Forever, patience} {
		wait := later(t, func() error { _, err := r.Peek(1, timeout); return err })
		time.Sleep(2*plainSlice + soon)
		send(t, r, "x")
		ok(t, wait())
		receive(t, r, "x")
	}
}

func TestANameCanBeCreatedConnectedAndUnlinked(t *testing.T) {
	name := uniqueName(t)
	r := openedRing(t)(Create(name, 5000))
	equal(t, r.Name(), name)
	equal(t, r.Capacity(), 8192)
	peer := openedRing(t)(Connect("/" + name))
	equal(t, peer.Capacity(), 8192)
	send(t, r, "by name")
	receive(t, peer, "by name")
	ok(t, Unlink(name))
	is(t, Unlink(name), ErrNotFound)
	send(t, r, "still open")
	receive(t, peer, "still open")
}

func TestADescriptorCrossesToAnotherProcess(t *testing.T) {
	if os.Getenv("SPSCSHM_CHILD") == t.Name() {
		peer := openedRing(t)(ConnectFD(3))
		receive(t, peer, "to the child")
		return
	}
	r := anonymous(t, 1)
	fd, err := syscall.Dup(r.FD())
	ok(t, err)
	file := os.NewFile(uintptr(fd), "ring")
	defer file.Close()
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), "SPSCSHM_CHILD="+t.Name())
	child.ExtraFiles = []*os.File{file}
	child.Stderr = os.Stderr
	ok(t, child.Start())
	send(t, r, "to the child")
	ok(t, child.Wait())
	equal(t, r.Available(), 0)
}

func TestModeIsTheObjectsMode(t *testing.T) {
	for _, mode := range []os.FileMode{0o600, 0o640, 0o400} {
		r := named(t, 1, WithMode(mode))
		file, err := os.Stat("/dev/shm/" + r.Name())
		ok(t, err)
		equal(t, file.Mode(), mode)
	}
	_, err := Create(uniqueName(t), 1, WithMode(os.ModeSetuid|0o600))
	is(t, err, ErrInvalidArgument)
}

func TestOnlyAStaleRingIsReplaced(t *testing.T) {
	name := uniqueName(t)
	first := openedRing(t)(Create(name, 1))
	_, err := Create(name, 1, WithReplaceStale())
	is(t, err, ErrAlreadyExists)
	ok(t, first.Close())
	_, err = Create(name, 1)
	is(t, err, ErrAlreadyExists)
	second := openedRing(t)(Create(name, 1, WithReplaceStale(), WithPrefault()))
	send(t, second, "new")
	receive(t, openedRing(t)(Connect(name)), "new")
}

func TestSpinIsTheCreatorsChoice(t *testing.T) {
	// The offset of spin_ns in the control block.
	const at = 24
	for spin, expected := range map[time.Duration]uint64{
		0: 0, 20 * time.Microsecond: 20_000, -1: 1<<64 - 1,
	} {
		r := named(t, 1, WithSpin(spin))
		equal(t, objectWord(t, r.Name(), at), expected)
	}
	equal(t, objectWord(t, named(t, 1).Name(), at), 1<<64-1)
}

func TestConnectTimeoutWaitsForTheName(t *testing.T) {
	name := uniqueName(t)
	_, err := ConnectTimeout(name, 0)
	is(t, err, ErrNotFound)
	_, err = ConnectTimeout(name, time.Millisecond)
	is(t, err, ErrTimeout)
	for _, timeout := range []time.Duration{patience, Forever} {
		connected := later(t, func() error {
			r, err := ConnectTimeout(name, timeout)
			if err == nil {
				r.Close()
			}
			return err
		})
		time.Sleep(soon)
		openedRing(t)(Create(name, 1))
		ok(t, connected())
		ok(t, Unlink(name))
	}
}

func TestWakeupAllInterruptsBothSides(t *testing.T) {
	r := anonymous(t, 1)
	peer := another(t, r)
	wait := later(t, func() error { return peer.WaitForData(1, Forever) })
	parked(t, r, consumer)
	ok(t, r.WakeupAll())
	is(t, wait(), ErrInterrupted)
	fill(t, r)
	_, err := r.Claim(1, Forever)
	is(t, err, ErrInterrupted)
	_, err = r.Claim(1, time.Millisecond)
	is(t, err, ErrTimeout)
	stats, err := peer.Stats()
	ok(t, err)
	equal(t, stats.Consumer.Interruptions, 1)
}

func TestStatsTellWhatHappened(t *testing.T) {
	r := anonymous(t, 1)
	peer := another(t, r)
	stats, err := r.Stats()
	ok(t, err)
	equal(t, stats, Stats{Capacity: uint64(pageSize)})
	send(t, r, "abcdef")
	receive(t, peer, "abcd")
	stats, err = r.Stats()
	ok(t, err)
	expected := Stats{Capacity: uint64(pageSize), Head: 6, Tail: 4, Available: 2}
	expected.Producer = RoleStats{State: RoleAttached, Generation: 1, PID: uint32(os.Getpid())}
	expected.Consumer = expected.Producer
	equal(t, stats, expected)
	ok(t, peer.Close())
	stats, err = r.Stats()
	ok(t, err)
	equal(t, stats.Consumer.State, RoleClosed)
	equal(t, RoleNever.String()+RoleDead.String()+RoleState(9).String(), "neverdeadRoleState(9)")
}

func TestDebugDumpWritesOneLine(t *testing.T) {
	reader, writer, err := os.Pipe()
	ok(t, err)
	defer reader.Close()
	stderr, err := syscall.Dup(2)
	ok(t, err)
	r := anonymous(t, 1)
	ok(t, syscall.Dup3(int(writer.Fd()), 2, 0))
	dumped := r.DebugDump("the prefix: ")
	ok(t, syscall.Dup3(stderr, 2, 0))
	ok(t, syscall.Close(stderr))
	ok(t, dumped)
	ok(t, writer.Close())
	line := make([]byte, 4096)
	n, err := reader.Read(line)
	ok(t, err)
	text := string(line[:n])
	if !strings.HasPrefix(text, "the prefix: capacity=") || strings.Count(text, "\n") != 1 {
		t.Fatalf("got %q", text)
	}
}

func TestTheEndOfTheStreamComesAfterItsLastByte(t *testing.T) {
	r := anonymous(t, 1)
	peer := another(t, r)
	send(t, r, "last")
	ok(t, r.Close())
	_, err := peer.Peek(5, Forever)
	is(t, err, ErrClosed)
	receive(t, peer, "last")
	_, err = peer.PeekSome(1, 0)
	is(t, err, ErrClosed)
	next := another(t, peer)
	send(t, next, "goes on")
	receive(t, peer, "goes on")
}

func TestAProducerLearnsThatItsConsumerClosed(t *testing.T) {
	r := anonymous(t, 1)
	peer := another(t, r)
	is(t, peer.WaitForData(1, 0), ErrTimeout)
	fill(t, r)
	wait := later(t, func() error { return r.WaitForSpace(1, Forever) })
	parked(t, r, producer)
	ok(t, peer.Close())
	is(t, wait(), ErrClosed)
}

func TestADeadPeerIsReported(t *testing.T) {
	if name := os.Getenv("SPSCSHM_CHILD"); name != "" {
		send(t, openedRing(t)(Connect(name)), "farewell")
		ok(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
	}
	r := named(t, 1)
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), "SPSCSHM_CHILD="+r.Name())
	ok(t, child.Start())
	receive(t, r, "farewell")
	_, err := r.Peek(1, patience)
	is(t, err, ErrPeerDead)
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) {
		t.Fatalf("the child was not killed: %v", err)
	}
	stats, err := r.Stats()
	ok(t, err)
	equal(t, stats.Producer.State, RoleDead)
}
