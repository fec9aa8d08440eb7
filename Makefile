# make run     serve the API on http://localhost:8000 (PORT= changes it; BIND=0.0.0.0 lets other machines in)
# make test    run the tests that guard a change
# make check   format, lint, types, and what is known of the pinned packages

PYTHON ?= python3
PORT ?= 8000
BIND ?= 127.0.0.1
STAGE ?= dev
STATE ?= .local
# Tests wait for processes half of their time: two workers for each core.
WORKERS ?= $(shell expr 2 '*' `getconf _NPROCESSORS_ONLN`)
PACK ?= retail-0095
# `make run`, `make stack` and `make test` take the first pack that can be had, unless PACK= is given.
CHOSEN := $(if $(filter file,$(origin PACK)),auto,$(PACK))
ARCH ?= arm64
RUNTIME ?= python3.13
EXAMPLES ?= 200
VENV := .venv
BIN := $(VENV)/bin
# The files pin all that is needed, so pip resolves nothing; Python compiles what it imports, a small part of all modules.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-compile -r
LOCK := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet

# Some containers ask for no byte code to be written: then every process compiles all that it imports, for seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run stack re-embed export import migrate compact reconcile rebuild-index discard test test-all test-arm64 fuzz hostile mutants check format bench screenshot accuracy models layers package deploy destroy lock clean

run: $(VENV)/.run
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@exec $(BIN)/python -m infra.local run --bind $(BIND) --port $(PORT) --state $(STATE)

# All but the app: then `.venv/bin/chalice local --stage local` serves it.
stack: $(VENV)/.run
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@exec $(BIN)/python -m infra.local stack --state $(STATE)

test: $(VENV)/.test
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not long" $(TESTS)

# Run the tests that `make test` leaves out too: tests/long_tests.py lists them.
test-all: $(VENV)/.test
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

# Run Lambda's layers for arm64 on another machine: needs qemu-user 9 or newer (QEMU= names its qemu-aarch64), and
# ARM64_ROOT=, a folder with an arm64 system that has Python 3.13, such as Debian 13's packages, unpacked.
test-arm64: $(VENV)/.test
	@$(BIN)/python -m models.build dlib
	@ARM64_ROOT=$(ARM64_ROOT) $(if $(QEMU),QEMU=$(QEMU)) $(BIN)/python -m pytest tests/lambda_runtime/arm64.py

# Try the service, running, with a few thousand requests that its OpenAPI document allows or forbids; SEED= repeats a run.
fuzz: $(VENV)/.test
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m tests.specification.fuzz --examples $(EXAMPLES) $(if $(SEED),--seed $(SEED))

# Send hostile pictures, COUNT= of them, through the decoding, then fuzz decoding and forms, guided by coverage, for SECONDS=
# each. SEED= repeats a run; what fails is kept in build/hostile and build/fuzz.
hostile: $(VENV)/.test
	@$(BIN)/python -m tests.harness.hostile.pictures --count $(or $(COUNT),20000) --seed $(or $(SEED),1)
	@$(BIN)/python -m tests.harness.hostile.fuzz picture --seconds $(or $(SECONDS),300) --seed $(or $(SEED),1)
	@$(BIN)/python -m tests.harness.hostile.fuzz form --seconds $(or $(SECONDS),300) --seed $(or $(SEED),1)

# Apply deliberate faults to copies of the checkout, and check that the tests catch each: half an hour. ONLY= names some.
mutants: $(VENV)/.test
	@$(BIN)/python -m tests.harness.mutants $(if $(ONLY),--only $(ONLY)) $(if $(JOBS),--jobs $(JOBS))

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml app.py chalicelib infra models
	$(BIN)/python -m infra.audit

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# All figures of docs/benchmarks.md, side by side in one run; half an hour, some GB of the MySQL server's disk, and 8 GB for
# the peers, which get an environment of their own in build/.
bench: $(VENV)/.bench
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m tests.harness.benchmarks.peers.run
	@$(BIN)/python -m tests.harness.benchmarks.smallest_face
	@$(BIN)/python -m tests.harness.benchmarks.worst_pictures
	@$(BIN)/python -m tests.harness.benchmarks.gallery
	@$(BIN)/python -m tests.harness.benchmarks.vector_index
	@$(BIN)/python -m tests.harness.benchmarks.cold_start

# docs/console.png, from a photograph that NASA took; needs Chromium.
screenshot: $(VENV)/.test
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m tests.browser.screenshot

# How well the pack tells people apart: CSV="faces.csv crops.csv:pad=0.15" (columns person and file) and LFW=folder.
# The report is build/accuracy/accuracy.md; INTO= names another folder.
accuracy: $(VENV)/.bench
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m models.accuracy $(CSV) $(if $(LFW),--lfw $(LFW)) $(if $(INTO),--into $(INTO))

# PACK= names a card of models/cards/, or is the path of your own; never another pack than that. FROM= names local files to
# take for the published ones that have their sha256.
models: $(VENV)/.run
	@$(BIN)/python -m models.build $(PACK) $(if $(FROM),--from $(FROM))

# Build build/layers/deps.zip and models.zip for Lambda: PACK= may name several packs, ARCH=x86_64 and RUNTIME=python3.12
# another target. PYTHON= is the Python of .venv only.
layers: $(VENV)/.run
	@$(BIN)/python -m infra.deploy.layers $(PACK) --arch $(ARCH) --runtime $(RUNTIME)

# Build what a deployment takes: the layers, the function and the template of a stage, infra/deploy/stages/$(STAGE).toml, into
# build/package/$(STAGE).
package: $(VENV)/.run
	@$(BIN)/python -m infra.deploy.package $(STAGE) $(PACK) --arch $(ARCH) --runtime $(RUNTIME)

# Bring a stage to AWS, docs/deploying.md: package it, upload what changed, deploy, migrate its database, and say how to call
# it. Credentials and region are AWS_PROFILE's and AWS_REGION's. CONFIRM=replace: although data are lost.
deploy: $(VENV)/.run
	@$(BIN)/python -m infra.deploy $(STAGE) --check
	@$(MAKE) --no-print-directory package
	@$(BIN)/python -m infra.deploy $(STAGE) $(if $(CONFIRM),--confirm $(CONFIRM))

# Delete a stage from AWS, but for a snapshot of its database. It asks first, or takes CONFIRM=$(STAGE). DATA=delete: the crops
# too.
destroy: $(VENV)/.run
	@$(BIN)/python -m infra.deploy.destroy $(STAGE) $(if $(CONFIRM),--confirm $(CONFIRM)) $(if $(DATA),--data $(DATA))

# Embed every face anew with PACK, then put the face set under it; works while `make run` serves, and can be interrupted.
# LEAVE_BEHIND=yes: although some faces cannot be embedded.
re-embed: $(VENV)/.run
	@$(BIN)/python -m infra.local.re_embed $(PACK) --state $(STATE) $(if $(FROM),--from $(FROM)) $(if $(LEAVE_BEHIND),--leave-behind)

# The whole face set out to one file, FILE=faces.zip, beside `make run` or without it; can be interrupted.
export: $(VENV)/.run
	@$(BIN)/python -m infra.local.transfer export $(FILE) --state $(STATE)

# The faces of such a file, FILE=faces.zip; or the pictures of a folder, FOLDER=people with people/<name>/*.jpg in it, into the
# face set that `make run` serves.
import: $(VENV)/.run
	@$(if $(FOLDER),PYTHONPATH=infra/cli $(BIN)/python -m face_search_cli --url http://localhost:$(PORT) import $(FOLDER) --report $(FOLDER:/=).import.csv,$(BIN)/python -m infra.local.transfer import $(FILE) --state $(STATE))

# Migrate the database, compact its segments, or erase the vectors of the packs before: what is scheduled or invoked
# elsewhere.
migrate compact discard: $(VENV)/.run
	@$(BIN)/python -m chalicelib.maintenance.operations $@

# Delete the local stack's crops that no face names, and with GALLERY=s3vectors compare the vector index with the rows; what
# is scheduled when deployed. HOWEVER_MANY=yes: although the crops are more than is credible.
reconcile: $(VENV)/.run
	@$(BIN)/python -m infra.local.operate reconcile --state $(STATE) $(if $(HOWEVER_MANY),--however-many)

# With GALLERY=s3vectors: fill a vector index beside the one in use, then let searches ask the new one.
rebuild-index: $(VENV)/.run
	@$(BIN)/python -m infra.local.operate rebuild-index --state $(STATE)

# Pin what pyproject.toml asks for, with hashes; needs uv.
lock:
	uv pip compile pyproject.toml $(LOCK) -o requirements.txt
	uv pip compile pyproject.toml $(LOCK) -c requirements.txt --group run -o infra/requirements.txt
	uv pip compile pyproject.toml $(LOCK) -c infra/requirements.txt --group test -o tests/requirements.txt
	uv pip compile pyproject.toml $(LOCK) -c tests/requirements.txt --group bench -o tests/harness/benchmarks/requirements.txt

# All that was set up, but not the face set in $(STATE).
clean:
	rm -rf $(VENV) models/build build

# An environment, if there is none yet, and in it the packages of a file.
define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; PYTHON= names the one to use."; exit 1; }
@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { echo "Python cannot make a virtual environment: install its venv module (on Debian python3-venv)."; exit 1; }
@echo "Installing what $(2) into $(VENV) ..."
@$(PIP) $(1) || { echo "The packages could not be installed: is the package index reachable?"; exit 1; }
endef

$(VENV)/.run: infra/requirements.txt
	$(call install,$<,the service needs)
	@touch $@

# What the service needs is among what the tests need.
$(VENV)/.test: tests/requirements.txt infra/requirements.txt
	$(call install,$<,the tests need)
	@touch $(VENV)/.run $@

$(VENV)/.bench: tests/harness/benchmarks/requirements.txt $(VENV)/.test
	$(call install,$<,the benchmarks need)
	@touch $@
