# `make quickstart` and `make test` need only Python 3.11 or newer with pip and venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test test-long lint clean

quickstart: .venv/installed
	$(BIN)/seedbed run recipes/quickstart.yaml

test: .venv/installed-test
	$(BIN)/pytest -n 2 --dist worksteal -m "not long"

test-long: .venv/installed-test
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[ray]'
	$(BIN)/pytest -m long

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache
