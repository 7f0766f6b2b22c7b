package spscshm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func listen(t testing.TB, options ...Option) *Listener {
	t.Helper()
	l, err := Listen(filepath.Join(t.TempDir(), "socket"), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// dial is DialContext for a client that may not run for a while. A listener drops one that takes a
// second to say what it has to, or a tenth of one where many come: then it dials again.
func dial(ctx context.Context, path string) (*Conn, error) {
	for {
		start := time.Now()
		c, err := DialContext(ctx, path)
		if !errors.Is(err, ErrPeerClosed) || time.Since(start) < 100*time.Millisecond {
			return c, err
		}
	}
}

// connPair is both ends of a connection.
func connPair(t testing.TB, options ...Option) (server, client *Conn) {
	t.Helper()
	l := listen(t, options...)
	dialled := make(chan *Conn, 1)
	go func() {
		c, err := dial(context.Background(), l.Addr().String())
		if err != nil {
			t.Error(err)
		}
		dialled <- c
	}()
	server, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	client = <-dialled
	t.Cleanup(func() { server.Close(); client.Close() })
	return server, client
}

func TestConnCarriesBytesBothWays(t *testing.T) {
	server, client := connPair(t)
	if _, err := client.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if _, err := io.ReadFull(server, b); err != nil || string(b) != "question" {
		t.Fatal(string(b), err)
	}
	if _, err := server.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	if err := server.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(client); err != nil || string(b) != "answer" {
		t.Fatal(string(b), err)
	}
	if _, err := client.Write([]byte("more")); err != nil {
		t.Fatal("the other direction has not ended:", err)
	}
	client.Close()
	if b, err := io.ReadAll(server); err != nil || string(b) != "more" {
		t.Fatal(string(b), err)
	}
	if peer := server.Peer(); peer.PID != os.Getpid() || peer.UID != os.Getuid() {
		t.Fatal(peer)
	}
}

// In both directions at once, in pieces of random sizes, through rings of one page.
func TestConnStress(t *testing.T) {
	const total = 20 << 20
	server, client := connPair(t, WithCapacities(1, 1))
	var all sync.WaitGroup
	stream := func(w, r *Conn, seed int64) {
		all.Add(2)
		go func() {
			defer all.Done()
			rng, buffer := rand.New(rand.NewSource(seed)), make([]byte, 10_000)
			for sent := 0; sent < total; {
				n := min(1+rng.Intn(len(buffer)), total-sent)
				if rng.Intn(100) > 0 {
					n = min(n, 500)
				}
				for i := range buffer[:n] {
					buffer[i] = byte((sent + i) * 7)
				}
				if _, err := w.Write(buffer[:n]); err != nil {
					t.Error(err)
					return
				}
				sent += n
			}
			w.CloseWrite()
		}()
		go func() {
			defer all.Done()
			rng, buffer := rand.New(rand.NewSource(^seed)), make([]byte, 10_000)
			for received := 0; ; {
				n, err := r.Read(buffer[:1+rng.Intn(len(buffer))])
				for i, b := range buffer[:n] {
					if b != byte((received+i)*7) {
						t.Errorf("byte %d is %d", received+i, b)
						return
					}
				}
				received += n
				if err == io.EOF && received == total {
					return
				}
				if err != nil {
					t.Error(received, err)
					return
				}
			}
		}()
	}
	stream(client, server, 1)
	stream(server, client, 2)
	all.Wait()
}

func TestConnWaitsEndInTime(t *testing.T) {
	server, client := connPair(t)
	b := make([]byte, 1)
	check := func(what string, err error) {
		t.Helper()
		var timeout net.Error
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Fatal(what, err)
		}
	}
	server.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := server.Read(b)
	check("read", err)
	_, err = server.Read(b)
	check("read again", err)
	server.SetReadDeadline(time.Time{})
	// Whatever there is room for is written, unless the time is over before.
	for written := 0; written != server.Sender().Ring().Capacity(); {
		server.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		n, err := server.Write(make([]byte, 1<<20))
		check("write", err)
		written += n
	}
	// While it waits.
	done := make(chan error)
	go func() {
		_, err := server.Read(b)
		done <- err
	}()
	time.Sleep(10 * time.Millisecond)
	server.SetReadDeadline(time.Now().Add(-time.Second))
	check("read, cut short", <-done)
	server.SetDeadline(time.Time{})
	client.Write([]byte("x"))
	if _, err := server.Read(b); err != nil || b[0] != 'x' {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := server.Receiver().PeekContext(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if _, err := server.Receiver().Peek(1, time.Millisecond); !errors.Is(err, ErrTimeout) {
		t.Fatal(err)
	}
	if _, err := server.Receiver().Peek(1<<20, time.Millisecond); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

// A timer would keep the memory of a connection that is long gone.
func TestConnCloseForgetsDeadlines(t *testing.T) {
	_, client := connPair(t)
	ok(t, client.SetDeadline(time.Now().Add(time.Hour)))
	ok(t, client.Close())
	for _, s := range []side{producing, consuming} {
		if client.poller.waiter(s).deadline.timer != nil {
			t.Error("a timer runs")
		}
	}
}

func TestConnCloseEndsItsOwnWaitsAndThePeers(t *testing.T) {
	for range [20]int{} {
		server, client := connPair(t)
		ends := make(chan error)
		wait := func(call func([]byte) (int, error), size int) {
			go func() {
				_, err := call(make([]byte, size))
				ends <- err
			}()
		}
		wait(server.Read, 1)
		wait(server.Write, 1<<20)
		time.Sleep(time.Duration(rand.Intn(2000)) * time.Microsecond)
		server.Close()
		for range [2]int{} {
			if err := <-ends; !errors.Is(err, net.ErrClosed) {
				t.Fatal(err)
			}
		}
		if _, err := server.Read(nil); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		if err := server.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, client); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write(make([]byte, 1<<20)); !errors.Is(err, syscall.EPIPE) {
			t.Fatal(err)
		}
		if err := errors.Join(server.Close(), client.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConnMessages(t *testing.T) {
	server, client := connPair(t)
	go func() {
		client.Sender().Send(7, make([]byte, 300_000), Forever)
		client.Sender().Send(8, []byte("short"), Forever)
	}()
	for _, expected := range []struct{ tag, size int }{{7, 300_000}, {8, 5}} {
		message, err := server.Receiver().Receive(Forever)
		if err != nil || int(message.Tag) != expected.tag || len(message.Data) != expected.size {
			t.Fatal(message.Tag, len(message.Data), err)
		}
	}
}

// A process that dies without a close, and the wait for it holds no thread.
func TestConnPeerDies(t *testing.T) {
	if path := os.Getenv("SPSCSHM_DIAL"); path != "" {
		c, err := dial(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("x"))
		select {}
	}
	l := listen(t)
	child := exec.Command(os.Args[0], "-test.run=^TestConnPeerDies$")
	child.Env = append(os.Environ(), "SPSCSHM_DIAL="+l.Addr().String())
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	server, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := server.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, func() { child.Process.Kill() })
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, ErrPeerDead) {
		t.Fatal(err)
	}
	child.Wait()
}

func threads(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A thousand goroutines wait, and hold no threads.
func TestConnWaitersHoldNoThreads(t *testing.T) {
	const count = 1000
	var limit syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 10*count {
		t.Fatal("a limit of so many descriptors is needed:", 10*count, err)
	}
	l := listen(t, WithCapacities(1, 1))
	before := threads(t)
	var served, clients sync.WaitGroup
	served.Add(1)
	go func() {
		defer served.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served.Add(1)
			go func() {
				defer served.Done()
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	all := make([]*Conn, count)
	for i := range all {
		c, err := dial(context.Background(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		all[i] = c
	}
	heard := make(chan error, count)
	for _, c := range all {
		clients.Add(1)
		go func(c *Conn) {
			defer clients.Done()
			_, err := io.ReadFull(c, make([]byte, 5))
			heard <- err
		}(c)
	}
	time.Sleep(200 * time.Millisecond)
	if extra := threads(t) - before; extra > count/4 {
		t.Errorf("%d goroutines that wait hold %d threads", 2*count, extra)
	}
	for _, c := range all {
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	for range all {
		if err := <-heard; err != nil {
			t.Fatal(err)
		}
	}
	clients.Wait()
	for _, c := range all {
		c.Close()
	}
	l.Close()
	served.Wait()
}

func TestListener(t *testing.T) {
	l := listen(t)
	path := l.Addr().String()
	if _, err := Listen(path); !errors.Is(err, ErrAlreadyExists) {
		t.Fatal(err)
	}
	l.SetDeadline(time.Now().Add(10 * time.Millisecond))
	var timeout net.Error
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatal(err)
	}
	l.SetDeadline(time.Time{})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := DialContext(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	accepted := make(chan error)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	time.Sleep(5 * time.Millisecond)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := Dial(path); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := Dial(strings.Repeat("x", 200)); !errors.Is(err, ErrInvalidName) {
		t.Fatal(err)
	}
	if _, err := Listen(path + "\x00"); !errors.Is(err, ErrInvalidName) {
		t.Fatal(err)
	}
}

// More clients than the listener's queue holds come at once: they wait for their turns.
func TestDialWaitsForAPlaceInTheQueue(t *testing.T) {
	const clients = 8
	l := listen(t, WithBacklog(1))
	path := l.Addr().String()
	dialled := make(chan error)
	for i := 0; i < clients; i++ {
		go func() {
			c, err := dial(context.Background(), path)
			if err == nil {
				err = c.Close()
			}
			dialled <- err
		}()
	}
	time.Sleep(10 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := DialContext(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	for i := 0; i < clients; i++ {
		if err := <-dialled; err != nil {
			t.Error(err)
		}
	}
}

// What Go takes for an abstract name is a file to all other languages.
func TestDialTakesEveryPathForAFile(t *testing.T) {
	before, err := os.Getwd()
	ok(t, err)
	ok(t, os.Chdir(t.TempDir()))
	defer os.Chdir(before)
	l, err := Listen("@socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go l.Accept()
	c, err := dial(context.Background(), "@socket")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestAdopt(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var sockets [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socketpair")
		c, err := net.FileConn(file)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		sockets[i] = c.(*net.UnixConn)
		defer c.Close()
	}
	adopted := make(chan *Conn)
	go func() {
		c, err := Adopt(context.Background(), sockets[1], false)
		if err != nil {
			t.Error(err)
		}
		adopted <- c
	}()
	server, err := Adopt(context.Background(), sockets[0], true, WithCapacities(5000, 1))
	if err != nil {
		t.Fatal(err)
	}
	client := <-adopted
	if to, from := client.Sender().Ring().Capacity(), client.Receiver().Ring().Capacity(); to != 8192 || from != 4096 {
		t.Fatal(to, from)
	}
	sockets[0].Close()
	sockets[1].Close()
	go client.Write([]byte("hello"))
	b := make([]byte, 5)
	if _, err := io.ReadFull(server, b); err != nil || string(b) != "hello" {
		t.Fatal(string(b), err)
	}
	server.Close()
	client.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fds, _ = syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	defer syscall.Close(fds[1])
	file := os.NewFile(uintptr(fds[0]), "socketpair")
	alone, err := net.FileConn(file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if _, err := Adopt(ctx, alone.(*net.UnixConn), true); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestHTTP(t *testing.T) {
	l := listen(t)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.URL.Path, bytes.ToUpper(body))
	})}
	served := make(chan error)
	go func() { served <- server.Serve(l) }()
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, l.Addr().String())
		},
	}}
	var all sync.WaitGroup
	for i := 0; i < 20; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			for range [20]int{} {
				body := strings.Repeat("body ", 1+i*1000)
				response, err := client.Post(fmt.Sprintf("http://spsc/%d", i), "text/plain", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(response.Body)
				response.Body.Close()
				if expected := fmt.Sprintf("/%d %s", i, strings.ToUpper(body)); err != nil || string(got) != expected {
					t.Errorf("%d bytes instead of %d: %v", len(got), len(expected), err)
				}
			}
		}(i)
	}
	all.Wait()
	client.CloseIdleConnections()
	if err := server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}

// Arith is what net/rpc serves.
type Arith struct{}

func (Arith) Square(n int, square *int) error {
	if n < 0 {
		return errors.New("negative")
	}
	*square = n * n
	return nil
}

func TestRPC(t *testing.T) {
	l := listen(t)
	server := rpc.NewServer()
	if err := server.Register(Arith{}); err != nil {
		t.Fatal(err)
	}
	go server.Accept(l)
	c, err := dial(context.Background(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := rpc.NewClient(c)
	defer client.Close()
	calls := make(chan *rpc.Call, 1000)
	for i := 0; i < cap(calls); i++ {
		client.Go("Arith.Square", i, new(int), calls)
	}
	for i := 0; i < cap(calls); i++ {
		call := <-calls
		if n := call.Args.(int); call.Error != nil || *call.Reply.(*int) != n*n {
			t.Fatal(n, call.Reply, call.Error)
		}
	}
	if err := client.Call("Arith.Square", -1, new(int)); err == nil || err.Error() != "negative" {
		t.Fatal(err)
	}
}
