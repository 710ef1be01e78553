# demo and test set up what they need; on a fresh machine start with either.
# Needs Python 3.11 or newer, git and make.

PYTHON ?= python3
BIN := .venv/bin
# Apptainer comes there with the tests; the machine's own goes first.
PATH := $(CURDIR)/$(BIN):$(PATH):/var/tmp/bidsloom-apptainer-$(shell id -u)/bin
export PATH
# Without compiled modules every job would pay seconds for its imports.
unexport PYTHONDONTWRITEBYTECODE

# Tests of SLURM mostly wait: one worker more than there are CPUs.
WORKERS = $(shell echo $$(( $$(nproc 2> /dev/null || echo 2) + 1 )))

.PHONY: demo test test-more test-apps test-fuzz test-kills bench bench-peers lint format docs setup setup-page setup-tests clean-demo

demo: setup
	@bash demo/run.sh

test: setup-tests
	@bash tests/install_packages.sh
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile

# Made-up configurations, others each time.
test-fuzz: setup-tests
	@$(BIN)/pytest -m fuzz --hypothesis-show-statistics

test-apps: setup-tests
	@bash tests/install_packages.sh
	@$(MAKE) --no-print-directory .cache/fitlins.sif
	@$(BIN)/pytest -m apps

# The same promises as in other tests, for further kinds of store, umasks and moments.
test-more: setup-tests
	@bash tests/install_packages.sh
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal -m more

# Hours: deaths at every call of git and git-annex, and BIDSLOOM_TEST_KILLS random ones.
test-kills: setup-tests
	@$(BIN)/pytest -n auto --dist worksteal -m kills -rP tests/integration

.cache/fitlins.sif: $(addprefix tests/apps/fitlins/, build.sh requirements.txt steps/prepare.py steps/regions.py) | setup-tests
	@bash tests/apps/fitlins/build.sh $@

lint: setup-tests
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/Snakefile workflow/rules
	$(BIN)/mypy

format: setup-tests
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/Snakefile workflow/rules

# Fails for a broken link or anchor, and for a page that is in no table of contents.
docs: setup-tests
	$(BIN)/python tools/describe_config.py > config/README.md
	$(BIN)/sphinx-build -q -W --keep-going -n -E -d .cache/docs docs site

# What a study needs; what the live page needs beside it; and all that tests, linters
# and the documentation need.
setup: .venv/made
setup-page: .venv/made-page
setup-tests: .venv/made-tests

.venv/made: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -qq --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m compileall -q .venv || true
	@touch $@

.venv/made-page: requirements-page.txt .venv/made
	$(BIN)/pip install -qq --disable-pip-version-check -r requirements-page.txt
	$(BIN)/python -m compileall -q .venv || true
	@touch $@

.venv/made-tests: requirements-test.txt requirements-page.txt .venv/made
	$(BIN)/pip install -qq --disable-pip-version-check -r requirements-test.txt
	$(BIN)/python -m compileall -q .venv || true
	@touch $@

clean-demo:
	@chmod -R u+w demo/bids demo/derivatives.git demo/scratch results/demo 2>/dev/null || true
	rm -rf demo/bids demo/derivatives.git demo/scratch results/demo

bench: setup-tests
	@bash tests/install_packages.sh
	@$(BIN)/python bench/everything.py

# BABS and FAIRly-big's commands beside bidsloom; needs 7z (Debian: p7zip-full).
bench-peers: setup-tests .cache/peers/made
	@bash tests/install_packages.sh
	@cd bench && ../$(BIN)/python -c 'import peers; peers.check_machine()'
	@$(BIN)/python bench/everything.py peers

.cache/peers/made: bench/peers-requirements.txt
	$(PYTHON) -m venv .cache/peers
	.cache/peers/bin/pip install -qq --disable-pip-version-check -r bench/peers-requirements.txt
	.cache/peers/bin/python -m compileall -q .cache/peers || true
	@touch $@
