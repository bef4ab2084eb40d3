# make run    install graphflow into .venv and make a picture
# make test   install what development needs, then lint, type-check and test
# make fix    let ruff repair and format the code
# make wheel  build dist/*.whl
# make clean  remove what these commands made
#
# Variables: PYTHON (3.11 to 3.13), VENV, WORKFLOW, RUN_ARGS, PYTEST_ARGS, PIP_ARGS (more options for pip install).

VENV ?= .venv
WORKFLOW ?= workflows/text_to_image.json
# The machine's own python3 first: wheels that lie ready (a CPU build of torch) are made for it.
FIND_PYTHON = for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$python && break; done
PYTHON ?= $(shell $(FIND_PYTHON))

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $(PIP_ARGS)
INSTALL_INPUTS = pyproject.toml constraints.txt hatch_build.py

.PHONY: run test fix wheel clean

run: $(VENV)/.installed
	@$(BIN)/graphflow run $(WORKFLOW) $(RUN_ARGS)

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(PYTEST_ARGS)

fix: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(VENV)/.installed-dev
	$(BIN)/python -m build --wheel --no-isolation

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 with venv was found; install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)" >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(INSTALL_INPUTS) | $(BIN)/python
	@echo "Installing graphflow into $(VENV); the first time takes some minutes" >&2
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(INSTALL_INPUTS) | $(BIN)/python
	@echo "Installing graphflow and what its development needs into $(VENV)" >&2
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.installed
