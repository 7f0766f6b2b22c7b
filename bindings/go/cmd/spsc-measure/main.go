// Spsc-measure says what Go costs: streams from process to process between Go and C, beside the same
// stream from C to C.
//
// The two processes are pinned to two CPUs. A row is one block of each combination, one after the
// other within some milliseconds and in random order. Ratios are taken within a row, as a virtual
// machine's CPUs move about under it. A row in which another task took one of the CPUs is dropped.
// The C side is a loop in C within the same processes, on the functions of the library.
//
// Usage: spsc-measure [-seconds 20] [-sizes 8,64,256] [-cpus 0,1] [-messages] [-keep]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/spsc-shm/spsc-shm/bindings/go/spscshm"
)

// block is a stream of Count messages.
type block struct {
	Combination int
	Size, Count int
	Messages    bool
}

// outcome is what the consumer says of a block.
type outcome struct {
	Nanoseconds int64
	Switches    int64
	Error       string
}

// peer plays either side of a ring.
type peer interface {
	produce(block) error
	// consume gives the nanoseconds from the first message to the last.
	consume(block) (int64, error)
	close()
}

type opener func(*os.File) (peer, error)

// The first is what the others are compared with.
var combinations = []struct {
	name     string
	from, to opener
}{
	{"C to C", newPeerC, newPeerC},
	{"C to Go", newPeerC, newPeerGo},
	{"Go to C", newPeerGo, newPeerC},
	{"Go to Go", newPeerGo, newPeerGo},
}

const (
	ringSize = 64 << 10
	// A session has rings of its own, as their place in memory matters.
	sessionRows = 20
	// The consumer's files: commands, outcomes, and a ring for each combination.
	firstFile = 3
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("spsc-measure: ")
	// Nothing here makes garbage while it is measured.
	debug.SetGCPercent(-1)
	if len(os.Args) == 3 && os.Args[1] == "consume" {
		if err := consume(os.Args[2]); err != nil {
			log.Fatal(err)
		}
		return
	}
	seconds := flag.Float64("seconds", 20, "how long to measure, for each size")
	sizes := flag.String("sizes", "8,64,256", "bytes of a message, from 8 to 4096")
	cpus := flag.String("cpus", "0,1", "the CPUs of the producer and of the consumer")
	messages := flag.Bool("messages", false, "messages in place of claims and peeks")
	keep := flag.Bool("keep", false, "keep rows in which another task ran, for a machine that is never quiet")
	flag.Parse()
	near, far, both := strings.Cut(*cpus, ",")
	if !both {
		log.Fatal("-cpus: two are needed")
	}
	pin(near)
	fmt.Print("| bytes | C to C, ns | ")
	for _, c := range combinations[1:] {
		fmt.Print(c.name, " | ")
	}
	fmt.Println("rows |\n|---|---|" + strings.Repeat("---|", len(combinations)))
	for _, size := range strings.Split(*sizes, ",") {
		bytes, err := strconv.Atoi(size)
		if err != nil || bytes < 8 || bytes > 4096 {
			log.Fatalf("-sizes: %q", size)
		}
		var t table
		for end := time.Now().Add(time.Duration(*seconds * 1e9)); time.Now().Before(end); {
			if err := t.session(bytes, far, *messages, *keep); err != nil {
				log.Fatal(err)
			}
		}
		t.print(bytes)
	}
}

// table is the rows of one size: nanoseconds a message, by combination.
type table struct {
	rows    [][]float64
	dropped int
}

// session measures some rows with a consumer and rings of their own.
func (t *table) session(size int, cpu string, messages, keep bool) error {
	commands, out, err := newRing()
	if err != nil {
		return err
	}
	defer commands.Close()
	outcomes, in, err := newRing()
	if err != nil {
		return err
	}
	defer outcomes.Close()
	child := exec.Command(os.Args[0], "consume", cpu)
	child.Stderr = os.Stderr
	child.ExtraFiles = []*os.File{out, in}
	var peers []peer
	for _, c := range combinations {
		ring, file, err := newRing()
		if err != nil {
			return err
		}
		child.ExtraFiles = append(child.ExtraFiles, file)
		p, err := c.from(file)
		if err != nil {
			return err
		}
		defer p.close()
		// The peer has a handle of its own.
		ring.Close()
		peers = append(peers, p)
	}
	if err := child.Start(); err != nil {
		return err
	}
	for _, file := range child.ExtraFiles {
		file.Close()
	}
	for row := 0; row < sessionRows; row++ {
		figures := make([]float64, len(combinations))
		disturbed := false
		for _, i := range rand.Perm(len(combinations)) {
			b := block{i, size, 2_000_000 / (size + 32), messages}
			before := switches()
			command, err := json.Marshal(b)
			if err != nil {
				return err
			}
			if err := commands.Producer().Send(0, command, spscshm.Forever); err != nil {
				return err
			}
			if err := peers[i].produce(b); err != nil {
				return err
			}
			// What comes after is a wait of its own, that may be a sleep.
			disturbed = disturbed || switches() != before
			answer, err := outcomes.Consumer().Receive(spscshm.Forever)
			if err != nil {
				return err
			}
			var o outcome
			if err := json.Unmarshal(answer.Data, &o); err != nil {
				return err
			}
			if o.Error != "" {
				return fmt.Errorf("consumer: %s", o.Error)
			}
			disturbed = disturbed || o.Switches != 0
			figures[i] = float64(o.Nanoseconds) / float64(b.Count-1)
		}
		switch {
		case row == 0:
			// The first lap of each ring: page faults.
		case disturbed && !keep:
			t.dropped++
		default:
			t.rows = append(t.rows, figures)
		}
	}
	commands.Close()
	return child.Wait()
}

func newRing() (*spscshm.Ring, *os.File, error) {
	ring, err := spscshm.Anonymous(ringSize, spscshm.WithPrefault())
	if err != nil {
		return nil, nil, err
	}
	file, err := ring.File()
	return ring, file, err
}

// consume is the other process.
func consume(cpu string) error {
	pin(cpu)
	files := make([]*os.File, 2+len(combinations))
	for i := range files {
		files[i] = os.NewFile(uintptr(firstFile+i), "ring")
	}
	commands, err := spscshm.FromFile(files[0])
	if err != nil {
		return err
	}
	outcomes, err := spscshm.FromFile(files[1])
	if err != nil {
		return err
	}
	defer outcomes.Close()
	var peers []peer
	for i, c := range combinations {
		p, err := c.to(files[2+i])
		if err != nil {
			return err
		}
		defer p.close()
		peers = append(peers, p)
	}
	var failed error
	commands.Consumer().Messages(context.Background())(func(m spscshm.Message, err error) bool {
		var b block
		if failed = err; failed != nil {
			return false
		}
		if failed = json.Unmarshal(m.Data, &b); failed != nil {
			return false
		}
		var o outcome
		before := switches()
		if o.Nanoseconds, err = peers[b.Combination].consume(b); err != nil {
			o.Error = err.Error()
		}
		o.Switches = switches() - before
		var answer []byte
		if answer, failed = json.Marshal(o); failed == nil {
			failed = outcomes.Producer().Send(0, answer, spscshm.Forever)
		}
		return failed == nil
	})
	return failed
}

// print writes the table's line: the median of the first combination, and the medians of the ratios
// to it, with their quartiles.
func (t *table) print(size int) {
	if len(t.rows) == 0 {
		log.Fatalf("another task ran in all %d rows: -keep", t.dropped)
	}
	fmt.Printf("| %d | ", size)
	for i := range combinations {
		figures := make([]float64, len(t.rows))
		for row := range figures {
			figures[row] = t.rows[row][i]
			if i != 0 {
				figures[row] /= t.rows[row][0]
			}
		}
		sort.Float64s(figures)
		at := func(part int) float64 { return figures[(len(figures)-1)*part/4] }
		if i == 0 {
			fmt.Printf("%.1f | ", at(2))
		} else {
			fmt.Printf("%.2f (%.2f to %.2f) | ", at(2), at(1), at(3))
		}
	}
	fmt.Printf("%d of %d |\n", len(t.rows), len(t.rows)+t.dropped)
}

// pin keeps this goroutine on one thread, and that on one CPU.
func pin(cpu string) {
	runtime.LockOSThread()
	number, err := strconv.Atoi(cpu)
	if err != nil || number < 0 || number >= 1024 {
		log.Fatalf("not a CPU: %q", cpu)
	}
	var set [1024 / 64]uint64
	set[number/64] = 1 << (number % 64)
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
	if errno != 0 {
		log.Fatalf("CPU %s: %v", cpu, errno)
	}
}

// switches is how often another task took this thread's CPU.
func switches() int64 {
	const thread = 1 // RUSAGE_THREAD
	var usage syscall.Rusage
	if err := syscall.Getrusage(thread, &usage); err != nil {
		log.Fatal(err)
	}
	return int64(usage.Nivcsw)
}
