# Postbell. `make run` and `make test` are all a newcomer needs; each sets itself up.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup run test check test-crash fuzz bench lock clean

setup: .venv/.ready

.venv/.ready: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: setup
	@exec $(BIN)/postbell serve --demo

test: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-crash: setup
	$(BIN)/python -m tests.crash $(ARGS)

fuzz: setup
	$(BIN)/python -m pytest tests/fuzz --fuzz-seconds=3600 --timeout=0 $(ARGS)

bench: setup
	$(BIN)/python -m tests.bench $(ARGS)

# Needs uv: writes both lock files anew from pyproject.toml.
lock:
	uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate --quiet -o requirements.lock
	uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-header --no-annotate --quiet -o requirements-dev.lock

clean:
	rm -rf .venv .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
