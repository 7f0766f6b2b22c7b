package stream

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spsc-shm/spsc-shm/bindings/go/spscshm"
)

// build makes the programs and gives their directory.
func build(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	output, err := exec.Command("go", "build", "-o", directory, "../../cmd/...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return directory
}

func TestTheProgramsSpeakWithEachOther(t *testing.T) {
	programs := build(t)
	pairs := [][2]string{{"spsc-producer", "spsc-consumer"}, {"spsc-sender", "spsc-receiver"}}
	for _, pair := range pairs {
		for _, end := range []End{EndClose, EndKill} {
			t.Run(pair[0]+" "+string(end), func(t *testing.T) {
				speak(t, filepath.Join(programs, pair[0]), filepath.Join(programs, pair[1]), end)
			})
		}
	}
}

func speak(t *testing.T, from, to string, end End) {
	name := fmt.Sprintf("spscshm-stream-%d-%s", os.Getpid(), end)
	ring, err := spscshm.Create(name, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()
	defer spscshm.Unlink(name)
	job := []string{name, "5000", "7", string(end)}
	producer := exec.Command(from, job...)
	producer.Stderr = os.Stderr
	if err := producer.Start(); err != nil {
		t.Fatal(err)
	}
	// The test is the programs' only parent, and must not leave one behind.
	defer producer.Process.Kill()
	consumer := exec.Command(to, job...)
	consumer.Stderr = os.Stderr
	output, err := consumer.Output()
	if err != nil || string(output) != "ok 5000\n" {
		t.Errorf("the consumer says %q, %v", output, err)
	}
	var exit *exec.ExitError
	if err := producer.Wait(); errors.As(err, &exit) != (end == EndKill) {
		t.Errorf("the producer ends with %v", err)
	}
}

func TestAConsumerRefusesAnotherStream(t *testing.T) {
	cases := map[string]struct {
		sent, expected Job
		text           string
	}{
		"another seed":   {Job{"", 5, 1, EndClose}, Job{"", 5, 2, EndClose}, "message 0: not the message"},
		"a message less": {Job{"", 4, 1, EndClose}, Job{"", 5, 1, EndClose}, "message 4: "},
		"a message more": {Job{"", 6, 1, EndClose}, Job{"", 5, 1, EndClose}, "after the last message"},
		"another end":    {Job{"", 5, 1, EndClose}, Job{"", 5, 1, EndKill}, "after the last message"},
	}
	for title, c := range cases {
		t.Run(title, func(t *testing.T) {
			name := fmt.Sprintf("spscshm-refuse-%d", os.Getpid())
			ring, err := spscshm.Create(name, 1<<16)
			if err != nil {
				t.Fatal(err)
			}
			defer ring.Close()
			defer spscshm.Unlink(name)
			c.sent.Name, c.expected.Name = name, name
			if err := c.sent.Produce(); err != nil {
				t.Fatal(err)
			}
			if err := c.expected.Consume(); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("not %q but %v", c.text, err)
			}
		})
	}
}

// The first bytes of a stream, as every language must make them.
func TestTheFirstMessageOfSeedZero(t *testing.T) {
	message := newMessages(0).next()
	got := fmt.Sprintf("%d %x", len(message), message[:24])
	if expected := "1173 8d04000040520c661d6579e0a8a6cfab1c6478e1a9a7ceaa"; got != expected {
		t.Fatalf("got %s, expected %s", got, expected)
	}
}
