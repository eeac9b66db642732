# The areas of tests/checks, one line each; the Makefile includes this file.

.PHONY: lint unit sanity docs build molecule chaos replay test

lint: venv ## Lint YAML, roles, playbooks and Python, types included
	@$(CHECKS) lint
unit: venv ## Unit tests and the architecture rules
	@$(CHECKS) unit
sanity: venv ## ansible-test sanity, on a copy of the tree
	@$(CHECKS) sanity
docs: venv ## Lint what ansible-doc and Galaxy will show
	@$(CHECKS) docs
build: venv ## Build the collection into build/ and look into the package
	@$(CHECKS) build
molecule: setup ## Every role's scenario and the stories, on a lab of their own
	@$(CHECKS) molecule
chaos: setup ## The whole list of faults against a rollout; hours
	@$(CHECKS) chaos
replay: venv ## Show what the guard would do in ten recorded storms. STORM=FILE for one, POLICY=FILE for another policy
	@ANSIBLE_COLLECTIONS_PATH=.cache/collections PYTHONPATH=.cache/collections $(or $(PYTHON),.venv/bin/python) -m tests.replay
test: setup ## Everything above but chaos, with one summary at the end
	@$(CHECKS) all

CHECKS = $(or $(PYTHON),.venv/bin/python) -m tests.checks
