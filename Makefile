# Everything here makes what it needs: on a fresh machine, `make demo` is the only command to type.
PYTHON ?= python3
VENV ?= .venv
VLLM_ENV ?= .vllm
INSTALLED := $(VENV)/.installed
export PATH := $(abspath $(VENV)/bin):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install demo table table4 lambda test test-fast check style tiny-models vllm-env clean

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

install: $(INSTALLED)  ## make the virtual environment .venv and install into it

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(INSTALLED)  ## run the whole pipeline on the embedded world: a few minutes on a CPU
	uniapl demo

table: $(INSTALLED)  ## nine ways of training on the embedded world, three seeds each: under 40 minutes
	experiments/tiny/table.sh

table4: $(INSTALLED)  ## the paper's Tables 4 and 6 on the embedded world; shares rows with table
	experiments/tiny/table4.sh

lambda: $(INSTALLED)  ## the sweep of the anchor's weight on the embedded world
	experiments/tiny/lambda.sh

test: $(INSTALLED)  ## run all tests
	pytest

test-fast: $(INSTALLED)  ## run the unit tests only
	pytest -m "not slow"

check: $(INSTALLED)  ## lint, types, import contracts
	ruff check
	ruff format --check
	mypy
	lint-imports

style: $(INSTALLED)  ## mend what the linter and the formatter can; rewrite what is made from code
	ruff check --fix
	ruff format
	uniapl config keys --markdown >docs/configuration.md
	python tests/messages/cases.py --write
	python tests/data/inspected.py --write

tiny-models: $(INSTALLED)  ## train the embedded world's models anew: 6 minutes or so
	rm -rf work/recipe
	experiments/tiny/recipe.sh

vllm-env:  ## make .vllm, an environment with vLLM for CPU to compare with: 3.5 GB, minutes
	$(PYTHON) benchmarks/vllm_env.py $(VLLM_ENV)

clean:  ## delete what the targets made
	rm -rf $(VENV) $(VLLM_ENV) work build .*_cache *.egg-info
