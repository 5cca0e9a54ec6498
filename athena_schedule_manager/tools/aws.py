"""The stack, through the AWS CLI: what the tools that deploy and operate share.

Standard library only, since these tools must not need the environment in .venv. The AWS CLI and
SAM are started by `run`, which a test replaces. Region and profile are decided once, by `place`,
and both are told them: they would each read other variables.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import shlex
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from athena_schedule_manager.tools.command_line import DEFAULT_STACK, NotWellError, StopError
from athena_schedule_manager.tools.terminal import remark, say, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

READ_TIMEOUT = 300  # seconds: longer than the function's own timeout
POLL = 5  # seconds between two looks at a stack that is changing
LONGEST_WAIT = 3600  # seconds that an operation on a stack is waited for
SIGN_OF_LIFE = 30  # seconds between two lines of a tool that waits
PLACES = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
MANUAL = {
    "AWS": "the AWS CLI, version 2: https://docs.aws.amazon.com/cli/",
    "SAM": "the SAM CLI: https://docs.aws.amazon.com/serverless-application-model/",
}
HALF_UPDATED = {  # what undoes the update
    "UPDATE_FAILED": "rollback-stack",
    "UPDATE_ROLLBACK_FAILED": "continue-update-rollback",
}
HALF_THERE = {"CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_FAILED"}
AT_REST = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}
WITHOUT_RESOURCES = "REVIEW_IN_PROGRESS"  # a change set was made, and never carried out

sleep = time.sleep  # which a test replaces, as it does `run`


class AwsError(StopError):
    """The AWS CLI failed; the message is what it printed."""


# --- Programs, and where they act


def run(
    command: Sequence[str], env: Mapping[str, str], show: Callable[[str], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end: keep what it prints, or hand each line to `show` at once."""
    if show is None:
        return subprocess.run(command, capture_output=True, text=True, check=False, env=env)  # noqa: S603 - what make was told
    with subprocess.Popen(  # noqa: S603 - what make was told
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
    ) as process:
        for line in process.stdout or []:
            show(line.rstrip("\n"))
    return subprocess.CompletedProcess(command, process.returncode, "", "")


def call(
    name: str,
    words: Sequence[str],
    env: Mapping[str, str],
    show: Callable[[str], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Call the AWS CLI or the SAM CLI. Raises StopError if it is not there.

    Both may be programs of Python, which must not import the packages that PYTHONPATH has for us.
    """
    command = shlex.split(os.environ.get(name) or name.lower())
    theirs = {key: value for key, value in env.items() if key != "PYTHONPATH"}
    try:
        return run([*command, *words], theirs, show)
    except OSError as error:
        raise StopError(
            f"{command[0]} cannot be started ({error.strerror}): install {MANUAL[name]}"
        ) from error


@dataclass(frozen=True)
class Place:
    """Where every tool acts."""

    region: str
    profile: str  # empty: whatever credentials the AWS CLI finds

    def environment(self) -> dict[str, str]:
        """Return the environment of a program, with one Region and one profile."""
        kept = {name: value for name, value in os.environ.items() if name not in PLACES}
        kept |= {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        if self.profile:
            kept |= {"AWS_PROFILE": self.profile, "AWS_DEFAULT_PROFILE": self.profile}
        return kept

    def prefix(self) -> str:
        """Return what a command needs before it, if it is typed where nothing is set."""
        words = []
        if self.region != configured_region():
            words.append(f"AWS_REGION={shlex.quote(self.region)} ")
        if self.profile not in {"", "default"}:
            words.append(f"AWS_PROFILE={shlex.quote(self.profile)} ")
        return "".join(words)


@functools.cache
def place() -> Place:
    """Decide on Region and profile. Raises StopError if there is no Region.

    Keys in the environment go before a profile, as they do for the AWS CLI.
    """
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    region = region or configured_region()
    if not region:
        raise StopError("No Region is set: set AWS_REGION, as in AWS_REGION=eu-south-1 make deploy")
    profile = "" if os.environ.get("AWS_ACCESS_KEY_ID") else profile_of_the_environment()
    return Place(region, profile)


@functools.cache
def configured_region() -> str:
    """Return the Region that the AWS CLI is configured with, or nothing."""
    words = ["configure", "get", "region"]
    profile = profile_of_the_environment()
    if profile:
        words += ["--profile", profile]
    return call("AWS", words, os.environ).stdout.strip()


def profile_of_the_environment() -> str:
    """Return the profile that the environment names, or nothing."""
    return os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or ""


def typed(tool: str, stack_name: str, *words: str) -> str:
    """Return a command that can be pasted: it acts on the same stack in the same Region."""
    stack = [] if stack_name == DEFAULT_STACK else [f"STACK={stack_name}"]
    return place().prefix() + " ".join(["make", tool, *stack, *words])


def raw(service: str, operation: str, *words: str) -> str:
    """Return a command of the AWS CLI that can be pasted."""
    profile = f" --profile {shlex.quote(place().profile)}" if place().profile else ""
    written = " ".join(["aws", service, operation, *words])
    return f"{written} --region {place().region}{profile}"


def aws(service: str, operation: str, *words: str, attempts: int = 3, region: str = "") -> Any:  # noqa: ANN401 - its JSON
    """Call the AWS CLI and return its answer. Raises AwsError."""
    where = ["--region", region or place().region, "--output", "json"]
    env = place().environment() | {"AWS_MAX_ATTEMPTS": str(attempts)}
    done = call("AWS", [*where, service, operation, *words], env)
    if done.returncode:
        raise AwsError(explained(done.stderr))
    return json.loads(done.stdout or "null")


def explained(complaint: str) -> str:
    """Return what the AWS CLI complains of, with what to do about it where that is known."""
    lines = [shown(line) for line in complaint.strip().splitlines()]
    text = "\n".join(line for line in lines if line) or "The AWS CLI failed without a word"
    if re.search("ExpiredToken|expired|InvalidClientTokenId", text):
        return f"{text}\nThe credentials have expired or are wrong: log in, and type it again"
    if "Unable to locate credentials" in text:
        return f"{text}\nSet AWS_PROFILE, or log in"
    return text


def is_version_1() -> bool:
    """Tell whether the AWS CLI is version 1, which has no `aws logs tail`."""
    done = call("AWS", ["--version"], place().environment())
    return "aws-cli/1." in done.stdout + done.stderr


def show_or_end(line: str) -> None:
    """Print a line of what is followed. Raises BrokenPipeError where nobody reads any more."""
    print(shown(line), flush=True)


def follow(*words: str) -> None:
    """Call the AWS CLI and show what it prints while it runs. Raises AwsError."""
    where = ["--region", place().region]
    done = call("AWS", [*where, *words], place().environment(), show_or_end)
    if done.returncode:
        raise AwsError("The AWS CLI has failed, see above")


# --- The stack


@dataclass(frozen=True)
class Stack:
    """A stack as CloudFormation describes it."""

    name: str
    account: str
    status: str
    parameters: dict[str, str]
    outputs: dict[str, str]
    is_protected: bool

    def output(self, name: str) -> str:
        """Return an output. Raises StopError where there is none.

        The stack is another application's then, or only partly there, or older than the output.
        """
        if name in self.outputs:
            return self.outputs[name]
        require_manager(self)
        if self.status in HALF_THERE:
            raise StopError(condition(self))
        command = self.typed("deploy")
        raise StopError(f"{self.name} has no output {name}: update it with {command}")

    def typed(self, tool: str, *words: str) -> str:
        """Return a command for this stack that can be pasted."""
        return typed(tool, self.name, *words)


def find_stack(name: str) -> Stack | None:
    """Return the stack, or None if there is none in this Region. Raises AwsError."""
    try:
        [found] = aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"]
    except AwsError as error:
        if "does not exist" in str(error):
            return None
        raise
    return Stack(
        name,
        found["StackId"].split(":")[4],
        found["StackStatus"],
        {p["ParameterKey"]: p["ParameterValue"] for p in found.get("Parameters", [])},
        {o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])},
        bool(found.get("EnableTerminationProtection")),
    )


def look_up(name: str) -> Stack | None:
    """Find the stack, and say where: account, Region and stack, before anything is done."""
    try:
        stack = find_stack(name)
    except AwsError as error:
        raise AwsError(f"Region {place().region}, stack {name}: {error}") from error
    account = stack.account if stack else aws("sts", "get-caller-identity")["Account"]
    say_where(account, f"stack {name}")
    return stack


@functools.cache
def say_where(account: str, what: str) -> None:
    """Say once in which account and Region a tool acts, and on what."""
    profile = f", profile {place().profile}" if place().profile else ""
    remark(f"Account {account}, Region {place().region}{profile}, {what}")


def the_stack(name: str) -> Stack:
    """Return the stack to look at; say if it is changing or broken. Raises StopError."""
    stack = required(look_up(name), name)
    if stack.status.endswith("_IN_PROGRESS"):
        remark(f"{name} is being changed just now: {stack.status}")
    elif stack.status not in AT_REST:
        remark(condition(stack))
    tell_roll_back(stack)
    return stack


def stack_to_change(name: str) -> Stack:
    """Return the stack once no operation on it is under way. Raises StopError if it is broken."""
    found = required(look_up(name), name)
    stack = required(settled(name, found), name)
    if stack.status not in AT_REST:
        raise StopError(condition(stack))
    tell_roll_back(stack)
    return stack


def required(stack: Stack | None, name: str) -> Stack:
    """Return the stack. Raises StopError if there is none."""
    if stack is None or stack.status == WITHOUT_RESOURCES:
        raise StopError(
            f"The Region {place().region} has no stack {name}: set AWS_REGION or STACK="
        )
    return stack


def tell_roll_back(stack: Stack) -> None:
    """Say so if the last update was rolled back."""
    if stack.status in {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}:
        remark(f"The last update of {stack.name} was rolled back: it is as it was before")


def require_manager(stack: Stack) -> None:
    """Raise StopError if the stack is not one of a manager."""
    if "ConfigGitUrl" not in stack.parameters:
        raise StopError(
            f"{stack.name} has no parameter ConfigGitUrl: it is another stack; set STACK="
        )


def condition(stack: Stack) -> str:
    """Say what state a broken stack is in, what is live, and what to type."""
    name = ["--stack-name", stack.name]
    state = f"{stack.name} is in the state {stack.status}"
    events = f"why is told by {raw('cloudformation', 'describe-stack-events', *name)}"
    if stack.status in HALF_UPDATED:
        command = raw("cloudformation", HALF_UPDATED[stack.status], *name)
        return f"{state}: what it was updated to is partly live. Type {command}; {events}"
    if stack.status in HALF_THERE:
        command = stack.typed("delete", "CONFIRM=yes")
        return f"{state}: only a part of it is there. Type {command}; {events}"
    if stack.status == "ROLLBACK_COMPLETE":
        return f"{state}: nothing of it is live. Type {stack.typed('deploy')}; {events}"
    return f"{state}, in which it cannot be changed; {events}"


def settled(name: str, stack: Stack | None) -> Stack | None:
    """Wait until no operation on the stack is under way, with signs of life; return it as it is."""
    told = ""
    waited = 0
    while stack and stack.status.endswith("_IN_PROGRESS") and stack.status != WITHOUT_RESOURCES:
        if stack.status != told or waited % SIGN_OF_LIFE == 0:
            remark(f"Waiting for {name}: {stack.status}, {waited} s")
            told = stack.status
        if waited >= LONGEST_WAIT:
            command = raw("cloudformation", "describe-stacks", "--stack-name", name)
            raise StopError(f"{name} is still {stack.status} after an hour: see {command}")
        sleep(POLL)
        waited += POLL
        stack = find_stack(name)
    return stack


def submit_parameter(stack: Stack, name: str, value: str) -> None:
    """Begin to change one parameter of the stack, and nothing else. Raises StopError."""
    if name not in stack.parameters:
        raise StopError(
            f"{stack.name} has no parameter {name}: update it with {stack.typed('deploy')}"
        )
    parameters: list[dict[str, Any]] = [
        {"ParameterKey": other, "UsePreviousValue": True}
        for other in stack.parameters
        if other != name
    ]
    parameters.append({"ParameterKey": name, "ParameterValue": value})
    words = ["--stack-name", stack.name, "--use-previous-template"]
    words += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    try:
        aws("cloudformation", "update-stack", *words, "--parameters", json.dumps(parameters))
    except AwsError as error:
        if "No updates are to be performed" not in str(error):
            raise


def await_parameter(stack: Stack, name: str, value: str) -> None:
    """Wait for the update, and read the parameter back. Raises StopError if it is another."""
    try:
        now = required(settled(stack.name, find_stack(stack.name)), stack.name)
    except (KeyboardInterrupt, AwsError):
        command = raw("cloudformation", "describe-stacks", "--stack-name", stack.name)
        remark(f"The update of {stack.name} goes on without this command: see {command}")
        raise
    if now.parameters.get(name) != value:
        raise StopError(
            f"{stack.name} still has its former {name}: its state is {now.status}; why is told by"
            f" {raw('cloudformation', 'describe-stack-events', '--stack-name', stack.name)}"
        )


def change_parameter(stack: Stack, name: str, value: str) -> None:
    """Change one parameter of the stack, and nothing else; wait for it, and read it back."""
    submit_parameter(stack, name, value)
    await_parameter(stack, name, value)


def trigger_state(stack: Stack) -> str:
    """Return the real state of the rule: ENABLED or DISABLED, or nothing if it cannot be seen."""
    try:
        rule = aws("events", "describe-rule", "--name", stack.output("TriggerRuleName"))
    except AwsError as error:
        remark(f"The trigger's state cannot be seen: {error}")
        return ""
    return str(rule["State"])


def turn_trigger(stack: Stack, state: str) -> None:
    """Turn the rule on or off."""
    operation = {"ENABLED": "enable-rule", "DISABLED": "disable-rule"}[state]
    aws("events", operation, "--name", stack.output("TriggerRuleName"))


# --- The function


@dataclass(frozen=True)
class Answer:
    """What an invocation gave: the end of the log, the answer, and Lambda's word for a failure."""

    log: str
    text: str
    error: str = ""


def invoke_once(function: str, payload: str, *words: str) -> Answer:
    """Invoke a function once, and print nothing. Raises StopError and AwsError, which is one."""
    with tempfile.TemporaryDirectory() as folder:
        event = Path(folder, "event.json")
        answer = Path(folder, "answer.json")
        event.write_text(payload, "utf-8", errors="backslashreplace")
        result = aws(
            *("lambda", "invoke", "--function-name", function, "--payload", f"fileb://{event}"),
            *("--cli-read-timeout", str(READ_TIMEOUT), *words, str(answer)),
            attempts=1,  # once is once, even if the answer is lost
        )
        text = answer.read_text("utf-8") if answer.exists() else ""
    log = base64.b64decode(result.get("LogResult", "")).decode("utf-8", "replace").rstrip("\n")
    return Answer(log, text, result.get("FunctionError", ""))


def call_function(function: str, payload: str, *words: str) -> tuple[str, str]:
    """Invoke a function once; return the end of its log and its answer.

    Both are printed when the function failed, and NotWellError is raised with its sentence.
    """
    answer = invoke_once(function, payload, *words)
    if answer.error:
        show_text(f"{answer.log}\n{answer.text}".lstrip())
        raise NotWellError(f"The run of {function} failed: {sentence_of(answer.text)}")
    return answer.log, answer.text


def sentence_of(answer: str) -> str:
    """Return what a failed function says went wrong, in one line."""
    try:
        told = json.loads(answer)
        return shown(f"{told.get('errorType', 'error')}: {told['errorMessage']}")
    except (ValueError, KeyError, AttributeError):
        return "it says no more; see its log"


def show_text(text: str) -> None:
    """Print what a function logged or returned, each line with its control characters escaped."""
    for line in text.splitlines():
        say(shown(line))
