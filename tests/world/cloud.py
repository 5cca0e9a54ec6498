"""A stack that is there already, and a stand-in for the AWS CLI that answers in JSON, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.world.environment import EXECUTOR_ARN, GROUP, SHA
from tests.world.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path

URL = f"https://git.example/org/repo/{SHA}/c.json?token={'b' * 40}"
PLAN = {
    "created": 1,
    "updated": 0,
    "deleted": 0,
    "failed": 0,
    "changes": ["CREATE: pn-a (cron: x)"],
}
OUTPUTS = {"FunctionName": "pn-AthenaScheduleManager", "ScheduleGroupName": GROUP}
SCHEDULE = {
    "Name": "pn-daily-report",
    "ScheduleExpression": "cron(0 2 * * ? *)",
    "State": "DISABLED",
    "Target": {"Arn": EXECUTOR_ARN, "Input": '{"query_id": "daily-report"}'},
}

# What asks for text is left to the stand-in of the stack: the calls of deploy, say.
STAND_IN = """#!{python}
import json, os, pathlib, sys
words = sys.argv[1:]
state = pathlib.Path({state!r})
cloud = json.loads(state.read_text())
if "text" in words:
    os.execv({text!r}, [{text!r}, *words])
with open({log!r}, "a") as log:
    log.write(json.dumps(["aws", *words]) + "\\n")
if cloud.get("denied"):
    sys.exit("An error occurred (AccessDenied)")
def after(option):
    return words[words.index(option) + 1]
def pairs(kind, entries):
    return [{{kind + "Key": key, kind + "Value": value}} for key, value in entries.items()]
if "describe-stacks" in words:
    parameters = {{"ConfigGitUrl": cloud["url"], **dict.fromkeys(cloud["others"], "old")}}
    parameters |= cloud.get("parameters", {{}})
    stack = {{"StackStatus": "UPDATE_COMPLETE", "Parameters": pairs("Parameter", parameters)}}
    print(json.dumps({{"Stacks": [stack | {{"Outputs": pairs("Output", cloud["outputs"])}}]}}))
elif "invoke" in words:
    event = {{}}
    if "--payload" in words:
        event = json.loads(pathlib.Path(after("--payload").removeprefix("fileb://")).read_text())
    with open({log!r}, "a") as log:
        log.write(json.dumps(["payload", event]) + "\\n")
    asked = "run"
    if "dry_run" in event:
        asked = "head" if "config_git_url" in event else "published"
    answer = cloud["answers"][asked]
    text = answer if isinstance(answer, str) else json.dumps(answer)
    pathlib.Path(words[-1]).write_text(text)
    failed = isinstance(answer, dict) and "errorMessage" in answer
    error = {{"FunctionError": "Unhandled"}} if failed else {{}}
    print(json.dumps({{"StatusCode": 200, **error}}))
elif "get-schedule" in words:
    schedule = cloud["schedules"].get(after("--name"))
    if schedule is None:
        sys.exit("An error occurred (ResourceNotFoundException) when calling GetSchedule")
    print(json.dumps(schedule))
elif "update-stack" in words:
    cloud["url"], cloud["kept"] = None, []
    given = words[words.index("--parameters") + 1:]
    if given[0].startswith("["):
        given = json.loads(given[0])
    else:
        given = [dict(pair.split("=", 1) for pair in entry.split(",", 1)) for entry in given]
    for parameter in given:
        if parameter["ParameterKey"] == "ConfigGitUrl":
            cloud["url"] = parameter["ParameterValue"].strip('"')
        else:
            assert str(parameter["UsePreviousValue"]).lower() == "true"
            cloud["kept"].append(parameter["ParameterKey"])
    state.write_text(json.dumps(cloud))
"""


class Cloud(Stack):
    """A deployed stack, its function's answers and its schedules; `make` finds the tools there."""

    def __init__(self, place: Path, **changes: Any) -> None:
        """Put the stand-ins into a folder, which is a checkout as far as make needs one."""
        super().__init__(place)
        (place / "aws").rename(place / "aws-text")
        script = STAND_IN.format(
            python=sys.executable,
            state=str(self.state),
            log=str(self.calls),
            text=str(place / "aws-text"),
        )
        (place / "aws").write_text(script)
        (place / "aws").chmod(0o700)
        self.calls.touch()
        self.set(
            **{
                "url": URL,
                "others": ["QueryExecutorArn", "ProjectName"],
                "parameters": {"ProjectName": "pn"},
                "outputs": OUTPUTS,
                "answers": {"head": PLAN, "published": PLAN, "run": PLAN},
                "schedules": {"pn-daily-report": SCHEDULE},
                **changes,
            }
        )

    def shell(self, command: list[str], script: str, **variables: str) -> Any:
        """Run a script of a workflow, with the stand-ins first on the PATH."""
        environment = {**os.environ, **variables, "PATH": f"{self.place}:{os.environ['PATH']}"}
        (self.place / "script").write_text(script, "utf-8")
        return subprocess.run(  # noqa: S603 - ours
            [*command, "script"],
            cwd=self.place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def set(self, **changes: Any) -> None:
        """Change what is there."""
        now = self.now() if self.state.exists() else {}
        self.state.write_text(json.dumps(now | changes))

    def now(self) -> dict[str, Any]:
        """Return what is there."""
        found: dict[str, Any] = json.loads(self.state.read_text())
        return found

    def asked(self) -> list[list[Any]]:
        """Return every call, and the payload of every invocation, in their order."""
        return [json.loads(line) for line in self.calls.read_text().splitlines()]

    def payloads(self) -> list[dict[str, Any]]:
        """Return what the functions were invoked with."""
        return [words[1] for words in self.asked() if words[0] == "payload"]
