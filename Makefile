# make demo   a stack of two simulated connectors and a bot, running; needs python3, python3-venv
# make test   every check; needs cargo, a C compiler, git, ssh-keygen, strace and unshare as well
# make soak   random faults for an hour, or for SECONDS=600; STACK=paper: real programs; SEED=7 plays one round again
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
SECONDS ?= 3600
STACK ?= simulator

.PHONY: demo test lint types paper pytest soak clean

demo: $(VENV)/.demo
	@$(BIN)/hftstack up stacks/demo.yaml
	@echo
	@echo "The demo is running. Now type:"
	@echo "    $(BIN)/hftstack status          what is live"
	@echo "    $(BIN)/hftstack logs -f         what the units say; Ctrl-C ends it"
	@echo "    kill -9 PID                     of a connector: its bot has fresh data again within a second"
	@echo "    $(BIN)/hftstack down            stop it all"

test: need-test lint types paper pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

paper: $(VENV)/.dev need-test
	$(BIN)/python -m tests.cargo fmt --all --check
	$(BIN)/python -m tests.cargo build --release --workspace --locked
	$(BIN)/python -m tests.cargo clippy --workspace --all-targets --locked -- -D warnings
	$(BIN)/python -m tests.cargo test --workspace --locked --quiet

pytest: $(VENV)/.dev
	$(BIN)/pytest -n $(JOBS)

soak: $(VENV)/.dev
	$(if $(filter paper,$(STACK)),$(BIN)/python -m tests.cargo build --release --workspace --locked)
	$(BIN)/python -m tests.chaos.soak --stack $(STACK) --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "missing: python3. apt-get install python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "python3 is older than 3.11: set PYTHON=/path/to/a/newer/one"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	    || { echo "missing: Python's venv. apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[sim]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[sim,dev]'
	@touch $@ $(VENV)/.demo

.PHONY: need-test
need-test:
	@command -v cargo >/dev/null || { echo "missing: cargo. Install Rust with rustup"; exit 1; }
	@command -v cc >/dev/null || { echo "missing: a C compiler. apt-get install gcc libc6-dev"; exit 1; }
	@command -v git >/dev/null || { echo "missing: git. apt-get install git"; exit 1; }
	@command -v ssh-keygen >/dev/null || { echo "missing: ssh-keygen. apt-get install openssh-client"; exit 1; }
	@command -v strace >/dev/null || { echo "missing: strace. apt-get install strace"; exit 1; }
	@command -v unshare >/dev/null || { echo "missing: unshare. apt-get install util-linux"; exit 1; }

clean:
	rm -rf $(VENV) paper/target .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
