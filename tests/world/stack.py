"""A stack that make deploys and operates, with stand-ins for the AWS CLI and the SAM CLI."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.world.environment import EXECUTOR_ARN, SHA

ROOT = Path(__file__).parent.parent.parent


class Stack:
    """A stack that make deploys and publishes to."""

    def __init__(self, place: Path) -> None:
        """Put the stand-ins into a folder; there is no stack yet."""
        self.state, self.calls = place / "state.json", place / "calls.jsonl"
        self.first = f"https://git.example/org/{SHA}/c.json?x=1&y=2"
        for tool in ("aws", "sam"):
            words = [sys.executable, str(ROOT / "tests/world/stand_in.py"), str(place), tool]
            (place / tool).write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
            (place / tool).chmod(0o700)
        for name in ("Makefile", "template.yaml"):
            (place / name).write_text((ROOT / name).read_text("utf-8"))
        for name in ("athena_schedule_manager", "tests"):
            (place / name).symlink_to(ROOT / name)
        (place / "temporary").mkdir()
        self.place = place

    @property
    def first_parameters(self) -> str:
        """Return the word for make with what a first deployment needs."""
        return f"PARAMETERS=ConfigGitUrl={self.first} QueryExecutorArn={EXECUTOR_ARN}"

    def deploy(self) -> None:
        """Make the stack, as a first deployment does."""
        done = self.make("deploy", self.first_parameters)
        assert done.returncode == 0, done.stderr

    def make(self, *words: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run make in the folder: with what somebody types at a terminal, or without a terminal."""
        command = ["make", *words, f"AWS={self.place}/aws", f"SAM={self.place}/sam"]
        controller, terminal = pty.openpty()
        os.write(controller, (typed or "").encode())
        done = subprocess.run(  # noqa: S603 - ours
            command,
            cwd=self.place,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL if typed is None else terminal,
            env=os.environ | {"TMPDIR": str(self.place / "temporary")},
        )
        os.close(terminal)
        os.close(controller)
        return done

    def url(self) -> str:
        """Return the URL that the stack has."""
        return str(self.read()["url"])

    def read(self) -> dict[str, Any]:
        """Return the state of the stack."""
        state: dict[str, Any] = json.loads(self.state.read_text())
        return state

    def write(self, **changed: object) -> None:
        """Change the state of the stack."""
        self.state.write_text(json.dumps(self.read() | changed))

    def called(self, *wanted: str) -> list[list[str]]:
        """Return the calls that hold all of these words."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        calls: list[list[str]] = [json.loads(line) for line in lines]
        return [call for call in calls if set(wanted) <= set(call)]

    def last(self) -> list[str]:
        """Return the words of the last call."""
        words: list[str] = json.loads(self.calls.read_text().splitlines()[-1])
        return words
