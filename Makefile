# The workshop. `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# auto: containers where an engine answers, else the local environment
RUNTIME ?= auto
# what else to hand to pytest, e.g. make test ARGS='-k feeds'
ARGS ?=
export RUNTIME

VENV := .venv
BIN := $(VENV)/bin
# -W: a warning, such as a link or an anchor that leads nowhere, is an error
SPHINX = $(BIN)/sphinx-build -c docs -W --keep-going -q -d build/doctrees
SCRIPTS := .ci/run $(wildcard image/*/*.sh tests/*.sh tests/*/*.sh)

.PHONY: help demo test test-faults test-variants soak fuzz audit lint format docs links image engine base browser bench bench-peers wheel clean

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

demo: $(VENV)/ready ## train a small network on handwritten digits and quantize it
	@$(BIN)/python quantization/examples/digits/demo.py --runtime "$(RUNTIME)"

test: $(VENV)/ready ## all tests, on both runtimes
	@tests/run.sh $(ARGS)

test-variants: $(VENV)/ready ## tests of quantization/ on the other TensorFlow variants (VARIANTS="1.15 stock")
	@VARIANTS="$${VARIANTS:-1.15 2.0 2.1 stock}" tests/run.sh $(ARGS)

fuzz: $(VENV)/ready ## damaged and random graphs and data, by the thousand; reports in build/ (CASES=20000 MINUTES=60 SEED=0 SECONDS_EACH=60)
	@mkdir -p build
	python=$$($(BIN)/python tests/local_python.py)
	status=0
	"$$python" tests/fuzz/fuzz.py --cases "$${CASES:-20000}" --minutes "$${MINUTES:-60}" \
		--seed "$${SEED:-0}" --report build/fuzz.txt $(ARGS) || status=1
	"$$python" tests/fuzz/guided.py --seconds "$${SECONDS_EACH:-60}" --report build/fuzz-guided.txt || status=1
	exit $$status

test-faults: $(VENV)/ready ## faults of engines and jobs, hostile inputs, and what comes of each: build/faults.md (ARGS="inputs-local --resume")
	@$(BIN)/python -m tests.faults $(ARGS)

soak: $(VENV)/ready ## 200 runs killed at random moments, 50 pairs that race: build/soak.md (ARGS="--runs 20 --pairs 8 --seed 1 --resume")
	@$(BIN)/python -m tests.faults.soak $(ARGS)

audit: build/audit-tools/ready ## look all locked packages up in OSV, or in a checkout of pypa/advisory-database (ADVISORIES=FOLDER): build/audit.md
	@build/audit-tools/bin/python tests/audit.py $(if $(ADVISORIES),--advisories "$(ADVISORIES)")

lint: $(VENV)/ready ## ruff, mypy, import-linter, hadolint, shellcheck, GitHub's files
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file quantization/pyproject.toml
	$(BIN)/lint-imports --no-logo pyproject.toml
	PYTHONPATH=quantization $(BIN)/lint-imports --no-logo quantization/pyproject.toml
	$(BIN)/hadolint image/Dockerfile
	$(BIN)/shellcheck $(SCRIPTS)
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml

format: $(VENV)/ready ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/ready ## the site, strictly: build/docs/index.html; dead links and stale parts fail
	@$(BIN)/python docs/generate.py --check
	$(SPHINX) -b html . build/docs

links: $(VENV)/ready ## links that lead outside; needs a network
	@$(SPHINX) -b linkcheck . build/links

image: $(VENV)/ready ## build the image
	@$(BIN)/launch_quantization build

engine: ## start a Docker engine where none runs (Debian/Ubuntu, root)
	@image/base/engine.sh start

base: ## make a base image from Debian packages, where no registry can be reached (root)
	@image/base/make_base.sh

browser: ## install Chromium where there is none, for the tests of the report's page (Debian/Ubuntu, root)
	@if ! python3 -m tests.browser >/dev/null 2>&1; then
		export DEBIAN_FRONTEND=noninteractive
		{ apt-get update -q && apt-get install -q -y --no-install-recommends chromium; } || true # told below
	fi
	python3 -m tests.browser

bench: $(VENV)/ready ## measure: the launcher's overhead, the real graphs where ../shared is there, and bench-peers (PEERS=no: without)
	@tests/bench/run.sh $(ARGS)
	if [ "$${PEERS:-yes}" != no ] && [ -d ../shared/models ]; then tests/bench/peers/run.sh $(ARGS); fi

bench-peers: $(VENV)/ready ## us against other quantizers, each in an environment of its own: BENCHMARKS.md, hours (ARGS="resnet8 --threads 1 --readme README.md")
	@tests/bench/peers/run.sh $(ARGS)

wheel: $(VENV)/ready ## dist/: wheels and source distributions of launch-quantization and launch-quantization-core
	@$(BIN)/python -m build --no-isolation --outdir dist .
	trap 'rm -rf quantization/build quantization/*.egg-info quantization/LICENSE' EXIT
	cp LICENSE quantization/
	$(BIN)/python -m build --no-isolation --outdir dist quantization

clean: ## remove everything that make made here
	@rm -rf build dist $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis quantization/build quantization/*.egg-info
	find launcher quantization tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/ready: tests/requirements/dev.txt tests/make_venv.sh
	@tests/make_venv.sh $(VENV)

build/audit-tools/ready: tests/requirements/audit.txt
	@python3 -m venv --clear build/audit-tools
	build/audit-tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements/audit.txt
	touch $@
