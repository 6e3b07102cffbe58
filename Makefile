# Two commands matter: `make demo` lives through a whole story, `make test` proves it. Everything else is below.
# All of them set up `.venv` by themselves, from lock files with hashes; nothing is installed outside of it.
PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= 2

BIN     := $(VENV)/bin
LOCK    := .ci/requirements.lock
DEVLOCK := .ci/requirements-dev.lock
SERVERS := docker-registry nodejs npm
PIP     := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST  := $(BIN)/python -m pytest -n $(JOBS)
# The same lock on every system and every Python that is supported; no line of it names a host or this machine.
COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help demo install test test-full check static bench services lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.installed ## the whole story against a pretend GitHub and Azure, on this machine alone
	@$(BIN)/miso demo

install: $(VENV)/.installed ## the virtual environment with `miso` in it, and nothing more

test: $(VENV)/.installed-dev ## every test but the slow ones; some minutes on two cores
	@$(PYTEST) -m "not full"

test-full: $(VENV)/.installed-dev services ## the slow tests, and those that need a server of the system
	@$(PYTEST) -m full

check: static ## formatting, types, import contracts, and the tests of domain and house
	@$(PYTEST) -m "not full" tests/domain tests/test_house.py tests/test_docs.py tests/test_readme.py

static: $(VENV)/.installed-dev
	@echo "ruff" && $(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@echo "mypy --strict" && $(BIN)/mypy --no-error-summary
	@echo "import contracts" && $(BIN)/lint-imports --no-logo > $(VENV)/contracts.txt || { cat $(VENV)/contracts.txt; exit 1; }

bench: $(VENV)/.installed-dev ## measure, and write docs/benchmarks.md
	@$(BIN)/python -m tests.bench

services: ## install what the slow tests talk to (Debian packages)
	@missing=""; for each in $(SERVERS); do command -v $$each > /dev/null || missing="$$missing $$each"; done; \
	test -z "$$missing" && exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then \
	  echo "please install:$$missing (on Debian and Ubuntu: sudo apt-get install$$missing)" >&2; exit 1; fi; \
	echo "installing$$missing"; \
	apt-get -qq update > /dev/null && \
	DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing > /dev/null \
	  || { echo "apt-get could not install$$missing" >&2; exit 1; }

lock: ## resolve the dependencies of pyproject.toml anew into both lock files
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	$(PYTHON) -m venv "$$scratch" && \
	"$$scratch/bin/python" -m pip install --quiet --disable-pip-version-check uv && \
	echo "resolving $(LOCK)" && \
	"$$scratch/bin/uv" $(COMPILE) --upgrade --extra demo pyproject.toml .ci/build.in -o $(LOCK) > /dev/null && \
	echo "resolving $(DEVLOCK)" && \
	"$$scratch/bin/uv" $(COMPILE) --upgrade --extra dev -c $(LOCK) pyproject.toml .ci/build.in -o $(DEVLOCK) > /dev/null

clean: ## remove the environment and everything that tools left behind
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null \
	  || { echo "Miso needs Python 3.11 or newer; say which: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@touch $@

$(VENV)/.installed: $(LOCK) pyproject.toml | $(VENV)/.python
	@echo "installing what $(LOCK) pins (a minute, once)"
	@$(PIP) --require-hashes -r $(LOCK)
	@$(PIP) --no-deps --no-index --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(DEVLOCK) | $(VENV)/.installed
	@echo "installing what $(DEVLOCK) pins (a minute, once)"
	@$(PIP) --require-hashes -r $(DEVLOCK)
	@touch $@
