# cast-agent: `make run` shows a picture, `make test` runs every test; both install what is missing first.

PYTHON ?= python3
BIN := .venv/bin
CYCLES ?= 300
MINUTES ?= 15
EVENTS ?= 10000
JOBS ?= 1000
MESSAGES ?= 10000
SWITCHES ?= 100
KILLS ?= 20
RELOADS ?= 500
ROUNDS ?= 200
DROPS ?= 20
RACES ?=
SEED ?=
TEST_WORKERS ?= 4
# The folders of long files first, those of short ones last: no worker is left alone with a long one at the end. pytest-xdist
# by itself begins with the files of many tests, which are the short ones. Files that play: tests/support/order.py.
TEST_ORDER := --dist loadfile --no-loadscope-reorder tests/central tests/reporting tests/real tests/unit

# Containers set it, and each of the hundreds of processes of a test run would compile all of its modules.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run run-central run-central-full test check lint bench bench-central drops races soak soak-reports soak-library soak-faces soak-pages soak-home-assistant clean setup setup-central setup-test
.PHONY: install test-install test-containers test-pythons rollback uninstall install-central rollback-central uninstall-central

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup:
	@PYTHON=$(PYTHON) scripts/setup.sh run

setup-central:
	@PYTHON=$(PYTHON) scripts/setup.sh central

setup-test:
	@PYTHON=$(PYTHON) scripts/setup.sh test

run: setup ## install what is missing, start the agent and show a first picture
	@$(BIN)/python scripts/demo.py

run-central: setup-central ## install what is missing and start the central API
	@$(BIN)/cast-central run

run-central-full: setup-test ## the central API with PostgreSQL, Redis, RabbitMQ, S3 and MediaMTX, as far as they are installed
	@$(BIN)/python -m scripts.central_full

test: setup-test ## install what is missing and run the tests, except those of the installation (test-install)
	$(BIN)/python -m pytest -n $(TEST_WORKERS) $(TEST_ORDER)

test-pythons: setup-test ## the unit tests with the oldest and the newest other Python (3.11 to 3.13) that is here
	@TEST_WORKERS=$(TEST_WORKERS) scripts/test-pythons.sh

test-install: setup-test ## (root) install, upgrade, rollback and uninstall in Debian 12 and 13; SUITE=trixie for one alone
	$(if $(SUITE),SUITE=$(SUITE)) $(BIN)/python -m pytest tests/installed --timeout 900

test-containers: setup-test ## (root) the images and Compose files of deploy/, built and run by podman
	$(BIN)/python -m pytest tests/containers --timeout 1800

lint: setup-test ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	nice $(BIN)/mypy

check: lint test ## what CI runs: lint, types, layers, tests

bench: setup-test ## speed, memory, black time and returns beside vlc and mpv, as ratios (under half an hour)
	$(BIN)/python -m bench --cycles $(CYCLES)

bench-central: setup-test ## the central API under load on both databases (about 8 minutes); DATABASE=sqlite, postgres
	$(BIN)/python -m bench.central $(if $(DATABASE),--database $(DATABASE))

drops: setup-test ## DROPS=20 times a publisher is away for 2 s, over RTSP and RTMP; MEDIAMTX=FILE, a real one (10 minutes)
	@command -v "$${MEDIAMTX:-mediamtx}" >/dev/null || { echo "drops: there is no mediamtx; name the program: MEDIAMTX=FILE"; exit 2; }
	MEDIAMTX_DROPS=$(DROPS) $(BIN)/python -m pytest tests/real/test_agent_mediamtx.py -k drops -s --timeout 900

races: setup-test ## ROUNDS=200 of each pair of central calls at the same moment (half an hour); RACES='ready auth+auth'
	$(BIN)/python -m soak.races --rounds $(ROUNDS) $(RACES)

soak: setup-test ## MINUTES=15 of random starts, stops, faults and kills, with a look at the screen after each; SEED=N
	$(BIN)/python -m soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

soak-reports: setup-test ## EVENTS=10000 while both sides are killed at random (about 6 minutes); SEED=N, DATABASE_URL, REAL=1
	$(BIN)/python -m soak.reports $(if $(REAL),--real,--events $(EVENTS)) $(if $(SEED),--seed $(SEED))

soak-library: setup-test ## JOBS=1000 of the library while workers and central API are killed at random, on both databases; SERVERS=1 with Redis and RabbitMQ; SEED=N
	$(BIN)/python -m soak.library --jobs $(JOBS) $(if $(SERVERS),--servers) $(if $(DATABASE),--database $(DATABASE)) $(if $(SEED),--seed $(SEED))

soak-faces: setup-test ## MESSAGES=10000, each malformed, to ESPHome's API and to DLNA while a film plays (2 minutes); SEED=N
	$(BIN)/python -m soak.faces --messages $(MESSAGES) $(if $(SEED),--seed $(SEED))

soak-pages: setup-test ## web pages: SWITCHES=100 to and from each kind, KILLS=20 of each process, then RELOADS=500 (a quarter of an hour)
	$(BIN)/python -m soak.pages --switches $(SWITCHES) --kills $(KILLS) --reloads $(RELOADS)

soak-home-assistant: setup-test ## HASS=FILE, a real one: its dashboard while it and the agent restart, and a revoked token (2 minutes)
	$(BIN)/python -m soak.home_assistant $(if $(HASS),--hass $(HASS))

install: ## (sudo) install or upgrade for good: user, /opt/cast-agent, systemd units; INSTALL_ARGS='--desktop USER'
	@scripts/install.sh install $(INSTALL_ARGS)

rollback: ## (sudo) go back to the version before the last upgrade
	@scripts/install.sh rollback

uninstall: ## (sudo) remove what install made, but for the configuration; INSTALL_ARGS=--purge for that too
	@scripts/install.sh uninstall $(INSTALL_ARGS)

install-central: ## (sudo) install or upgrade the central API in the same way: user, /opt/cast-central, systemd unit
	@scripts/install.sh --central install

rollback-central: ## (sudo) go back to its version before the last upgrade
	@scripts/install.sh --central rollback

uninstall-central: ## (sudo) remove it, but for its configuration, database and videos; INSTALL_ARGS=--purge for those too
	@scripts/install.sh --central uninstall $(INSTALL_ARGS)

clean: ## remove what was made here
	rm -rf .venv .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
