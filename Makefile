# cpr-operator: build, test and try it. Needs Rust, Go 1.26 or newer and a C compiler, for the tests also what tests/postgres/install installs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET_DIR)/debug/cpr-operator
CARGO := cargo
# Arguments of the demo, such as DEMO_ARGS=--help
DEMO_ARGS ?=

# A figure to measure alone, such as FIGURE=drain
FIGURE ?=
# On what: postgres or sqlite
DATABASE ?= postgres

# How many faults a soak has, and which soak: soak::roles is the one on PostgreSQL alone
FAULTS ?= $(or $(CPR_SOAK_FAULTS),200)
SOAK ?= soak::

# Tests wait more than they compute.
export RUST_TEST_THREADS ?= $(shell expr 3 \* $$(nproc 2>/dev/null || echo 2))

# CLUSTER=current takes the cluster of the kubeconfig's current context; then Go is not needed.
ifeq ($(CLUSTER),current)
CONTROL_PLANE :=
WITH_CLUSTER :=
NODE :=
WITH_NODE :=
else
CONTROL_PLANE := build/cluster
WITH_CLUSTER := build/cluster run --
NODE := node-packages build/node build/pause
WITH_NODE := build/node run --
endif
WITH_POSTGRES := tests/postgres/run
GO_MODULE := tests/go.mod tests/go.sum tests/cluster/build.sh
CLUSTER_SOURCES := $(GO_MODULE) $(wildcard tests/cluster/*.go tests/cluster/*/*.go)
NODE_SOURCES := $(GO_MODULE) $(wildcard tests/cluster/*/*.go tests/node/*.go tests/node/image/*.go tests/node/config/*)
# What kubectl shares most packages with, and is built after.
KUBERNETES := $(if $(filter node-test e2e,$(MAKECMDGOALS)),$(filter build/node,$(NODE)),build/cluster)

.PHONY: help
help: ## Show this
	@grep -hE '^[a-z0-9/-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

.PHONY: demo
demo: tools $(CONTROL_PLANE) $(CONTROL_PLANE:cluster=kubectl) build ## From manifests to signed webhooks, on this machine
	@exec $(WITH_CLUSTER) $(BINARY) demo $(DEMO_ARGS)

.PHONY: build
build: tools ## Build the program (debug profile, the one that tests and demo use)
	@echo "Building cpr-operator: about 4 minutes the first time on 2 cores, seconds after a change."
	$(CARGO) build --locked

.PHONY: test
test: tools postgres format-check $(CONTROL_PLANE) build/helm build/promtool build/gitops build-all receivers lint ## Everything: format, lints, docs, tests on a real control plane
	$(WITH_POSTGRES) $(WITH_CLUSTER) $(CARGO) test --locked
	CPR_TEST_DATABASE=postgres $(WITH_POSTGRES) $(CARGO) test --locked --lib -- delivery:: ingest::
	CPR_TEST_DATABASE=postgres $(WITH_POSTGRES) $(WITH_CLUSTER) $(CARGO) test --locked --test it -- ingest:: operator:: journeys::

.PHONY: postgres
postgres: ## Install PostgreSQL's programs and the like where they are missing (as root on Debian)
	@tests/postgres/install

.PHONY: soak
soak: tools postgres $(CONTROL_PLANE) ## Kills, cuts and faults for about 40 minutes; FAULTS=, CPR_SEED=, SOAK= (docs/soak.md)
	CPR_SOAK_FAULTS=$(FAULTS) exec $(WITH_CLUSTER) $(CARGO) test --locked --test it $(SOAK) -- --nocapture --test-threads 1

.PHONY: bench
bench: tools postgres $(CONTROL_PLANE) ## Measure the figures of docs/limits.md, as a table; FIGURE=drain, DATABASE=sqlite
	@echo "Building the benchmarks: about 15 minutes the first time on 2 cores; measuring takes 15 more."
	$(CARGO) bench --locked --bench figures --no-run
	CPR_TEST_DURABLE=on DATABASE=$(DATABASE) exec $(WITH_POSTGRES) $(WITH_CLUSTER) $(CARGO) bench --locked --bench figures -- $(FIGURE)

.PHONY: node-test
node-test: $(NODE) build/hello build/kubectl ## Try the cluster with nodes: real pods, and that nothing stays behind
	go -C tests test ./node/image
	$(WITH_NODE) tests/node/trial
	tests/node/leftovers

.PHONY: e2e
e2e: tools postgres $(NODE) build/helm build/kubectl build ## Install the chart on a cluster with nodes, and upgrade, kill, drain, crash: nothing may be lost
	@echo "Building the journey: about 5 minutes the first time on 2 cores; then it takes about 6."
	$(CARGO) test --locked --test e2e --no-run
	CPR_TEST_SYNCHRONOUS=on $(WITH_NODE) $(WITH_POSTGRES) $(CARGO) test --locked --offline --test e2e -- --nocapture

.PHONY: node-packages
node-packages:
	@tests/node/install

.PHONY: lint
lint: tools ## Lints and documentation, warnings refused
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --test e2e -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps

.PHONY: fmt
fmt: ## Format the sources
	$(CARGO) fmt

.PHONY: crds
crds: build ## Write crds/ and the chart's copies anew after a change of a resource
	$(BINARY) crds --out crds/
	cp crds/*.yaml charts/cpr-operator/definitions/

.PHONY: schemas
schemas: build ## Write docs/schemas/ anew after a change of what events say
	$(BINARY) schemas --out docs/schemas/v1

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf build
	$(CARGO) clean

build/cluster: $(CLUSTER_SOURCES) ## Build the control plane for tests and demo
	@echo "Building the control plane (etcd and Kubernetes): about 5 minutes the first time on 2 cores, 20 s after a change."
	@tests/cluster/build.sh $@

build/kubectl: $(GO_MODULE) | $(KUBERNETES) ## Build kubectl
	@echo "Building kubectl: about 20 s."
	@tests/cluster/build.sh $@ k8s.io/kubernetes/cmd/kubectl

build/node: $(NODE_SOURCES) ## Build the cluster with nodes, for tests with real pods
	@echo "Building etcd, Kubernetes and CoreDNS: about 7 minutes the first time on 2 cores, 1 after the control plane, 15 s after a change."
	@tests/cluster/build.sh $@ ../node

# The official source, which is a part of the module of Kubernetes.
build/pause: $(GO_MODULE) | build/node ## Build what holds the namespaces of a pod
	@cc -Os -static -s -o $@ "$$(go -C tests list -m -f '{{.Dir}}' k8s.io/kubernetes)/build/pause/linux/pause.c"

build/hello: tests/node/hello/main.go ## Build what the trial of the nodes runs in its pods
	@CGO_ENABLED=0 go -C tests build -ldflags "-s -w" -o $(abspath $@) ./node/hello

build/helm: tests/helm/go.mod tests/helm/go.sum ## Build helm, for the tests of the chart
	@echo "Building helm: about 3 minutes the first time on 2 cores."
	@go -C tests/helm build -ldflags "-s -w" -o $(abspath $@) helm.sh/helm/v4/cmd/helm

build/gitops: $(wildcard tests/gitops/*.go) tests/gitops/go.mod tests/gitops/go.sum ## Build what judges health as Argo CD and Flux do, for tests
	@echo "Building the health checks of Argo CD and Flux: about 1 minute the first time on 2 cores."
	@go -C tests/gitops build -ldflags "-s -w" -o $(abspath $@) .

build/promtool: tests/prometheus/fetch ## Fetch promtool, for the tests of alerts and dashboard
	@tests/prometheus/fetch $@

RECEIVERS := python typescript java
.PHONY: receivers
receivers: $(RECEIVERS:%=build/receivers/%/built) ## Build the sample receivers whose toolchain is here, for their tests

.SECONDEXPANSION:
build/receivers/%/built: tests/receivers/build.sh $$(shell find docs/receivers/$$* -type f)
	@tests/receivers/build.sh $* $(@D)

.PHONY: build-all
build-all: tools
	@echo "Building cpr-operator and its tests: about 5 minutes the first time on 2 cores."
	$(CARGO) build --locked --all-targets

.PHONY: format-check
format-check: tools
	$(CARGO) fmt --check

.PHONY: tools
tools:
	@need() { command -v "$$1" >/dev/null || { echo "$$1 is missing: $$2" >&2; exit 1; }; }; \
	need $(CARGO) "install Rust, see https://rustup.rs"; \
	need cc "install a C compiler, on Debian: apt-get install build-essential"
