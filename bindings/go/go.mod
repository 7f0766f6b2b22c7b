module github.com/spsc-shm/spsc-shm/bindings/go

go 1.21

require (
	github.com/spsc-shm/spsc-shm/bindings/go/native/linux_amd64 v0.2.0
	github.com/spsc-shm/spsc-shm/bindings/go/native/linux_arm64 v0.2.0
)

// In this tree. A released module has none of these lines.
replace (
	github.com/spsc-shm/spsc-shm/bindings/go/native/linux_amd64 => ./native/linux_amd64
	github.com/spsc-shm/spsc-shm/bindings/go/native/linux_arm64 => ./native/linux_arm64
)
