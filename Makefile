# Every target but those of the stack sets up what it needs, in .venv; a machine needs Python 3.11 or later, make and a
# package index. Those of the stack need the AWS CLI and the SAM CLI, and the Region and credentials that these find.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
CONFIG ?=
VERBOSE ?=
SECONDS ?= 600

STACK ?= pn-athena-schedule-manager
PARAMETERS ?=
EVENT ?= tests/events/scheduled.json
SHA ?=
QUERY ?=
PAYLOAD ?= {}
export PAYLOAD
AWS ?= aws
SAM ?= sam

.DEFAULT_GOAL := help
.PHONY: help run test lint format check bench soak build validate deploy publish fire invoke invoke-local logs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# What is typed reaches a tool as it is: neither make nor a shell expands it. VERBOSE=1 shows the mock's log, too.
unexport CONFIG SHA QUERY
run: export CONFIG_FILE = $(value CONFIG)
run: export VERBOSE := $(VERBOSE)
run: $(READY) ## play the whole story on loopback, or check a file: make run CONFIG=path/to/config.json
	@$(BIN)/python -m tests.tools $(if $(value CONFIG),check "$$CONFIG_FILE",story)

test: $(READY) ## run the tests
	$(BIN)/python -m pytest --cov --cov-report=term

lint: $(READY) ## check format, lint rules and types
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

format: $(READY) ## format the code and mend what ruff can
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

# A later deployment must not bring back the URL that the first one saved in samconfig.toml: the queries added since would be
# deleted. So it takes the URL from the running stack, and every other parameter keeps its value unless PARAMETERS names it.
deploy: build ## deploy: guided the first time, then with what the stack has, save PARAMETERS="Key=value ..."
	@set -e; error=$$(mktemp); if url=$$($(STACK_URL) 2> "$$error"); then \
		case "$$url" in https://*) ;; *) \
			echo "$(STACK) has no ConfigGitUrl: it is another stack, or one that was never finished; delete it" >&2; exit 1;; esac; \
		echo "Updating $(STACK), which keeps ConfigGitUrl $$url"; \
		$(SAM) deploy --stack-name "$(STACK)" --resolve-s3 --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset \
			--parameter-overrides "ConfigGitUrl=$$url" $(PARAMETERS); \
	elif ! grep -q "does not exist" "$$error"; then cat "$$error" >&2; exit 1; \
	elif [ -e samconfig.toml ]; then \
		echo "samconfig.toml is of an earlier deployment, but this Region has no stack $(STACK):" \
			"set AWS_REGION or STACK=, or remove samconfig.toml to make a new stack" >&2; exit 1; \
	else $(SAM) deploy --guided --stack-name "$(STACK)" --capabilities CAPABILITY_IAM; fi

publish fire: export STACK := $(STACK)
publish fire: export AWS := $(AWS)
publish: export COMMIT = $(value SHA)
publish: ## schedule what the configuration holds at another commit, after showing it: make publish SHA=<40 digits>
	@$(PYTHON) -m tests.tools publish

fire: export QUERY_ID = $(value QUERY)
fire: ## run one query now, as its schedule would: make fire QUERY=daily-report
	@$(PYTHON) -m tests.tools fire

invoke: ## invoke the deployed function and print what it logs and returns; PAYLOAD='{"dry_run": true}'
	@set -e; rm -f output.json; payload=$$(mktemp); printf %s "$$PAYLOAD" > "$$payload"; \
	function=$$($(STACK_OUTPUT) "Stacks[0].Outputs[?OutputKey=='FunctionName'].OutputValue"); \
	answer=$$($(AWS) lambda invoke --function-name "$$function" --cli-read-timeout 300 --log-type Tail \
		--payload "fileb://$$payload" --output text --query "[FunctionError, LogResult]" output.json); \
	set -- $$answer; printf %s "$$2" | base64 --decode; echo; cat output.json; echo; [ "$$1" = None ]

invoke-local: ## invoke the function in Lambda's container image: needs Docker; EVENT=path of an event file
	@docker info > /dev/null 2>&1 || { echo "sam local invoke needs Docker, and none is running: see make run" >&2; exit 1; }
	$(SAM) local invoke AthenaScheduleManager --event "$(EVENT)"

logs: ## follow the log of the deployed function
	@set -e; group=$$($(STACK_OUTPUT) "Stacks[0].Outputs[?OutputKey=='LogGroupName'].OutputValue"); \
	$(AWS) logs tail "$$group" --since 1h --follow

clean: ## remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .coverage
	find athena_schedule_manager tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; set PYTHON=")'
	$(PYTHON) -m venv --clear $(VENV)
	@echo "Installing the development tools into $(VENV), once; it takes a minute or two"
	@rm -f $(VENV)/failed; { $(BIN)/python -m pip install --progress-bar off --disable-pip-version-check -r requirements-dev.txt \
		|| touch $(VENV)/failed; } | awk '{ printf "."; fflush() } END { print "" }'; [ ! -e $(VENV)/failed ]
	@touch $@
