# One virtual environment, .venv, made when it is first needed. On Windows use the plain commands in README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where torch comes from. To avoid the CUDA build on a CPU-only Linux machine:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Checks the types in the page's comments; the page itself needs neither npm nor a build.
TYPESCRIPT := typescript@5.9.3

.PHONY: demo install test test-all check check-page format parity screenshots clean

demo: install
	$(BIN)/pellucid demo

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Pellucid and PyTorch (about 250 MB to download the first time) …"
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	$(PIP) --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing the test tools …"
	$(PIP) --editable ".[dev,parity]"
	touch $@

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto

test-all: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto -m "slow or not slow"

parity: $(VENV)/installed-dev
	$(BIN)/python -m pytest tests/parity tests/interop -m "slow or not slow"
	$(BIN)/python benchmarks/parity.py

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

check-page: .tsc/node_modules
	.tsc/node_modules/.bin/tsc -p tests/web/jsconfig.json
	node --test tests/web/

.tsc/node_modules:
	npm install --no-save --no-audit --no-fund --prefix .tsc $(TYPESCRIPT)

# Of a model trained here for three minutes, or of one of your own: make screenshots RUN=runs/shakespeare-1
screenshots: $(VENV)/installed-dev
	$(BIN)/python docs/screenshots.py $(RUN)

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .tsc dist .pytest_cache .hypothesis .ruff_cache .import_linter_cache
