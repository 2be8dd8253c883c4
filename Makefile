.DEFAULT_GOAL := help
SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: help setup demo demo-stop test lint simulate torture mutants screenshots \
	bench bench-peers bench-growth bench-memory bench-live pins

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKFLOWS ?= 2000
SEEDS ?= 10000
START ?= 0

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with everything pinned in requirements-test.txt

demo: $(READY) ## Run the delivery pipeline, or go on with it (REQUEST=file.json takes another)
	@tools/need.sh git git --version
	@$(BIN)/python -m examples.delivery run $(REQUEST)

demo-stop: $(READY) ## End the service that the demo deployed
	@$(BIN)/python -m examples.delivery stop

test: $(READY) ## Run all checks, tier by tier
	@tools/need.sh git git --version
	@tools/need.sh redis-server redis-server --version
	@tools/need.sh strace strace -V
	@tools/need.sh nodejs node --version
	@tools/need.sh curl curl --version
	@tools/need.sh chromium chromium --version
	@$(BIN)/python tools/run_tiers.py

torture: $(READY) ## Run what takes long: kills, lossy lines, crash sweeps, fuzz, soak (about 30 min)
	@tools/need.sh redis-server redis-server --version
	@$(BIN)/python tools/run_tiers.py torture

lint: $(READY) ## Run the checks that need no test: style, types, layers
	@$(BIN)/python tools/run_tiers.py lint

simulate: $(READY) ## Run whole systems from seeds, with faults everywhere (SEEDS=... START=...)
	@$(BIN)/python -m stagewright.testing.simulate --seeds $(SEEDS) --start $(START) --facts

bench: $(READY) ## Measure stages per second on SQLite and Redis (WORKFLOWS=...)
	@tools/need.sh redis-server redis-server --version
	@$(BIN)/python tools/bench_here.py $(WORKFLOWS)

bench-peers: $(READY) ## Measure beside BullMQ, pg-boss, Restate and others (ONLY=... RUNS=3 SCALE=1 WRITE=1)
	@tools/need.sh redis-server redis-server --version
	@$(BIN)/python -m benchmarks.bench_peers --only '$(ONLY)' --runs $(or $(RUNS),3) \
		--scale $(or $(SCALE),1) $(if $(WRITE),--write)

bench-growth: $(READY) ## Measure as live workflows, logs, payloads, partitions grow (ONLY=... BIG=1 WRITE=1)
	@tools/need.sh redis-server redis-server --version
	@$(BIN)/python -m benchmarks.bench_growth --only '$(ONLY)' $(if $(BIG),--big) $(if $(WRITE),--write)

bench-memory: $(READY) ## Measure memory and restart under waiting workflows (WAITING=100000 WRITE=1)
	@tools/need.sh redis-server redis-server --version
	@$(BIN)/python -m benchmarks.bench_memory --waiting $(or $(WAITING),100000) $(if $(WRITE),--write)

bench-live: $(READY) ## Measure 2,000 readers of live events, 100 of them stalled (READERS=... STALLED=...)
	@tools/need.sh redis-server redis-server --version
	@$(BIN)/python -m benchmarks.bench_live --readers $(or $(READERS),2000) --stalled $(or $(STALLED),100)

mutants: $(READY) ## Plant known mistakes and show what catches each (ONLY='words' BY='harnesses' ALL=1)
	@tools/need.sh redis-server redis-server --version
	@$(BIN)/python -m tools.mutants $(if $(ONLY),--only $(ONLY)) $(if $(BY),--by $(BY)) $(if $(ALL),--all)

screenshots: $(READY) ## Take a picture of every screen of the dashboard (INTO=folder ONLY='words')
	@tools/need.sh chromium chromium --version
	@$(BIN)/python -m tests.browser.screenshots $(or $(INTO),build/screenshots) $(ONLY)

pins: $(READY) ## Resolve requirements*.txt again from pyproject.toml (UPGRADE=1 takes newer versions)
	@$(BIN)/python -m pip install --quiet 'uv>=0.13'
	@$(PIN) pyproject.toml -o requirements.txt
	@$(PIN) --extra test pyproject.toml -o requirements-test.txt

# All platforms and all supported Pythons in one file, and nothing in it about where it was made.
PIN = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate \
	--custom-compile-command 'make pins' $(if $(UPGRADE),--upgrade)

$(READY): requirements-test.txt pyproject.toml tools/make_venv.sh tools/fetch_vendor.py
	@tools/make_venv.sh $(VENV)
	@echo 'installing the pinned packages ...'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
		--require-hashes -r requirements-test.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
		--no-deps --no-build-isolation -e .
	@$(BIN)/python tools/fetch_vendor.py
	@touch $@
