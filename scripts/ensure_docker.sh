#!/usr/bin/env bash
# Leaves a container engine that answers, or says what is missing and exits 1. Safe to run again and again.
# As root on Debian or Ubuntu it installs docker.io and starts dockerd by hand, for machines without an init
# system (CI, development containers). Log: $XDG_CACHE_HOME/stepbridge/dockerd.log
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/apt.sh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/stepbridge
log=$cache/dockerd.log

answers() { timeout 20 docker version --format '{{.Server.Version}}' 2>/dev/null | grep -q .; }

if command -v docker >/dev/null && answers; then
    echo "container engine: answers"
    exit 0
fi
if [ -n "${DOCKER_HOST:-}" ]; then
    echo "missing: the engine that DOCKER_HOST names ($DOCKER_HOST) does not answer. Start it, or unset DOCKER_HOST." >&2
    exit 1
fi
if [ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ]; then
    echo "missing: a container engine that answers. Start Docker (or Podman with DOCKER_HOST set to its socket);" >&2
    echo "on Linux, root may run this script, which installs and starts docker.io." >&2
    exit 1
fi

mkdir -p "$cache"
provide dockerd docker.io
provide iptables iptables # dockerd only recommends it on some releases
provide docker docker-cli # a package of its own since Debian 13
answers && { echo "container engine: answers"; exit 0; } # the package may have started it

# starts dockerd with the given options; 0 once it answers, 1 when it died or stayed silent
start() {
    echo "--- dockerd $*" >>"$log"
    setsid nohup dockerd "$@" >>"$log" 2>&1 </dev/null 9>&- &
    local pid=$! _
    for _ in $(seq 240); do
        answers && return 0
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.25
    done
    kill "$pid" 2>/dev/null || true
    return 1
}

exec 9>"$cache/dockerd.lock"
flock 9
answers && { echo "container engine: answers"; exit 0; }
# Kernels of CI machines may lack netfilter or overlayfs; each next line asks for less.
for options in "" "--iptables=false --ip6tables=false" "--iptables=false --ip6tables=false --storage-driver=vfs" \
    "--iptables=false --bridge=none --storage-driver=vfs"; do
    # shellcheck disable=SC2086
    if start $options; then
        echo "container engine: started dockerd ${options:-with its defaults}, log in $log"
        exit 0
    fi
done
echo "missing: a container engine; dockerd does not start here. The end of $log:" >&2
tail -n 15 "$log" >&2
exit 1
