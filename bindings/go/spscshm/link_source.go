//go:build !spscshm_pkgconfig

package spscshm

// The static library of this source tree, as `cargo build --release` leaves it.

// #cgo CFLAGS: -I${SRCDIR}/../../../include
// #cgo LDFLAGS: ${SRCDIR}/../../../target/release/libspsc_shm.a -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
import "C"
