# make run     serve the API on http://localhost:8000 (PORT= sets the port; BIND=0.0.0.0 admits other machines)
# make test    run the tests that guard a change
# make check   check format, lint and types, and the pinned packages for known vulnerabilities

PYTHON ?= python3
PORT ?= 8000
BIND ?= 127.0.0.1
STAGE ?= dev
STATE ?= .local
# Two workers for each core, because tests spend half their time waiting for processes.
WORKERS ?= $(shell expr 2 '*' `getconf _NPROCESSORS_ONLN`)
PACK ?= retail-0095
# Without PACK=, `make run`, `make stack` and `make test` use the first pack that can be built.
CHOSEN := $(if $(filter file,$(origin PACK)),auto,$(PACK))
ARCH ?= arm64
TARGET ?= local
RUNTIME ?= python3.13
EXAMPLES ?= 200
VENV := .venv
BIN := $(VENV)/bin
# The files pin every package, so pip resolves nothing. Python compiles modules on import; few of them are ever imported.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-compile -r
LOCK := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet

# Some containers set this to write no bytecode; every process then spends seconds compiling its imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run stack re-embed export import migrate compact reconcile rebuild-index discard test test-all test-mysql test-arm64 fuzz hostile mutants check format bench screenshot accuracy models layers package image deploy rollback destroy lock clean

run: $(VENV)/.run
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@exec $(BIN)/python -m infra.local run --bind $(BIND) --port $(PORT) --state $(STATE) $(if $(INCOMING),--incoming $(INCOMING))

# Start everything except the app, which `.venv/bin/chalice local --stage local` then serves.
stack: $(VENV)/.run
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@exec $(BIN)/python -m infra.local stack --state $(STATE)

test: $(VENV)/.test
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not long" $(TESTS)

# Run all tests, including those that `make test` leaves out (listed in tests/long_tests.py).
test-all: $(VENV)/.test
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

# Run the tests of the database against a MySQL server, which RDS has, instead of MariaDB: MYSQLD= is its mysqld.
test-mysql: $(VENV)/.test
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@MYSQLD=$(or $(MYSQLD),$(error MYSQLD= must name a mysqld)) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -k mysql \
		$(or $(TESTS),tests/integration tests/e2e/test_migrate_function.py tests/e2e/test_lambda_events.py)

# Run Lambda's arm64 layers on another architecture. Needs qemu-user 9 or newer (QEMU= names its qemu-aarch64), and in
# ARM64_ROOT= a folder with an arm64 system that has Python 3.13, such as Debian 13's unpacked packages.
test-arm64: $(VENV)/.test
	@$(BIN)/python -m models.build dlib
	@ARM64_ROOT=$(ARM64_ROOT) $(if $(QEMU),QEMU=$(QEMU)) $(BIN)/python -m pytest tests/lambda_runtime/arm64.py

# Send a running service a few thousand requests that its OpenAPI document allows or forbids; SEED= repeats a run.
fuzz: $(VENV)/.test
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m tests.specification.fuzz --examples $(EXAMPLES) $(if $(SEED),--seed $(SEED))

# Decode COUNT= hostile pictures, then fuzz the decoder and the parsers of bodies for SECONDS= each, guided by coverage. SEED=
# repeats a run. Failing inputs are saved in build/hostile and build/fuzz.
hostile: $(VENV)/.test
	@$(BIN)/python -m tests.harness.hostile.pictures --count $(or $(COUNT),20000) --seed $(or $(SEED),1)
	@$(BIN)/python -m tests.harness.hostile.fuzz picture --seconds $(or $(SECONDS),300) --seed $(or $(SEED),1)
	@$(BIN)/python -m tests.harness.hostile.fuzz body --seconds $(or $(SECONDS),300) --seed $(or $(SEED),1)

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

# Measure all figures of docs/benchmarks.md in one run, and copy them to the pages that quote them. Takes half an hour,
# some GB of the MySQL server's disk, and 8 GB for the peers, which get their own environment in build/.
bench: $(VENV)/.bench
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m tests.harness.benchmarks.peers.run
	@$(BIN)/python -m tests.harness.benchmarks.smallest_face
	@$(BIN)/python -m tests.harness.benchmarks.worst_pictures
	@$(BIN)/python -m tests.harness.benchmarks.gallery
	@$(BIN)/python -m tests.harness.benchmarks.identify
	@$(BIN)/python -m tests.harness.benchmarks.vector_index
	@$(BIN)/python -m tests.harness.benchmarks.cold_start
	@$(BIN)/python -m tests.documentation.quotes --write

# Take the pictures of the console in docs/, with a photograph by NASA; needs Chromium.
screenshot: $(VENV)/.test
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m tests.browser.screenshot

# Measure how well the pack distinguishes people: CSV="faces.csv crops.csv:pad=0.15" (columns person and file) and
# LFW=folder. The report is build/accuracy/accuracy.md; INTO= names another folder.
accuracy: $(VENV)/.bench
	@$(BIN)/python -m models.build $(CHOSEN) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m models.accuracy $(CSV) $(if $(LFW),--lfw $(LFW)) $(if $(INTO),--into $(INTO))

# Build exactly the pack of PACK=, the name of a card in models/cards/ or the path of your own card. FROM= names local
# files to use instead of published ones with the same sha256.
models: $(VENV)/.run
	@$(BIN)/python -m models.build $(PACK) $(if $(FROM),--from $(FROM))

# Build build/layers/deps.zip and models.zip for Lambda. PACK= may name several packs; ARCH=x86_64 and RUNTIME=python3.12
# select another target. PYTHON= affects only .venv.
layers: $(VENV)/.run
	@$(BIN)/python -m infra.deploy.layers $(PACK) --arch $(ARCH) --runtime $(RUNTIME)

# Build a deployment's layers, function and template in build/package/$(STAGE), for the stage
# infra/deploy/stages/$(STAGE).toml.
package: $(VENV)/.run
	@$(BIN)/python -m infra.deploy.package $(STAGE) $(PACK) --arch $(ARCH) --runtime $(RUNTIME)

# Build a container image with Docker: TARGET=local serves what `make run` serves, TARGET=lambda is another package of the
# function. Without Docker, prepare the image's files in build/image/$(TARGET) and print the command.
image: $(VENV)/.run
	@$(BIN)/python -m infra.image $(TARGET) $(if $(filter local,$(TARGET)),$(CHOSEN),$(PACK)) --runtime $(RUNTIME) \
		$(if $(filter-out file,$(origin ARCH)),--arch $(ARCH))

# Deploy a stage to AWS (docs/deploying.md): package it, upload changes, deploy, migrate its database, and print how to call
# it. AWS_PROFILE and AWS_REGION set credentials and region. CONFIRM=replace deploys although data are lost.
deploy: $(VENV)/.run
	@$(BIN)/python -m infra.deploy $(STAGE) --check
	@$(MAKE) --no-print-directory package
	@$(BIN)/python -m infra.deploy $(STAGE) $(if $(CONFIRM),--confirm $(CONFIRM))

# Let clients of a stage reach the previous version of the API's function again, within seconds.
rollback: $(VENV)/.run
	@$(BIN)/python -m infra.deploy.rollback $(STAGE)

# Delete a stage from AWS, except a snapshot of its database. Asks for confirmation unless CONFIRM=$(STAGE) is set.
# DATA=delete deletes the crops too.
destroy: $(VENV)/.run
	@$(BIN)/python -m infra.deploy.destroy $(STAGE) $(if $(CONFIRM),--confirm $(CONFIRM)) $(if $(DATA),--data $(DATA))

# Embed every face again with PACK, then move the face set to it. Works while `make run` serves, and can be interrupted.
# LEAVE_BEHIND=yes continues although some faces cannot be embedded.
re-embed: $(VENV)/.run
	@$(BIN)/python -m infra.local.re_embed $(PACK) --state $(STATE) $(if $(FROM),--from $(FROM)) $(if $(LEAVE_BEHIND),--leave-behind)

# Export all faces to one file, FILE=faces.zip. Works with or without a running `make run`, and can be interrupted.
export: $(VENV)/.run
	@$(BIN)/python -m infra.local.transfer export $(FILE) --state $(STATE)

# Import the faces of an exported file, FILE=faces.zip; or import a folder of pictures, FOLDER=people with
# people/<name>/*.jpg, into the face set that `make run` serves.
import: $(VENV)/.run
	@$(if $(FOLDER),PYTHONPATH=infra/cli $(BIN)/python -m face_search_cli --url http://localhost:$(PORT) import $(FOLDER) --report $(FOLDER:/=).import.csv,$(BIN)/python -m infra.local.transfer import $(FILE) --state $(STATE))

# Migrate the database, compact its segments, or erase the vectors of previous packs. Deployed services schedule or invoke
# these commands.
migrate compact discard: $(VENV)/.run
	@$(BIN)/python -m chalicelib.maintenance.operations $@

# Delete the local stack's orphaned crops and, with GALLERY=s3vectors, compare the vector index with the rows. A deployed
# service does this on a schedule. HOWEVER_MANY=yes deletes even an implausibly large number of crops.
reconcile: $(VENV)/.run
	@$(BIN)/python -m infra.local.operate reconcile --state $(STATE) $(if $(HOWEVER_MANY),--however-many)

# With GALLERY=s3vectors, fill a second vector index, then switch searches to it.
rebuild-index: $(VENV)/.run
	@$(BIN)/python -m infra.local.operate rebuild-index --state $(STATE)

# Pin the requirements of pyproject.toml, with hashes; needs uv.
lock:
	uv pip compile pyproject.toml $(LOCK) -o requirements.txt
	uv pip compile pyproject.toml $(LOCK) -c requirements.txt --group run -o infra/requirements.txt
	uv pip compile pyproject.toml $(LOCK) -c infra/requirements.txt --group test -o tests/requirements.txt
	uv pip compile --group identity $(filter-out --universal,$(LOCK)) --python-platform aarch64-manylinux_2_34 -c tests/requirements.txt -o infra/deploy/layers/identity-requirements.txt
	uv pip compile pyproject.toml $(LOCK) -c tests/requirements.txt --group bench -o tests/harness/benchmarks/requirements.txt

# Delete the environment, the models and the builds, but not the face set in $(STATE).
clean:
	rm -rf $(VENV) models/build build

# Create the environment if it is missing, and install the packages of a file.
define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; PYTHON= names the one to use."; exit 1; }
@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { echo "Python cannot make a virtual environment: install its venv module (on Debian python3-venv)."; exit 1; }
@echo "Installing the packages for $(2) into $(VENV) ..."
@$(PIP) $(1) || { echo "The packages could not be installed: is the package index reachable?"; exit 1; }
endef

$(VENV)/.run: infra/requirements.txt
	$(call install,$<,the service)
	@touch $@

# The tests' packages include the service's.
$(VENV)/.test: tests/requirements.txt infra/requirements.txt
	$(call install,$<,the tests)
	@touch $(VENV)/.run $@

$(VENV)/.bench: tests/harness/benchmarks/requirements.txt $(VENV)/.test
	$(call install,$<,the benchmarks)
	@touch $@
