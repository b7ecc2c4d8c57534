# `make book` and `make test` are all that a newcomer needs. The other targets:
# see `make help`. PYTHON names another Python, VENV another folder for what is installed; the
# folder is make's own, which empties it when it is broken.

PYTHON ?= python3
VENV ?= .venv
CHAPTER ?=
RUNS ?=
REPO ?=
COMMIT ?=
PORT ?= 8000

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
# The steps of `make test` follow one another, also under -j: each wants both cores.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: book test test-portable unit chapters browser execute checked card colab serve lint stamp \
	clean help

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
READY := $(VENV)/.installed
HTML := _build/html
ALL_NOTEBOOKS = $(basename $(notdir $(wildcard chapters/*.ipynb)))
# With no notebook named, pytest would run all tests instead.
NOTEBOOKS = $(or $(wildcard chapters/$(CHAPTER)*.ipynb),$(error \
	no notebook's name begins with CHAPTER=$(CHAPTER); there are $(ALL_NOTEBOOKS)))
TWO_WORKERS := -n 2 -q

# Torch's threads otherwise spin while they wait, and starve each other on few cores.
export OMP_WAIT_POLICY := passive
export PYTHONUTF8 := 1

book: $(READY) ## build the book and its offline zip, warnings being errors
	rm -rf _build # a second build would not repeat the warnings of the first
	$(BIN)/jupyter-book build . -q -W -n --keep-going
	$(BIN)/python -m tools.zip_book
	@echo "The book: $(CURDIR)/$(HTML)/index.html"

test: lint unit chapters book browser ## everything: lint, tests, chapters, the strict build, browser
	@echo "All tests passed."

unit: $(READY) ## the package's tests and its docstring examples
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TWO_WORKERS) -m "not browser"

chapters: $(READY) ## run the notebooks (or CHAPTER=02) again and compare every output
	CUDA_VISIBLE_DEVICES= OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TWO_WORKERS) \
		--dist loadfile --nbval --nbval-current-env -o addopts= $(NOTEBOOKS)

browser: $(READY) ## open every page of the built book in a browser
	@test -f $(HTML)/index.html || { echo "There is no book yet: run make book first." >&2; exit 1; }
	$(BIN)/python -m pytest -q -m browser tests/browser

test-portable: $(READY) ## the chapters (or CHAPTER=02) as on other machines (RUNS="own 1e-4*")
	$(BIN)/python -m tools.portable --runs $(foreach run,$(or $(RUNS),*),'$(run)') -- $(NOTEBOOKS)

execute: $(READY) ## run the notebooks (or CHAPTER=02) and store their outputs
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.execute $(NOTEBOOKS)

checked: $(READY) ## write the tables of the page "How this course was checked"
	$(BIN)/python -m tools.checked

card: $(READY) ## draw the picture of social cards and of the README
	$(BIN)/python -m tools.desk

colab: $(READY) ## write the notebooks that Colab's and Jupyter's readers get (of COMMIT=HEAD)
	$(BIN)/python -m tools.colab $(if $(COMMIT),--commit '$(COMMIT)')

serve: book ## serve the book on localhost (PORT=8000)
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(HTML)

lint: $(READY) ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

stamp: $(READY) ## write the address and the version into all files (a fork: REPO=owner/name)
	$(BIN)/python -m tools.stamp $(REPO)

clean: ## remove what was built; the virtual environment stays
	rm -rf _build build *.egg-info .pytest_cache .ruff_cache .hypothesis

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

# In words that an old Python understands as well, to say that it is too old.
RECENT = import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, and \
	this is %s. Name another: make PYTHON=python3.11 $(MAKECMDGOALS)" % sys.version.split()[0])
CLEAR = $(if $(wildcard $(VENV)/pyvenv.cfg),--clear)

# Installed again only when a list of requirements changes, and then without a network unless
# something is missing. A half-made environment, whose pip does not answer, is made anew.
$(READY): requirements.txt requirements-nodeps.txt pyproject.toml
	@{ $(BIN)/python -m pip --version && $(BIN)/python -c '$(RECENT)'; } >/dev/null 2>&1 || \
		{ $(PYTHON) -c '$(RECENT)' && $(PYTHON) -m venv $(CLEAR) $(VENV); }
	$(BIN)/python -m pip install -q -r requirements.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -r requirements-nodeps.txt -e .
	@touch $@
