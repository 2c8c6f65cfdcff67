# isplit: `make help` lists what there is. Needs make and python3 >= 3.11 with venv; uses uv when it is there.
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
JOBS   ?= 2
QUICK  := tests/test_layers.py tests/test_conf.py $(addprefix tests/unit/,codec network report studies)

.DEFAULT_GOAL := help
.PHONY: help setup demo test oldest quick lint docs check lock bench clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.installed  ## make the environment in .venv

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: PYTHON=/path/to/python3.x make setup"; exit 1; }
	@echo "setting up $(VENV): about 6 GB, some minutes"
	@if command -v uv >/dev/null 2>&1; then set -e; \
	   uv venv --quiet --allow-existing --python $(PYTHON) $(VENV); \
	   uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock; \
	   uv pip install --quiet --python $(BIN)/python --no-deps --editable .; \
	 else set -e; \
	   $(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt install python3-venv"; exit 1; }; \
	   $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --requirement requirements.lock; \
	   $(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true; \
	   $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .; \
	 fi
	@touch $@

demo: setup  ## the main job on the embedded letters: every split point ranked, five retrained, a report
	$(BIN)/python train.py experiment=demo hydra.run.dir=outputs/demo
	$(BIN)/python analyze.py runs=outputs/demo hydra.run.dir=outputs/demo-report

test: setup  ## the tests
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

oldest:  ## the tests with the oldest PyTorch that is supported, in .venv-oldest (needs uv; PYTHON=python3.12 takes another Python)
	uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)-oldest
	uv pip install --quiet --python $(VENV)-oldest/bin/python --editable . --group dev 'torch==2.11.*'
	OMP_NUM_THREADS=1 $(VENV)-oldest/bin/python -m pytest -n $(JOBS) --dist loadgroup

quick: lint  ## lint and the fast tests: while working
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(QUICK)

lint: setup  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: setup  ## the documentation as a site in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: lint docs test  ## all that a change must pass

lock:  ## pin every dependency, with hashes, in requirements.lock (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header -o requirements.lock

bench: setup  ## the benchmarks, as ratios against a reference measured beside them
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/cui.py --json outputs/bench/cui.json
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/first_line.py --json outputs/bench/first_line.json
	@echo "TCP against the kernel's: python benchmarks/tcp.py --transfers FILE.csv, or --real FILE.csv as root (docs/network.md)"
	@echo "the cost of the other predictors, beside their agreement: python benchmarks/predictors.py RUNS (docs/predictors.md)"

clean:  ## remove the environments; results in outputs/ stay
	rm -rf $(VENV) $(VENV)-oldest
