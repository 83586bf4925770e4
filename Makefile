.PHONY: demo test slow test-services test-flower flower-overhead check bench bench-gpu bench-peers evidence rivals pruning census alignment data-plane release-check docs clean
PYTHON ?= python3
BIN := .venv/bin

demo: .venv/ready
	$(BIN)/horae run

test: .venv/ready
	$(BIN)/pytest

slow: .venv/ready
	$(BIN)/pytest -m slow

# Real stores on loopback: Redis, ZeroMQ, ProxyStore endpoints behind a relay; Parsl, Ray; trackers, which send nothing; the
# server of `horae serve`. The tests start and stop them.
test-services: .services/ready
	command -v redis-server >/dev/null || apt-get install --yes --no-install-recommends redis-server
	.services/bin/python -m pytest -m services -W default -W ignore::ResourceWarning tests/services
	.services/bin/python -m pytest -W default tests/unit/server

# A SuperLink, SuperNodes and runs on loopback. The tests start and stop them; several minutes.
test-flower: .flower/ready
	.flower/bin/python -m pytest -m flower -W default -W ignore::ResourceWarning tests/flower

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python -m benchmarks.train

# Needs a GPU and a torch that sees it; says so where there is none.
bench-gpu: .venv/ready
	$(BIN)/python -m benchmarks.train.gpu

bench-peers: .bench/pfl/ready .bench/fedjax/ready .bench/flower/ready

evidence: .venv/ready
	$(BIN)/python benchmarks/cohorts.py

rivals: .venv/ready
	$(BIN)/python benchmarks/rivals.py

pruning: .venv/ready
	$(BIN)/python -m benchmarks.pruning

# What horae costs on Flower; and that the same is found where no parity is possible. An hour or two, more where others are busy.
flower-overhead: .flower/ready
	.flower/bin/python -W ignore benchmarks/flower.py
	.flower/bin/python -W ignore benchmarks/flower_agreement.py

census: .venv/ready
	$(BIN)/python benchmarks/census.py

alignment: .venv/ready
	$(BIN)/python -m benchmarks.alignment

data-plane: .services/ready
	.services/bin/python -W ignore -m benchmarks.data_plane

# Archives, their metadata, the wheel and the demo in an environment of its own, a bill of materials: see docs/public.md.
release-check:
	PYTHON=$(PYTHON) .ci/release $(OUT)

# The site, from the pages in docs/ and from the source: site/index.html. Warnings are errors, nothing is fetched.
docs: .docs/ready
	.docs/bin/python docs/_ext/stage.py .docs/source
	.docs/bin/python -m sphinx -W --keep-going -q -E -b html -c docs -d .docs/trees .docs/source site
	.docs/bin/python docs/_ext/check.py site

clean:
	rm -rf .venv .services .flower .bench .docs site build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# torch first: every looser request for it would pull a CUDA build.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# What core needs lies in .venv and is seen from here; what only the services need is not seen from there.
.services/ready: .venv/ready
	$(PYTHON) -m venv --clear .services
	printf '%s\n' $(CURDIR)/src $(CURDIR)/.venv/lib/python3*/site-packages > $$(echo .services/lib/python3*/site-packages)/horae.pth
	.services/bin/python -m pip install --quiet --disable-pip-version-check 'proxystore[endpoints]>=1.1' 'proxystore-ex>=0.1' 'pyzmq>=26' 'redis>=5' 'parsl>=2026.1' 'ray>=2.50' globus-compute-sdk globus-compute-endpoint 'mlflow>=3.17,<4' 'tensorboard>=2.20,<3' 'trackio>=0.43' 'wandb>=0.31' 'starlette>=0.40' 'uvicorn>=0.30' httpx
	touch $@

# As .services: core from .venv, and Flower, with the older rich and typer that it asks for, here alone.
.flower/ready: .venv/ready
	$(PYTHON) -m venv --clear .flower
	printf '%s\n' $(CURDIR)/src $(CURDIR)/.venv/lib/python3*/site-packages > $$(echo .flower/lib/python3*/site-packages)/horae.pth
	.flower/bin/python -m pip install --quiet --disable-pip-version-check 'flwr>=1.40,<2'
	touch $@

# As .services: core from .venv, and Sphinx here alone.
.docs/ready: .venv/ready
	$(PYTHON) -m venv --clear .docs
	printf '%s\n' $(CURDIR)/src $(CURDIR)/.venv/lib/python3*/site-packages > $$(echo .docs/lib/python3*/site-packages)/horae.pth
	.docs/bin/python -m pip install --quiet --disable-pip-version-check 'sphinx>=8.1,<10' 'furo>=2025.9' 'myst-parser>=4,<6'
	touch $@

# A peer for `make bench`, in an environment of its own: torch first, for the same reason, then exactly what is listed.
.bench/%/ready: benchmarks/train/peers/%.txt
	$(PYTHON) -m venv --clear .bench/$*
	grep '^torch==' $< | xargs -r .bench/$*/bin/python -m pip install --quiet --disable-pip-version-check
	.bench/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	touch $@
