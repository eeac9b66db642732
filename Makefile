# The doors to this project. Each target is one line; what it does lives in tests/lab and tests/checks.
.DEFAULT_GOAL := help
.PHONY: help setup venv requirements lab-up lab-down lab-status demo

LAB = .venv/bin/python -m tests.lab

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
setup: ## Install what the lab needs on this machine: Docker engine, mmdebstrap, Python environment
	@tests/lab/setup.sh all
venv: ## Make the Python environment alone (no root needed)
	@tests/lab/setup.sh venv
requirements: venv ## Pin requirements.txt anew from requirements.in
	@.cache/uv-venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements.in -o requirements.txt
lab-up: setup ## Start the lab: 2 balancers, LAB_NODES (3) model servers in containers
	@$(LAB) up
lab-down: setup ## Remove the lab's containers and network
	@$(LAB) down
lab-status: setup ## Show the lab's containers, and the platform in them
	@$(LAB) status
demo: setup ## The whole story: build the platform, roll a release under load, refuse a bad one, lose a balancer
	@$(LAB) demo

include tests/checks.mk
include tests/benchmark.mk
