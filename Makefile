# Each target is one line of work; `make help` lists them. Nothing but Python 3.11+, make and git is needed.
SHELL := /bin/bash
PYTHON ?= python3
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := .venv/bin
PARTS ?=
BASE ?= sheaf-base
TAG ?= sheaf-job:latest
# A Python without bytecode doubles the start of every Dagster process.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo up down test check parts image bench docs clean

# list the targets
help:
	@awk '/^# /{about=substr($$0,3)} /^[a-z]+:/{split($$1,n,":"); if (about) printf "make %-8s %s\n", n[1], about; about=""}' Makefile

# the environment in .venv, as the lock file says
install: .venv/.installed

.venv/.installed: pyproject.toml uv.lock
	@command -v uv >/dev/null || test -x .uv/bin/uv || ($(PYTHON) -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check uv)
	$(UV) sync --frozen --quiet --extra platform --compile-bytecode
	@touch $@

# the whole way on this machine, on a demo site of our own; DEMO_EXIT=1 stops at the end
demo: install
	@$(RUN)/sheaf demo $(if $(DEMO_EXIT),--exit) $(if $(PORT_OFFSET),--port-offset $(PORT_OFFSET))

# the embedded stack: S3, graph server, Dagster
up: install
	@$(RUN)/sheaf up $(if $(PORT_OFFSET),--port-offset $(PORT_OFFSET))

# stop the embedded stack
down: install
	@$(RUN)/sheaf down

# the tests; PARTS=all adds the ones on MinIO, Postgres, Docker, Fuseki and the other real parts
test: install $(if $(PARTS),parts)
	@$(RUN)/pytest tests/unit tests/e2e -n 3 --dist loadfile
	@$(if $(PARTS),PARTS="$(PARTS)" $(RUN)/pytest tests/integration)

# style and types
check: install
	@$(RUN)/ruff check . && $(RUN)/ruff format --check . && $(RUN)/mypy

# install and build the production parts that tests need (Debian, root); kept under ~/.cache/sheaf/parts
parts: install
	@bash deployment/parts.sh $(if $(PARTS),$(PARTS),all)

# the image of the job containers; BASE is an image with Debian 12 and python3, TAG its name
image: install
	@bash deployment/image/build.sh $(BASE) $(TAG)

# the benchmarks, as ratios against something real in the same run
bench: install
	@for file in benchmarks/*.py; do echo "== $$file"; $(RUN)/python $$file || exit 1; done

# the generated pages of docs/
docs: install
	@$(RUN)/python docs/generate.py

# what can be made again
clean:
	rm -rf .venv .uv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
