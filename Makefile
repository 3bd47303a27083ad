# make demo | make test | make check; `make help` lists them all.
# Everything lands in .venv and .cache; `make clean` removes both.

PYTHON ?= python3
ARGS ?=
MINUTES ?= 10
TAG ?= kakaocloud-broker:0.1.0
BASE ?=
WHOLE ?= 1
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
PREFIX ?= /opt/kakaocloud-broker
DESTDIR ?=
.PHONY: help demo test check install deb image sbom deploy-tools e2e-browser e2e-tools e2e-files e2e-systemd fuzz format sim bench keystone lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

demo: .venv/runtime.stamp ## an emulated IAM and a broker, a token over the socket; ARGS=--once exits after showing it
	@$(BIN)/broker demo $(ARGS)

test: .venv/dev.stamp keystone deploy-tools ## every test that this machine can run, a real Keystone included
	@rm -f .cache/coverage*
	@echo "Tests that measure, which need the machine to themselves:"
	@$(BIN)/coverage run -m pytest -q -m "alone and not browser and not tools and not files and not systemd"
	@$(BIN)/coverage run -m pytest -n 3 --dist worksteal -m "not browser and not tools and not files and not systemd and not alone" $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report
	@echo "Not among these: the attacks of a real browser, and the real clients, long runs of token files, a machine with systemd; make e2e-browser, e2e-tools, e2e-files and e2e-systemd run them."

# Whole brokers, processes, servers, hostile bytes, simulated weeks, real deadlines, the edge without its lane: `make test` has them.
LONG := $(addprefix --ignore=tests/,app bench cli client contracts diagnosis exchange fuzz issuer outward sim \
	deploy/test_recorded.py keeper/test_ticker.py serving/test_limits.py sinks/test_command.py test_whole_run.py)
check: .venv/dev.stamp ## format, lint, types, architecture, and the tests that need no server: under a minute
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pytest -q -n auto -m "not keystone and not e2e and not browser and not tools and not files and not systemd and not no_lane" $(LONG) $(ARGS)

e2e-browser: .venv/dev.stamp ## a real headless Chromium attacks a real broker, where there is one: half a minute
	@$(BIN)/pytest -v --maxfail=5 -m browser tests/browser $(ARGS)

e2e-tools: .venv/dev.stamp keystone ## the OpenStack and AWS command lines and libraries, Go, and every recipe of docs/, against a real broker
	@$(PYTHON) tests/venvs.py tools
	@$(BIN)/pytest -v -n 2 --dist loadfile -m tools tests/tools $(ARGS)

e2e-files: .venv/dev.stamp ## token files through 1,000 refreshes, 200 kills, and disks that are full, read-only or hang: four minutes; WHOLE=0: a tenth
	@KAKAOCLOUD_BROKER_LONG=$(WHOLE) $(BIN)/pytest -v -n 2 --dist load tests/e2e/test_token_files.py tests/e2e/test_token_files_trouble.py $(ARGS)

e2e-systemd: .venv/dev.stamp ## the Debian package on a real systemd that boots for it: crashes, upgrades, reloads, hardening; as root
	@$(BIN)/pytest -v -m systemd tests/systemd $(ARGS)

install: .venv/runtime.stamp ## the broker into PREFIX, its units and /etc/kakaocloud-broker, all below DESTDIR; as root
	@DESTDIR="$(DESTDIR)" PIP=$(BIN)/pip PYTHON="$$($(PYTHON) -c 'import os, sys; print(os.path.realpath(sys.executable))')" \
		sh deploy/package/install.sh "$(PREFIX)" /usr/local/lib /usr/local/bin

deb: .venv/runtime.stamp ## a Debian package in .cache/deb, for /usr/bin/python3's version; PYTHON_VERSION=3.13: another
	@PIP=$(BIN)/pip sh deploy/package/deb.sh

image: ## a container image with docker, podman or buildah; TAG=name:tag, BASE=another base, ARGS=the builder's options
	@sh deploy/image/build.sh "$(TAG)" "$(BASE)" $(ARGS)

deploy-tools: ## what judges manifests and the Dockerfile, in .cache/deploy-venv
	@$(PYTHON) tests/venvs.py deploy

# Of what the image installs and nothing else, with licences: so from an environment that has just that.
sbom: .venv/runtime.stamp deploy-tools ## the Python packages of the image in .cache/sbom.cdx.json, as CycloneDX
	@$(PYTHON) -m venv --clear --without-pip .cache/sbom-venv
	@$(BIN)/pip --python .cache/sbom-venv install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	@.cache/deploy-venv/bin/cyclonedx-py environment .cache/sbom-venv --pyproject pyproject.toml --mc-type application \
		--output-reproducible -o .cache/sbom.cdx.json
	@echo "sbom: .cache/sbom.cdx.json"

fuzz: .venv/dev.stamp ## ten minutes of hostile bytes and of requests made from the API's description; MINUTES=10
	@KAKAOCLOUD_BROKER_FUZZ_MINUTES=$(MINUTES) nice $(BIN)/pytest -q -s tests/fuzz $(ARGS)

format: .venv/dev.stamp ## put the code into its form
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format --quiet

sim: .venv/dev.stamp ## a week of trouble and a fleet's restart in simulated time, beside two other strategies: about a minute; ARGS=--json
	@$(BIN)/python -m bench.sim $(ARGS)

bench: .venv/runtime.stamp ## speed and size beside Go, nginx and others: ten minutes; ARGS=--quick: one; ARGS=--only=load: a part
	@$(BIN)/python -m bench.speed $(ARGS)

keystone: ## install the real Keystone that the tests talk to, in a venv of its own
	@$(PYTHON) tests/venvs.py keystone

# Exact versions with hashes and no index address: the host's own configuration says where packages come from.
lock: .venv/dev.stamp ## write the lock files anew from pyproject.toml
	@$(PIP) uv
	@for lock in runtime dev; do \
		test $$lock = dev && group="--group dev" || group=""; \
		$(BIN)/uv pip compile pyproject.toml $$group --universal --python-version 3.11 --generate-hashes \
			--no-header --no-annotate --quiet -o requirements/$$lock.lock; done
	@for lock in build deploy keystone tools; do \
		$(BIN)/uv pip compile requirements/$$lock.in --universal --python-version 3.11 --generate-hashes \
			--no-header --no-annotate --quiet -o requirements/$$lock.lock; done

clean: ## remove what was built
	@rm -rf .venv .cache .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/runtime.stamp: requirements/build.lock requirements/runtime.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "this needs Python 3.11 or newer; set PYTHON=python3.x")'
	@echo "Setting up .venv ..."
	@$(PYTHON) -m venv .venv
	@$(PIP) --require-hashes -r requirements/build.lock -r requirements/runtime.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@# pip compiles what it copies, and an editable package stays where it is: its first start would compile 200 files.
	@$(BIN)/python -m compileall -q broker
	@touch $@

.venv/dev.stamp: requirements/dev.lock .venv/runtime.stamp
	@echo "Setting up the tools of development ..."
	@$(PIP) --require-hashes -r requirements/dev.lock
	@touch $@
