# `make demo` and `make test` each work as the very first command.
PYTHON ?= python3
BIN := .venv/bin
PIP := -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-backends test-agreement test-jax test-torch test-versions test-nightly docs
.PHONY: notebooks lint format dist clean

help:
	@echo "make demo    train on embedded digits for 6 minutes, export a checked generator"
	@echo "make test    run the tests, on TensorFlow"
	@echo "make test-long  what takes long, and kills and guesses many times more: hours"
	@echo "make test-backends  install JAX and torch beside it, and run on them what trains, saves and measures"
	@echo "make test-versions  run the tests on the oldest TensorFlow and Keras that are supported, and on the newest"
	@echo "make test-nightly  run the tests on Keras's nightly build, and report"
	@echo "make docs    build the site into docs/_build/html; installs Sphinx"
	@echo "make notebooks  make notebooks/ from guides, and run them"
	@echo "make lint    check style: lint, format, import order"
	@echo "make format  mend style"
	@echo "make dist    build the package in dist/, install it elsewhere and run README there"
	@echo "make clean   remove .venv and other environments, and caches; runs/ and dist/ stay"

# Installs again when the dependencies change, and not otherwise.
$(BIN)/.installed: setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, such as: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python $(PIP) --editable '.[all]'
	@touch $@

demo: $(BIN)/.installed
	$(BIN)/keras-gan train digits --minutes 6

# Two files at a time, in tests/conftest.py's order: what a file's tests share is made once.
SUITE := -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: $(BIN)/.installed
	$(BIN)/python $(SUITE)

# What trains, saves and measures. JAX compiles for minutes what the last line has, in make test-long alone.
JAX_TESTS := $(addprefix tests/,test_gan.py test_gan_options.py test_model.py test_optimizers.py \
	test_penalties_state.py system/test_mixed_precision.py metrics/test_metrics.py)
BACKEND_TESTS := $(JAX_TESTS) $(addprefix tests/,test_conditions.py test_health.py system/test_maps.py \
	metrics/test_modes.py)

$(BIN)/.backends: $(BIN)/.installed
	$(BIN)/python $(PIP) 'jax>=0.10,<0.11' torch==2.13.0
	@touch $@

# What has to agree is compiled mostly by one process: `make --jobs 2 test-backends` uses the other core for the rest.
test-backends: test-agreement test-jax test-torch

# Networks this small gain nothing from torch's threads, which then wait for each other: ten times as long on a busy machine.
test-agreement test-jax test-torch: export OMP_NUM_THREADS = 1
test-agreement: $(BIN)/.backends
	$(BIN)/python -m pytest tests/system/test_backends.py

# JAX compiles in two thirds of the time where LLVM optimizes nothing; `make test-long` runs it as users do.
test-jax: $(BIN)/.backends
	KERAS_BACKEND=jax XLA_FLAGS=--xla_backend_optimization_level=0 \
		$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(JAX_TESTS)

test-torch: $(BIN)/.backends
	KERAS_BACKEND=torch $(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(BACKEND_TESTS)

# The tests marked long, and those that draw their cases at random: kills, mutated files, options.
test-long: export OMP_NUM_THREADS = 1
test-long: $(BIN)/.backends
	$(BIN)/python -m pytest --long -m long
	$(BIN)/python -m pytest --long $(addprefix tests/system/test_,backends.py durability.py fuzz.py properties.py)
	KERAS_BACKEND=jax $(BIN)/python -m pytest $(filter-out $(JAX_TESTS),$(BACKEND_TESTS))
	KERAS_BACKEND=jax $(BIN)/python -m pytest --long -m 'long or long_elsewhere' $(BACKEND_TESTS)
	KERAS_BACKEND=torch $(BIN)/python -m pytest --long -m 'long or long_elsewhere' $(BACKEND_TESTS)
	KERAS_BACKEND=jax $(BIN)/python -m pytest --long tests/system/test_hosts.py
	KERAS_BACKEND=jax $(BIN)/python -m pytest --long tests/system/test_durability.py -k killed
	KERAS_BACKEND=torch $(BIN)/python -m pytest --long tests/system/test_durability.py -k killed

# The oldest releases that setup.py allows, such as keras==3.15.
OLDEST := $(shell sed -nE 's/.*"(keras|tensorflow|ai-edge-litert)>=([0-9.]+).*/\1==\2/p' setup.py)

.venv-%/bin/python:
	$(PYTHON) -m venv .venv-$*

# Installs at each run: the newest releases change.
test-versions: .venv-lowest/bin/python .venv-newest/bin/python
	.venv-lowest/bin/python $(PIP) --editable '.[all]' $(OLDEST)
	.venv-lowest/bin/python $(SUITE)
	.venv-newest/bin/python $(PIP) --upgrade --upgrade-strategy eager --editable '.[all]'
	.venv-newest/bin/python $(SUITE)

# keras-nightly has the same files as keras, which must go first. Failures are reported, and end nothing.
test-nightly: .venv-nightly/bin/python
	.venv-nightly/bin/python $(PIP) --upgrade --upgrade-strategy eager --editable '.[all]'
	.venv-nightly/bin/python -m pip uninstall --quiet --yes keras keras-nightly
	.venv-nightly/bin/python $(PIP) --pre keras-nightly
	-.venv-nightly/bin/python $(SUITE)

$(BIN)/.docs: $(BIN)/.installed
	$(BIN)/python $(PIP) --editable '.[docs]'
	@touch $@

# From nothing: Sphinx would warn again only of pages that have changed.
docs: $(BIN)/.docs
	rm -rf docs/_build
	$(BIN)/python -m sphinx --quiet --fail-on-warning --nitpicky docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

# All are made; NOTEBOOK=arrays runs one. To find errors two steps of each training are enough.
notebooks: export KERAS_MAX_EPOCHS ?= 1
notebooks: export KERAS_MAX_STEPS_PER_EPOCH ?= 2
notebooks: $(BIN)/.docs
	$(BIN)/python docs/notebooks.py $(NOTEBOOK)

lint: $(BIN)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(BIN)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/.release: $(BIN)/.installed
	$(BIN)/python $(PIP) build twine
	@touch $@

# The wheel is built from the source archive, and tried in an environment and a folder that know no checkout.
dist: $(BIN)/.release
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*
	set -e; away=$$(mktemp -d); trap 'rm -rf "$$away"' EXIT; wheel=$$(ls $(CURDIR)/dist/*.whl); unset PYTHONPATH; \
	$(PYTHON) -m venv "$$away/venv"; cd "$$away"; \
	venv/bin/python $(PIP) "$$wheel[digits,export]" hypothesis pytest; \
	venv/bin/keras-gan --help >/dev/null; \
	venv/bin/pytest --override-ini cache_dir="$$away" '$(CURDIR)/tests/system/test_documents.py::test_python_blocks_run[README.md]'

clean:
	rm -rf .venv .venv-* .pytest_cache .ruff_cache build *.egg-info docs/_build docs/reference docs/recipes/*.md
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
