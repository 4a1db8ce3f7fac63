# The door to modfleet. Every target sets up what it needs in .venv; a bare machine has python3, make and git.

PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m deploy.local
TEMPLATES = $(shell grep -l AWSTemplateFormatVersion deploy/*.yaml)

# Where Python may not keep what it compiles, each of hundreds of processes compiles all of it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo up cloud test chaos long mutants localstack-test bench check checkov fmt lint types lock release image sbom clean

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.dev ## install everything into .venv
demo: $(VENV)/.local ## show the main job on this laptop: uploads judged, violations gone (DIR=folder for your own files)
	@$(RUN).demo $(if $(DIR),--dir "$(DIR)") $(if $(JSON),--json)
up: $(VENV)/.local ## run the local cloud, a worker and the review console until Ctrl-C
	@$(RUN).run up
cloud: $(VENV)/.local ## run the local cloud alone until Ctrl-C
	@$(RUN).run cloud
test: $(VENV)/.dev ## run the tests, three files at a time (T="-k name" for some of them, one after the other)
	@$(BIN)/python -m pytest $(or $(T),--numprocesses 3 --dist loadfile --no-loadscope-reorder)
bench: $(VENV)/.dev ## measure speed and cost beside stock Celery and a boto3 loop (QUICK=1 under 90 s; 8 minutes otherwise)
	@$(BIN)/python -m tests.bench $(if $(QUICK),--quick)
chaos: $(VENV)/.dev ## kill workers and break AWS in every way, and count what was lost: nothing (20 minutes)
	@$(BIN)/python -m pytest tests/chaos -m "chaos or not chaos" $(T)
long: $(VENV)/.dev ## prove the same of more: every kind of bucket, kills after every write, 20,000 rescanned (an hour and more)
	@$(BIN)/python -m pytest tests/pipeline tests/contract -m long $(T)
mutants: $(VENV)/.dev ## change the policy engine in each of 4,000 ways, and name those that no test notices (hours; M="review": 4 minutes)
	@$(BIN)/python -m tests.mutants $(M)
localstack-test: $(VENV)/.dev ## run the pipeline tests on whatever AWS_ENDPOINT_URL names (deploy/localstack.md says how, and what is skipped)
	@[ -n "$$AWS_ENDPOINT_URL" ] || { echo "AWS_ENDPOINT_URL names no endpoint: docker compose -f deploy/compose.yaml up -d localstack; AWS_ENDPOINT_URL=http://127.0.0.1:4566 make $@" >&2; exit 2; }
	@MODFLEET_TEST_ENDPOINT="$$AWS_ENDPOINT_URL" $(BIN)/python -m pytest --timeout 1800 $(or $(T),tests/pipeline)
check: lint types test ## what CI runs
fmt: $(VENV)/.dev ## format the code
	@$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format .
lint: $(VENV)/.dev ## style, formatting, imports that go one way, and the templates by CloudFormation's own schema
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache && $(BIN)/cfn-lint $(TEMPLATES)
checkov: $(VENV)/checkov ## a second opinion on the templates (200 MB, in a venv of its own; deploy/checkov.yaml says what is left)
	@$(VENV)/checkov/bin/checkov --config-file deploy/checkov.yaml $(addprefix --file ,$(TEMPLATES))
types: $(VENV)/.dev ## mypy, strict
	@$(BIN)/mypy

lock: $(VENV)/.dev ## pin the newest allowed versions, with hashes
	@$(COMPILE) --all-extras --upgrade --output-file requirements-dev.lock pyproject.toml
	@$(COMPILE) --extra local --extra console --extra setup --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml
	@echo checkov | $(COMPILE) --upgrade --output-file requirements-checkov.lock -
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

release: $(VENV)/.dev ## build dist/, which the instances of deploy/fleet-ec2.yaml install
	@rm -rf dist && $(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist
	@$(COMPILE) --constraint requirements-dev.lock --output-file dist/requirements.lock pyproject.toml
	@cp deploy/ec2/* dist

image: ## build the image `modfleet` (EXTRAS="--extra console --extra otel" for more than the console; needs docker)
	@docker build --file deploy/Dockerfile --build-arg EXTRAS="$(EXTRAS)" --tag modfleet .
sbom: $(VENV)/.local ## write sbom.cdx.json, the bill of materials of the image: what the lock file names, with licences
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/image
	@$(BIN)/uv pip install --quiet --python $(VENV)/image/bin/python --require-hashes --constraint requirements-dev.lock $(EXTRAS) --requirement pyproject.toml
	@$(BIN)/uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py environment --pyproject pyproject.toml --mc-type application \
	  --spec-version 1.6 --output-reproducible --output-format JSON --output-file sbom.cdx.json $(VENV)/image
EXTRAS = $(shell sed -n 's/^ARG EXTRAS="\(.*\)"/\1/p' deploy/Dockerfile)

clean: ## remove the venv and what the local cloud wrote
	@rm -rf $(VENV) .modfleet dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find $(HOUSE) -name __pycache__ -exec rm -rf {} +
HOUSE := config deploy tasks tests worker

# ---- installation: exactly what the lock files say, by hash ----

$(BIN)/python:
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "modfleet needs Python 3.11 or newer; name one: make PY=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PY) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "$(PY) has no venv module (on Debian: apt-get install python3-venv)" >&2; exit 1; }

# uv installs three times faster than pip, and pip installs uv. Where uv finds no index that pip does, pip goes on.
define install
	@awk '/^[^ ]/ { on = /^uv==/ } on' $(1) > $(VENV)/uv.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r $(1) \
	  || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $(1)
endef

$(VENV)/.local: requirements.lock pyproject.toml Makefile | $(BIN)/python
	@echo "installing modfleet into $(VENV) ..."
	$(call install,requirements.lock)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.local
	@echo "installing the development tools into $(VENV) ..."
	$(call install,requirements-dev.lock)
	@touch $@

# Far from the others: it pins half of what there is.
$(VENV)/checkov: requirements-checkov.lock | $(VENV)/.local
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $@
	@$(BIN)/uv pip install --quiet --python $@/bin/python --require-hashes -r $< || { rm -rf $@; exit 1; }
	@touch $@
