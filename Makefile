# Two commands matter: `make demo` (installs all, runs the main job) and `make test`.
PYTHON ?= python3.11
UV_VERSION = 0.13.8
UV = PYTHONPATH=.boot $(PYTHON) -m uv
BIN = .venv/bin
NATIVE = $(wildcard native/*.pyx native/*.pxd native/*.h)

.PHONY: install demo test test-slow lint bench bench-peers conformance lock docs clean

install: .venv/.ready

.boot/uv/__init__.py:
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .boot uv==$(UV_VERSION)

.venv/.deps: requirements.lock build-constraints.txt | .boot/uv/__init__.py
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode --build-constraints build-constraints.txt requirements.lock
	@touch $@

.venv/.ready: .venv/.deps pyproject.toml setup.py $(NATIVE)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --reinstall-package interlock -e .
	@# Our own bytecode too: where Python may not write it, every start would compile these files again.
	$(BIN)/python -m compileall -q interlock.py native seams venues safety engine console config runbooks
	@touch $@

demo: install
	@$(BIN)/interlock demo

test: install
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: install
	$(BIN)/python -m pytest -n 2 -m slow

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	$(BIN)/python -m benchmarks

bench-peers: install
	$(BIN)/python -m benchmarks.peers

conformance: install
	$(BIN)/python -m tests.conformance

docs: install
	$(BIN)/python -m tests.conformance --stale
	$(BIN)/python -m console.cli.reference
	$(BIN)/python -m engine.strategies.reference > docs/strategies.md
	$(BIN)/python -m engine.api.switches
	$(BIN)/python -m engine.config.readers > docs/settings.md
	$(BIN)/python -m engine.api.schema > docs/schemas/api.json
	$(BIN)/python -m engine.published
	$(BIN)/python -m safety.reasons > docs/reason-codes.md
	$(BIN)/python -m safety.rules > docs/policy.md
	$(BIN)/python -m tests.assurance > docs/controls.md
	$(BIN)/python -m tests.assurance.stops > docs/stop-conditions.md
	$(BIN)/python -m tests.field.table
	$(BIN)/python -m engine.api.venue_matrix > docs/venue-capabilities.md

lock: | .boot/uv/__init__.py
	$(UV) pip compile --quiet --no-header --no-annotate --generate-hashes --no-emit-index-url --extra dev --python-version 3.11 -o requirements.lock pyproject.toml

clean:
	rm -rf .venv .boot build *.egg-info
