# The Go package: format, vet, staticcheck, tests under the race detector, each benchmark briefly,
# the oldest Go that go.mod names, and a build against an installed library.
source .ci/need.sh
need_go
need_package pkg-config pkg-config
need_package readelf binutils

cargo build --release --lib
cd bindings/go
unformatted=$(gofmt -l .)
[[ -z $unformatted ]] || { echo "not gofmt's format: $unformatted" >&2; exit 1; }
go vet ./...
go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

# -count=1: Go does not see that the library it links has changed, and would show an old result.
# Allocations are counted without the race detector, too, as nobody ships with it.
go test -count=1 -race ./...
go test -count=1 -run Allocate -bench . -benchtime 2000x ./spscshm

# What golang.org/x/net asks of a net.Conn.
(cd internal/conformance && go vet ./... && go test -count=1 -race ./...)

oldest=go$(sed -n 's/^go //p' go.mod).13
GOTOOLCHAIN=$oldest go version | grep -F "$oldest"
GOTOOLCHAIN=$oldest go test -count=1 ./...

# What an installed library looks like, for the build tag.
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
mkdir -p "$prefix/include" "$prefix/lib"
cp ../../include/spsc_shm*.h "$prefix/include/"
cp ../../target/release/libspsc_shm.so "$prefix/lib/libspsc_shm.so.0"
ln -s libspsc_shm.so.0 "$prefix/lib/libspsc_shm.so"
cat >"$prefix/lib/spsc_shm.pc" <<END
Name: spsc_shm
Description: a stand-in
Version: 0
Cflags: -I$prefix/include
Libs: -L$prefix/lib -lspsc_shm
END
export PKG_CONFIG_PATH="$prefix/lib" LD_LIBRARY_PATH="$prefix/lib"
# Go's cache knows nothing of what pkg-config said, and would link what an earlier run said. It knows
# of these flags.
export CGO_CFLAGS="-O2 -g -I$prefix/include"
go test -c -tags spscshm_pkgconfig -o "$prefix/test" ./spscshm
readelf -d "$prefix/test" | grep -F 'Shared library: [libspsc_shm.so.0]'
"$prefix/test" -test.run Example
