"""A pipeline's world: a repository and its host, and an account whose stack is published to."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.world.account import DEFAULTS, Account, RefusedError, option, without_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CONFIG = "query-executor-config.json"
URL = "https://git.example/org/repo/{}/query-executor-config.json?token=" + "b" * 40

Answer = dict[str, Any] | list[Any] | str


def plan(*changes: tuple[str, str, str], failed: int | None = None, **counters: int) -> Answer:
    """Return the answer of a dry run with these changes, each an action, a name and a line."""
    actions = [action for action, name, _ in changes if name]  # a refusal is no failure of its own
    counted = {
        "created": actions.count("create"),
        "updated": actions.count("update"),
        "deleted": actions.count("delete"),
        "failed": actions.count("failed") + actions.count("kept") if failed is None else failed,
    }
    entries = [{"action": a, "name": name, "line": line} for a, name, line in changes]
    return {**counted, **counters, "changes": entries}


def counters(**numbers: int) -> Answer:
    """Return the answer of a run."""
    return {"created": 0, "updated": 0, "deleted": 0, "failed": 0} | numbers


@dataclass
class Deployed(Account):
    """An account whose stack is published to: its function has an answer for each commit.

    `before` holds what happens right before an operation, once: somebody merges, say.
    """

    log: str = ""  # of the function
    rolls_back: bool = False  # what an update ends in
    sees_no_updates: bool = False
    attempts: list[str] = field(default_factory=list)  # that the AWS CLI may make, of each call

    def __post_init__(self) -> None:
        """Nothing happens meanwhile."""
        self.before: dict[str, Callable[[], object]] = {}

    @classmethod
    def at(cls, commit: str) -> Deployed:
        """Return an account in which this commit is published; plans and runs are empty."""
        account = cls()
        account.publish(commit)
        return account

    def publish(self, commit: str) -> None:
        """Let the stack have this commit."""
        self.status = "UPDATE_COMPLETE"
        self.parameters = DEFAULTS | {"ConfigGitUrl": URL.format(commit), "ProjectName": "pn"}
        self.answers = {"published": plan(), "head": plan(), "run": counters()}

    @property
    def live(self) -> str:
        """The commit that is published."""
        return self.parameters["ConfigGitUrl"].split("/")[5]

    def operations(self) -> list[str]:
        """Return what the AWS CLI was told to do, in order."""
        return [operation_of(words) for words in self.calls if "configure" not in words]

    def run(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        show: Callable[[str], None] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Answer as `aws.run` does, after what happens before."""
        happens = self.before.pop(operation_of(command), None)
        if happens:
            happens()
        self.attempts.append(env.get("AWS_MAX_ATTEMPTS", ""))
        return super().run(command, env, show)

    def update_stack(self, words: list[str], region: str) -> Any:
        """Change the parameters, unless the stack is busy or has its own mind."""
        assert "--use-previous-template" in words
        if self.status.endswith("_IN_PROGRESS"):
            raise RefusedError("ValidationError", f"Stack is in {self.status} state")
        if self.sees_no_updates:
            raise RefusedError("ValidationError", "No updates are to be performed.")
        if self.rolls_back:
            self.update_ends = "UPDATE_ROLLBACK_COMPLETE"
        return super().update_stack(words, region)

    def invoke(self, words: list[str], region: str) -> Any:
        """Answer with what is prepared for the commit, and with the log."""
        event = json.loads(Path(option(words, "--payload").removeprefix("fileb://")).read_text())
        url = event.get("config_git_url", "")
        prepared = [answer for name, answer in self.answers.items() if f"/{name}/" in url]
        head = self.answers["head"]
        self.answers["head"] = prepared[0] if prepared else head
        result = super().invoke(words, region)
        self.answers["head"] = head
        return result | {"LogResult": base64.b64encode(self.log.encode()).decode()}


def operation_of(words: Sequence[str]) -> str:
    """Return what a call of the AWS CLI is told to do."""
    _, *rest = words
    return rest[0] if rest == ["--version"] else without_options(rest)[1]


@dataclass
class Repository:
    """A repository of the configuration: its host, and the clone in which a job works."""

    folder: Path

    def __post_init__(self) -> None:
        """Make the host, which serves any commit, as GitHub's and GitLab's do."""
        self.host = self.folder / "host.git"
        self.author = self.folder / "author"
        self.git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.host))
        self.git(self.host, "config", "uploadpack.allowAnySHA1InWant", "true")
        self.git(self.host, "config", "uploadpack.allowFilter", "true")
        self.git(self.folder, "init", "--quiet", "--initial-branch=main", str(self.author))
        self.git(self.author, "remote", "add", "origin", self.host.as_uri())

    def git(self, place: Path, *words: str) -> str:
        """Run git in a folder."""
        environment = os.environ | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **{f"GIT_{who}_NAME": "somebody" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "somebody@example.org" for who in ("AUTHOR", "COMMITTER")},
        }
        done = subprocess.run(  # noqa: S603 - ours
            ["git", *words], cwd=place, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def merge(self, path: str = CONFIG, **queries: object) -> str:
        """Put a file with these queries on main; return the commit."""
        (self.author / path).write_text(json.dumps({"queries": queries}), "utf-8")
        self.git(self.author, "add", "--all")
        self.git(self.author, "commit", "--quiet", "--allow-empty", "--message", "a change")
        self.git(self.author, "push", "--quiet", "origin", "HEAD:main")
        return self.git(self.author, "rev-parse", "HEAD")

    def propose(self, path: str = CONFIG, **queries: object) -> str:
        """Put such a file in a pull request on main; return the commit that merging would make."""
        self.git(self.author, "checkout", "--quiet", "--detach")
        (self.author / path).write_text(json.dumps({"queries": queries}), "utf-8")
        self.git(self.author, "add", "--all")
        tree = self.git(self.author, "write-tree")
        head = self.git(self.author, "rev-parse", "HEAD")
        words = ("commit-tree", tree, "-p", head, "-m")
        proposal = self.git(self.author, *words, "a proposal")
        merged = self.git(self.author, *words, "its merge", "-p", proposal)
        self.git(self.author, "push", "--quiet", "origin", f"{merged}:refs/pull/1/merge", "--force")
        self.git(self.author, "checkout", "--quiet", "--detach", merged)
        return merged

    def clone(self) -> Path:
        """Check main out as a job does: its head alone."""
        place = self.folder / "job"
        self.git(self.folder, "clone", "--quiet", "--depth=1", self.host.as_uri(), str(place))
        return place
