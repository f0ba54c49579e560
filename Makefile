# make demo, make test, make lint: each sets up what it needs, once, in a virtual environment.
#
#   PYTHON   the interpreter of the virtual environment (3.11, 3.12 or 3.13)
#   VENV     its folder
#   SCREENSHOTS  the folder for the pictures that the browser tests take
#   ARGS     further arguments: make demo ARGS="--port 5007", make test ARGS="-k tiling"

VENV ?= .venv
SCREENSHOTS ?= build/screenshots
BIN := $(VENV)/bin

# An interpreter fits if it starts, has the right version and can make virtual environments:
# a version manager's stub fails the first, a Debian without python3-venv the last.
FITS := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
CANDIDATES := python3 python3.13 python3.12 python3.11
PYTHON ?= $(shell for p in $(CANDIDATES); do $$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)

.NOTPARALLEL:
.PHONY: demo test lint clean

demo: $(VENV)/.lulc
	@$(BIN)/lulc demo $(ARGS)

test: $(VENV)/.lulc-test $(VENV)/.browser
	@SCREENSHOTS=$(SCREENSHOTS) $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(VENV)/.lulc-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: as long as pyproject.toml is older, nothing is installed again.
$(VENV)/.lulc: WHAT := .
$(VENV)/.lulc-test: WHAT := .[test]
$(VENV)/.lulc-dev: WHAT := .[dev]
$(VENV)/.lulc $(VENV)/.lulc-test $(VENV)/.lulc-dev: pyproject.toml
	@test -x $(BIN)/pip || $(MAKE) --no-print-directory venv
	@echo "Installing $(WHAT) into $(VENV); the first time takes minutes"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '$(WHAT)'
	@touch $@

.PHONY: venv
venv:
	@'$(PYTHON)' -c '$(FITS)' 2>/dev/null || { echo "Expected Python 3.11, 3.12 or 3.13 with its\
	 venv module; found $(or $(PYTHON),none). Install one (Debian: apt-get install python3-venv)\
	 or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@'$(PYTHON)' -m venv $(VENV)

# Tried once; without a browser, the tests that need one are skipped by name.
$(VENV)/.browser: $(VENV)/.lulc-test
	@$(BIN)/python scripts/browser.py
	@touch $@
