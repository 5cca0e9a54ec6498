# Every target sets up what it needs, in .venv; a machine needs Python 3.11 or later, make and a package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
CONFIG ?=
SECONDS ?= 600

.DEFAULT_GOAL := help
.PHONY: help run test lint format check bench soak clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## play the whole story on loopback, or run on a file: make run CONFIG=path/to/config.json
	@$(BIN)/python -m tests.story $(if $(CONFIG),"$(CONFIG)")

test: $(READY) ## run the tests
	$(BIN)/python -m pytest --cov --cov-report=term

lint: $(READY) ## check format, lint rules and types
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

format: $(READY) ## format the code and mend what ruff can
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

check: lint test ## lint and test: what CI runs

bench: $(READY) ## measure the manager beside references, some minutes
	@$(BIN)/python -m tests.bench

soak: $(READY) ## random worlds, faults and kills for ten minutes, or SECONDS=n
	@$(BIN)/python -m tests.soak $(SECONDS)

clean: ## remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .coverage
	find athena_schedule_manager tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; set PYTHON=")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
