//go:build go1.23

// Package examples has programs to learn from, and the tests that they, and those in the README, do
// what they say.
package examples

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spsc-shm/spsc-shm/bindings/go/spscshm"
)

// root is the repository's.
func root(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// uniqueName is the name of a ring that does not outlive the test.
func uniqueName(t *testing.T) string {
	name := fmt.Sprintf("spscshm-%s-%d", t.Name(), os.Getpid())
	t.Cleanup(func() { _ = spscshm.Unlink(name) })
	return name
}

// run gives what a command writes, and kills it if it hangs.
func run(t *testing.T, command *exec.Cmd) []byte {
	t.Helper()
	var output, complaints bytes.Buffer
	command.Stdout, command.Stderr = &output, &complaints
	command.WaitDelay = time.Minute
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	hang := time.AfterFunc(5*time.Minute, func() { command.Process.Kill() })
	defer hang.Stop()
	if err := command.Wait(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, complaints.Bytes())
	}
	return output.Bytes()
}

func TestTheReadmesProgramsTalk(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	name := uniqueName(t)
	text := strings.ReplaceAll(string(readme), "/greetings", "/"+name)
	// As the README has it, but for the build of the library, which is this test's.
	text = strings.Replace(text, "(cd spsc-shm && cargo build --release --lib)\n", "", 1)
	directory := t.TempDir()
	if err := os.Symlink(root(t), filepath.Join(directory, "spsc-shm")); err != nil {
		t.Fatal(err)
	}
	block := func(before, language string) string {
		found := regexp.MustCompile("(?s)" + regexp.QuoteMeta(before) + "\n+```" + language + "\n(.*?)```").FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("the README has no %s behind %q", language, before)
		}
		return found[1]
	}
	shell := func(in, commands string) []byte {
		command := exec.Command("sh", "-euc", commands)
		command.Dir = filepath.Join(directory, in)
		return run(t, command)
	}
	shell("", block("<!-- run: setup -->", "sh"))
	for _, program := range []string{"producer", "consumer"} {
		file := "hello/" + program + "/main.go"
		source := block("The "+program+", `"+file+"`:", "go")
		if err := os.WriteFile(filepath.Join(directory, file), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := shell("hello", block("<!-- run: talk -->", "sh"))
	var expected strings.Builder
	for i := 0; i < 1000; i++ {
		fmt.Fprintln(&expected, "greeting", i)
	}
	if string(got) != expected.String() {
		t.Fatalf("the consumer says %q", got)
	}
}

func TestTheExamplesCarryAFile(t *testing.T) {
	programs := t.TempDir()
	run(t, exec.Command("go", "build", "-o", programs, "./producer", "./consumer"))
	data := bytes.Repeat([]byte("what is in the file\n"), 100_000)
	for title, input := range map[string][]byte{"a file": data, "an empty file": nil} {
		t.Run(title, func(t *testing.T) {
			name := strings.ReplaceAll(uniqueName(t), "/", "-")
			producer := exec.Command(filepath.Join(programs, "producer"), name)
			producer.Stdin = bytes.NewReader(input)
			producer.Stderr = os.Stderr
			if err := producer.Start(); err != nil {
				t.Fatal(err)
			}
			defer producer.Process.Kill()
			got := run(t, exec.Command(filepath.Join(programs, "consumer"), name))
			if !bytes.Equal(got, input) {
				t.Errorf("%d bytes of %d, or others", len(got), len(input))
			}
			if err := producer.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheHTTPExampleAnswersItself(t *testing.T) {
	if got := run(t, exec.Command("go", "run", "./http")); string(got) != "hello, world\n" {
		t.Fatalf("%q", got)
	}
}
