# Every verb of the project. `make help` explains them.
SHELL := /bin/sh
.DEFAULT_GOAL := help

ENV ?= dev
PYTHON ?= python3
UV_VERSION := 0.13.9
# What flytekit takes: python3 may be newer than that.
FLYTEKIT_PYTHON := '>=3.11,<3.13'
PACKAGE ?= workflows/aerodrome_workflows/fraud_detection
BIN := .venv/bin
CDK := CDK_DISABLE_CLI_TELEMETRY=true node_modules/.bin/cdk

# The project's own python, node and npm come first, whatever the machine has.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup try check check-workflows synth diff test lint types unit unit-platform unit-parts policies rules workflows connector flyte2 embedded smoke charts rendered record-release snapshots schema guardrails format dashboards bench diagram locks clean

help: ## Explain every verb
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.installed .venv-local/.installed .venv-workflows/.installed node_modules/.installed ## Install what the project needs, into the project's own folders

try: setup ## Deploy the whole platform to an AWS on this machine, and run a job and a Flyte workflow on it
	@$(BIN)/aerodrome try

check: setup ## Say what is wrong with the environments, or what each will build
	@$(BIN)/aerodrome check

check-workflows: setup ## Refuse what AWS Batch would not do for a package of Flyte workflows (PACKAGE=folder ENV=dev)
	@$(BIN)/aerodrome check-workflows $(PACKAGE) --env $(ENV)

synth: setup ## Write the CloudFormation templates of one environment to cdk.out (ENV=dev)
	@$(CDK) synth -c env=$(ENV) --quiet

diff: setup ## Show what a deploy of one environment would change (ENV=dev)
	@$(CDK) diff -c env=$(ENV)

# The tests of the embedded AWS and the smoke test mostly wait, for servers, jobs and the CDK CLI, which looks at a stack
# every 5 seconds: side by side with the others they cost little time.
test: setup ## Run everything that must pass: lint, types, policies, rules, unit, workflow, embedded and smoke tests
	@$(MAKE) --no-print-directory --jobs=3 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) smoke embedded unit connector workflows flyte2 policies rules types lint

lint: setup ## Check style, import directions and locks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

types: setup .venv-flyte2/.installed ## Check types
	@$(BIN)/mypy .
	@$(BIN)/mypy --follow-imports silent --cache-dir .mypy_cache/flyte2 --python-executable .venv-flyte2/bin/python connectors/flytekit_aws_batch/flytekit_aws_batch/flyte2/*.py tests/connectors/flyte2/*.py tests/connectors/flyte2/example/*.py

unit: unit-platform unit-parts ## Run the tests that need no embedded AWS

# Two halves of about the same length: `make test` runs them side by side.
unit-platform: setup ## Of these, those on the templates and charts of the platform
	@$(BIN)/pytest tests/stacks tests/charts

unit-parts: setup ## Of these, the others
	@$(BIN)/pytest --ignore=tests/smoke --ignore=tests/local --ignore=tests/stacks --ignore=tests/charts

policies: setup .venv-checkov/.installed ## Check the templates of every environment with checkov, without the network
	@$(BIN)/python tools/checkov_templates.py

rules: setup ## Check Prometheus' rules and the queries of dashboards with promtool, and run the rules' own tests
	@$(BIN)/python tools/rules.py

workflows: setup ## Run the tests of the Flyte workflows, where flytekit is
	@[ -x .venv-workflows/bin/python ] || { echo 'aerodrome: the Flyte workflows cannot be tested without .venv-workflows' >&2; exit 1; }
	@.venv-workflows/bin/python -m pytest -c tests/workflows/flyte/pytest.toml tests/workflows/flyte

connector: setup ## Run the tests of the connector for AWS Batch that need flytekit
	@[ -x .venv-workflows/bin/python ] || { echo 'aerodrome: the connector cannot be tested without .venv-workflows' >&2; exit 1; }
	@.venv-workflows/bin/python -m pytest -c tests/connectors/flytekit/pytest.toml tests/connectors/flytekit

flyte2: setup .venv-flyte2/.installed ## Run the tests of the connector's layer for Flyte 2, where Flyte 2 is
	@.venv-flyte2/bin/python -m pytest -c tests/connectors/flyte2/pytest.toml tests/connectors/flyte2

embedded: setup ## Run the tests of the embedded AWS, and of the platform deployed to it
	@$(BIN)/pytest tests/local

smoke: setup ## Run the smoke test: `make try` as a user runs it, interrupted and taken up again
	@$(BIN)/pytest tests/smoke

charts: setup ## Pull the upstream charts that the platform pins into .charts (needs a network)
	@$(BIN)/python tools/pull_charts.py

rendered: setup ## Render every chart for every environment and check what comes out (AERODROME_CHARTS=.charts)
	@AERODROME_CHARTS="$${AERODROME_CHARTS:-.charts}" $(BIN)/pytest tests/charts/rendered

record-release: setup ## Write down what a release put into clusters and cannot change any more, once it is out
	@$(BIN)/pytest tests/charts/rendered/test_last_release.py --update

snapshots: setup ## Write the snapshots of templates and manifests anew; read the difference before you commit it
	@$(BIN)/pytest tests/stacks/test_snapshots.py tests/charts/rendered/test_manifest_snapshots.py --update

schema: setup ## Write environments/schema.json and docs/reference/environment.md anew
	@$(BIN)/python -m aerodrome_stacks.environment.schema
	@$(BIN)/python tools/environment_reference.py

guardrails: setup ## Write docs/reference/acknowledgements.md and policies.md anew
	@$(BIN)/python tools/acknowledgements.py

format: setup ## Format the code and sort its imports
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

dashboards: setup ## Write Grafana's dashboards anew, from tools/dashboards
	@$(BIN)/python tools/dashboards.py

bench: setup ## Measure synth, deploy and test times, and write docs/performance.md
	@$(BIN)/python tools/bench.py

diagram: setup ## Draw the picture of the platform in README.md anew
	@$(BIN)/python tools/diagram.py

locks: .venv/.installed ## Resolve the Python locks and package-lock.json anew
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock
	@$(BIN)/uv pip compile local/requirements.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file local/requirements.lock
	@$(BIN)/uv pip compile tools/checkov/requirements.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file tools/checkov/requirements.lock
	@$(BIN)/uv pip compile workflows/requirements.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file workflows/requirements.lock
	@$(BIN)/uv pip compile connectors/flytekit_aws_batch/requirements.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file connectors/flytekit_aws_batch/requirements.lock
	@$(BIN)/uv pip compile connectors/flytekit_aws_batch/flyte2-requirements.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file connectors/flytekit_aws_batch/flyte2-requirements.lock
	@npm install --package-lock-only --omit-lockfile-registry-resolved

clean: ## Stop the embedded AWS and remove everything that setup, synth and try made
	@if [ -x $(BIN)/aerodrome ] && [ -d .venv-local ]; then $(BIN)/aerodrome local down; fi
	rm -rf .venv .venv-local .venv-checkov .venv-workflows .venv-flyte2 node_modules cdk.out build .aerodrome .promtool

# What is installed follows from the locks; the stamps make a second `make` cost nothing.
.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and "aerodrome: $(PYTHON) is " + sys.version.split()[0] + "; Python 3.11.4 or newer is needed. Say which one to take: make PYTHON=python3.12")'
	@echo "Installing the project's Python packages into .venv"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

.venv-local/.installed: local/requirements.lock .venv/.installed
	@echo "Installing the embedded AWS into .venv-local"
	@[ -x .venv-local/bin/python ] || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-local
	@$(BIN)/uv pip sync --quiet --require-hashes --python .venv-local/bin/python local/requirements.lock
	@touch $@

.venv-workflows/.installed: workflows/requirements.lock connectors/flytekit_aws_batch/pyproject.toml .venv/.installed
	@echo "Installing flytekit into .venv-workflows"
	@if $(BIN)/uv python find --no-python-downloads $(FLYTEKIT_PYTHON) >/dev/null 2>&1; then set -e; \
		[ -x .venv-workflows/bin/python ] || $(BIN)/uv venv --quiet --no-python-downloads --python $(FLYTEKIT_PYTHON) .venv-workflows; \
		$(BIN)/uv pip sync --quiet --require-hashes --python .venv-workflows/bin/python workflows/requirements.lock; \
		$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python .venv-workflows/bin/python --editable connectors/flytekit_aws_batch; \
		echo "$(CURDIR)/workflows" > "$$(.venv-workflows/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/aerodrome_workflows.pth"; \
		touch $@; \
	else \
		echo "aerodrome: flytekit needs Python 3.11 or 3.12, and this machine has neither; all but make workflows and make check-workflows runs without" >&2; \
	fi

.venv-flyte2/.installed: connectors/flytekit_aws_batch/flyte2-requirements.lock connectors/flytekit_aws_batch/pyproject.toml .venv/.installed
	@echo "Installing Flyte 2 into .venv-flyte2"
	@[ -x .venv-flyte2/bin/python ] || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-flyte2
	@$(BIN)/uv pip sync --quiet --require-hashes --python .venv-flyte2/bin/python connectors/flytekit_aws_batch/flyte2-requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python .venv-flyte2/bin/python --editable connectors/flytekit_aws_batch
	@touch $@

.venv-checkov/.installed: tools/checkov/requirements.lock .venv/.installed
	@echo "Installing checkov into .venv-checkov"
	@[ -x .venv-checkov/bin/python ] || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-checkov
	@$(BIN)/uv pip sync --quiet --require-hashes --python .venv-checkov/bin/python tools/checkov/requirements.lock
	@touch $@

node_modules/.installed: package-lock.json .venv/.installed
	@echo "Installing the CDK CLI into node_modules"
	@npm ci --silent --no-audit --no-fund --no-update-notifier
	@touch $@
