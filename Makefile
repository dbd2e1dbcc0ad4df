# Two commands are enough: `make demo` and `make test`. Both make the virtualenv themselves.

PYTHON ?= python3
UV ?= uv
ARGS ?=
TEST_WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

.DEFAULT_GOAL := help
.PHONY: help demo run test check format lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/runtime ## Play paid sessions against simulated chargers and a payment terminal (ARGS=--once: two, then exit)
	@$(BIN)/python manage.py demo $(ARGS)

run: $(VENV)/runtime ## Start Plugtill (PORT and DATA_DIR choose the port and the folder of the embedded data)
	@exec $(BIN)/python manage.py serve $(ARGS)

test: $(VENV)/dev ## Run all tests (on PostgreSQL and Redis with DATABASE_URL and REDIS_URL; ARGS goes to pytest)
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile $(ARGS)

check: $(VENV)/dev ## Check format, lint, types, import contracts, migrations and settings
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m ruff check .
	@DATA_DIR=build/check DATABASE_URL= REDIS_URL= $(BIN)/python -m mypy .
	@$(BIN)/lint-imports
	@DATA_DIR=build/check DATABASE_URL= REDIS_URL= $(BIN)/python manage.py makemigrations --check --dry-run
	@DATA_DIR=build/check DATABASE_URL= REDIS_URL= $(BIN)/python manage.py check

format: $(VENV)/dev ## Format the code and put right what can be put right by itself
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

lock: ## Renew requirements*.txt from requirements*.in (needs uv)
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade -o requirements.txt requirements.in
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade -o requirements-dev.txt requirements-dev.in

clean: ## Remove the virtualenv and everything generated (not ./data)
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Plugtill needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python cannot make virtualenvs. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making the virtualenv $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: requirements.txt | $(BIN)/python
	@echo "Installing what Plugtill runs on (once, takes a minute) ..."
	@$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/dev: requirements-dev.txt | $(BIN)/python
	@echo "Installing what the tests and checks need (once, takes a minute) ..."
	@$(INSTALL) -r requirements-dev.txt
	@touch $@ $(VENV)/runtime
