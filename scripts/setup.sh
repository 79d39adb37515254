#!/usr/bin/env bash
# The development environment: .venv with the locked packages and this checkout, and debugpy for step containers.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "StepBridge needs Python 3.11 or newer; $python is $("$python" -V 2>&1). Try: make setup PYTHON=python3.12" >&2
    exit 1
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --no-deps --requirement requirements.lock
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
.venv/bin/python scripts/fetch_debugpy.py
