#!/usr/bin/env bash
# All tests. Brings up what they need: a container engine, test images, both SDKs, a headless VS Code.
# Tests run two at a time with containers, editors and debuggers on the same processors; what fails then gets
# one more try alone, and both results are printed.
# STEPBRIDGE_TEST_ARGS: more arguments for pytest. STEPBRIDGE_TEST_WORKERS: how many at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
timeout 1500 scripts/ensure_sdk_v3.sh &
sdk=$!
scripts/ensure_docker.sh
scripts/build_test_images.sh
for image in python3.9 sdk inference torch; do # each serves a few tests
    timeout 900 scripts/build_test_images.sh "$image" || timeout 900 scripts/build_test_images.sh "$image" ||
        echo "the test image $image could not be built; the tests that need it are skipped" >&2
done
wait "$sdk" || echo "SDK v3 could not be installed; its tests are skipped" >&2
export PYTHONDONTWRITEBYTECODE=1
pytest() {
    # shellcheck disable=SC2086
    .venv/bin/python -m pytest "$@" ${STEPBRIDGE_TEST_ARGS:-}
}
pytest --numprocesses "${STEPBRIDGE_TEST_WORKERS:-auto}" --dist loadgroup --durations=15 || {
    echo "again, one at a time: the tests that failed" >&2
    pytest --last-failed --last-failed-no-failures none
}
scripts/test_vscode.sh || {
    echo "again, one at a time: VS Code" >&2
    STEPBRIDGE_VSCODE_JOBS=1 scripts/test_vscode.sh
}
