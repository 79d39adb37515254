# Sourced by scripts that need a program of the distribution: installs it where that is allowed, and says
# exactly what is missing where it is not.

apt_updated=

# provide COMMAND PACKAGE...: make COMMAND available from these packages, or exit 1.
provide() {
    local command=$1
    shift
    command -v "$command" >/dev/null 2>&1 && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "missing: '$command' (Debian packages: $*). Install it, or run this as root on Debian or Ubuntu." >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    if [ -z "$apt_updated" ]; then
        apt-get update -q >/dev/null || { echo "missing: a package mirror ('apt-get update' failed)." >&2; exit 1; }
        apt_updated=yes
    fi
    echo "installing $*" >&2
    apt-get install -y -q --no-install-recommends "$@" >/dev/null </dev/null || {
        echo "missing: '$command' ('apt-get install $*' failed)." >&2
        exit 1
    }
    hash -r
    command -v "$command" >/dev/null 2>&1 || { echo "missing: '$command', even after installing $*." >&2; exit 1; }
}
