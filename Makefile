# Postbell. `make run` and `make test` are all a newcomer needs; each sets itself up.
#
# PYTHON makes the environment VENV, and makes it anew when it is another version than the one that made it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
READY := $(VENV)/.ready-$(VERSION)
TOOLS := $(VENV)/.tools-$(VERSION)
BUILDER := $(VENV)/.builder
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
# Most tests wait for processes, so three of them keep two cores busy; tests of units do not wait.
PARALLEL := --numprocesses 3 --dist loadfile
AT_WORK := --numprocesses 2 --dist loadfile

# Modules are compiled once, and not by each of the hundreds of processes that tests start; pytest keeps what it made of
# the asserts of tests and of hypothesis. Some environments have Python keep nothing.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup tools run test test-unit test-node test-browser check map coverage test-crash soak fuzz bench wheel deb test-install lock update outdated audit hooks clean

# What runs, and no more; `tools` adds what tests and checks need, each target that needs them by itself.
setup: $(READY)

tools: $(TOOLS)

$(READY): requirements.lock requirements-build.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Postbell needs Python 3.11 or newer, and $(PYTHON) is %d.%d: name another one, make PYTHON=python3.13" % sys.version_info[:2] or 0)'
	@test -e $@ || $(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --require-hashes -r requirements.lock
	@rm -rf $(BUILDER)
	$(PIP) install --require-hashes -r requirements-build.lock --target $(BUILDER)
	PYTHONPATH=$(BUILDER) $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(TOOLS): $(READY) requirements-dev.lock
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

run: setup
	@exec $(BIN)/postbell serve --demo

# With COVERAGE=1, as in CI, what is not asked for by ARGS is measured on the way (see coverage).
COVERAGE ?= $(CI)
ifneq ($(and $(COVERAGE),$(if $(ARGS),,all)),)
test: coverage
	$(PYTEST) tests/fuzz tests/crash tests/soak $(PARALLEL)
else
test: tools
	$(PYTEST) $(PARALLEL) $(ARGS)
endif

# For between two thoughts: with a tenth of the examples that a search for counterexamples takes by itself.
test-unit: tools
	$(PYTEST) tests/unit $(AT_WORK) --hypothesis-profile=quick $(ARGS)

# Clients that are written in JavaScript, fetched by npm.
test-node: tools
	npm ci --prefix tests/node --ignore-scripts --no-audit --no-fund --silent
	$(PYTEST) tests/node $(PARALLEL) $(ARGS)

# Chromium and Firefox, driven through the web client.
test-browser: tools
	npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --silent
	$(PYTEST) tests/browser $(PARALLEL) --timeout 300 $(ARGS)

check: tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# docs/map.md, from the docstrings; docs/configuration.md and docs/examples/postbell.toml, from the settings; what the web
# client says of its own files. Tests compare them.
map: tools
	$(BIN)/python -m tests.support.web_files
	$(BIN)/python -m tests.support.module_map
	$(BIN)/python -m tests.support.reference

# Lines and branches, at least 97 % of each, of what unit, integration and conformance tests reach. What fuzz and
# crash tests reach is left out: they search and kill, and no line may depend on their luck.
coverage: tools
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest tests/unit tests/tree tests/integration tests/conformance $(PARALLEL) $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	$(BIN)/python -m tests.support.coverage_floor

test-crash: tools
	$(BIN)/python -m tests.crash $(ARGS)

# Mail, devices and an operator at work on one Postbell: half an hour, or as long as ARGS="--minutes 5" says.
soak: tools
	$(BIN)/python -m tests.soak $(ARGS)

fuzz: tools
	$(PYTEST) tests/fuzz --fuzz-seconds=3600 --timeout=0 $(ARGS)

bench: tools
	$(BIN)/python -m tests.bench $(ARGS)

# dist/postbell-*.whl, for pipx, uv and pip.
wheel:
	PYTHON=$(PYTHON) packaging/wheel dist

# dist/postbell_*.deb, for this distribution and this kind of machine; the system's own Python makes and runs it.
deb:
	packaging/deb/build

# What README.md and docs/install.md say, line by line, in a Debian of its own that boots.
test-install: tools
	$(PYTEST) tests/install $(PARALLEL) --timeout 1200 $(ARGS)

# --- dependencies ---------------------------------------------------------------------------------------

COMPILE := uv pip compile --universal --generate-hashes --no-header --no-annotate --quiet

# These need uv. `lock` writes the files anew for what pyproject.toml says, `update` with the newest of everything.
lock:
	$(COMPILE) $(UPGRADE) --extra fast --extra tui pyproject.toml -o requirements.lock
	$(COMPILE) $(UPGRADE) --extra fast --extra tui pyproject.toml --group dev -o requirements-dev.lock
	$(COMPILE) $(UPGRADE) --group build --constraints requirements-dev.lock -o requirements-build.lock

update:
	$(MAKE) lock UPGRADE=--upgrade

outdated: tools
	uv pip list --outdated --python $(BIN)/python

audit:
	uv tool run pip-audit --require-hashes --disable-pip -r requirements.lock
	uv tool run pip-audit --require-hashes --disable-pip -r requirements-dev.lock
	uv tool run pip-audit --require-hashes --disable-pip -r requirements-build.lock

# `make check` before each commit.
hooks:
	uv tool run pre-commit install

clean:
	rm -rf .venv* .demo .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
