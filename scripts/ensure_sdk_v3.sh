#!/usr/bin/env bash
# An environment with the SageMaker Python SDK v3, outside of the clone: v2 and v3 have the same name, so they
# cannot share one. Tests run v3 programs with its Python. Safe to run any number of times.
# The lock names every package, since finding versions that fit together takes an installer ten minutes.
# STEPBRIDGE_SDK_V3: the folder (default: ~/.cache/stepbridge/sdk-v3).
set -euo pipefail
cd "$(dirname "$0")/.."

folder="${STEPBRIDGE_SDK_V3:-${XDG_CACHE_HOME:-$HOME/.cache}/stepbridge/sdk-v3}"
mkdir -p "$(dirname "$folder")"
exec 9>"$folder.lock"
flock 9
ready="$folder/.ready"
cmp --silent scripts/sdk_v3.lock "$ready" && exit 0
echo "ensure_sdk_v3: installing $(grep '^sagemaker==' scripts/sdk_v3.lock) in $folder" >&2
rm -rf "$folder"
.venv/bin/python -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --no-compile --no-deps \
    --requirement scripts/sdk_v3.lock
cp scripts/sdk_v3.lock "$ready"
