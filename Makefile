# The project's commands. `make` lists them; each needs Python 3.11+ and nothing else that is not fetched by `make setup`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
# A Python of 3.11 to 3.13, to make the environment with.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
UV := $(BIN)/uv

# For uv and dg, which look for the environment that is active.
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

# Nothing here may reach an AWS account: the tests and the demo use the local AWS.
unexport AWS_PROFILE AWS_SESSION_TOKEN

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(UV):
	@test -n "$(PYTHON)" || { echo "Watershed needs Python 3.11, 3.12 or 3.13 on the PATH; none was found." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing (Debian: apt install python3-venv)." >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'

# Also where the command is missing, as after an installation that was broken off.
$(VENV)/.locked: requirements.lock pyproject.toml $(UV) $(if $(wildcard $(BIN)/watershed),,incomplete)
	@echo "installing the locked environment ..."
	@$(UV) pip sync --quiet --require-hashes --compile-bytecode requirements.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: incomplete
incomplete:

.PHONY: setup
setup: $(VENV)/.locked ## Install the locked environment, dbt's manifests and, where there is Java, OpenSearch
	@$(BIN)/watershed prepare

.PHONY: demo dev test test-slow latency
demo: setup ## The whole job on this machine: events into Kinesis, a dashboard and a search index out
	@$(BIN)/watershed demo

dev: setup ## Dagster's UI on 127.0.0.1 over the same state, while live flights come
	@$(BIN)/watershed dev

latency: setup ## Event to searchable, measured stage by stage on a state of its own: some ten minutes
	@$(BIN)/watershed latency

PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 4 --no-loadscope-reorder
test: setup ## The tests, but for those that have a target of their own: less than five minutes
	@$(PYTEST)

test-slow: setup ## Tests that build the models again and again, have many landers or commits, or a database of their own: some minutes
	@$(PYTEST) -m slow

tutorial: setup ## Follow docs/tutorial.md to the letter, in a copy of the project: a minute or two
	@$(BIN)/pytest -m tutorial --log-cli-level=INFO --log-cli-format='%(message)s' tests/tutorial

.PHONY: test-browser pictures
# CHROMIUM=<file> names a browser that is not on the PATH. Its pictures are in test-artefacts/.
test-browser: setup ## Dagster's UI, the lineage and the preview in a real Chromium: three minutes; skipped where there is none
	@$(BIN)/pytest -m browser -rs --durations=5 tests/browser

pictures: test-browser ## The pictures of the documentation anew, from those of the tests in a browser
	@$(BIN)/python -m tests.browser.pictures

.PHONY: terraform-fmt test-infra
terraform-fmt: ## Format infra/terraform
	@terraform fmt -recursive infra/terraform

# TERRAFORM_MIRROR=<folder> takes Terraform's AWS provider from a file-system mirror.
.venv-infra/.locked: requirements-infra.lock $(UV)
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python .venv-infra
	@$(UV) pip sync --quiet --python .venv-infra/bin/python --require-hashes requirements-infra.lock
	@touch $@

test-infra: setup .venv-infra/.locked ## infra/terraform: format, validity, plans, least privilege, an apply to the local AWS; no account needed
	@$(BIN)/pytest --numprocesses 2 --no-loadscope-reorder -m terraform -rs --durations=5 tests/terraform

.PHONY: test-spark
.venv-spark/.locked: requirements-spark.lock $(UV)
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python .venv-spark
	@$(UV) pip sync --quiet --python .venv-spark/bin/python --require-hashes requirements-spark.lock
	@touch $@

# Iceberg's jars come from Maven Central once, 100 MB, into the user's cache.
test-spark: $(VENV)/.locked .venv-spark/.locked ## The Spark jobs on a real Spark: three minutes; skipped where there is no Java 17
	@cd ingestion/spark && ../../$(BIN)/pyright --pythonpath ../../.venv-spark/bin/python
	@$(BIN)/pytest -m spark -rs --durations=5 tests/spark

.PHONY: docs tutorial
.venv-docs/.locked: requirements-docs.lock $(UV)
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python .venv-docs
	@$(UV) pip sync --quiet --python .venv-docs/bin/python --require-hashes requirements-docs.lock
	@touch $@

docs: .venv-docs/.locked ## The documentation as a site, in site/; a broken link fails
	@.venv-docs/bin/zensical build --strict

.PHONY: check lint types imports manifests sources reference
check: lint types imports manifests sources reference ## All that must hold beside the tests
	@$(BIN)/dg check defs

lint: $(VENV)/.locked ## Format and lint: Python and SQL
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@cd dbt_project && ../$(BIN)/sqlfluff lint --disable-progress-bar models tests

types: $(VENV)/.locked ## Type check
	@$(BIN)/pyright

imports: $(VENV)/.locked ## Who may import whom
	@$(BIN)/lint-imports

manifests: $(VENV)/.locked ## dbt parse for every target
	@cd dbt_project && for target in local athena redshift; do \
		../$(BIN)/dbt --quiet parse --target $$target --target-path target/parse-$$target; done

sources: $(VENV)/.locked ## Are the dbt sources as the contracts say?
	@$(BIN)/watershed sources --check

reference: $(VENV)/.locked ## Are the pages of docs/ that follow from the code as it says?
	@$(BIN)/watershed reference --check

.PHONY: lock reset
COMPILE = $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
lock: $(UV) ## Resolve the dependencies anew
	@$(COMPILE) --all-extras pyproject.toml --output-file requirements.lock
	@$(COMPILE) requirements-docs.in --output-file requirements-docs.lock
	@$(COMPILE) requirements-infra.in --output-file requirements-infra.lock
	@$(COMPILE) requirements-spark.in --output-file requirements-spark.lock

reset: $(VENV)/.locked ## End the local services and clear the local state
	@$(BIN)/watershed reset --yes
