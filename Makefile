# Two commands are enough: `make demo` and `make test`. Both make the virtualenv themselves.

PYTHON ?= python3
UV ?= uv
ARGS ?=
# More than two processors: tests of whole installations mostly wait for what these do.
TEST_WORKERS ?= 3
# A file's tests share what they have started, and files come in the order in which they were collected.
SPREAD := -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

# Of all that `make browser` sees, what the README shows.
PICTURES := home-desktop home-dark home-phone sessions-desktop sessions-phone session-1280 charger-desktop tariff \
  onboarding coverage-desktop reconciliation-desktop work-list-desktop import-errors terminal terminal-charging invoice

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

.DEFAULT_GOAL := help
.PHONY: help demo run test browser pictures chaos check audit words format lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/runtime ## Play paid sessions against simulated chargers and a payment terminal (ARGS=--once: two, then exit)
	@$(BIN)/python manage.py demo $(ARGS)

run: $(VENV)/runtime ## Start Plugtill (PORT and DATA_DIR choose the port and the folder of the embedded data)
	@exec $(BIN)/python manage.py serve $(ARGS)

test: $(VENV)/dev ## Run all tests (on PostgreSQL and Redis with DATABASE_URL and REDIS_URL; ARGS goes to pytest)
	@$(BIN)/python -m pytest $(SPREAD) $(ARGS)

browser: $(VENV)/dev ## Work through the admin in Chromium as staff do (needs Debian's chromium; pictures in build/pictures)
	@$(BIN)/python -m pytest tests/browser -o python_files='browser_*.py' -n 2 --dist loadfile $(ARGS)

pictures: browser ## The same, and put the README's pictures into docs/screenshots
	@mkdir -p docs/screenshots
	@cp $(PICTURES:%=build/pictures/%.png) docs/screenshots/

chaos: $(VENV)/dev ## Break everything while sessions run, and print what was survived (needs PostgreSQL's and Redis' programs, cc)
	@$(BIN)/python -m pytest tests/chaos -o python_files='chaos_*.py' $(ARGS)

check: $(VENV)/dev ## Check format, lint, types, import contracts, migrations and settings
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m ruff check .
	@DATA_DIR=build/check DATABASE_URL= REDIS_URL= $(BIN)/python -m mypy .
	@$(BIN)/lint-imports
	@DATA_DIR=build/check DATABASE_URL= REDIS_URL= $(BIN)/python manage.py makemigrations --check --dry-run
	@DATA_DIR=build/check DATABASE_URL= REDIS_URL= $(BIN)/python manage.py check

audit: $(VENV)/dev ## Look the locked packages up in the public lists of known vulnerabilities (needs the internet)
	@mkdir -p build && rm -f build/audit.json
	@$(BIN)/python -m pip_audit --disable-pip --progress-spinner off --timeout 15 --format json \
	  --output build/audit.json -r requirements.txt -r requirements-dev.txt

words: $(VENV)/dev ## Collect the texts of admin for the translators, and build what they translated (needs Debian's gettext)
	@DATA_DIR=build/check $(BIN)/python manage.py collect_words
	@$(BIN)/python -m ruff format --quiet config/collected_words.py
	@DATA_DIR=build/check $(BIN)/python manage.py makemessages --locale de --no-wrap --no-obsolete --add-location file \
	  --ignore .venv --ignore tests --ignore benchmarks --ignore build
	@DATA_DIR=build/check $(BIN)/python manage.py compilemessages --locale de --ignore .venv

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
