.PHONY: demo test slow check bench evidence clean
PYTHON ?= python3
BIN := .venv/bin

demo: .venv/ready
	$(BIN)/horae run

test: .venv/ready
	$(BIN)/pytest

slow: .venv/ready
	$(BIN)/pytest -m slow

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready
	$(BIN)/python benchmarks/scale.py

evidence: .venv/ready
	$(BIN)/python benchmarks/cohorts.py

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# torch first: every looser request for it would pull a CUDA build.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@
