// Package native links the static library for Linux on arm64. There is one such module for each
// platform, so that a program downloads the library for its own platform only.
package native

// #cgo LDFLAGS: ${SRCDIR}/libspsc_shm.a -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
import "C"
