# Every target sets up what it needs. `make help` lists them.
SHELL := /bin/bash
empty :=
space := $(empty) $(empty)
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION ?= dev
ENV ?= appworld
PORT ?= 8000
# Rows of the synthetic world that images and `make serve` get. 300000 is the scale of AppWorld's
# own; a small one boots in seconds.
WORLD_ROWS ?= 20000
NAMESPACE ?= training-sandbox-system

UV_VERSION := 0.13.9
UV := build/tools/bin/uv
PYTHON := .venv/bin/python
ENVIRONMENT_PYTHON = $(CURDIR)/build/venvs/$(ENV)/bin/python
# APPWORLD_ROOT=… mounts a world of yours; without it a synthetic one is generated once.
APPWORLD_ROOT ?= $(CURDIR)/build/world/$(WORLD_ROWS)
# The tasks and answers of bfcl-eval, moved out of its venv, which episodes can read.
BFCL_DATA := $(CURDIR)/build/bfcl
# WEBSHOP_ROOT=… mounts a catalogue of yours; without it one of WEBSHOP_PRODUCTS is generated once.
WEBSHOP_PRODUCTS ?= 10000
WEBSHOP_ROOT ?= $(CURDIR)/build/webshop/$(WEBSHOP_PRODUCTS)
ENVIRONMENTS := $(notdir $(patsubst %/pyproject.toml,%,$(wildcard sandbox_image/environments/*/pyproject.toml)))
# Those that `tsb env new` has made bring a Dockerfile; the others' is sandbox_image/Dockerfile.
OWN_IMAGES := $(notdir $(patsubst %/Dockerfile,%,$(wildcard sandbox_image/environments/*/Dockerfile)))
BENCHED := $(if $(filter file,$(origin ENV)),$(filter bfcl webshop,$(ENVIRONMENTS)),$(ENV))
KNOWN = $(ENVIRONMENTS)
VENVS := venv $(addprefix venv-,$(ENVIRONMENTS))
# What ENV needs beside its venv, and where it finds it.
DATA = $(if $(filter appworld,$(ENV)),$(APPWORLD_ROOT)) $(if $(filter webshop,$(ENV)),$(WEBSHOP_ROOT))
DATA_ENVIRON = APPWORLD_ROOT=$(APPWORLD_ROOT) BFCL_DATA=$(BFCL_DATA) WEBSHOP_ROOT=$(WEBSHOP_ROOT)
CLUSTER_RUN := tests/cluster/run

export UV_PYTHON_DOWNLOADS := never
export VERSION

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9%-]+:.*## / {printf "  \033[1m%-19s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##
.PHONY: demo
demo: KNOWN = appworld bfcl webshop all
demo: known-env deploy ## From nothing to rewards: cluster, images, operator, 8 rollouts (ENV=bfcl, webshop, all)
	$(CLUSTER_RUN) $(PYTHON) -m examples.demo $(ENV)

# What waits for a cluster most of the time leaves the cores to what computes.
.PHONY: test
test: fast test-environments test-api test-faults-short deploy ## Run every test, e2e on the real cluster included
	$(MAKE) --no-print-directory e2e-shared
	@echo "Two at a time, each of them shown once it has ended: e2e tests that must be alone, AppWorld's, hostile code"
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target e2e-alone appworld test-hostile

.PHONY: test-fast
test-fast: fast appworld ## Run the tests that need no cluster

.PHONY: fast appworld
fast: $(VENVS)
	tests/cluster/tools helm cyclonus
	tests/cluster/run --no-cluster $(PYTHON) -m pytest -m "not e2e" --numprocesses auto tests
	$(PYTHON) -m pytest -c tests/sandbox_image/bfcl/pytest.ini tests/sandbox_image/bfcl
	build/venvs/webshop/bin/python -m pytest -c tests/sandbox_image/webshop/pytest.ini tests/sandbox_image/webshop

appworld: venv-appworld
	build/venvs/appworld/bin/python -m pytest --numprocesses auto -c tests/sandbox_image/appworld/pytest.ini tests/sandbox_image/appworld

.PHONY: test-environments
test-environments: $(VENVS) ## Check in short that every environment keeps its promises
	for environment in $(ENVIRONMENTS); do \
	  $(MAKE) --no-print-directory env-check ENV=$$environment SAMPLE=1 WORLD_ROWS=4000 WEBSHOP_PRODUCTS=1000 || exit 1; \
	done

.PHONY: test-api
test-api: venv ## Run the tests against a real API server without machines
	tests/cluster/tools common rig helm
	tests/cluster/control-plane >/dev/null
	tests/cluster/run --no-cluster $(PYTHON) -m pytest -o addopts="--strict-markers --import-mode=importlib -ra" tests/api_server

.PHONY: test-hostile
test-hostile: venv venv-appworld ## Run hostile agent code, with the jail and without (AS=image: as the image's user)
	$(if $(filter image,$(AS)),tests/sandbox_image/unprivileged) $(PYTHON) -m pytest -p no:cacheprovider --numprocesses auto -o addopts="--strict-markers --import-mode=importlib -ra" tests/sandbox_image/hostile

# FAULT_KILLS=… times at random; FAULT_SEED=… as a run before has printed it.
TEST_FAULTS := $(PYTHON) -m pytest -o addopts="--strict-markers --import-mode=importlib -ra" --timeout=3000 tests/faults
.PHONY: test-faults
test-faults: venv ## Kill the operator 200 times, stop the API server …, and see that no harm is done
	tests/cluster/tools common rig
	FAULT_LONG=1 $(TEST_FAULTS)

.PHONY: test-faults-short
test-faults-short: venv ## The short form of test-faults
	tests/cluster/tools common rig
	$(TEST_FAULTS)

.PHONY: test-long
test-long: venv ## Run 2,000 random sequences of calls against a server
	SANDBOX_STATEFUL_RUNS=2000 $(PYTHON) -m pytest --numprocesses 0 tests/sandbox_image/server/test_stateful.py

.PHONY: test-e2e
test-e2e: deploy ## Run the tests on the real cluster (CLUSTER=current: on yours)
	$(MAKE) --no-print-directory e2e-shared e2e-alone

.PHONY: e2e-shared e2e-alone
e2e-shared: venv venv-appworld
	$(CLUSTER_RUN) $(PYTHON) -m pytest -m "e2e and not alone" --numprocesses 2 --dist loadfile tests/e2e

e2e-alone: venv venv-appworld
	$(CLUSTER_RUN) $(PYTHON) -m pytest -m "e2e and alone" tests/e2e

.PHONY: lint
lint: $(VENVS) ## Check format, lint, types and the direction of imports
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/basedpyright
	$(foreach environment,$(ENVIRONMENTS),.venv/bin/basedpyright --project sandbox_image/environments/$(environment) &&) true
	.venv/bin/basedpyright --project client/src/training_sandbox/_template --pythonpath .venv/bin/python
	$(MAKE) --no-print-directory lint-imports
	git ls-files -z tests/cluster tests/sandbox_image/unprivileged .ci | xargs -0 grep -lZE '^#!.*(ba)?sh' | xargs -0 .venv/bin/shellcheck --external-sources --source-path SCRIPTDIR

.PHONY: lint-imports
lint-imports: venv ## Check the direction of imports alone
	PYTHONPATH=$(subst $(space),:,$(ENVIRONMENTS:%=sandbox_image/environments/%/src)) .venv/bin/lint-imports

.PHONY: format
format: venv ## Format the code
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

.PHONY: serve
serve: known-env venv venv-$(ENV) $(DATA) ## Serve ENV on 127.0.0.1:PORT with no cluster (ENV= PORT= APPWORLD_ROOT= WEBSHOP_ROOT=)
	SANDBOX_ENVIRONMENT=$(ENV) SANDBOX_ENVIRONMENT_PYTHON=$(ENVIRONMENT_PYTHON) \
	SANDBOX_HOST=127.0.0.1 SANDBOX_PORT=$(PORT) SANDBOX_STATE_DIR=$(CURDIR)/build/serve/$(PORT) \
	$(DATA_ENVIRON) exec .venv/bin/training-sandbox-server

.PHONY: env-check
env-check: known-env venv venv-$(ENV) $(DATA) ## Check that an environment keeps its promises (ENV=appworld SAMPLE=6)
	$(DATA_ENVIRON) .venv/bin/training-sandbox-conformance $(ENV) --python $(ENVIRONMENT_PYTHON) $(if $(SAMPLE),--sample $(SAMPLE))

##
.PHONY: cluster
cluster: ## Create the kind cluster of this checkout (idempotent)
	tests/cluster/up

.PHONY: cluster-down
cluster-down: ## Delete the kind cluster of this checkout, and all that it left
	tests/cluster/down

.PHONY: node-image
node-image: ## Pull kind's node image, or build it where nothing can be pulled
	tests/cluster/node-image

.PHONY: images
images: ## Build the images of the operator and of each environment (VERSION=dev)
	tests/cluster/build-image --file operator/Dockerfile --tag training-sandbox/operator:$(VERSION) .
	for environment in $(filter-out $(OWN_IMAGES),$(ENVIRONMENTS)) $(if $(OWN_IMAGES),environment); do \
	  tests/cluster/build-image --file sandbox_image/Dockerfile --target $$environment \
	    --build-arg APPWORLD_DATA=synthetic --build-arg WORLD_ROWS=$(WORLD_ROWS) --build-arg WEBSHOP_PRODUCTS=$(WEBSHOP_PRODUCTS) \
	    --tag training-sandbox/$$environment:$(VERSION) . || exit 1; \
	done
	for environment in $(OWN_IMAGES); do \
	  tests/cluster/build-image --file sandbox_image/environments/$$environment/Dockerfile \
	    --build-arg ENVIRONMENT_IMAGE=docker.io/training-sandbox/environment:$(VERSION) \
	    --tag training-sandbox/$$environment:$(VERSION) sandbox_image/environments/$$environment || exit 1; \
	done

.PHONY: deploy
deploy: venv cluster images ## Load the images and install the operator with Helm
	tests/cluster/load $(patsubst %,training-sandbox/%:$(VERSION),operator $(ENVIRONMENTS))
	$(CLUSTER_RUN) helm upgrade --install training-sandbox charts/training-sandbox \
	  --namespace $(NAMESPACE) --create-namespace --wait --timeout 3m \
	  --set image.tag=$(VERSION) --values tests/e2e/values.yaml \
	  --set-string podAnnotations.image-id="$$(tests/cluster/image-id training-sandbox/operator:$(VERSION))" \
	  $(foreach environment,$(ENVIRONMENTS),--set environments.$(environment).image=training-sandbox/$(environment):$(VERSION))

.PHONY: undeploy
undeploy: ## Uninstall the operator; CRDs and instances stay (see docs/install.md)
	$(CLUSTER_RUN) helm uninstall training-sandbox --namespace $(NAMESPACE) --wait --ignore-not-found

.PHONY: bench-ready
bench-ready: deploy ## Measure apply → Ready against the same pod started bare
	$(CLUSTER_RUN) $(PYTHON) -m benchmarks.ready

.PHONY: bench-operator
bench-operator: venv ## Measure the operator under load, on fake nodes (QUICK=1 PARTS="claims many …")
	PATH=$(CURDIR)/.venv/bin:$$PATH $(PYTHON) -m benchmarks.operator $(if $(QUICK),--quick) $(if $(PARTS),--only $(PARTS))

# QUICK=1: a small world and few repetitions. KEYS="create_group_ms_p50 …": only these.
.PHONY: bench-sandbox
bench-sandbox: venv venv-appworld $(CURDIR)/build/world/$(if $(QUICK),4000,300000) ## Measure what episodes of AppWorld cost (QUICK=1 KEYS=…)
	$(PYTHON) -m benchmarks.sandbox $(if $(QUICK),--quick) $(if $(KEYS),--only $(KEYS))

.PHONY: bench-soak
bench-soak: SOAKED = $(if $(filter file,$(origin ENV)),counter,$(ENV))
bench-soak: venv venv-appworld $(CURDIR)/build/world/4000 ## Play 2,000 episodes and see that nothing grows (ENV=appworld)
	$(PYTHON) -m benchmarks.soak --environment $(SOAKED)

.PHONY: bench-environments
bench-environments: venv $(addprefix venv-,$(BENCHED)) $(if $(filter webshop,$(BENCHED)),$(WEBSHOP_ROOT)) ## Measure what episodes of BFCL and WebShop cost (ENV=… QUICK=1)
	$(DATA_ENVIRON) $(PYTHON) -m benchmarks.environments $(BENCHED) $(if $(QUICK),--quick)

##
# First, before anything is installed or made for an ENV that is none.
.PHONY: known-env
known-env:
	@[[ " $(KNOWN) " == *" $(ENV) "* ]] || { echo "ENV=$(ENV): use one of $(KNOWN)" >&2; exit 2; }

.PHONY: venv
venv: .venv/.complete ## Install the packages and uv: .venv/bin/tsb, build/tools/bin/uv

venv-%: build/venvs/%/.complete ## Install one environment: build/venvs/NAME
	@:
.PRECIOUS: build/venvs/%/.complete locks/%.txt

.venv/.complete: locks/development.txt $(UV) pyproject.toml operator/pyproject.toml client/pyproject.toml sandbox_image/server/pyproject.toml sandbox_image/worker/pyproject.toml sandbox_image/conformance/pyproject.toml
	@echo "Installing the development environment (.venv)"
	$(UV) venv --quiet --allow-existing --python python3 .venv
	$(UV) pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes $<
	$(UV) pip install --quiet --python .venv/bin/python --no-deps -e operator -e client -e sandbox_image/server -e sandbox_image/worker -e sandbox_image/conformance
	@touch $@

# AppWorld brings its own pytest; the other environments get ours beside what they run on.
build/venvs/%/.complete: locks/%.txt locks/testing.txt sandbox_image/environments/%/pyproject.toml sandbox_image/worker/pyproject.toml $(UV)
	@echo "Installing the environment $* (build/venvs/$*)"
	$(UV) venv --quiet --allow-existing --python python3.11 build/venvs/$*
	$(UV) pip sync --quiet --compile-bytecode --python build/venvs/$*/bin/python --require-hashes $< $(if $(filter appworld,$*),,locks/testing.txt)
	$(UV) pip install --quiet --python build/venvs/$*/bin/python --no-deps -e sandbox_image/worker -e sandbox_image/environments/$*
	$(if $(filter appworld,$*),HOME=$(CURDIR)/build/venvs/appworld/home build/venvs/appworld/bin/appworld install)
	$(if $(filter bfcl,$*),data=$$(build/venvs/bfcl/bin/python -c 'import bfcl_eval; print(bfcl_eval.__path__[0])')/data; test ! -d $$data || { rm -rf $(BFCL_DATA) && mv $$data $(BFCL_DATA); })
	$(if $(filter appworld,$*),build/venvs/appworld/bin/python -m compileall -q build/venvs/appworld/lib/python3.11/site-packages/appworld)
	@touch $@

$(CURDIR)/build/world/%: | build/venvs/appworld/.complete
	build/venvs/appworld/bin/python -m training_sandbox_appworld.world --root $@ --rows $*

$(CURDIR)/build/webshop/%: | build/venvs/webshop/.complete
	build/venvs/webshop/bin/python -m training_sandbox_webshop.catalogue --root $@ --products $*

$(UV):
	@.ci/bootstrap-uv $(UV_VERSION) build/tools

.PHONY: lock
lock: $(UV) ## Compile the lock files anew after a change of dependencies (UPGRADE=1: newer versions)
	$(UV) pip compile $(LOCK_FLAGS) -o locks/development.txt pyproject.toml --group dev operator/pyproject.toml client/pyproject.toml sandbox_image/server/pyproject.toml
	$(UV) pip compile $(LOCK_FLAGS) -o locks/operator.txt -c locks/development.txt operator/pyproject.toml client/pyproject.toml
	$(UV) pip compile $(LOCK_FLAGS) -o locks/server.txt -c locks/development.txt sandbox_image/server/pyproject.toml
	$(foreach environment,$(ENVIRONMENTS),$(call lock-environment,$(environment)) &&) true
	printf 'hypothesis\npytest\n' | $(UV) pip compile $(LOCK_FLAGS) -o locks/testing.txt -c locks/development.txt -
	echo hatchling | $(UV) pip compile $(LOCK_FLAGS) -o locks/build.txt -

# An environment that is new has no lock yet.
locks/%.txt: | $(UV)
	$(call lock-environment,$*)

# AppWorld's pins are not ours.
lock-environment = $(UV) pip compile $(LOCK_FLAGS) $(if $(filter appworld,$(1)),,-c locks/development.txt) --project sandbox_image/environments/$(1) -o locks/$(1).txt sandbox_image/environments/$(1)/pyproject.toml
LOCK_FLAGS := --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
  --no-emit-package training-sandbox-worker $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: cluster-down ## Delete the cluster and all that was built in this checkout
	rm -rf build .venv .pytest_cache .ruff_cache .hypothesis
