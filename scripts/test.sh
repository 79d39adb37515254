#!/usr/bin/env bash
# All tests. Brings up what they need: a container engine, test images, a headless VS Code.
# STEPBRIDGE_TEST_ARGS: more arguments for pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/ensure_docker.sh
scripts/build_test_images.sh
export PYTHONDONTWRITEBYTECODE=1
# shellcheck disable=SC2086
.venv/bin/python -m pytest --numprocesses "${STEPBRIDGE_TEST_WORKERS:-auto}" --dist loadgroup ${STEPBRIDGE_TEST_ARGS:-}
if [ -x scripts/test_vscode.sh ]; then
    scripts/test_vscode.sh
fi
