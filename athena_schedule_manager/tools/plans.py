"""A plan: what a dry run answers, and what of it a commit breaks. Pure, the standard library alone.

A dry run answers with the four counters and `changes`, objects of an action, a schedule's name and
the line of the log; or with {"error": "..."}. A crash and a timeout are answers, too, so a plan is
recognised by what it has.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from athena_schedule_manager.tools.command_line import StopError

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNTERS = ("created", "updated", "deleted", "failed")
SHOWN_ORDER = ("delete", "kept", "update", "create")  # what is lost comes first
MAX_ANSWER_SHOWN = 300  # characters of an answer that is not a plan
CUT = re.compile("and [0-9]+ more")  # the last entry, where an answer was cut


class NoPlanError(StopError):
    """There is no plan; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a dry run's answer."""

    action: str
    name: str  # of the schedule; empty where it is about none
    line: str

    @property
    def detail(self) -> str:
        """The line without the action and the name, which have columns of their own."""
        word = "Kept" if self.action == "kept" else self.action.upper()
        return self.line.removeprefix(f"{word}: {self.name}").strip()

    @property
    def subject(self) -> str:
        """What a failure is about, whatever its reason: numbers and names in a line may differ."""
        return self.name or re.split("[0-9'\"(]", self.line, maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do."""

    counters: Mapping[str, int]
    changes: tuple[Change, ...] = ()

    def of(self, *actions: str) -> tuple[Change, ...]:
        """Return the changes with one of these actions, in the order of the actions."""
        return tuple(
            change for action in actions for change in self.changes if change.action == action
        )

    @property
    def failures(self) -> tuple[Change, ...]:
        """What fails: queries, schedules, and deletes that are held back, told in one entry."""
        refusals = [change for change in self.of("kept") if not change.name]
        return (*self.of("failed"), *refusals)

    @property
    def counts(self) -> str:
        """The counters in words."""
        return ", ".join(f"{self.counters[name]} {name}" for name in COUNTERS)


NOTHING = Plan(dict.fromkeys(COUNTERS, 0))


def read_plan(text: str) -> Plan:
    """Read the answer of a dry run. Raises NoPlanError."""
    answer = _read_json(text)
    if not isinstance(answer, dict):
        raise NoPlanError(f"the answer is not a plan: {text[:MAX_ANSWER_SHOWN]}")
    if set(answer) == {"error"}:
        raise NoPlanError(str(answer["error"]))
    if "errorMessage" in answer:
        raise NoPlanError(f"the function has failed: {answer['errorMessage']}")
    counters = read_counters(answer)
    entries = answer.get("changes")
    if counters is None or not isinstance(entries, list):
        raise NoPlanError(f"the answer is not a plan: {text[:MAX_ANSWER_SHOWN]}")
    return Plan(counters, tuple(_read_change(entry) for entry in entries))


def _read_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        shown = text[:MAX_ANSWER_SHOWN] or "it is empty"
        raise NoPlanError(f"the answer is not a plan: {shown}") from None


def read_counters(answer: object) -> dict[str, int] | None:
    """Return the counters of an answer, or None: it is not that of a run."""
    if not isinstance(answer, dict):
        return None
    counters = {}
    for name in COUNTERS:
        number = answer.get(name)
        if type(number) is not int:  # true is no number
            return None
        counters[name] = number
    return counters


def _read_change(entry: Any) -> Change:  # noqa: ANN401 - whatever the answer holds
    keys = ("action", "name", "line")
    if isinstance(entry, str):
        raise NoPlanError("the deployed manager is older than this tool: deploy this version first")
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in keys):
        shown = json.dumps(entry)[:MAX_ANSWER_SHOWN]
        raise NoPlanError(f"the answer is not a plan, it has the change {shown}")
    return Change(*(entry[key] for key in keys))


# --- What a commit breaks


@dataclass(frozen=True, slots=True)
class Details:
    """What the file says of a schedule, in words."""

    expression: str
    zone: str
    state: str  # empty: the file does not say
    next_runs: str


@dataclass(frozen=True, slots=True)
class FileView:
    """The file as the check sees it; schedules and problems by the name of the schedule."""

    details: Mapping[str, Details] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    hints: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()  # sentences about the file as a whole


@dataclass(frozen=True, slots=True)
class Comparison:
    """The plan of a commit beside that of what is published, and beside its file."""

    plan: Plan
    view: FileView = field(default_factory=FileView)
    broken: tuple[str, ...] = ()  # sentences: what fails, and did not fail before
    broken_before: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()  # sentences about the whole

    @property
    def hints(self) -> tuple[str, ...]:
        """The hints of the manager and of the check, each once."""
        lines = [change.line for change in self.plan.of("hint")]
        return tuple(
            dict.fromkeys(line for line in [*lines, *self.view.hints] if not _is_cut(line))
        )

    @property
    def cut(self) -> str:
        """How many changes an answer that was cut does not show, as "and 500 more"."""
        return next((change.line for change in self.plan.of("hint") if _is_cut(change.line)), "")


def _is_cut(line: str) -> bool:
    return CUT.fullmatch(line) is not None


def compare(head: Plan, published: Plan, view: FileView) -> Comparison:
    """Tell what a commit breaks from what was broken before. Pure.

    A problem of the check is an old one where the commit does not change the schedule.
    """
    known = {change.subject for change in published.of("failed", "kept")}
    failures = head.failures
    broken = [change.line for change in failures if change.subject not in known]
    before = [change.line for change in failures if change.subject in known]
    told = {change.name for change in failures}
    new = {change.name for change in set(head.changes) - set(published.changes)}
    for name, problem in view.problems.items():
        if name not in told:
            is_new = name in new and name not in known
            (broken if is_new else before).append(problem)
    unnamed = _unnamed(head) - _unnamed(published)
    if unnamed > 0:
        broken.append(
            f"{unnamed} more failures than in what is published, which the plan does not name"
        )
    return Comparison(head, view, tuple(broken), tuple(before))


def _unnamed(plan: Plan) -> int:
    """Return how many failures are counted and not named, since the answer was cut."""
    named = [change for change in plan.of("failed", "kept") if change.name]
    return max(plan.counters["failed"] - len(named), 0)
