package spscshm

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestWhatIsPublishedIsPeeked(t *testing.T) {
	r, p, c := anonymous(t, 1)
	send(t, p, "hello")
	equal(t, r.Available(), 5)
	receive(t, c, "hello")
	equal(t, r.Available(), 0)
}

func TestTheEndsAreTheRings(t *testing.T) {
	r, p, c := anonymous(t, 1)
	equal(t, r.Producer(), p)
	equal(t, r.Consumer(), c)
	equal(t, p.Ring(), r)
	equal(t, c.Ring(), r)
}

func TestSizesOnTheTwoSidesNeedNotMatch(t *testing.T) {
	_, p, c := anonymous(t, 1)
	send(t, p, "one ")
	send(t, p, "and two")
	receive(t, c, "one and two")
	send(t, p, "three, four")
	receive(t, c, "three, ")
	receive(t, c, "four")
}

func TestAClaimIsContiguousAtEveryPosition(t *testing.T) {
	r, p, c := anonymous(t, 1)
	whole := strings.Repeat("0123456789abcdef", r.Capacity()/16)
	for position := 0; position < 3*r.Capacity(); position += 1021 {
		send(t, p, whole)
		receive(t, c, whole)
		send(t, p, whole[:1021])
		receive(t, c, whole[:1021])
	}
}

func TestSeveralPublishesShareAClaim(t *testing.T) {
	r, p, c := anonymous(t, 1)
	space, err := p.Claim(6, 0)
	ok(t, err)
	copy(space, "abcdef")
	ok(t, p.Publish(2))
	equal(t, r.Available(), 2)
	ok(t, p.Publish(0))
	ok(t, p.Publish(3))
	is(t, p.Publish(2), ErrMisuse)
	equal(t, r.Available(), 5)
	data, err := c.Peek(5, 0)
	ok(t, err)
	equal(t, string(data), "abcde")
	ok(t, c.Release(4))
	ok(t, c.Release(0))
	is(t, c.Release(2), ErrMisuse)
	equal(t, r.Available(), 1)
}

func TestSomeIsAllThatThereIs(t *testing.T) {
	r, p, c := anonymous(t, 1)
	data, err := c.PeekSome(0, Forever)
	ok(t, err)
	equal(t, len(data), 0)
	equal(t, statsOf(t, r).Consumer.State, RoleAttached)
	space, err := p.ClaimSome(1, Forever)
	ok(t, err)
	equal(t, len(space), r.Capacity())
	copy(space, "some bytes")
	ok(t, p.Publish(10))
	data, err = c.PeekSome(1, Forever)
	ok(t, err)
	equal(t, string(data), "some bytes")
	ok(t, c.Release(len(data)))
	_, err = c.PeekSome(1, 0)
	is(t, err, ErrTimeout)
}

func TestASliceEndsWhereItsBytesDo(t *testing.T) {
	_, p, c := anonymous(t, 1)
	space, err := p.Claim(3, 0)
	ok(t, err)
	equal(t, cap(space), 3)
	for _, claim := range []func() ([]byte, error){
		func() ([]byte, error) { return p.Claim(0, Forever) },
		func() ([]byte, error) { return c.Peek(0, Forever) },
	} {
		empty, err := claim()
		ok(t, err)
		if empty == nil || len(empty) != 0 || cap(empty) != 0 {
			t.Fatalf("not an empty slice: %v", empty)
		}
	}
}

func TestWaitsForSpaceAndDataEndWhenItComes(t *testing.T) {
	r, p, c := anonymous(t, 1)
	ok(t, p.WaitForSpace(r.Capacity(), Forever))
	is(t, c.WaitForData(1, 0), ErrTimeout)
	data := later(t, func() error { return c.WaitForData(3, Forever) })
	asleep(t, r, consumer)
	send(t, p, "xyz")
	ok(t, data())
	fill(t, p)
	is(t, p.WaitForSpace(1, 0), ErrTimeout)
	space := later(t, func() error { return p.WaitForSpace(3, Forever) })
	asleep(t, r, producer)
	receive(t, c, "xyz")
	ok(t, space())
	equal(t, r.Available(), r.Capacity()-3)
}

func TestATimeoutIsKept(t *testing.T) {
	_, p, _ := anonymous(t, 1)
	fill(t, p)
	for _, timeout := range []time.Duration{0, -1, time.Millisecond, 3 * soon} {
		start := time.Now()
		_, err := p.Claim(1, timeout)
		is(t, err, ErrTimeout)
		if took := time.Since(start); took < timeout {
			t.Fatalf("%v became %v", timeout, took)
		}
	}
}

func TestALongWaitEndsWithTheData(t *testing.T) {
	r, p, c := anonymous(t, 1)
	for _, timeout := range []time.Duration{Forever, patience} {
		wait := later(t, func() error { _, err := c.Peek(1, timeout); return err })
		asleep(t, r, consumer)
		// Longer than the library's look whether the other side lives.
		time.Sleep(150 * time.Millisecond)
		send(t, p, "x")
		ok(t, wait())
		receive(t, c, "x")
	}
}

func TestANameCanBeCreatedOpenedAndUnlinked(t *testing.T) {
	name := uniqueName(t)
	r := openedRing(t)(Create(name, 5000))
	equal(t, r.Name(), name)
	equal(t, r.Capacity(), 8192)
	peer := openedRing(t)(Open("/" + name))
	equal(t, peer.Capacity(), 8192)
	send(t, r.Producer(), "by name")
	receive(t, peer.Consumer(), "by name")
	ok(t, Unlink(name))
	is(t, Unlink(name), ErrNotFound)
	send(t, r.Producer(), "still open")
	receive(t, peer.Consumer(), "still open")
}

func TestAFileCrossesToAnotherProcess(t *testing.T) {
	if os.Getenv("SPSCSHM_CHILD") == t.Name() {
		r := openedRing(t)(FromFile(os.NewFile(3, "ring")))
		receive(t, r.Consumer(), "to the child")
		return
	}
	r, p, _ := anonymous(t, 1)
	file, err := r.File()
	ok(t, err)
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), "SPSCSHM_CHILD="+t.Name())
	child.ExtraFiles = []*os.File{file}
	child.Stderr = os.Stderr
	ok(t, child.Start())
	ok(t, file.Close())
	send(t, p, "to the child")
	ok(t, child.Wait())
	equal(t, r.Available(), 0)
}

func TestAClosedFileIsNoRing(t *testing.T) {
	r, _, _ := anonymous(t, 1)
	file, err := r.File()
	ok(t, err)
	ok(t, file.Close())
	if _, err := FromFile(file); err == nil {
		t.Fatal("it was opened")
	}
}

func TestModeIsTheObjectsMode(t *testing.T) {
	for _, mode := range []os.FileMode{0o600, 0o660, 0o602} {
		mask := syscall.Umask(0)
		r := named(t, 1, WithMode(mode))
		syscall.Umask(mask)
		file, err := os.Stat("/dev/shm/" + r.Name())
		ok(t, err)
		equal(t, file.Mode(), mode)
	}
	// Who may read and not write could hold a role up, and no more.
	for _, mode := range []os.FileMode{os.ModeSetuid | 0o600, 0o640, 0o604} {
		_, err := Create(uniqueName(t), 1, WithMode(mode))
		is(t, err, ErrInvalidArgument)
	}
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
	send(t, second.Producer(), "new")
	receive(t, openedRing(t)(Open(name)).Consumer(), "new")
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
	_, p, c := anonymous(t, 1, WithSpin(0), WithPrefault())
	send(t, p, "x")
	receive(t, c, "x")
}

func TestWakeupAllInterruptsBothSides(t *testing.T) {
	r, p, _ := anonymous(t, 1)
	peer := another(t, r)
	wait := later(t, func() error { return peer.Consumer().WaitForData(1, Forever) })
	asleep(t, r, consumer)
	ok(t, r.WakeupAll())
	is(t, wait(), ErrInterrupted)
	fill(t, p)
	_, err := p.Claim(1, Forever)
	is(t, err, ErrInterrupted)
	_, err = p.Claim(1, time.Millisecond)
	is(t, err, ErrTimeout)
	equal(t, statsOf(t, peer).Consumer.Interruptions, 1)
}

func TestStatsTellWhatHappened(t *testing.T) {
	r, p, _ := anonymous(t, 1)
	peer := another(t, r)
	equal(t, statsOf(t, r), Stats{Capacity: uint64(pageSize)})
	send(t, p, "abcdef")
	receive(t, peer.Consumer(), "abcd")
	expected := Stats{Capacity: uint64(pageSize), Published: 6, Released: 4, Available: 2}
	expected.Producer = RoleStats{State: RoleAttached, Generation: 1, PID: uint32(os.Getpid())}
	expected.Consumer = expected.Producer
	equal(t, statsOf(t, r), expected)
	ok(t, peer.Close())
	equal(t, statsOf(t, r).Consumer.State, RoleClosed)
	equal(t, RoleNever.String()+RoleDead.String()+RoleState(9).String(), "neverdeadRoleState(9)")
}

func TestDebugDumpWritesOneLine(t *testing.T) {
	reader, writer, err := os.Pipe()
	ok(t, err)
	defer reader.Close()
	stderr, err := syscall.Dup(2)
	ok(t, err)
	r, _, _ := anonymous(t, 1)
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
	p, c := apart(t, 1)
	send(t, p, "last")
	ok(t, p.Ring().Close())
	_, err := c.Peek(5, Forever)
	is(t, err, ErrPeerClosed)
	receive(t, c, "last")
	_, err = c.PeekSome(1, 0)
	is(t, err, ErrPeerClosed)
	next := another(t, c.Ring()).Producer()
	send(t, next, "goes on")
	receive(t, c, "goes on")
}

func TestAProducerLearnsThatItsConsumerClosed(t *testing.T) {
	p, c := apart(t, 1)
	is(t, c.WaitForData(1, 0), ErrTimeout)
	fill(t, p)
	wait := later(t, func() error { return p.WaitForSpace(1, Forever) })
	asleep(t, p.Ring(), producer)
	ok(t, c.Close())
	is(t, wait(), ErrPeerClosed)
}

func TestADeadPeerIsReported(t *testing.T) {
	if name := os.Getenv("SPSCSHM_CHILD"); name != "" {
		r := openedRing(t)(Open(name))
		receive(t, r.Consumer(), "x")
		send(t, openedRing(t)(Open(os.Getenv("SPSCSHM_BACK"))).Producer(), "farewell")
		ok(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
	}
	there, back := named(t, 1), named(t, 1)
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), "SPSCSHM_CHILD="+there.Name(), "SPSCSHM_BACK="+back.Name())
	ok(t, child.Start())
	p, c := there.Producer(), back.Consumer()
	send(t, p, "x")
	receive(t, c, "farewell")
	_, err := c.Peek(1, patience)
	is(t, err, ErrPeerDead)
	is(t, err, io.ErrUnexpectedEOF)
	_, err = c.Read(make([]byte, 1))
	is(t, err, ErrPeerDead)
	_, err = p.Write(make([]byte, there.Capacity()+1))
	is(t, err, ErrPeerDead)
	is(t, err, syscall.EPIPE)
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) {
		t.Fatalf("the child was not killed: %v", err)
	}
	equal(t, statsOf(t, back).Producer.State, RoleDead)
}
