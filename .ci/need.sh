# To be sourced. A tool that can't be had fails the run.

# need_package COMMAND PACKAGE: installs the Debian package that brings the command, unless it is
# there.
need_package() {
    command -v "$1" >/dev/null && return
    install_package "$2"
    command -v "$1" >/dev/null || { echo "no $1 after installing $2" >&2; return 1; }
}

# need_file PATH PACKAGE: the same for a package that brings a file and no command.
need_file() {
    [[ -e $1 ]] && return
    install_package "$2"
    [[ -e $1 ]] || { echo "no $1 after installing $2" >&2; return 1; }
}

# need_architecture ARCHITECTURE: from here on apt knows the packages of another architecture, by
# PACKAGE:ARCHITECTURE.
need_architecture() {
    dpkg --print-foreign-architectures | grep -qx "$1" || {
        as_root dpkg --add-architecture "$1"
        APT_UPDATED=
    }
}

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

update_packages() {
    [[ -z ${APT_UPDATED:-} ]] || return 0
    as_root apt-get update -qq
    export APT_UPDATED=yes
}

install_package() {
    update_packages
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}

# need_go: Go from 1.21 on, which itself fetches what a module asks for. An older one, as Debian 12
# has it, fetches a newer toolchain, which is a module like any other.
need_go() {
    need_package go golang-go
    local least=go1.21 version directory
    version=$(go env GOVERSION)
    [[ $(printf '%s\n' "$least" "$version" | sort -V | head -1) == "$least" ]] && return
    version=v0.0.1-go1.24.9.linux-$(go env GOARCH)
    directory=$(cd / && go mod download -json "golang.org/toolchain@$version" |
        sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    # A module's files are not executable.
    chmod +x "$directory"/bin/* "$directory"/pkg/tool/*/*
    export PATH="$directory/bin:$PATH"
    go version
}

# need_python: Python from 3.11 on, as Debian 12 has it, which can make environments.
need_python() {
    need_package python3 python3
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_package python3-venv
    python3 -c 'import sys, venv, ensurepip; assert sys.version_info >= (3, 11), sys.version'
}

# need_node: Node.js from 20 on, with npm. Debian 12 has an older one, which can fetch a newer.
need_node() {
    need_package node nodejs
    need_package npm npm
    local major
    major=$(node -p 'process.versions.node.split(".")[0]')
    ((major >= 20)) && return
    local directory
    directory=$(mktemp -d)
    npm install --silent --prefix "$directory" node@22
    export PATH="$directory/node_modules/node/bin:$PATH"
    node --version
}

# need_java: a JDK from 22 on, of which java and javac are the first on the PATH, and Maven.
need_java() {
    local least=22 home package
    for home in "${JAVA_HOME:-}" $(printf '%s\n' /usr/lib/jvm/* | sort -rV); do
        java_is_enough "$home" && break
        home=
    done
    if [[ -z $home ]]; then
        update_packages
        package=$(apt-cache search --names-only '^openjdk-[0-9]+-jdk-headless$' | cut -d' ' -f1 |
            sort -V | tail -1)
        [[ ${package//[^0-9]/} -ge $least ]] || {
            echo "no JDK from $least on in /usr/lib/jvm, nor one to install: set JAVA_HOME" >&2
            return 1
        }
        install_package "$package"
        for home in /usr/lib/jvm/*; do java_is_enough "$home" && break; done
    fi
    export JAVA_HOME=$home PATH="$home/bin:$PATH"
    need_package mvn maven
}

java_is_enough() {
    [[ -x $1/bin/javac && -r $1/release ]] &&
        [[ $(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release") -ge ${least:-22} ]]
}
