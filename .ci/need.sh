# To be sourced. need_package COMMAND PACKAGE: installs the Debian package that brings the command,
# unless it is there. A tool that can't be had fails the run.
need_package() {
    command -v "$1" >/dev/null && return
    local sudo=
    [[ $(id -u) == 0 ]] || sudo=sudo
    if [[ -z ${APT_UPDATED:-} ]]; then
        $sudo apt-get update -qq
        export APT_UPDATED=yes
    fi
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$2" >/dev/null
    command -v "$1" >/dev/null || { echo "no $1 after installing $2" >&2; return 1; }
}
