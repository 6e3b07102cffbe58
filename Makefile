# Two commands matter: `make demo` lives through a whole story, `make test` proves it. Everything else is below.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
LOCK   := .ci/requirements.lock
DEVLOCK := .ci/requirements-dev.lock

.DEFAULT_GOAL := help
.PHONY: help demo test test-full check bench lock clean services

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/.installed: $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Miso needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what $(LOCK) pins"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed $(DEVLOCK)
	@echo "installing what $(DEVLOCK) pins"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(DEVLOCK)
	@touch $@
