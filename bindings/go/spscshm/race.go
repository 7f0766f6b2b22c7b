//go:build race

package spscshm

import (
	"runtime"
	"unsafe"
)

// The race detector does not follow atomic operations outside of Go's memory. Both ends of a ring
// may be in this process, on one handle or on two, and what was written before a publish may be
// read after the peek that finds it: so every ring stands for one lock here, as every call into C
// does.
var raceLock byte

func raceAcquire() { runtime.RaceAcquire(unsafe.Pointer(&raceLock)) }

func raceRelease() { runtime.RaceReleaseMerge(unsafe.Pointer(&raceLock)) }
