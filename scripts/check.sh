#!/usr/bin/env bash
# Format, lint and types, for Python and, where it stands, TypeScript.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
if [ -f vscode-extension/package.json ]; then
    (cd vscode-extension && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --silent; } && npm run --silent check)
fi
