# Every target sets up what it needs: Python 3.11 or newer and a network are all that must be there.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# A process more than there are cores, since tests wait a quarter of their time for what they started. A file's tests stay
# together, since many share a server; files go in the order of their names, which puts the long ones of tests/live before
# many short ones. More than four would gain little, and each has its own database.
WORKERS = -n $(shell $(BIN)/python -c 'import os; print(min(4, 1 + os.cpu_count()))') --dist loadfile --no-loadscope-reorder
GRAPHIQL := server/steadylight_server/api/assets/manifest.json
# The first Python that is new enough and can make a virtual environment; `make PYTHON=/path/to/python test` overrides.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$name && break; done)

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help test check format demo serve graphiql prove bench schema constraints clean setup

help: ## This list.
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

test: check $(GRAPHIQL) ## Everything: lint, types, imports, then all tests with coverage. ARGS="-k name" is handed to pytest.
	@$(browser)
	@$(BIN)/python -m pytest -p tests.house.coverage_floor $(WORKERS) $(ARGS)

check: $(READY) ## Lint, format, types and import contracts, without the tests.
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "Run: make format"; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(READY) ## Sort imports and lay out the code.
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

demo: $(READY) ## Seven stories of customers whom every channel knows; see what each screen is told. Ends by itself.
	@$(BIN)/python examples/demo.py

serve: $(READY) $(GRAPHIQL) ## A server on its own database in ./steadylight-data, until Ctrl-C.
	@$(BIN)/steadylight serve

graphiql: ## Build GraphiQL again; `test` and `serve` build it once. Needs node and npm.
	@rm -f $(GRAPHIQL) && STEADYLIGHT_REQUIRE_GRAPHIQL=1 $(MAKE) $(GRAPHIQL)

prove: $(READY) ## Every proof and figure, full size; written to build/figures.md.
	@$(BIN)/python -m tests.benchmarks --all

prove-%: $(READY) ## One of them, tests/benchmarks/prove_NAME.py: `make prove-replay`.
	@$(BIN)/python -m tests.benchmarks $*

bench: $(READY) ## The speed figures alone.
	@$(BIN)/python -m tests.benchmarks recording reading

schema: $(READY) ## Write from the code what of schema/ is made of it.
	@$(BIN)/python -m tests.house.contract

constraints: $(READY) ## Pin every dependency again, with hashes. The machine's own pip settings stay out of the file.
	@env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null $(BIN)/pip-compile --quiet --no-config \
		--upgrade --generate-hashes --all-extras --strip-extras --unsafe-package steadylight --no-header \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links -o constraints.txt pyproject.toml
	@sed -i '/^# WARNING/,$$d' constraints.txt  # the rest warns that steadylight itself is not pinned

clean: ## Remove what was built, the environment included.
	rm -rf build dist $(VENV) $(dir $(GRAPHIQL)) .cache/graphiql .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

setup: $(READY) ## Make or refresh .venv; the other targets do so by themselves.

$(READY): constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with its venv module is needed: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV); the first time takes a minute or two."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
	@$(database-libraries)
	@touch $@

# Extra: without node, or without the packages it is made of, everything else works.
$(GRAPHIQL): $(wildcard server/graphiql/*.*) | $(READY)
	@echo "Building GraphiQL; this takes a minute."
	@$(BIN)/python server/graphiql/hatch_build.py

# The tests try GraphiQL in a browser; where there is none and none can be installed, they say so and leave that out.
define browser
for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
if [ -f $(GRAPHIQL) ] && [ "$$(id -u)" = 0 ] && grep -qs '^ID=debian' /etc/os-release; then \
	echo "Installing Chromium, in which the tests try GraphiQL"; \
	{ timeout 120 apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		timeout 300 apt-get install -qq -y --no-install-recommends chromium; } >/dev/null 2>&1 || \
		echo "Chromium could not be installed; the tests that need it are left out." >&2; \
fi
endef

# The mongod inside the wheel links the system's OpenSSL 3 and curl, which a slim image lacks.
define database-libraries
mongod=$$(ls $(VENV)/lib/python3*/site-packages/fiftyone/db/bin/mongod 2>/dev/null) || exit 0; \
missing=$$(ldd "$$mongod" | awk '/not found/ { print $$1 }' | sort -u | tr '\n' ' '); \
if [ -z "$$missing" ]; then exit 0; fi; \
if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	echo "Installing what the embedded database links: $$missing"; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends libssl3 libcurl4 >/dev/null && exit 0; \
fi; \
if command -v mongod >/dev/null || [ -n "$$STEADYLIGHT_MONGOD" ]; then exit 0; fi; \
echo "The embedded database cannot start without $$missing" >&2; \
echo "Install libssl3 and libcurl4 (apt-get install libssl3 libcurl4), or set STEADYLIGHT_MONGOD to a mongod of your own." >&2; \
exit 1
endef
