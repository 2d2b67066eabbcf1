# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# One thread everywhere: with two busy cores, spin-waiting BLAS threads collapse the speed.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

MODEL  ?= models/tracepact-tales-q8_0.gguf
PROMPT ?= Once upon a time

.PHONY: run test lint bench setup clean
.DEFAULT_GOAL := run

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[engine,dev]"
	@touch $(STAMP)

setup: $(STAMP)   ## create .venv and install the project with everything the commands below use

run: setup        ## the main job: run the shipped model under contracts
	$(BIN)/tracepact run $(MODEL) --prompt "$(PROMPT)"

test: setup       ## the whole test suite with coverage
	$(BIN)/python -m pytest --cov --cov-report=term

lint: setup       ## formatting, lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup      ## every benchmark; tables on the terminal, JSON in benchmarks/results
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info
