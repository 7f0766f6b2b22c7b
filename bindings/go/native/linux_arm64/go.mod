module github.com/spsc-shm/spsc-shm/bindings/go/native/linux_arm64

go 1.21
