"""A runner that runs the steps of a composite action: its shell as it is, other actions made up."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.world.shell import found_by_shells

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world.pipeline import Deployed, Repository

ROOT = Path(__file__).parent.parent.parent
ACTIONS = ROOT / ".github" / "actions"
EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]  # as GitHub starts `shell: bash`
# what else there is: pip, which must not be asked for packages here, and the AWS CLI
PYTHON = """#!/bin/sh
if [ "$2" = pip ]; then echo "$@" >> {folder}/pip.log; exit 0; fi
exec {python} "$@"
"""
AWS = """#!/bin/sh
[ "$AWS_REGION" = eu-south-1 ] || {{ echo "no credentials" >&2; exit 253; }}
{ask} aws "$@"
"""


def load(name: str) -> dict[str, Any]:
    """Return an action of this project."""
    loaded: dict[str, Any] = yaml.safe_load((ACTIONS / name / "action.yml").read_text("utf-8"))
    return loaded


@dataclass
class Ended:
    """How a job ended: its log, its summary, and the actions that it used."""

    code: int
    log: str
    summary: str
    used: list[str]
    outputs: dict[str, str]


@dataclass
class Runner:
    """A runner of jobs for one repository, in which the AWS CLI finds one account."""

    repository: Repository
    account: Deployed
    has_token: bool = True  # whether GitHub gives a token for AWS: not to a fork
    event: dict[str, str] = field(default_factory=dict)  # of the contexts, as github.event.x
    jobs: int = 0

    @property
    def folder(self) -> Path:
        """Where the stand-ins and the jobs are."""
        return self.repository.folder / "runner"

    @contextlib.contextmanager
    def running(self) -> Iterator[Runner]:
        """Put the stand-ins in a folder, and answer the AWS CLI meanwhile."""
        with found_by_shells(self.account) as ask:
            self.folder.mkdir()
            python = PYTHON.format(folder=self.folder, python=sys.executable)
            for name, script in (("python", python), ("aws", AWS.format(ask=ask))):
                (self.folder / name).write_text(script, "utf-8")
                (self.folder / name).chmod(0o700)
            yield self

    def run(self, name: str, commit: str, event: str, **inputs: str) -> Ended:
        """Run a job that uses the action, started by an event with a commit."""
        self.jobs += 1
        return Job(self, name, commit, event, inputs).run()


class Job:
    """One job."""

    def __init__(
        self, runner: Runner, name: str, commit: str, event: str, inputs: dict[str, str]
    ) -> None:
        """Fill the contexts that an action's expressions read."""
        self.runner = runner
        self.action = load(name)
        self.place = runner.folder / f"job {runner.jobs}"
        self.workspace = self.place / "repository"
        self.place.mkdir()
        self.used: list[str] = []
        self.log = ""
        self.credentials: dict[str, str] = {}
        required = {"role-to-assume": "arn:aws:iam::1:role/x", "aws-region": "eu-south-1"}
        defaults = {key: str(given.get("default", "")) for key, given in self.inputs.items()}
        given = {key.replace("_", "-"): value for key, value in inputs.items()}
        assert set(given) <= set(self.inputs)
        self.contexts = {
            **{f"inputs.{key}": v for key, v in {**defaults, **required, **given}.items()},
            "github.sha": commit,
            "github.ref": "refs/heads/main",
            "github.ref_name": "main",
            "github.repository": "org/repo",
            **runner.event,
        }
        self.variables = {
            "GITHUB_SHA": commit,
            "GITHUB_EVENT_NAME": event,
            "GITHUB_ACTION_PATH": str(ACTIONS / name),
            "GITHUB_STEP_SUMMARY": str(self.place / "summary.md"),
            "RUNNER_TEMP": str(self.place),
            "PATH": f"{runner.folder}:{os.environ['PATH']}",
        }
        if runner.has_token:
            self.variables |= {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.example"}

    @property
    def inputs(self) -> dict[str, Any]:
        """The inputs that the action declares."""
        declared: dict[str, Any] = self.action["inputs"]
        return declared

    def run(self) -> Ended:
        """Run the steps until one fails."""
        (self.place / "summary.md").touch()
        code = 0
        for step in self.action["runs"]["steps"]:
            if code == 0 and ("if" not in step or self.value(step["if"])):
                code = self.step(step)
        outputs = {
            key: self.filled(output["value"])
            for key, output in self.action.get("outputs", {}).items()
        }
        summary = (self.place / "summary.md").read_text("utf-8")
        return Ended(code, self.log, summary, self.used, outputs)

    def value(self, expression: str) -> str:
        """Return what an expression comes to."""
        for part in expression.split(" || "):
            text = part.strip()
            found = text[1:-1] if text.startswith("'") else self.contexts.get(text, "")
            if found:
                return found
        return ""

    def filled(self, text: object) -> str:
        """Return a text with its expressions replaced."""
        return EXPRESSION.sub(lambda match: self.value(match[1]), str(text))

    def step(self, step: dict[str, Any]) -> int:
        """Run one step."""
        if "uses" in step:
            self.use(step["uses"].partition("@")[0], step.get("with", {}), step.get("id", ""))
            return 0
        output = self.place / "output"
        output.write_text("")
        script = self.place / "script.sh"
        script.write_text(step["run"], "utf-8")
        done = subprocess.run(  # noqa: S603 - ours
            [*BASH, str(script)],
            cwd=self.workspace,
            env={
                **os.environ,
                **self.variables,
                **self.credentials,
                "GITHUB_OUTPUT": str(output),
                **{key: self.filled(value) for key, value in step.get("env", {}).items()},
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.log += done.stdout + done.stderr
        for line in output.read_text("utf-8").splitlines():
            key, _, value = line.partition("=")
            self.contexts[f"steps.{step['id']}.outputs.{key}"] = value
        return done.returncode

    def use(self, action: str, given: dict[str, Any], step_id: str) -> None:
        """Do what another action does, as far as this one needs it."""
        self.used.append(action)
        if action == "actions/checkout":
            self.check_out(self.filled(given.get("ref", "")), int(given.get("fetch-depth", 1)))
        elif action == "actions/setup-python":
            python = str(self.runner.folder / "python")
            self.contexts[f"steps.{step_id}.outputs.python-path"] = python
        else:
            assert action == "aws-actions/configure-aws-credentials"
            self.credentials["AWS_REGION"] = self.filled(given["aws-region"])

    def check_out(self, ref: str, depth: int) -> None:
        """Check out a branch as it is now, or the commit that started the job."""
        repository = self.runner.repository
        wanted = ref or self.contexts["github.sha"]
        few = [f"--depth={depth}"] if depth else []
        repository.git(self.place, "init", "--quiet", str(self.workspace))
        host = repository.host.as_uri()
        repository.git(self.workspace, "remote", "add", "origin", host)
        repository.git(self.workspace, "fetch", "--quiet", *few, "origin", wanted)
        repository.git(self.workspace, "checkout", "--quiet", "FETCH_HEAD")
