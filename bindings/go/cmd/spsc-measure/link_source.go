//go:build !spscshm_pkgconfig

package main

// #cgo CFLAGS: -I${SRCDIR}/../../../../include
import "C"
