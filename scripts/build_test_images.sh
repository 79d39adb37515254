#!/usr/bin/env bash
# Builds the images of the tests without any registry: Debian packages by mmdebstrap, Python wheels made on
# this machine and installed in a container that has no network. A recipe is a folder of tests/images; an
# image is built again only when its recipe changed (the label stepbridge.recipe holds its digest).
#
#   stepbridge-test/python     Python 3.11 and bash, nothing else
#   stepbridge-test/sklearn    ... + numpy, scikit-learn, joblib, boto3
#   stepbridge-test/toolkit    ... + sagemaker-training and a server: `train`, `serve`
# and for a few tests each, on request:
#   stepbridge-test/python3.9  Python 3.9 and bash
#   stepbridge-test/sdk        python + SageMaker Python SDK v2, as far as functions as steps (@step) need it
#   stepbridge-test/inference  sklearn + Java, multi-model-server and TorchServe with their toolkits: `serve`
#   stepbridge-test/torch      Python 3.11 and Debian's PyTorch (CPU, gloo)
#
# usage: build_test_images.sh [IMAGE...]    without arguments: the first three. Cache: $XDG_CACHE_HOME/stepbridge/images
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/apt.sh"
recipes=$here/../tests/images
cache=${XDG_CACHE_HOME:-$HOME/.cache}/stepbridge/images
declare -A suites=([python]=bookworm [python3.9]=bullseye [torch]=bookworm) # Debian releases
python_version=3.11
usual="python sklearn toolkit"
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # two checkouts on one machine share the cache and the engine

digest() { # of all files of these recipes, names and contents
    (cd "$recipes" && find "$@" -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-16
}

is_built() { # IMAGE DIGEST
    [ "$(docker image inspect -f '{{index .Config.Labels "stepbridge.recipe"}}' "stepbridge-test/$1" 2>/dev/null)" = "$2" ]
}

# An interpreter of the images' version that has pip: what its `pip wheel` makes fits the images.
host_python() {
    local candidate
    for candidate in "$here/../.venv/bin/python" "python$python_version" python3 python; do
        "$candidate" -c "import sys, pip; assert '%d.%d' % sys.version_info[:2] == '$python_version'" \
            >/dev/null 2>&1 && { echo "$candidate"; return; }
    done
    if command -v uv >/dev/null && uv venv -q --seed --clear --python "$python_version" "$cache/venv" >&2; then
        echo "$cache/venv/bin/python"
        return
    fi
    echo "missing: Python $python_version with pip (or uv, which fetches one); it makes the wheels of the images." >&2
    return 1
}

# debian IMAGE DIGEST [RECIPE]: a Debian release with its own Python; of one more recipe the packages, without
# those of their files that nothing there needs
debian() {
    local tarball=$cache/$1-$2.tar packages excluded=('/usr/share/doc/*' '/usr/share/locale/*')
    packages=$(cat "$recipes/python/packages.txt" ${3:+"$recipes/$3/packages.txt"} | paste -sd,)
    if [ -n "${3:-}" ]; then mapfile -t -O 2 excluded <"$recipes/$3/exclude.txt"; fi
    if [ ! -s "$tarball" ]; then
        provide mmdebstrap mmdebstrap debian-archive-keyring
        rm -f "$cache/$1"-*.tar "$cache/$1"-*.part
        mmdebstrap --quiet --format=tar --variant=essential --include="$packages" \
            --customize-hook="sh '$recipes/python/customize.sh' \"\$1\"" \
            ${3:+--customize-hook="sh '$recipes/$3/customize.sh' \"\$1\""} \
            "${excluded[@]/#/--dpkgopt=path-exclude=}" "${suites[$1]}" "$tarball.part" >&2
        mv "$tarball.part" "$tarball"
    fi
    docker import --change "ENV PATH=$path LANG=C.UTF-8" --change 'CMD ["python3"]' \
        --change "LABEL stepbridge.recipe=$2" "$tarball" "stepbridge-test/$1:latest" >/dev/null
}

# A compiler and the headers of the interpreter that makes the wheels: the toolkit has a module in C.
compiler() {
    provide cc gcc libc6-dev
    "$1" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
        provide python3-config python3-dev
}

# What `pip wheel` and `pip install` are told for a recipe, beside its own requirements.txt.
declare -A wheel_options=([toolkit]="-r $recipes/sklearn/requirements.txt" [sdk]="--no-deps -c $here/../requirements.lock")
declare -A install_options=([sdk]="--no-deps")

# layer IMAGE PARENT DIGEST CHANGE...: install the recipe's wheels and its root/ folder on top of PARENT
layer() {
    local image=$1 parent=$2 recipe=$3 wheels container change python
    wheels=$cache/wheels-$image-$(digest "$image/requirements.txt" sklearn/requirements.txt)
    shift 3
    if [ ! -e "$wheels/complete" ]; then
        rm -rf "$cache/wheels-$image"-*
        python=$(host_python)
        if [ "$image" = toolkit ]; then compiler "$python"; fi
        # shellcheck disable=SC2086
        "$python" -m pip wheel -qq --disable-pip-version-check -w "$wheels" \
            -r "$recipes/$image/requirements.txt" ${wheel_options[$image]:-} >&2
        touch "$wheels/complete"
    fi
    # shellcheck disable=SC2086
    container=$(docker create --network none -v "$wheels:/wheels:ro" -v "$recipes/$image:/recipe:ro" \
        "stepbridge-test/$parent" bash -ec '
            python3 -m pip install -q --no-index --find-links /wheels --no-cache-dir --root-user-action ignore \
                "$@" -r /recipe/requirements.txt
            python3 -c "import boto3"
            if [ -e /recipe/install.sh ]; then bash /recipe/install.sh; fi
            if [ -d /recipe/root ]; then cp -r /recipe/root/. /; fi' layer ${install_options[$image]:-})
    # shellcheck disable=SC2064
    trap "docker rm -f $container >/dev/null" EXIT
    docker start -a "$container" >&2
    local changes=()
    for change in "$@" "LABEL stepbridge.recipe=$recipe"; do changes+=(--change "$change"); done
    docker commit "${changes[@]}" "$container" "stepbridge-test/$image:latest" >/dev/null
    docker rm -f "$container" >/dev/null
    trap - EXIT
}

build_sklearn() { layer sklearn python "$1" 'CMD ["python3"]'; }
build_toolkit() { layer toolkit sklearn "$1" 'CMD ["train"]' 'EXPOSE 8080'; }
build_inference() { layer inference sklearn "$1" 'ENV JAVA_HOME=/opt/java' 'CMD ["serve"]' 'EXPOSE 8080'; }
build_sdk() { layer sdk python "$1" 'CMD ["python3"]'; }

build_python() { debian python "$1"; }
build_python3.9() { debian python3.9 "$1"; }
build_torch() { debian torch "$1" torch; }
declare -A parents=([python]="" [python3.9]="" [torch]="" [sklearn]="python" [sdk]="python"
    [toolkit]="python sklearn" [inference]="python sklearn")

replaced="" # the images whose names went to new ones, the youngest first

# wanted IMAGE: build it, and what it stands on, where the recipe changed
wanted() {
    local parent recipe folders
    for parent in ${parents[$1]}; do wanted "$parent"; done
    folders="${parents[$1]} $1"
    if [ -n "${suites[$1]:-}" ]; then folders=python; fi # one recipe for all releases
    if [ "$1" = torch ]; then folders="python torch"; fi
    # shellcheck disable=SC2086
    recipe=$(digest $folders)
    if is_built "$1" "$recipe"; then return; fi
    replaced="$(docker image inspect -f '{{.Id}}' "stepbridge-test/$1" 2>/dev/null || true) $replaced"
    "build_$1" "$recipe"
    echo "stepbridge-test/$1: built"
}

docker version >/dev/null 2>&1 || { echo "missing: a container engine; run scripts/ensure_docker.sh" >&2; exit 1; }
for image in "${@:-$usual}"; do
    # shellcheck disable=SC2086
    for name in $image; do wanted "$name"; done
done
# shellcheck disable=SC2086
[ -z "${replaced// /}" ] || docker rmi $replaced >/dev/null 2>&1 || true # what still runs stays
echo "test images: up to date"
