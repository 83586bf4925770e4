.PHONY: demo test slow check bench bench-peers evidence rivals pruning census alignment clean
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
	$(BIN)/python -m benchmarks.train

bench-peers: .bench/pfl/ready .bench/fedjax/ready .bench/flower/ready

evidence: .venv/ready
	$(BIN)/python benchmarks/cohorts.py

rivals: .venv/ready
	$(BIN)/python benchmarks/rivals.py

pruning: .venv/ready
	$(BIN)/python -m benchmarks.pruning

census: .venv/ready
	$(BIN)/python benchmarks/census.py

alignment: .venv/ready
	$(BIN)/python -m benchmarks.alignment

clean:
	rm -rf .venv .bench build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# torch first: every looser request for it would pull a CUDA build.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# A peer for `make bench`, in an environment of its own: torch first, for the same reason, then exactly what is listed.
.bench/%/ready: benchmarks/train/peers/%.txt
	$(PYTHON) -m venv --clear .bench/$*
	grep '^torch==' $< | xargs -r .bench/$*/bin/python -m pip install --quiet --disable-pip-version-check
	.bench/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	touch $@
