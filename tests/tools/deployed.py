"""The deployed stack, by way of the AWS CLI. Python's standard library alone: .venv is not needed.

`make` hands over what was typed in the environment, so that nothing expands it on its way.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_INVOCATION = "300"  # seconds, for the CLI to wait: more than the function's timeout
COUNTERS = ("created", "updated", "deleted", "failed")


class ProblemError(Exception):
    """A sentence for who asked; nothing more is done."""


def aws(*words: str, **variables: str) -> str:
    """Call the AWS CLI and return what it prints. Raises ProblemError with what it complains of."""
    command = [*shlex.split(os.environ.get("AWS") or "aws"), *words]
    environment = {**os.environ, **variables}
    try:
        done = subprocess.run(command, capture_output=True, env=environment, check=False)  # noqa: S603 - no shell
    except OSError as error:
        raise ProblemError(f"Cannot run the AWS CLI, {command[0]}: {error.strerror}") from None
    if done.returncode:
        complaint = done.stderr.decode(errors="replace").strip()
        raise ProblemError(complaint or f"{command[0]} failed with exit code {done.returncode}")
    return done.stdout.decode(errors="replace")


def aws_json(*words: str, **variables: str) -> Any:
    """Call the AWS CLI and return what it prints, parsed."""
    return json.loads(aws("--output", "json", *words, **variables))


@dataclass(frozen=True)
class Stack:
    """The stack's name, parameters and outputs."""

    name: str
    parameters: dict[str, str]
    outputs: dict[str, str]

    def output(self, name: str) -> str:
        """Return an output. Raises ProblemError: it is another stack, or was never finished."""
        if name not in self.outputs:
            raise ProblemError(f"The stack {self.name} has no output {name}: is STACK right?")
        return self.outputs[name]


def stack() -> Stack:
    """Look at the stack that the variable STACK names. Raises ProblemError."""
    name = os.environ.get("STACK") or "pn-athena-schedule-manager"
    answer = aws_json("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"][0]
    parameters = answer.get("Parameters", [])
    outputs = answer.get("Outputs", [])
    return Stack(
        name,
        {each["ParameterKey"]: each.get("ParameterValue", "") for each in parameters},
        {each["OutputKey"]: each["OutputValue"] for each in outputs},
    )


def invoke(function: str, payload: object, *words: str) -> Any:
    """Invoke a function and return its answer. Raises ProblemError if the function failed."""
    with tempfile.TemporaryDirectory() as folder:
        sent, received = Path(folder, "payload.json"), Path(folder, "answer.json")
        sent.write_text(payload if isinstance(payload, str) else json.dumps(payload), "utf-8")
        call = aws_json(
            *("lambda", "invoke", "--function-name", function, "--payload", f"fileb://{sent}"),
            *("--cli-read-timeout", LONGEST_INVOCATION, *words, str(received)),
            AWS_MAX_ATTEMPTS="1",  # once is once, even if the answer is lost
        )
        answer = received.read_text("utf-8") if received.exists() else ""
    if "FunctionError" in call:
        raise ProblemError(f"{function} failed: {answer}")
    return json.loads(answer) if answer.strip() else None


def plan_problem(answer: object) -> str | None:
    """Say why the answer of a dry run is not a plan, or return None: it is one."""
    if isinstance(answer, dict) and set(answer) == {"error"}:
        return str(answer["error"])
    plan = answer if isinstance(answer, dict) else {}
    counted = all(type(plan.get(name)) is int for name in COUNTERS)
    if counted and isinstance(plan.get("changes"), list):
        return None
    return f"the answer is not a plan: {json.dumps(answer)[:200]}"


def run(main: Callable[[], None]) -> int:
    """Run a tool that talks to the stack; a problem is a sentence and exit code 1."""
    try:
        main()
    except ProblemError as problem:
        sys.stdout.flush()
        print(problem, file=sys.stderr)
        return 1
    return 0
