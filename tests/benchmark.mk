# Measurements, one line each; they print numbers and fail past their limits.

.PHONY: bench-anomaly bench-anomaly-load bench-balance bench-callbacks bench-rollout bench-scale bench-store

bench-anomaly: venv ## Measure what the anomaly detectors find, miss and imagine, beside rules that draw bands. SEEDS=tuning, or held-out
	@ANSIBLE_COLLECTIONS_PATH=.cache/collections PYTHONPATH=.cache/collections $(or $(PYTHON),.venv/bin/python) -m tests.anomaly.evaluate
bench-anomaly-load: venv ## Measure what the anomaly detector takes for SERIES=10000 a minute, with full models. ROUNDS=10
	@ANSIBLE_COLLECTIONS_PATH=.cache/collections PYTHONPATH=.cache/collections $(or $(PYTHON),.venv/bin/python) -m tests.benchmark.anomaly
bench-balance: lab-up ## Measure who is kept waiting by a slow engine: roundrobin and leastconn, without and with load agents. RATE=100 DURATION=30
	@$(or $(PYTHON),.venv/bin/python) -m tests.benchmark.balance
bench-callbacks: venv ## Measure what the callbacks cost: HOSTS (500) x TASKS (40), against the default output
	@$(or $(PYTHON),.venv/bin/python) -m tests.benchmark.callbacks
bench-rollout: lab-up ## Measure rollouts side by side with the textbook's: time, requests lost, streams cut, what is left. BAKE=30 ROWS=all SIDES=all RATE=40 STREAMS=4
	@ANSIBLE_COLLECTIONS_PATH=.cache/collections PYTHONPATH=.cache/collections $(or $(PYTHON),.venv/bin/python) -m tests.benchmark.rollout
bench-scale: lab-up ## Measure a plan and a lease for 2,000 nodes, and haproxy_server on 1,000 servers
	@ANSIBLE_COLLECTIONS_PATH=.cache/collections PYTHONPATH=.cache/collections $(or $(PYTHON),.venv/bin/python) -m tests.benchmark.scale
bench-store: lab-up ## Measure rollouts of a large model through the cache, from the store, and by a copy task. MIB=1024
	@ANSIBLE_COLLECTIONS_PATH=.cache/collections PYTHONPATH=.cache/collections $(or $(PYTHON),.venv/bin/python) -m tests.benchmark.store
