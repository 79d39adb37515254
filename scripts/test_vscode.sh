#!/usr/bin/env bash
# Tests of the VS Code extension: its logic, the extension host, and scenarios in a real VS Code with real containers.
# Arguments go to node's test runner (for example --test-name-pattern=graph).
# Pictures: vscode-extension/test-results; with STEPBRIDGE_DOCS=1 those that the docs use are written there too.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
STEPBRIDGE_VSCODE=$("$here/ensure_vscode.sh" | tail -n 1)
export STEPBRIDGE_VSCODE
PATH="$(dirname "$(python3 -c 'import json, os; print(json.loads(os.environ["STEPBRIDGE_VSCODE"])["node"])')"):$PATH"
"$here/build_test_images.sh" >&2

cd "$here/../vscode-extension"
[ -e node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ] ||
  npm ci --ignore-scripts --no-audit --no-fund --silent
rm -rf test-results && mkdir test-results
npm run --silent build
node package.mjs --out test-results/stepbridge.vsix >test-results-package.log 2>&1 || {
  cat test-results-package.log >&2
  exit 1
}
rm -f test-results-package.log
# two at a time: more VS Codes than processors only wait for each other
exec node --test --test-concurrency="${STEPBRIDGE_VSCODE_JOBS:-2}" "$@" "test/unit/*.test.ts" "test/vscode/*.test.ts"
