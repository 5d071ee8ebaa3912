# Every target makes or updates .venv by itself and needs no terminal.
#   make demo PYTHON=python3.12                                  another Python
#   make test PIP_FLAGS=...              handed to pip, e.g. an index of your own with a CPU torch

PYTHON ?= python3
PIP_FLAGS ?=
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_FLAGS)
RUN_EXTRAS := headless,cpu,engine,carla,plot
NEEDS := pyproject.toml constraints.txt

.DELETE_ON_ERROR:
.PHONY: help setup demo test slow check bench clean

help:
	@echo "make demo    a 60-second drive that you can watch (no torch is installed)"
	@echo "make test    all tests that need no GPU and no CARLA server"
	@echo "make slow    whole drives and other tests over five seconds"
	@echo "make check   what CI runs: format, lint, types, import rules, tests"
	@echo "make bench   the benchmarks of benchmarks/"
	@echo "make setup   everything that the above install"
	@echo "make clean   remove .venv and caches; runs/ stays"

# A stamp per dependency set: pip runs again only when pyproject.toml or constraints.txt changed.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "expected Python 3.10 or newer, got %d.%d: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	$(PYTHON) -m venv .venv

.venv/run.stamp: $(NEEDS) | $(BIN)/python
	$(INSTALL) -e '.[$(RUN_EXTRAS)]'
	@touch $@

.venv/dev.stamp: $(NEEDS) | $(BIN)/python
	$(INSTALL) -e '.[$(RUN_EXTRAS),torch,dev]'
	@touch $@ .venv/run.stamp

setup: .venv/dev.stamp

demo: .venv/run.stamp
	$(BIN)/vdap run demo

test: .venv/dev.stamp
	$(BIN)/python -m pytest -q -m "not slow"

slow: .venv/dev.stamp
	$(BIN)/python -m pytest -q -m slow

check: .venv/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -m "not slow"

bench: .venv/dev.stamp
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
