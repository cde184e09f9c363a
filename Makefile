# Each target installs what it needs: only Python 3.11 or later and make are required.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo run test test-fast test-sqlite test-postgres test-browser test-image test-e2e screenshots docs lint lock chart \
	release-check tools bench-admission bench-burst bench-copy bench-jobs bench-drain bench-ui bench-readiness bench-backfill bench-prune \
	bench-watch soak
.DEFAULT_GOAL := demo

$(STAMP): requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	touch $@

$(VENV): $(STAMP)

demo: $(STAMP)  ## the main use case, from an empty mirror to a pod that runs from it; ARGS=--once stops after that
	$(BIN)/python manage.py demo $(ARGS)

run: $(STAMP)  ## the whole system on this machine; ARGS="--config FILE"
	$(BIN)/python manage.py up $(ARGS)

test: $(STAMP) tools  ## all tests, on SQLite, on Postgres and in the browser
	$(BIN)/python -m tests.run_all $(ARGS)

test-sqlite: $(STAMP)
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not browser and not image and not cluster" $(ARGS)

NOT_FAST := browser e2e image scale
test-fast: $(STAMP)  ## tests that need no server and no separate process, in a minute
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "fast and not browser" $(NOT_FAST:%=--ignore=tests/%) $(ARGS)

test-postgres: $(STAMP)
	SWAPPER_TEST_DATABASE=postgres $(BIN)/python -m pytest -n 3 --dist worksteal -m "database and not cluster and not image" $(ARGS)

test-browser: $(STAMP)  ## an operator's stories on the running system, in Chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile -m browser $(ARGS)

test-image: $(STAMP)  ## build and run the container image; needs root, buildah, debootstrap and skopeo
	$(BIN)/python -m pytest -m image $(ARGS)

test-e2e: $(STAMP) tools  ## the chart on a real API server with its controllers
	$(BIN)/python -m pytest -m cluster $(ARGS)

screenshots: $(STAMP)  ## screenshots of the pages for README and docs, with sample data; ARGS=NAME makes only that one
	$(BIN)/python -m tests.tools chromium postgres
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

docs: $(STAMP)  ## build the documentation site in build/site; ARGS=serve shows it during editing
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(or $(ARGS),build --strict)

release-check: $(STAMP)  ## check that the version is the same in all files, and that the previous release runs on the new schema
	$(BIN)/python -m tools.release_check $(ARGS)
	$(BIN)/python -m tools.previous_release

chart: $(STAMP)  ## the chart's generated files: schema, README, list of known keys
	$(BIN)/python -m tools.chart

tools: $(STAMP)  ## Debian packages that the tests need, if they can be installed
	$(BIN)/python -m tests.tools

bench-admission: $(STAMP)  ## cost of one review, compared with bare views; ARGS=--json=FILE
	$(BIN)/python -m tests.tools wrk
	$(BIN)/python -m benchmarks.admission $(ARGS)

bench-burst: $(STAMP)  ## effect of a burst of new images on pods with known images
	$(BIN)/python -m benchmarks.burst

bench-copy: $(STAMP)  ## our engine, skopeo, crane and regclient; ARGS="--only=small --rounds=1 --json=FILE"
	$(BIN)/python -m benchmarks.copies $(ARGS)

bench-jobs: $(STAMP)  ## cost of the job system compared with the engine; ARGS="--images=50 --json=FILE"
	$(BIN)/python -m benchmarks.jobs $(ARGS)

bench-drain: $(STAMP)  ## CPU, statements and requests of one job in one process; ARGS="--images=100 --postgres"
	$(BIN)/python -m benchmarks.drain $(ARGS)

bench-ui: $(STAMP)  ## each page of admin and API with a million jobs; ARGS="--sqlite --json=FILE"
	$(BIN)/python -m benchmarks.ui $(ARGS)

bench-watch: $(STAMP) tools  ## a watcher of a large cluster on a real API server; ARGS="--pods=10000 --json=FILE"
	$(BIN)/python -m benchmarks.watching $(ARGS)

bench-readiness: $(STAMP)  ## CPU and memory of the fire drill with 50,000 running images; ARGS="--sqlite"
	$(BIN)/python -m benchmarks.readiness $(ARGS)

bench-backfill: $(STAMP)  ## a backfill of 20,000 images with 50,000 running images; ARGS="--sqlite"
	$(BIN)/python -m benchmarks.backfill $(ARGS)

bench-prune: $(STAMP)  ## effect on reviews while a year's history is deleted; ARGS="--seconds=30"
	$(BIN)/python -m benchmarks.prune $(ARGS)

soak: $(STAMP)  ## memory over half a million reviews; takes at least a quarter of an hour
	$(BIN)/python -m benchmarks.soak $(ARGS)

lint: $(STAMP)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: $(STAMP)  ## compile the locked requirements again
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header pyproject.toml --output-file requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header pyproject.toml --group dev --output-file requirements/dev.txt
