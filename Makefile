# Everything a user or contributor runs. The first call makes .venv from constraints.txt.
PYTHON ?= python3
CORES ?= 2
CONFIG ?=
PROFILE ?=
BIN := .venv/bin
SETUP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# One thread each: what runs side by side is tests. Files stay whole, but for the last ones.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(CORES) --dist worksteal
WHERE := $(if $(PROFILE),--workflow-profile $(PROFILE),--cores $(CORES))
SNAKEMAKE := $(BIN)/python -m clampsweep.console $(WHERE) $(if $(CONFIG),--configfile $(CONFIG))

# Snakemake needs a cache folder; where there is no home for it that can be written to, it is here.
CACHE := $(or $(XDG_CACHE_HOME),$(if $(HOME),$(HOME)/.cache))
ifneq ($(shell mkdir -p "$(CACHE)" 2>&1 && test -w "$(CACHE)" && echo writable),writable)
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/cache
endif

.PHONY: reproduce plan unlock explore test test-slow test-cluster test-explorer lint format prune bench bench-exact bench-capture bench-universal bench-backtracking bench-explorer
.DEFAULT_GOAL := reproduce

## reproduce: run the experiment of config/config.yaml (or CONFIG=file) and write the report;
## PROFILE=profiles/slurm runs it on a cluster
reproduce: $(if $(PROFILE),.venv/ready-slurm,.venv/ready)
	@test -z "$(PROFILE)" || test -d "$(PROFILE)" || { echo "error: PROFILE=$(PROFILE): no such folder" >&2; exit 2; }
	@$(SNAKEMAKE)
	@$(SNAKEMAKE) --report results/report.html --quiet
	@echo "Report: $(CURDIR)/results/report.html (open it in a browser)"

## scrubbing, or the word of another file in config/: reproduce with that file
WORDS := $(filter-out config,$(basename $(notdir $(wildcard config/*.yaml))))
.PHONY: $(WORDS)
$(WORDS):
	@$(MAKE) --no-print-directory reproduce CONFIG=config/$@.yaml

## plan: what `make reproduce` would make, and how long it may take; runs nothing
plan: $(if $(PROFILE),.venv/ready-slurm,.venv/ready)
	@said=$$($(SNAKEMAKE) --dry-run 2>&1) || \
		{ echo "$$said" | grep '^error:' || echo "$$said"; exit 1; } >&2; \
		echo "$$said" | sed -n '/^note:/p; /^Texts:\|^Nothing to do:/,$$p'

## unlock: after a run was killed, let the next one begin
unlock: .venv/ready
	@$(BIN)/python -m clampsweep.console --unlock --cores 1

## explore: see and try what a neuron does, in the browser (docs/explorer.md);
## ARGS="--port 7900 --no-browser" and the like
explore: .venv/ready-explorer
	$(BIN)/python -m clampsweep.explorer $(if $(CONFIG),--configfile $(CONFIG)) $(ARGS)

## test: lint, types and all tests but the slow ones
test: lint
	$(PYTEST)

## test-slow: tests that take minutes each, such as twenty kills in one sweep
test-slow: .venv/ready-test
	$(PYTEST) -m slow

## test-cluster: the workflow through a real SLURM on this machine (five minutes)
test-cluster: .venv/ready-test .venv/ready-slurm
	$(BIN)/python -m pytest tests/cluster

## test-explorer: the explorer's tests in Chromium, on the default run's model
test-explorer: .venv/ready-test
	$(BIN)/snakemake $(MODEL) --cores $(CORES) --quiet
	CLAMPSWEEP_TEST_MODEL=smollm2-135m $(BIN)/python -m pytest tests/explorer/browser

lint: .venv/ready-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules templates
	$(BIN)/snakemake --lint

## format: bring the code into its format
format: .venv/ready-test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/snakefmt Snakefile workflow/rules templates

## prune: remove batches and shards of which neither the run nor a table in results/ has a row
prune: .venv/ready
	$(BIN)/snakemake prune --cores 1 $(if $(CONFIG),--configfile $(CONFIG))

MODEL := resources/models/smollm2-135m/model.sha256

## bench-explorer: how soon the explorer's page and first token are there (on a quiet machine)
bench-explorer: .venv/ready-test
	$(BIN)/snakemake $(MODEL) --cores $(CORES) --quiet
	$(BIN)/python benchmarks/explorer.py

## bench: speed of the decoder against its alternatives (15 minutes, on a quiet machine)
bench: .venv/ready
	$(BIN)/snakemake $(MODEL) --cores $(CORES) --quiet
	$(BIN)/python benchmarks/sweep.py $(ARGS)

## bench-exact: its tokens against one text at a time, and against float64 (20 minutes)
bench-exact: .venv/ready
	$(BIN)/snakemake $(MODEL) --cores $(CORES) --quiet
	$(BIN)/python benchmarks/exact.py $(ARGS)

## bench-capture: what capturing activations costs beside a bare forward pass (10 minutes)
bench-capture: .venv/ready
	$(BIN)/snakemake $(MODEL) --cores $(CORES) --quiet
	$(BIN)/python benchmarks/capture.py $(ARGS)

## bench-universal: what the moments of a shard cost beside a bare forward pass (10 minutes)
bench-universal: .venv/ready
	$(BIN)/snakemake $(MODEL) --cores $(CORES) --quiet
	$(BIN)/python benchmarks/universal.py $(ARGS)

## bench-backtracking: what a shard of activations costs, and the ranking of every neuron (10 minutes)
bench-backtracking: .venv/ready
	$(BIN)/snakemake $(MODEL) --cores $(CORES) --quiet
	$(BIN)/python benchmarks/backtracking_capture.py $(ARGS)
	$(BIN)/python benchmarks/backtracking_ranking.py

# torch first and pinned: any other order may pull in several gigabytes of GPU packages.
.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than 3.11; use make PYTHON=python3.11" >&2; exit 2; }
	@echo "Installing the pinned packages into .venv (a few minutes, once)"
	@trap '' INT; $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	$(SETUP) torch
	$(SETUP) --editable .
	touch $@

.venv/ready-explorer: .venv/ready
	$(SETUP) --editable '.[explorer]'
	touch $@

.venv/ready-test: .venv/ready
	$(SETUP) --editable '.[test]'
	touch $@

.venv/ready-slurm: .venv/ready
	$(SETUP) --editable '.[slurm]'
	touch $@
