"""The stand-ins for the AWS CLI and the SAM CLI: a script, `stand_in.py FOLDER TOOL WORDS...`.

They keep one stack in a file of JSON, note each call, and take parameters as SAM's own parser
does: a value ends at a space or at a quote that is not escaped.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

LOG_LINE = "bG9nIGxpbmU="
DEFAULTS = {
    "ProjectName": "pn",
    "ExistingScheduleGroupName": "",
    "TriggerState": "ENABLED",
    "DeadLetterQueueArn": "",
}
OUTPUTS = {
    "FunctionName": "function-name",
    "ScheduleGroupName": "pn-athena-queries",
    "TriggerRuleName": "the-rule",
    "DeadLetterQueueArn": "arn:aws:sqs:eu-south-1:123456789012:dropped",
}
OVERRIDE = re.compile(
    r'ParameterKey=([A-Za-z0-9]+),ParameterValue=("(?:\\.|[^"\\]+)*"|(?:\\.|[^ "\\]+)+)'
)


def fail(code: str, message: str) -> NoReturn:
    """Exit as the AWS CLI does."""
    sys.exit(f"An error occurred ({code}): {message}")


class StandIn:
    """One call of one of the tools."""

    def __init__(self, folder: Path, tool: str, words: list[str]) -> None:
        """Read the stack, and note the call."""
        self.state, self.tool, self.words = folder / "state.json", tool, words
        with (folder / "calls.jsonl").open("a") as log:
            log.write(json.dumps([tool, *words]) + "\n")
        self.stack: dict[str, Any] | None = None
        if self.state.exists():
            self.stack = json.loads(self.state.read_text())

    def after(self, option: str) -> str:
        """Return the word after an option."""
        return self.words[self.words.index(option) + 1]

    def change(self, **changed: object) -> None:
        """Change the stack."""
        self.stack = (self.stack or {}) | changed
        self.state.write_text(json.dumps(self.stack))

    def parameters(self) -> dict[str, str]:
        """Return the stack's parameters."""
        stack = self.stack or {}
        url = {} if stack["url"] in {"", "None"} else {"ConfigGitUrl": stack["url"]}
        others: dict[str, str] = dict.fromkeys(stack["others"], "") | stack.get("parameters", {})
        return url | others

    def answer(self) -> None:
        """Do what was asked."""
        operation = next((word for word in self.words if f"do_{word}" in OPERATIONS), "")
        if operation:
            OPERATIONS[f"do_{operation}"](self)

    def do_invoke(self) -> None:
        """Answer an invocation with its payload."""
        error = (self.stack or {}).get("invoke", "None")
        if error == "denied":
            fail("AccessDenied", "not you")
        payload = Path(self.after("--payload").removeprefix("fileb://")).read_text()
        Path(self.words[-1]).write_text(payload)
        failed = {} if error == "None" else {"FunctionError": error}
        if "json" in self.words:
            print(json.dumps({"LogResult": LOG_LINE} | failed))
        else:
            print(error, LOG_LINE, sep="\t")

    def do_describe_stacks(self) -> None:
        """Describe the stack, in JSON or in the text of a query."""
        print("a warning of the tool's own", file=sys.stderr)
        if self.stack is None:
            fail("ValidationError", "Stack with id x does not exist")
        if "denied" in self.stack:
            fail("AccessDenied", "not you")
        if "json" in self.words:
            print(json.dumps({"Stacks": [self.description(self.stack)]}))
        elif "OutputKey" in self.words[-1]:
            print("function-name")
        elif "!=" in self.after("--query"):
            print(*(f"ParameterKey={k},UsePreviousValue=true" for k in self.stack["others"]))
        else:
            print(self.stack["url"])

    def description(self, stack: dict[str, Any]) -> dict[str, Any]:
        """Return the stack as CloudFormation describes it."""
        outputs = OUTPUTS | stack.get("outputs", {})
        return {
            "StackStatus": stack.get("status", "CREATE_COMPLETE"),
            "EnableTerminationProtection": stack.get("protected", False),
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in self.parameters().items()
            ],
            "Outputs": [
                {"OutputKey": key, "OutputValue": value} for key, value in outputs.items() if value
            ],
        }

    def do_update_stack(self) -> None:
        """Change the parameters that have a value; the others must be kept."""
        given = json.loads(self.after("--parameters"))
        changed = {p["ParameterKey"]: p["ParameterValue"] for p in given if "ParameterValue" in p}
        kept = {p["ParameterKey"] for p in given if p.get("UsePreviousValue") is True}
        if changed.keys() | kept != self.parameters().keys():
            fail("ValidationError", "A parameter is missing.")
        if changed.items() <= self.parameters().items():
            fail("ValidationError", "No updates are to be performed.")
        stack = self.stack or {}
        url = changed.pop("ConfigGitUrl", stack["url"])
        self.change(url=url, parameters=stack.get("parameters", {}) | changed)

    def do_delete_stack(self) -> None:
        """Forget the stack."""
        self.state.unlink()

    def do_enable_rule(self) -> None:
        """Turn the trigger on."""
        self.change(rule="ENABLED")

    def do_disable_rule(self) -> None:
        """Turn the trigger off."""
        self.change(rule="DISABLED")

    def do_list_schedules(self) -> None:
        """List the schedules."""
        names = (self.stack or {}).get("schedules", [])
        print(json.dumps({"Schedules": [{"Name": name} for name in names]}))

    def do_get_queue_url(self) -> None:
        """Return a queue's URL."""
        print(json.dumps({"QueueUrl": "https://queue.example/" + self.after("--queue-name")}))

    def do_receive_message(self) -> None:
        """Return messages page by page; the CLI prints nothing when there is none."""
        pages = (self.stack or {}).get("messages", [])
        self.change(messages=pages[1:])
        if pages:
            print(json.dumps({"Messages": pages[0]}))

    def do_deploy(self) -> None:
        """Make or update the stack."""
        given = {}
        if "--parameter-overrides" in self.words:
            for word in self.words[self.words.index("--parameter-overrides") + 1 :]:
                taken = OVERRIDE.match(word) or sys.exit(f"{word} is not a valid format")
                given[taken[1]] = re.sub(r'^"|"$', "", taken[2]).replace('\\"', '"')
        if self.stack is None or self.stack.get("status") == "REVIEW_IN_PROGRESS":
            self.stack = {"url": "", "others": ["QueryExecutorArn", "ProjectName"]}
            self.change(parameters=DEFAULTS)
        stack = self.stack
        url = given.pop("ConfigGitUrl", stack["url"])
        self.change(url=url, parameters=stack.get("parameters", {}) | given)


OPERATIONS = {
    name.replace("_", "-").replace("do-", "do_"): operation
    for name, operation in vars(StandIn).items()
    if name.startswith("do_")
}

if __name__ == "__main__":
    StandIn(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]).answer()
