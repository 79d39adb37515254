#!/usr/bin/env bash
# Format, lint and types, for Python and, where it stands, TypeScript.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
if [ -f vscode-extension/package.json ]; then
    (cd vscode-extension && { [ -d node_modules ] || npm ci --no-audit --no-fund --silent; } && npm run --silent check)
fi
