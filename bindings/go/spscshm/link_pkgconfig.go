//go:build spscshm_pkgconfig

package spscshm

// An installed library, as pkg-config finds it.

// #cgo pkg-config: spsc_shm
import "C"
