"""A made-up account, as the AWS CLI and the SAM CLI see it: the stand-in for both.

Tests put `Account.run` in the place of `aws.run`, so that a tool runs in the test's own process.
For those that go through a shell, programs ask it (`tests.world.shell`).
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.world.environment import EXECUTOR_ARN, GROUP, REGION, SHA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STACK = "pn-athena-schedule-manager"
NUMBER = "123456789012"
FUNCTION = "pn-AthenaScheduleManager"
FIRST_URL = f"https://git.example/org/{SHA}/c.json?x=1&y=2"
LOG = "log line"
COUNTED = {"created": 1, "updated": 0, "deleted": 0, "failed": 0}
PLAN = COUNTED | {
    "changes": [{"action": "create", "name": "pn-a", "line": "CREATE: pn-a (cron: x)"}]
}
DEFAULTS = {
    "ProjectName": "pn",
    "ExistingScheduleGroupName": "",
    "TriggerState": "ENABLED",
    "DeadLetterQueueArn": "",
    "AlarmEmail": "",
    "AlarmTopicArn": "",
}
OUTPUTS = {
    "Version": "3.0.0",
    "FunctionName": FUNCTION,
    "ScheduleGroupName": GROUP,
    "LogGroupName": f"/aws/lambda/{FUNCTION}",
    "TriggerRuleName": "the-rule",
    "DeadLetterQueueArn": f"arn:aws:sqs:{REGION}:{NUMBER}:dropped",
}
OVERRIDE = re.compile(  # SAM's own: a value ends at a space or at a quote that is not escaped
    r'ParameterKey=([A-Za-z0-9]+),ParameterValue=("(?:\\.|[^"\\]+)*"|(?:\\.|[^ "\\]+)+)'
)
KEPT_VARIABLES = (
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "PYTHONPATH",
)


class RefusedError(Exception):
    """The service refuses the call; the message is what the AWS CLI prints."""

    def __init__(self, code: str, message: str) -> None:
        """Word it as the AWS CLI does."""
        super().__init__(f"An error occurred ({code}): {message}")


@dataclass
class Account:
    """An account with one stack at most: what is in it, and every call."""

    region: str = REGION
    configured_region: str = REGION
    version: str = "aws-cli/2.31.0"
    status: str = ""  # of the stack; empty: there is none
    coming: list[str] = field(default_factory=list)  # the statuses that it takes one by one
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    update_ends: str = "UPDATE_COMPLETE"
    takes_time: bool = True  # an update is seen under way; False where nobody can replace the wait
    is_protected: bool = False
    rule: str = "ENABLED"
    functions: list[str] = field(default_factory=lambda: [EXECUTOR_ARN])
    schedules: dict[str, Any] = field(default_factory=dict)
    messages: list[Any] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)  # the ids of messages that are being read
    answers: dict[str, Any] = field(default_factory=dict)  # of the function, by what was asked
    events: list[Any] = field(default_factory=list)  # what functions were invoked with
    refusals: dict[str, list[str]] = field(default_factory=dict)  # by operation: code and message
    interrupted: str = ""  # the operation at which somebody presses Ctrl-C
    calls: list[list[str]] = field(default_factory=list)
    variables: list[dict[str, str]] = field(default_factory=list)  # of each call
    sam_prints: list[str] = field(default_factory=list)

    @classmethod
    def with_stack(cls, **changes: Any) -> Account:
        """Return an account in which a first deployment has been made."""
        parameters = DEFAULTS | {"ConfigGitUrl": FIRST_URL, "QueryExecutorArn": EXECUTOR_ARN}
        account = cls(status="CREATE_COMPLETE", parameters=parameters, outputs=dict(OUTPUTS))
        for name, value in changes.items():
            setattr(account, name, value)
        return account

    # --- How it is called

    def run(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        show: Callable[[str], None] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Answer as `aws.run` does."""
        tool, *words = command
        self.calls.append([Path(tool).name, *words])
        self.variables.append({name: env[name] for name in KEPT_VARIABLES if name in env})
        try:
            printed = self.answer(Path(tool).name, words)
        except RefusedError as error:
            return subprocess.CompletedProcess(command, 254, "", f"{error}\n")
        text = printed if isinstance(printed, str) else json.dumps(printed)
        text = "" if printed is None else text
        if show is not None:
            for line in text.splitlines():
                show(line)
        return subprocess.CompletedProcess(command, 0, text, "a warning of the tool's own\n")

    def answer(self, tool: str, words: list[str]) -> Any:
        """Do what was asked, and return what is printed. Raises RefusedError."""
        region = option(words, "--region") or self.region
        if words == ["--version"]:
            return self.version
        operation = f"sam-{words[0]}"
        if tool == "aws":
            operation = without_options(words)[1]
        if self.interrupted == operation:
            self.interrupted = ""
            raise KeyboardInterrupt
        if operation in self.refusals:
            raise RefusedError(*self.refusals[operation])
        does: Callable[[list[str], str], Any] = getattr(self, operation.replace("-", "_"))
        return does(words, region)

    def called(self, *wanted: str) -> list[list[str]]:
        """Return the calls that hold all of these words."""
        return [call for call in self.calls if set(wanted) <= set(call)]

    # --- The stack

    def get_caller_identity(self, *_: Any) -> Any:
        """Say whose account it is."""
        return {"Account": NUMBER, "Arn": f"arn:aws:iam::{NUMBER}:user/operator"}

    def get(self, *_: Any) -> Any:
        """Return what `aws configure get region` finds."""
        if not self.configured_region:
            raise RefusedError("None", "")
        return f"{self.configured_region}\n"

    def describe_stacks(self, words: list[str], region: str) -> Any:
        """Describe the stack."""
        if self.coming:
            self.status = self.coming.pop(0)
        name = option(words, "--stack-name")
        if not self.status or region != self.region:
            raise RefusedError("ValidationError", f"Stack with id {name} does not exist")
        outputs = OUTPUTS | self.outputs
        stack = {
            "StackId": f"arn:aws:cloudformation:{region}:{NUMBER}:stack/{name}/1",
            "StackStatus": self.status,
            "EnableTerminationProtection": self.is_protected,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in self.parameters.items()
            ],
            "Outputs": [
                {"OutputKey": key, "OutputValue": value} for key, value in outputs.items() if value
            ],
        }
        return {"Stacks": [stack]}

    def update_stack(self, words: list[str], _: str) -> Any:
        """Change the parameters that have a value; the others must be kept."""
        given = json.loads(option(words, "--parameters"))
        changed = {p["ParameterKey"]: p["ParameterValue"] for p in given if "ParameterValue" in p}
        kept = {p["ParameterKey"] for p in given if p.get("UsePreviousValue") is True}
        if changed.keys() | kept != self.parameters.keys():
            raise RefusedError("ValidationError", "A parameter is missing.")
        if changed.items() <= self.parameters.items():
            raise RefusedError("ValidationError", "No updates are to be performed.")
        self.status = "UPDATE_IN_PROGRESS"
        self.coming = ["UPDATE_IN_PROGRESS", self.update_ends]
        if not self.takes_time:
            self.coming = [self.update_ends]
        if self.update_ends == "UPDATE_COMPLETE":
            self.parameters |= changed
            self.rule = self.parameters["TriggerState"]
        return {"StackId": "1"}

    def delete_stack(self, *_: Any) -> Any:
        """Begin to delete the stack; it is gone when somebody has looked once."""
        self.status = "DELETE_IN_PROGRESS"
        self.coming = ["DELETE_IN_PROGRESS", ""]

    def sam_build(self, *_: Any) -> Any:
        """Print what SAM prints."""
        return "\n".join(self.sam_prints)

    def sam_deploy(self, words: list[str], _: str) -> Any:
        """Make or update the stack."""
        given = {}
        if "--parameter-overrides" in words:
            for word in words[words.index("--parameter-overrides") + 1 :]:
                taken = OVERRIDE.match(word)
                if taken is None:
                    raise RefusedError("Error", f"{word} is not a valid format")
                given[taken[1]] = re.sub(r'^"|"$', "", taken[2]).replace('\\"', '"')
        if self.status in {"", "REVIEW_IN_PROGRESS"}:
            self.parameters = dict(DEFAULTS)
        changed = given.items() - self.parameters.items()
        if any(name == "TriggerState" for name, _ in changed):
            self.rule = given["TriggerState"]
        self.parameters |= given
        self.outputs["Version"] = OUTPUTS["Version"]
        self.status = "UPDATE_COMPLETE" if self.status else "CREATE_COMPLETE"
        self.coming = []
        return "\n".join(self.sam_prints)

    # --- What is around it

    def get_function_configuration(self, words: list[str], _: str) -> Any:
        """Return a function's configuration."""
        name = option(words, "--function-name")
        if name not in self.functions:
            raise RefusedError("ResourceNotFoundException", f"Function not found: {name}")
        return {"FunctionArn": name}

    def invoke(self, words: list[str], _: str) -> Any:
        """Answer an invocation: with what was prepared for a run or a dry run, or as usual."""
        payload = Path(option(words, "--payload").removeprefix("fileb://")).read_text()
        event = json.loads(payload, strict=False)
        self.events.append(event)
        asked = "run"
        if isinstance(event, dict) and "dry_run" in event:
            asked = "head" if "config_git_url" in event else "published"
        answer = self.answers.get(asked, COUNTED if asked == "run" else PLAN)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        Path(words[-1]).write_text(text)
        result = {"StatusCode": 200, "LogResult": base64.b64encode(LOG.encode()).decode()}
        if isinstance(answer, dict) and "errorMessage" in answer:
            result["FunctionError"] = "Unhandled"
        return result

    def tail(self, words: list[str], _: str) -> Any:
        """Show a log."""
        return f"the log of {without_options(words)[2]}"

    def describe_rule(self, *_: Any) -> Any:
        """Tell the state of the trigger."""
        return {"Name": "the-rule", "State": self.rule}

    def enable_rule(self, *_: Any) -> Any:
        """Turn the trigger on."""
        self.rule = "ENABLED"

    def disable_rule(self, *_: Any) -> Any:
        """Turn the trigger off."""
        self.rule = "DISABLED"

    def list_schedules(self, *_: Any) -> Any:
        """List the schedules of the group."""
        return {"Schedules": [{"Name": name, "GroupName": GROUP} for name in self.schedules]}

    def get_schedule(self, words: list[str], _: str) -> Any:
        """Return a schedule."""
        name = option(words, "--name")
        if name not in self.schedules:
            raise RefusedError("ResourceNotFoundException", "when calling GetSchedule")
        return self.schedules[name]

    # --- The queue

    def get_queue_url(self, words: list[str], _: str) -> Any:
        """Return a queue's URL."""
        return {"QueueUrl": "https://queue.example/" + option(words, "--queue-name")}

    def get_queue_attributes(self, *_: Any) -> Any:
        """Count the messages that are being read."""
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": str(len(self.hidden))}}

    def receive_message(self, *_: Any) -> Any:
        """Return what nobody reads just now, two at a time, and hide it; print nothing for none."""
        visible = [m for m in self.messages if m["MessageId"] not in self.hidden][:2]
        self.hidden += [message["MessageId"] for message in visible]
        if not visible:
            return None
        return {"Messages": [m | {"ReceiptHandle": f"handle-{m['MessageId']}"} for m in visible]}

    def change_message_visibility_batch(self, words: list[str], _: str) -> Any:
        """Show messages again."""
        for entry in json.loads(option(words, "--entries")):
            if entry["VisibilityTimeout"] == 0:
                self.hidden.remove(entry["ReceiptHandle"].removeprefix("handle-"))
        return {"Successful": [], "Failed": []}


def option(words: list[str], name: str) -> str:
    """Return the word after an option, or nothing."""
    return words[words.index(name) + 1] if name in words else ""


def without_options(words: list[str]) -> list[str]:
    """Return the words from the service on."""
    begin = 0
    while words[begin] in {"--region", "--output"}:
        begin += 2
    return words[begin:]
