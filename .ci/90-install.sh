# Installs into an empty prefix, uses what is there from outside the source tree as C and C++
# projects do, and uninstalls.
source .ci/need.sh
need_package cmake cmake
need_package pkg-config pkg-config
need_package g++ g++
need_package readelf binutils

source_tree=$PWD
outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT
build=$outside/build
prefix=$outside/prefix
mkdir "$prefix"
cp -r tests/install "$outside/user"
cd "$outside/user"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$source_tree/Cargo.toml")
soname=libspsc_shm.so.${version%%.*}

fail() { echo "$*" >&2; exit 1; }

# is_linked shared|static PROGRAM: runs the program, and sees that it takes the library as told.
is_linked() {
    [[ $(LD_LIBRARY_PATH=${library_path:-} "$2") == ok ]] || fail "$2 failed"
    local needed=static
    readelf -d "$2" | grep -q "NEEDED.*\[$soname\]" && needed=shared
    [[ $needed == "$1" ]] || fail "$2 is linked $needed, not $1"
}

cc="cc -std=c11 -Wall -Wextra -Wpedantic -Werror -o"

# by_hand PREFIX
by_hand() {
    local library_path=$1/lib
    $cc shared program.c -I"$1/include" -L"$1/lib" -lspsc_shm
    is_linked shared ./shared
    $cc static program.c -I"$1/include" "$1/lib/libspsc_shm.a" -lutil -lrt -lpthread -lm -ldl
    is_linked static ./static
}

# by_pkg_config PREFIX
by_pkg_config() {
    local -x PKG_CONFIG_PATH=$1/lib/pkgconfig
    [[ $(pkg-config --modversion spsc_shm) == "$version" ]] || fail "spsc_shm.pc has another version"
    local library_path=$1/lib
    $cc shared program.c $(pkg-config --cflags --libs spsc_shm)
    is_linked shared ./shared
    $cc static program.c -static $(pkg-config --static --cflags --libs spsc_shm)
    is_linked static ./static
}

# by_cmake SPSC_SHM_FROM [CMAKE ARGUMENTS]
by_cmake() {
    local from=$1
    shift
    cmake -S . -B "by_$from" -DSPSC_SHM_FROM="$from" "$@"
    cmake --build "by_$from"
    local program
    for program in program barretenberg; do
        is_linked shared "by_$from/${program}_shared"
        is_linked static "by_$from/${program}_static"
    done
}

install() { cmake --build "$build" --target install; }
uninstall() { cmake --build "$build" --target uninstall; }

cmake -S "$source_tree" -B "$build" -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib
install
readelf -d "$prefix/lib/libspsc_shm.so" | grep -q "SONAME.*\[$soname\]" || fail "no SONAME $soname"
[[ $(readlink -f "$prefix/lib/$soname") == "$prefix/lib/libspsc_shm.so.$version" ]] \
    || fail "$soname is not libspsc_shm.so.$version"
by_hand "$prefix"
by_pkg_config "$prefix"
by_cmake package -DCMAKE_PREFIX_PATH="$prefix" -DSPSC_SHM_VERSION="${version%.*}"
by_cmake subdirectory -DSPSC_SHM_SOURCE="$source_tree" -DCMAKE_BUILD_TYPE=Debug
[[ -e by_subdirectory/spsc_shm/cargo/debug/libspsc_shm.so ]] || fail "Debug is not cargo's dev profile"
by_cmake fetch -DSPSC_SHM_SOURCE="$source_tree" -DCMAKE_BUILD_TYPE=RelWithDebInfo

# The tree may be moved.
cp -a "$prefix" "$outside/moved"
install
uninstall
[[ -z $(ls -A "$prefix") ]] || fail "uninstall left $(find "$prefix" -mindepth 1)"
rm -r by_package
by_pkg_config "$outside/moved"
by_cmake package -DCMAKE_PREFIX_PATH="$outside/moved"

# Staged for a package, where another's file already lies.
mkdir -p "$outside/stage$prefix/include"
touch "$outside/stage$prefix/include/other.h"
DESTDIR=$outside/stage install
by_pkg_config "$outside/stage$prefix"
DESTDIR=$outside/stage uninstall
left=$(cd "$outside/stage$prefix" && find . -mindepth 1 | sort | xargs)
[[ $left == "./include ./include/other.h" ]] || fail "uninstall left $left"
[[ -z $(ls -A "$prefix") ]] || fail "DESTDIR was ignored"
