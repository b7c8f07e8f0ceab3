# Everything here makes what it needs: on a fresh machine, `make demo` is the only command to type.
PYTHON ?= python3
VENV ?= .venv
VLLM_ENV ?= .vllm
INSTALLED := $(VENV)/.installed
export PATH := $(abspath $(VENV)/bin):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
TABLES := table2 table3 table4 table5 table6 table7 table8 table9 table10 table11 table12
FIGURES := figure2 figure3 figure4 figure5 figure6
.PHONY: help install demo laptop $(TABLES) $(FIGURES) test test-fast test-browser test-ranks test-vllm check style tiny-models compat vllm-env clean

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

install: $(INSTALLED)  ## make the virtual environment .venv and install into it

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(INSTALLED)  ## run the whole pipeline on the embedded world: a few minutes on a CPU
	uniapl demo

# SCALE=paper needs CUDA and the data of experiments/paper/data.sh; SCALE=tiny is the embedded world.
# make -n tableN prints the plan: + runs a recipe under -n too. SET='KEY=VALUE ...' sets keys.
# Tables and figures share their rows, so two of them are not made at once.
.NOTPARALLEL:
SCALE ?= paper
TARGET = +@SCALE=$(SCALE) PLAN=$(findstring n,$(firstword -$(MAKEFLAGS))) experiments/target.sh
$(TABLES): $(INSTALLED)
	$(TARGET) table $(@:table%=%) $(SET)

$(FIGURES): $(INSTALLED)
	$(TARGET) figure $(@:figure%=%) $(SET)

laptop: SCALE = laptop
laptop: table2  ## train a real model of 135M parameters five ways, IFEval before and after: hours

table2:  ## staged training, 0.6B and 4B; SCALE=tiny is its counterpart on the embedded world
table3:  ## CHORD and A-CHORD
table4:  ## where the discriminator's score goes
table5:  ## a base model on ground truth
table6:  ## against ground truth, without KL
table7:  ## table2 by benchmark, 0.6B
table8:  ## table2 by benchmark, 4B
table9:  ## table3 by benchmark
table10:  ## the anchor's weight, on ground truth
table11:  ## the anchor's weight, on the teacher's responses
table12:  ## tables 4 and 6 by benchmark
figure2:  ## IFEval beside other models
figure3:  ## lengths of responses, and the teacher's
figure4:  ## log-probabilities under student and teacher
figure5:  ## the anchor's weight and instruction following: tables 10 and 11
figure6:  ## the anchor's weight and general performance

# One worker a core, four at most: each holds torch, and what it starts too. One that has no tests
# left takes half of another's; neighbours stay together, which share what is expensive to make.
WORKERS ?= logical
PYTEST := pytest --numprocesses=$(WORKERS) --maxprocesses=4 --dist=worksteal

test: $(INSTALLED)  ## run all tests, on all cores; WORKERS=0 runs them in one process
	$(PYTEST)

test-fast: $(INSTALLED)  ## run the unit tests only
	$(PYTEST) -m "not slow"

test-browser: $(INSTALLED)  ## drive the HTML page in Chromium, which must be installed
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[dev,browser]'
	pytest -m browser

test-ranks: $(INSTALLED)  ## kill, stop and launch several processes that train: ten minutes
	$(PYTEST) -m ranks tests/parallel tests/test_launch_scripts.py tests/commands/test_ranks_by_servers.py

# SMOLLM2 is the folder that benchmarks/gpu/fetch_smollm2.py makes; without it, some tests skip.
# No folder of tests is named vllm: pytest makes them importable, and peers would take it for that one.
SMOLLM2 ?= work/smollm2
test-vllm: $(INSTALLED) vllm-env  ## ask a real vLLM, in VLLM_ENV: a quarter of an hour
	UNIAPL_VLLM=$(abspath $(VLLM_ENV))/bin/vllm UNIAPL_SMOLLM2=$(abspath $(SMOLLM2)) \
		pytest -m vllm tests/real_vllm

check: $(INSTALLED)  ## lint, types, import contracts
	ruff check
	ruff format --check
	mypy
	lint-imports

style: $(INSTALLED)  ## mend what the linter and the formatter can; rewrite what is made from code
	ruff check --fix
	ruff format
	uniapl config keys --markdown >docs/configuration.md
	uniapl list methods --markdown >docs/every-method.md
	python tests/methods/scripted.py --write
	python tests/messages/cases.py --write
	python tests/data/inspected.py --write

tiny-models: $(INSTALLED)  ## train the embedded world's models anew: 6 minutes or so
	rm -rf work/recipe
	experiments/tiny/recipe.sh

# Older versions, as images of GPU machines have them; torch brings gigabytes of CUDA.
COMPAT ?= python3.12 torch==2.11.* transformers==5.17.*
COMPAT_ENV ?= .compat
compat:  ## run the unit tests with COMPAT's Python, torch and transformers, in COMPAT_ENV: 6 GB
	$(firstword $(COMPAT)) -m venv $(COMPAT_ENV)
	$(COMPAT_ENV)/bin/pip install --quiet --editable '.[dev]' $(patsubst %,'%',$(wordlist 2,9,$(COMPAT)))
	PATH=$(abspath $(COMPAT_ENV)/bin):$$PATH $(PYTEST) -m "not slow"

vllm-env:  ## make .vllm, an environment with vLLM for CPU, to test and compare with: 3.5 GB, minutes
	$(PYTHON) benchmarks/vllm_env.py $(VLLM_ENV)

clean:  ## delete what the targets made
	rm -rf $(VENV) $(VLLM_ENV) $(COMPAT_ENV) work build .*_cache *.egg-info
