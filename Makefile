# make demo | test | lint | conformance | oracle-check | bench: everything installs what it needs into .venv first.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8000
DATA ?= data
BIN := .venv/bin

.PHONY: demo test lint conformance oracle-check bench clean help

help:
	@echo "make demo [PORT=8000]   install, build the sample release, serve it on 127.0.0.1"
	@echo "make test               install, run the whole suite"
	@echo "make lint               ruff and mypy"
	@echo "make conformance        validators and clients of the field against a fresh service"
	@echo "make oracle-check       SQL for Oracle on H2 and on the grammar of PL/SQL (Java, Node.js)"
	@echo "make bench              measurements beside the peers, in bench/"

demo: .venv/installed
	$(BIN)/vo serve --sample --data $(DATA) --port $(PORT)

test: .venv/installed-dev
	$(BIN)/pytest

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

conformance: .venv/installed-dev
	$(BIN)/python conformance/run.py

oracle-check: .venv/installed-dev
	@test -e /usr/share/java/h2.jar || apt-get install --yes --quiet libh2-java || \
		{ echo "As root: apt-get install libh2-java"; exit 1; }
	$(BIN)/python -m pip install --quiet 'jpype1>=1.5'
	cd tests/oracle && npm install --silent --no-audit --no-fund
	ORACLE_CHECK=1 $(BIN)/pytest tests/adql/test_oracle_rows.py tests/adql/test_oracle_sql.py

bench: .venv/installed-dev
	$(BIN)/python bench/service.py
	$(BIN)/python bench/formats.py

clean:
	rm -rf .venv

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; set PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ echo "On Debian: apt-get install python3-venv"; rm -rf .venv; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	$(BIN)/python -c 'from vo.votable import warm_up; warm_up()'
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev
	@touch $@
