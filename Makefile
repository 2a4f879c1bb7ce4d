# What a user or developer runs. `make` alone lists the targets; details are in CONTRIBUTING.md.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

# Yours are kept if they are set, as for a TensorFlow of your own.
MARTLET_TENSORFLOW_PATH ?= $(CURDIR)/.engines/tensorflow
MARTLET_LITERT_PATH ?= $(CURDIR)/.engines/litert
MARTLET_OPENVINO_PATH ?= $(CURDIR)/.engines/openvino
MARTLET_LLAMA_PATH ?= $(CURDIR)/.engines/llama
MARTLET_LLM_MODELS ?= $(CURDIR)/.models
MARTLET_FIXTURES ?= $(CURDIR)/.models/fixtures
export MARTLET_TENSORFLOW_PATH MARTLET_LITERT_PATH MARTLET_OPENVINO_PATH MARTLET_LLAMA_PATH
export MARTLET_FIXTURES MARTLET_LLM_MODELS

setup := scripts/setup.sh
python := .venv/bin/python
debug := $(CURDIR)/.build/debug/martlet
release := $(CURDIR)/.build/release/martlet

test-end-to-end: export MARTLET_BINARY ?= $(debug)
demo bench bench-peers bench-llm test-long: export MARTLET_BINARY ?= $(release)

.PHONY: help build demo test test-swift test-end-to-end test-long set-up-tests bench bench-peers bench-llm fuzz lint format clean distclean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

build: ## Build martlet for use: .build/release/martlet
	@$(setup) packages swift
	swift build -c release --product martlet

demo: ## Start clusters with models, break them under load, and talk to one
	@$(setup) packages swift engine litert openvino llama llm-models clients demo-model
	swift build -c release --product martlet
	$(python) Examples/transcription/demo.py --martlet .build/release/martlet
	$(python) Examples/front-door/demo.py --martlet .build/release/martlet
	$(python) Examples/customer-service/demo.py --martlet .build/release/martlet

test: test-swift test-end-to-end ## Run all tests

# So few at once, whatever the machine: with all of them at once each takes minutes, and what is to
# happen within seconds does not.
test-swift: set-up-tests ## Run the unit tests
	swift build --build-tests
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=16 scripts/test-swift.sh

test-end-to-end: set-up-tests ## Run the tests that start the real program (built by test-swift)
	$(python) -m pytest Tests/EndToEndTests -q --maxfail=30

test-long: export MARTLET_TEST_FULL := 1
test-long: set-up-tests ## Run the tests that usually do a part of their work, in full
	swift build -c release --product martlet
	$(python) -m pytest Tests/EndToEndTests/test_poisoned_chats_spoil_no_good_ones.py -q

set-up-tests:
	@$(setup) packages swift engine litert openvino llama llm-models gemma clients models-venv \
		fixtures demo-model promtool

bench: ## Measure what BENCHMARKS.md states
	@$(setup) packages swift engine litert openvino clients models-venv fixtures bench-peers
	swift build -c release --product martlet
	$(python) Benchmarks/run.py $(BENCH_FLAGS)

bench-peers: ## Measure a node beside other model servers (30 minutes; installs them, 8 GB)
	@$(setup) packages swift engine litert openvino clients models-venv fixtures demo-model
	swift build -c release --product martlet
	PYTHONDONTWRITEBYTECODE=1 $(python) Benchmarks/compare.py $(BENCH_FLAGS)

bench-llm: ## Measure a language model beside llama.cpp's own server (20 minutes)
	@$(setup) packages swift llama llama-server llm-models clients
	swift build -c release --product martlet
	$(python) Benchmarks/llm.py $(BENCH_FLAGS)

fuzz: SECONDS ?= 600
fuzz: ## Feed the parsers with mutated bytes, each target for SECONDS (default: 600)
	@$(setup) packages swift
	Fuzz/run.sh $(SECONDS)

lint: ## Check format and house rules; changes nothing
	@$(setup) packages swift lint-tools
	@failed=0; for check in tidy.sh shell.sh python.sh rooms.py swift.sh; do \
		echo "scripts/lint/$$check"; scripts/lint/$$check || failed=1; \
	done; exit $$failed

format: ## Format Swift and Python in place
	@$(setup) packages swift lint-tools
	scripts/lint/python.sh --fix
	scripts/lint/swift.sh --fix

clean: ## Remove what was built; downloads stay
	swift package clean
	find $(wildcard Benchmarks Examples Tests) -name __pycache__ -prune -exec rm -rf {} +
	rm -rf .pytest_cache .ruff_cache

distclean: ## Remove all that is not in git's care: builds and downloads
	rm -rf .build Fuzz/.build .downloads .engines .models .tools .venv .venv-models .pytest_cache .ruff_cache
