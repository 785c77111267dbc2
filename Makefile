# make demo and make test need nothing but Python 3.10 to 3.12; both make .venv themselves.
PYTHON ?= $(shell for p in python3.12 python3.11 python3.10 python3 python; do \
	$$p -c 'import sys, ensurepip, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null \
	&& echo $$p && break; done)
BIN = .venv/bin
DEMO = data/demo/demo_s0

.PHONY: demo test test-slow lint check bench clean

demo: .venv/ready
	$(BIN)/python main.py --algo ddpg --env Pendulum -s 0 --exp_name demo --overwrite \
		--epochs 15 --steps_per_epoch 2000 --start_steps 1000
	$(BIN)/python main.py eval $(DEMO) --episodes 20
	$(BIN)/python main.py plot $(DEMO) -y Performance -o data/demo/curve.png

# Tests compile hundreds of programs and run each for milliseconds: optimising them, and cutting them up for many cores,
# costs more than it saves.
QUICK_XLA = --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false \
	--xla_cpu_parallel_codegen_split_count=1
test: .venv/ready
	XLA_FLAGS="$$XLA_FLAGS $(QUICK_XLA)" $(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal

test-slow: .venv/ready
	$(BIN)/python -m pytest -m slow

lint: .venv/ready
	$(BIN)/black --check --quiet . || { echo "run $(BIN)/black ."; exit 1; }
	$(BIN)/lint-imports
	$(BIN)/mypy rl main.py
	$(BIN)/pylint rl main.py

check: lint test

bench: .venv/ready .venv-bench/ready
	$(BIN)/python benchmarks/speed.py --out benchmarks/results/speed.json

.venv/ready: requirements.lock
	@test -n "$(PYTHON)" || { echo "make: Python 3.10, 3.11 or 3.12 with venv is missing"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	touch $@

.venv-bench/ready: benchmarks/requirements.txt
	@test -n "$(PYTHON)" || { echo "make: Python 3.10, 3.11 or 3.12 with venv is missing"; exit 1; }
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	touch $@

clean:
	rm -rf .venv .venv-bench .mypy_cache .pytest_cache
