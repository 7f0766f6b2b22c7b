module github.com/spsc-shm/spsc-shm/bindings/go/native/linux_amd64

go 1.21
