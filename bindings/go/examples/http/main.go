// Command http serves HTTP over connections of shared memory, and asks itself.
//
//	go run ./examples/http
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spsc-shm/spsc-shm/bindings/go/spscshm"
)

func main() {
	log.SetFlags(0)
	directory, err := os.MkdirTemp("", "spsc-http")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(directory)
	path := filepath.Join(directory, "socket")

	listener, err := spscshm.Listen(path)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s\n", r.URL.Query().Get("name"))
	})
	go http.Serve(listener, nil)

	// In another process this is all there is to it, too.
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return spscshm.DialContext(ctx, path)
		},
	}}
	response, err := client.Get("http://localhost/?name=world")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		log.Fatal(err)
	}
}
