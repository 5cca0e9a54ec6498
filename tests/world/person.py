"""A person who types commands: in the process of the test, or through make in a checkout."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from athena_schedule_manager.tools import aws
from athena_schedule_manager.tools.__main__ import main
from tests.world.shell import found_by_shells

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.world.account import Account

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str
    complaint: str

    @property
    def lines(self) -> list[str]:
        """Return the lines of its output."""
        return self.output.splitlines()


class Terminal(io.StringIO):
    """Standard input at which somebody sits."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def forget() -> None:
    """Forget what a process decides or says once."""
    aws.place.cache_clear()
    aws.configured_region.cache_clear()
    aws.say_where.cache_clear()


def put_before_tools(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tools of this process find an account, without waiting for it."""
    monkeypatch.setattr(aws, "run", account.run)
    monkeypatch.setattr(aws, "sleep", lambda _: None)
    forget()


class Operator:
    """Somebody who runs tools against a made-up account, in a folder with the template."""

    def __init__(
        self,
        account: Account,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Put the account in the place of the AWS CLI and the SAM CLI."""
        self.account = account
        self.folder = folder
        self.pauses: list[float] = []
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        (folder / "template.yaml").write_text((ROOT / "template.yaml").read_text("utf-8"), "utf-8")
        monkeypatch.chdir(folder)
        monkeypatch.setattr(aws, "run", account.run)
        monkeypatch.setattr(aws, "sleep", self.pauses.append)

    def run(self, name: str, *words: str, typed: str | None = None, **variables: str) -> Ended:
        """Run a tool: with what is typed at a terminal, or without a terminal."""
        self._capsys.readouterr()
        forget()
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.StringIO() if typed is None else Terminal(typed))
            for variable, value in variables.items():
                patch.setenv(variable, value)
            code = main([name, *words])
        output, complaint = self._capsys.readouterr()
        return Ended(code, output, complaint)

    def complaint(self) -> str:
        """Return what has been printed to standard error."""
        return self._capsys.readouterr().err


class Checkout:
    """A folder in which make finds the project, and stand-ins for the tools that it calls."""

    def __init__(self, folder: Path, account: Account) -> None:
        """Fill the folder."""
        self.folder = folder
        self.account = account
        for name in ("Makefile", "template.yaml"):
            (folder / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
        for name in ("athena_schedule_manager", "tests"):
            (folder / name).symlink_to(ROOT / name)

    @contextlib.contextmanager
    def running(self) -> Iterator[Checkout]:
        """Let the tools find the account meanwhile."""
        with found_by_shells(self.account) as ask:
            for name in ("aws", "sam"):
                (self.folder / name).write_text(f'#!/bin/sh\n{ask} {name} "$@"\n', "utf-8")
                (self.folder / name).chmod(0o700)
            yield self

    def make(self, *words: str) -> Ended:
        """Run make in the folder, without a terminal."""
        command = ["make", *words, f"AWS={self.folder}/aws", f"SAM={self.folder}/sam"]
        done = subprocess.run(  # noqa: S603 - ours
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"TMPDIR": str(self.folder)},
        )
        return Ended(done.returncode, done.stdout, done.stderr)
