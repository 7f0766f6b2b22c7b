module github.com/spsc-shm/spsc-shm/bindings/go

go 1.21
