# Measurements, one line each; they print numbers and fail past their limits.

.PHONY: bench-callbacks

bench-callbacks: venv ## Measure what the callbacks cost: HOSTS (500) x TASKS (40), against the default output
	@$(or $(PYTHON),.venv/bin/python) -m tests.benchmark.callbacks
