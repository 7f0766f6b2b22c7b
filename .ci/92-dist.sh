# The packages: builds them, two of them twice, and tries each as somebody who has no Rust, in an
# empty directory.
source .ci/need.sh
need_python
need_node
need_java
need_go
need_package git git
need_package cmake cmake
need_package pkg-config pkg-config
need_package g++ g++
need_package readelf binutils
need_package aarch64-linux-gnu-strip binutils-aarch64-linux-gnu
need_package x86_64-linux-gnu-strip binutils-x86-64-linux-gnu
need_package dpkg-buildpackage dpkg-dev
need_package dh debhelper
need_package lintian lintian

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
packages=$PWD/target/dist/$version
python3 tools/dist --architecture "$(uname -m)"
if git -c safe.directory='*' diff --quiet HEAD; then
    # These have what is in all: the library, for both processors, and our own archives. For the rest:
    # python3 tools/dist --twice
    python3 tools/dist --twice go jar
else
    echo "not built twice, as what is here is not committed"
fi

debs=("$packages"/*.deb)
programs=$PWD/tests/install
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/no-rust"
for tool in cargo rustc rustup; do ln -s /bin/false "$work/no-rust/$tool"; done

# stranger WHAT: an empty directory, where nothing of this shell's environment is left but the path.
stranger() {
    echo "--- $1"
    mkdir -p "$work/$1/home"
    cd "$work/$1"
    env -i HOME="$work/$1/home" PATH="$work/no-rust:$PATH" LANG=C.UTF-8 packages="$packages" version="$version" \
        programs="$programs" bash -euo pipefail
}

stranger tarball <<'END'
tar -xf "$packages"/spsc-shm-"$version"-"$(uname -m)"-linux.tar.gz --strip-components 1
export PKG_CONFIG_PATH=$PWD/lib/pkgconfig
cc -o shared "$programs/program.c" $(pkg-config --cflags --libs spsc_shm)
[[ $(LD_LIBRARY_PATH=$PWD/lib ./shared) == ok ]]
cc -o static -static "$programs/program.c" $(pkg-config --static --cflags --libs spsc_shm) 2>linker
[[ $(./static) == ok ]]
cmake -S "$programs" -B build -DSPSC_SHM_FROM=package -DCMAKE_PREFIX_PATH="$PWD" --log-level=WARNING
cmake --build build >/dev/null
build/program_shared
[[ $(bin/spsc --version) == "spsc $version" ]]
bin/spsc ls --json
[[ -s share/man/man1/spsc-send.1 && -s share/doc/spsc-shm/LICENSES-of-others ]]
END

echo "--- deb"
lintian --fail-on error,warning "${debs[@]}"
! dpkg -s libspsc-shm0 spsc-tools >/dev/null 2>&1 || {
    echo "libspsc-shm0 or spsc-tools is installed here already: remove it first" >&2
    exit 1
}
remove_debs() { as_root dpkg --purge libspsc-shm-dev libspsc-shm0 spsc-tools; }
trap 'remove_debs; rm -rf "$work"' EXIT
as_root apt-get install -y -qq --no-install-recommends "${debs[@]}" >/dev/null
stranger deb <<'END'
cc -o shared "$programs/program.c" $(pkg-config --cflags --libs spsc_shm)
readelf -d shared | grep -F '[libspsc_shm.so.0]'
[[ $(./shared) == ok ]]
g++ -std=c++17 -o program "$programs/program.cpp" -lspsc_shm
[[ $(./program) == ok ]]
[[ $(spsc --version) == "spsc $version" ]]
for file in man/man1/spsc.1.gz bash-completion/completions/spsc; do
    dpkg -L spsc-tools | grep -x "/usr/share/$file"
done
END
remove_debs
trap 'rm -rf "$work"' EXIT

stranger wheel <<'END'
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install --no-index --find-links "$packages" spsc_shm
venv/bin/python - <<'PYTHON'
import spsc_shm

ring = spsc_shm.Ring.anonymous(4096)
ring.producer().send(b"hello")
assert bytes(ring.consumer().receive()) == b"hello"
PYTHON
END

stranger npm <<'END'
npm install --silent --no-audit --no-fund --offline "$packages/spsc-shm-$version.tgz"
node --input-type=module -e '
import { Ring } from "spsc-shm";
const ring = Ring.anonymous(4096);
ring.producer.send(Buffer.from("hello"));
if (ring.consumer.receiveSync().data.toString() !== "hello") process.exit(1);
'
END

stranger jar <<'END'
cat >Main.java <<'JAVA'
import io.github.spscshm.Ring;

class Main {
  public static void main(String[] arguments) throws Exception {
    try (Ring ring = Ring.anonymous(4096)) {
      ring.producer().send("hello".getBytes(), 1);
      System.out.println(new String(ring.consumer().receive().data()));
    }
  }
}
JAVA
said=$(java --enable-native-access=ALL-UNNAMED -cp "$packages/spsc-shm-$version.jar" Main.java)
[[ $said == hello ]]
END

stranger go <<'END'
export GOPROXY=file://$packages/go GONOSUMDB=* GOFLAGS=-mod=mod GOTOOLCHAIN=local
go mod init hello
go get "github.com/spsc-shm/spsc-shm/bindings/go@v$version"
cat >main.go <<'GO'
package main

import "github.com/spsc-shm/spsc-shm/bindings/go/spscshm"

func main() {
	ring, err := spscshm.Anonymous(4096)
	if err != nil {
		panic(err)
	}
	defer ring.Close()
	if err := ring.Producer().Send(0, []byte("hello"), spscshm.Forever); err != nil {
		panic(err)
	}
}
GO
go run .
# The module cache is read-only, which rm minds.
go clean -modcache
END
