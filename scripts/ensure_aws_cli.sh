#!/usr/bin/env bash
# The AWS CLI for tests, in a virtual environment of its own: it pins its own botocore.
# Prints the path of the command. Cache: $XDG_CACHE_HOME/stepbridge/aws-cli-VERSION
set -euo pipefail
version=1.46.3
cache=${XDG_CACHE_HOME:-$HOME/.cache}/stepbridge
folder=$cache/aws-cli-$version
mkdir -p "$cache"
exec 9>"$cache/aws-cli.lock"
flock 9 # two checkouts on one machine share the cache
if [ ! -e "$folder/complete" ]; then
    "${PYTHON:-python3}" -m venv --clear "$folder" >&2
    "$folder/bin/python" -m pip install -q --disable-pip-version-check "awscli==$version" >&2
    touch "$folder/complete"
fi
echo "$folder/bin/aws"
