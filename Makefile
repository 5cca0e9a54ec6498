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
EVENT ?= tests/events/scheduled.json
SHA ?=
PAYLOAD ?= {}
export SHA PAYLOAD
AWS ?= aws
SAM ?= sam

.DEFAULT_GOAL := help
.PHONY: help run test lint format check bench soak build validate deploy publish invoke invoke-local logs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## play the whole story on loopback, or run on a file: make run CONFIG=path/to/config.json
	@$(BIN)/python -m tests.tools.story $(if $(CONFIG),"$(CONFIG)")

test: $(READY) ## run the tests
	$(BIN)/python -m pytest --cov --cov-report=term

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
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache .coverage
	find athena_schedule_manager tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; set PYTHON=")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
