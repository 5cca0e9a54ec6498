# Every target but those of the stack sets up what it needs, in .venv; a machine needs Python 3.11 or later, make and a
# package index. Those of the stack need the AWS CLI and the SAM CLI, and the Region and credentials that these find.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
CONFIG ?=
SECONDS ?= 600

STACK ?= pn-athena-schedule-manager
PARAMETERS ?=
CONFIRM ?=
DRAIN_SECONDS := 240
EVENT ?= tests/events/scheduled.json
SHA ?=
PAYLOAD ?= {}
AWS ?= aws
SAM ?= sam
# Values reach the recipes in the environment as they were typed: neither make nor a shell expands a $ in them.
override SHA := $(value SHA)
override PAYLOAD := $(value PAYLOAD)
override PARAMETERS := $(value PARAMETERS)
export SHA PAYLOAD PARAMETERS STACK CONFIRM DRAIN_SECONDS AWS SAM

.DEFAULT_GOAL := help
.PHONY: help run test lint format check bench soak build validate deploy publish invoke invoke-local logs dropped pause resume delete clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## play the whole story on loopback, or run on a file: make run CONFIG=path/to/config.json
	@$(BIN)/python -m tests.tools.story $(if $(CONFIG),"$(CONFIG)")

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -n auto --cov --cov-report=term

lint: $(READY) ## check format, lint rules, types and the transformed template
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/python -m tests.tools.transformed | $(BIN)/cfn-lint

format: $(READY) ## format the code and fix what ruff can
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

check: lint test ## lint and test: what CI runs

bench: $(READY) ## measure the manager beside references, some minutes
	@$(BIN)/python -m tests.tools.bench

soak: $(READY) ## random worlds, faults and kills for ten minutes, or SECONDS=n
	@$(BIN)/python -m tests.tools.soak $(SECONDS)

build: ## build the artifact that is deployed: the package's modules alone
	$(SAM) build --build-in-source

build-AthenaScheduleManager: # what sam build calls
	mkdir -p "$(ARTIFACTS_DIR)/athena_schedule_manager"
	cp athena_schedule_manager/*.py "$(ARTIFACTS_DIR)/athena_schedule_manager/"

validate: $(READY) ## lint the template, as it is written and as SAM transforms it
	$(SAM) validate --lint
	$(BIN)/python -m tests.tools.transformed | $(BIN)/cfn-lint

# What the running stack has; a recipe that uses it begins with set -e.
STACK_URL = $(AWS) cloudformation describe-stacks --stack-name "$(STACK)" --output text \
	--query "Stacks[0].Parameters[?ParameterKey=='ConfigGitUrl'].ParameterValue"
OTHER_PARAMETERS = $(AWS) cloudformation describe-stacks --stack-name "$(STACK)" --output text \
	--query "Stacks[0].Parameters[?ParameterKey!='ConfigGitUrl'].join('', ['ParameterKey=', ParameterKey, ',UsePreviousValue=true'])"
STACK_OUTPUT = $(AWS) cloudformation describe-stacks --stack-name "$(STACK)" --output text --query

# The targets of the stack that are more than a line, with the standard library alone; see the modules' docstrings.
DEPLOY = $(PYTHON) -m tests.tools.deploy
OPERATE = $(PYTHON) -m tests.tools.operate

deploy: ## deploy, or update with what the stack has and PARAMETERS='Key=value ...'
	@$(DEPLOY)

# Only a SHA that is a part of the path, or the value of a query parameter that names a revision, is replaced: not a token.
publish: ## schedule what the configuration holds at another commit: make publish SHA=<40 digits>
	@set -e; sha="$$SHA"; if [ "$${#sha}" != 40 ] || [ "$${sha##*[!0-9a-f]*}" != "$$sha" ]; then \
		echo "SHA=$$sha is no commit SHA: give all 40 digits, in lower case" >&2; exit 1; fi; \
	old=$$($(STACK_URL)); \
	new=$$(printf %s "$$old" | sed -E "s#(/|[?&](ref|at|sha|commit)=)[0-9a-fA-F]{40}([/?&]|$$)#\1$$sha\3#"); \
	printf 'old: %s\nnew: %s\n' "$$old" "$$new"; \
	if [ "$${new##*$$sha*}" ]; then echo "ConfigGitUrl holds no commit SHA to replace" >&2; exit 1; fi; \
	if [ "$$old" = "$$new" ]; then echo "nothing to publish"; exit 0; fi; \
	$(AWS) cloudformation update-stack --stack-name "$(STACK)" --use-previous-template \
		--capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
		--parameters "ParameterKey=ConfigGitUrl,ParameterValue=\"$$new\"" $$($(OTHER_PARAMETERS)) > /dev/null; \
	$(AWS) cloudformation wait stack-update-complete --stack-name "$(STACK)"; echo "published"

invoke: ## invoke the deployed function and print what it logs and returns; PAYLOAD='{"dry_run": true}'
	@$(OPERATE) invoke

invoke-local: ## invoke the function in Lambda's container image: needs Docker; EVENT=path of an event file
	@docker info > /dev/null 2>&1 || { echo "sam local invoke needs Docker, and none is running: see make run" >&2; exit 1; }
	$(SAM) local invoke AthenaScheduleManager --event "$(EVENT)"

logs: ## follow the log of the deployed function
	@set -e; group=$$($(STACK_OUTPUT) "Stacks[0].Outputs[?OutputKey=='LogGroupName'].OutputValue"); \
	$(AWS) logs tail "$$group" --since 1h --follow

dropped: ## show which invocations schedules gave up, when and why
	@$(OPERATE) dropped

pause: ## turn the trigger off, until make resume
	@$(OPERATE) pause

resume: ## turn the trigger on
	@$(OPERATE) resume

delete: ## delete the stack: says what goes with it, and needs CONFIRM=yes
	@$(OPERATE) delete

clean: ## remove the environment and all caches
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache .coverage
	find athena_schedule_manager tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; set PYTHON=")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
