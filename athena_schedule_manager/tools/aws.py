"""The stack, through the AWS CLI: what the tools that deploy and operate share.

Standard library only, since these tools must not need the environment in .venv. Every program is
started by `run`, which a test replaces.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from athena_schedule_manager.tools.command_line import StopError
from athena_schedule_manager.tools.terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

READ_TIMEOUT = 300  # seconds: longer than the function's own timeout

sleep = time.sleep  # which a test replaces, as it does `run`


class AwsError(StopError):
    """The AWS CLI failed; the message is what it printed."""


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


def program(name: str) -> list[str]:
    """Return the words that start the AWS CLI or the SAM CLI."""
    return shlex.split(os.environ.get(name) or name.lower())


def aws(service: str, operation: str, *words: str, attempts: int = 3) -> Any:  # noqa: ANN401 - its JSON
    """Call the AWS CLI and return its answer. Raises AwsError."""
    command = [*program("AWS"), "--output", "json", service, operation, *words]
    env = {**os.environ, "AWS_MAX_ATTEMPTS": str(attempts)}
    try:
        done = run(command, env)
    except OSError as error:
        raise StopError(f"The AWS CLI cannot be started: {error}") from error
    if done.returncode:
        raise AwsError(done.stderr.strip())
    return json.loads(done.stdout or "null")


def follow(*words: str) -> None:
    """Call the AWS CLI and show what it prints while it runs. Raises AwsError."""
    try:
        done = run([*program("AWS"), *words], os.environ, say)
    except OSError as error:
        raise StopError(f"The AWS CLI cannot be started: {error}") from error
    if done.returncode:
        raise AwsError("The AWS CLI has failed, see above")


@dataclass(frozen=True)
class Stack:
    """A stack as CloudFormation describes it."""

    name: str
    status: str
    parameters: dict[str, str]
    outputs: dict[str, str]
    is_protected: bool

    def output(self, name: str) -> str:
        """Return an output. Raises StopError where the stack is older than the output."""
        if name not in self.outputs:
            raise StopError(f"{self.name} has no output {name}: update it with make deploy")
        return self.outputs[name]


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
        found["StackStatus"],
        {p["ParameterKey"]: p["ParameterValue"] for p in found.get("Parameters", [])},
        {o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])},
        bool(found.get("EnableTerminationProtection")),
    )


def the_stack(name: str) -> Stack:
    """Return the stack of this name. Raises StopError if there is none."""
    stack = find_stack(name)
    if stack is None:
        raise StopError(f"This Region has no stack {name}: set AWS_REGION or STACK=")
    return stack


def wait_for(event: str, name: str) -> None:
    """Wait for the end of an operation on the stack."""
    aws("cloudformation", "wait", event, "--stack-name", name)


def delete_stack(name: str) -> None:
    """Delete the stack, and wait until it is gone."""
    aws("cloudformation", "delete-stack", "--stack-name", name)
    wait_for("stack-delete-complete", name)


def change_parameter(stack: Stack, name: str, value: str) -> None:
    """Change one parameter of the stack, and nothing else; wait for it."""
    if name not in stack.parameters:
        raise StopError(f"{stack.name} has no parameter {name}: update it with make deploy")
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
    else:
        wait_for("stack-update-complete", stack.name)


@dataclass(frozen=True)
class Answer:
    """What an invocation gave: the end of the log, the answer, and Lambda's word for a failure."""

    log: str
    text: str
    error: str = ""


def invoke_once(function: str, payload: str, *words: str) -> Answer:
    """Invoke a function once, and print nothing. Raises AwsError."""
    with tempfile.TemporaryDirectory() as folder:
        event, answer = Path(folder, "event.json"), Path(folder, "answer.json")
        event.write_text(payload, "utf-8")
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

    Both are printed and StopError is raised when the function failed.
    """
    answer = invoke_once(function, payload, *words)
    if answer.error:
        say(f"{answer.log}\n{answer.text}".lstrip())
        raise StopError(f"The run of {function} failed: {answer.error}")
    return answer.log, answer.text


def invoke(function: str, payload: str) -> None:
    """Invoke the function and print the end of its log and its answer. Raises StopError."""
    for text in call_function(function, payload, "--log-type", "Tail"):
        say(text)
