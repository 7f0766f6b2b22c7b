//go:build spscshm_pkgconfig

package main

// #cgo pkg-config: spsc_shm
import "C"
