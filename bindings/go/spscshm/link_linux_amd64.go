//go:build !spscshm_pkgconfig

package spscshm

import _ "github.com/spsc-shm/spsc-shm/bindings/go/native/linux_amd64"
