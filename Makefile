# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ENGINES := $(VENV)/.installed-engines
# Pinned, and first: where an index has a CPU build, nothing fetches the libraries of GPUs for tests.
TORCH  ?= torch==2.13.0
NATIVE := setup.py $(wildcard native/*.c native/*.h)
# One thread everywhere: with two busy cores, spin-waiting BLAS threads collapse the speed.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

MODEL  ?= models/tracepact-tales-q8_0.gguf
PROMPT ?= Once upon a time

.PHONY: run test test-sanitize fuzz lint comply bench setup clean
.DEFAULT_GOAL := run

$(STAMP): pyproject.toml $(NATIVE)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[engine]"
	@touch $(STAMP)

$(ENGINES): pyproject.toml $(NATIVE)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[engine,torch,llamacpp,dev]"
	@touch $(STAMP) $(ENGINES)

setup: $(ENGINES) ## create .venv and install the project with everything the commands below use

run: $(STAMP)     ## the main job: run the shipped model under contracts
	$(BIN)/tracepact run $(MODEL) --prompt "$(PROMPT)"

test: setup       ## the whole test suite with coverage
	$(BIN)/python -m pytest --cov --cov-report=term --tracepact-bounded

test-sanitize: setup   ## what is native under AddressSanitizer and UndefinedBehaviorSanitizer
	PYTHON=$(BIN)/python scripts/test_sanitized.sh

fuzz: setup       ## a million arrays, measured natively and by plain NumPy
	$(BIN)/python fuzz/fuzz_measure.py --cases 1000000

lint: setup       ## formatting, lint and types; the shipped contracts at grade A
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/tracepact lint src/tracepact/contracts/library

comply: setup     ## whether the code keeps its contracts, by what `make test` found
	$(BIN)/tracepact comply

bench: setup      ## every benchmark; tables on the terminal, JSON in benchmarks/results
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info
