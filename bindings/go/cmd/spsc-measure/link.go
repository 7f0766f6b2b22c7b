package main

// #cgo CFLAGS: -I${SRCDIR}/../../spscshm
import "C"
