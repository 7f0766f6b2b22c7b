// The standard conformance test of net.Conn, in a module of its own, as nothing else needs what it
// needs.
module github.com/spsc-shm/spsc-shm/bindings/go/internal/conformance

go 1.25.0

require (
	github.com/spsc-shm/spsc-shm/bindings/go v0.0.0
	golang.org/x/net v0.57.0
)

require (
	github.com/spsc-shm/spsc-shm/bindings/go/native/linux_amd64 v0.2.0 // indirect
	github.com/spsc-shm/spsc-shm/bindings/go/native/linux_arm64 v0.2.0 // indirect
)

replace github.com/spsc-shm/spsc-shm/bindings/go => ../..

replace github.com/spsc-shm/spsc-shm/bindings/go/native/linux_amd64 => ../../native/linux_amd64

replace github.com/spsc-shm/spsc-shm/bindings/go/native/linux_arm64 => ../../native/linux_arm64
