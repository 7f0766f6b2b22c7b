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

install_package() {
    local sudo=
    [[ $(id -u) == 0 ]] || sudo=sudo
    if [[ -z ${APT_UPDATED:-} ]]; then
        $sudo apt-get update -qq
        export APT_UPDATED=yes
    fi
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}
