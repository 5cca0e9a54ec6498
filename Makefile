# Every target but those of the stack sets up what it needs, in .venv; a machine needs Python 3.11 or later, make and a
# package index. Those of the stack need the AWS CLI, deploy the SAM CLI too, and the Region and credentials that these find.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
OLDEST_BOTO3 := 1.40.0
OLDEST := $(CURDIR)/.sdk-oldest
API_TESTS := $(addprefix tests/test_,$(addsuffix .py,api faults retries updates shapes))
CONFIG ?=
SECONDS ?= 600

STACK ?= pn-athena-schedule-manager
PARAMETERS ?=
CONFIRM ?=
EVENT ?= tests/events/scheduled.json
SHA ?=
QUERY ?=
PAYLOAD ?= {}
# of the command line alone, since some shells have a variable of this name
GROUP :=
PROJECT_NAME ?= pn
AWS ?= aws
SAM ?= sam
# Values reach the recipes in the environment as they were typed: neither make nor a shell expands a $ in them.
override CONFIG := $(value CONFIG)
override STACK := $(value STACK)
override PARAMETERS := $(value PARAMETERS)
override CONFIRM := $(value CONFIRM)
override EVENT := $(value EVENT)
override SHA := $(value SHA)
override QUERY := $(value QUERY)
override PAYLOAD := $(value PAYLOAD)
override GROUP := $(value GROUP)
override PROJECT_NAME := $(value PROJECT_NAME)
override AWS := $(value AWS)
override SAM := $(value SAM)
# What one process of the tests compiles serves the others.
unexport PYTHONDONTWRITEBYTECODE
export CONFIG STACK PARAMETERS CONFIRM EVENT SHA QUERY PAYLOAD GROUP PROJECT_NAME AWS SAM

# A misspelt variable would be ignored in silence, and the command would do something else.
KNOWN := CONFIG STACK PARAMETERS CONFIRM EVENT SHA QUERY PAYLOAD GROUP PROJECT_NAME AWS SAM SECONDS PYTHON SHELL ARTIFACTS_DIR
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
UNKNOWN := $(filter-out $(KNOWN),$(GIVEN))
$(if $(UNKNOWN),$(error There is no variable $(firstword $(UNKNOWN)); the variables are $(KNOWN)))

.DEFAULT_GOAL := help
.PHONY: help run test test-oldest lint format check bench soak build deploy preview publish fire invoke invoke-local logs dropped pause resume dump delete clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(if $(value CONFIG),$(VENV)/can-check,$(VENV)/can-run) ## play the whole story on loopback, or check a file: make run CONFIG=path/to/config.json
	@$(BIN)/python -m $(if $(value CONFIG),athena_schedule_manager.tools check "$$CONFIG",tests.tools story)

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -n auto --dist worksteal $(COVERAGE)

test-oldest: $(READY) $(OLDEST)/ready ## run the tests of the API on the oldest boto3 that is supported
	PYTHONPATH=$(OLDEST) $(BIN)/python -c 'import boto3; assert boto3.__version__ == "$(OLDEST_BOTO3)", boto3.__version__'
	PYTHONPATH=$(OLDEST) $(BIN)/python -m pytest -n auto --dist worksteal $(API_TESTS)

lint: $(READY) ## check format, lint rules, types, templates, actions and workflows
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/python -m tests.tools.transformed | $(BIN)/cfn-lint
	$(BIN)/cfn-lint .github/actions/roles.yaml
	$(BIN)/zizmor --offline --quiet .github

format: $(READY) ## format the code and fix what ruff can
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

check: COVERAGE := --cov --cov-report=term
check: lint test test-oldest ## all checks, and the coverage of the tests: what CI runs

bench: $(READY) ## measure the manager beside references, some minutes
	@$(BIN)/python -m tests.tools.bench

soak: $(READY) ## random worlds, faults and kills for ten minutes, or SECONDS=n
	@$(BIN)/python -m tests.tools.soak $(SECONDS)

# By name, so that a file that lies beside them is not deployed.
MODULES := __init__ index schedule_manager _schedules _git _urls _calls _words _expressions _crons _dialects

build: ## build the artifact that is deployed: the package's modules alone
	$(SAM) build --build-in-source

build-AthenaScheduleManager: # what sam build calls
	mkdir -p "$(ARTIFACTS_DIR)/athena_schedule_manager"
	cp $(MODULES:%=athena_schedule_manager/%.py) "$(ARTIFACTS_DIR)/athena_schedule_manager/"

# Those of the stack need the standard library, the AWS CLI and, to deploy, the SAM CLI.
TOOL = @$(PYTHON) -m athena_schedule_manager.tools

deploy: ## deploy, or update with what the stack has and PARAMETERS='Key=value ...'
	$(TOOL) deploy

preview: ## show what a commit would change: make preview SHA=<40 digits>, with CONFIG=path/to/config.json the check beside it
	$(TOOL) preview

publish: ## schedule what the configuration holds at a commit, after showing it, and run once: make publish SHA=<40 digits>
	$(TOOL) publish

fire: ## run one query now, as its schedule would: make fire QUERY=daily-report
	$(TOOL) fire

invoke: ## invoke the deployed function and print what it logs and returns; PAYLOAD='{"dry_run": true}'
	$(TOOL) invoke

invoke-local: ## invoke the function in Lambda's container image: needs Docker; EVENT=path of an event file
	@docker info > /dev/null 2>&1 || { echo "sam local invoke needs Docker, and none is running: see make run" >&2; exit 1; }
	$(SAM) local invoke AthenaScheduleManager --event "$$EVENT"

logs: ## follow the log of the deployed function
	$(TOOL) logs

dropped: ## show which invocations schedules gave up, when and why
	$(TOOL) dropped

pause: ## turn the trigger off, until make resume
	$(TOOL) pause

resume: ## turn the trigger on
	$(TOOL) resume

dump: ## write the live schedules as a configuration: make dump > query-executor-config.json; GROUP= and PROJECT_NAME= for another group
	$(TOOL) dump

delete: ## delete the stack: says what goes with it, and needs CONFIRM=yes
	$(TOOL) delete

clean: ## remove the environments and all caches
	rm -rf $(VENV) $(OLDEST) .hypothesis .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.*
	find athena_schedule_manager tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Pip, then three steps into one environment, each with what the next needs, too; a line shows what is being installed.
# What is imported is compiled then: most of what is installed never is.
PIP = $(BIN)/python -m pip install --no-compile --progress-bar off --disable-pip-version-check
SHOWN = awk '/^ *(Collecting|Downloading|Installing)/ { printf "\r%-79.79s", $$0; fflush() } END { print "" }'
INSTALL = rm -f $(VENV)/failed; { $(PIP) -r $(1) || touch $(VENV)/failed; } | $(SHOWN); [ ! -e $(VENV)/failed ]
# what stands before a section
INSTALL_BEFORE = sed '/^\# --- $(1)/,$$d' requirements-dev.txt > $(VENV)/needed.txt && { $(call INSTALL,$(VENV)/needed.txt); }

$(VENV)/can-check: requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; set PYTHON=")'
	@echo "Installing what is needed into $(VENV), once"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(call INSTALL_BEFORE,make run CONFIG=$$)
	@$(call INSTALL_BEFORE,make run$$)
	@touch $@

$(VENV)/can-run: $(VENV)/can-check
	@$(call INSTALL_BEFORE,make test)
	@touch $@

$(READY): $(VENV)/can-run
	@$(call INSTALL,requirements-dev.txt)
	@touch $@

# The SDK alone, which comes before that of the environment.
$(OLDEST)/ready: $(VENV)/can-check
	rm -rf $(OLDEST)
	$(PIP) --quiet --target $(OLDEST) boto3==$(OLDEST_BOTO3) botocore==$(OLDEST_BOTO3)
	@touch $@
