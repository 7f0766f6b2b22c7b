package spscshm

// #include "spsc_shm.h"
import "C"

import "fmt"

// Stats is what can be seen of a ring from outside, at one moment or nearly so.
type Stats struct {
	Capacity  uint64 // bytes that the ring holds at most
	Published uint64 // bytes ever published, modulo 2^64
	Released  uint64 // bytes ever released, modulo 2^64
	Available uint64 // bytes published and not yet released
	Producer  RoleStats
	Consumer  RoleStats
}

// RoleStats is what can be seen of one side of a ring.
type RoleStats struct {
	State      RoleState
	Generation uint32 // how many handles have taken the role so far
	PID        uint32 // the process of the last one, in its own PID namespace; 0 before the first
	Parked     bool   // whether it sleeps or is about to

	// Of this handle in this role.
	Parks         uint64 // times that it went to sleep
	Wakes         uint64 // times that it woke the other side
	Interruptions uint64 // waits that WakeupAll, a context or Close ended
}

// RoleState says who has a role.
type RoleState int32

const (
	RoleNever    RoleState = C.SPSC_ROLE_NEVER    // nobody ever had
	RoleAttached RoleState = C.SPSC_ROLE_ATTACHED // a live handle
	RoleClosed   RoleState = C.SPSC_ROLE_CLOSED   // nobody since the last one closed
	RoleDead     RoleState = C.SPSC_ROLE_DEAD     // nobody since the last one's process died
)

// String gives the state's name.
func (s RoleState) String() string {
	switch s {
	case RoleNever:
		return "never"
	case RoleAttached:
		return "attached"
	case RoleClosed:
		return "closed"
	case RoleDead:
		return "dead"
	}
	return fmt.Sprintf("RoleState(%d)", int32(s))
}
