# What the targets do is in scripts/; each one sets up whatever it needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo check test bench clean

help:  ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: .venv/.ready  ## A virtual environment in .venv with everything for development
.venv/.ready: requirements.lock pyproject.toml
	PYTHON=$(PYTHON) scripts/setup.sh
	@touch $@

demo: setup  ## Run examples/wine and stop in its train.py
	$(BIN)/python scripts/demo.py

check: setup  ## Format, lint and types
	scripts/check.sh

test: setup  ## All tests, with real containers and a real VS Code
	scripts/test.sh

bench: setup  ## Ratios against what a user would pick instead
	$(BIN)/python benchmarks/run.py

clean:  ## Remove what the targets made, but not the download cache
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache dist examples/*/.stepbridge
