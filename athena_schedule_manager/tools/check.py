"""Show what a file becomes, without AWS: its schedules, their next runs, and every problem.

The variable PROJECT_NAME sets another prefix of their names than pn.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from athena_schedule_manager._expressions import expression_problem
from athena_schedule_manager._git import MAX_CONFIG_BYTES, parse_config
from athena_schedule_manager._schedules import MAX_NAME, Settings, hints
from athena_schedule_manager._words import CannotReconcileError, quoted
from athena_schedule_manager.schedule_manager import desired_state
from athena_schedule_manager.tools import terminal, zones
from athena_schedule_manager.tools.command_line import NOT_DONE, NOT_WELL, OK, Parser
from athena_schedule_manager.tools.crowding import crowding
from athena_schedule_manager.tools.json_mistakes import mistake
from athena_schedule_manager.tools.next_runs import (
    DOCUMENTED_AT,
    never,
    next_runs,
    numbered_weekdays,
    parts,
    runs_a_day,
    shown,
)
from athena_schedule_manager.tools.suggestions import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from athena_schedule_manager._schedules import Schedule
    from athena_schedule_manager.schedule_manager import Queries

STANDARD_INPUT = "-"
COLUMNS = ("NAME", "EXPRESSION", "TIMEZONE", "STATE", "NEXT RUNS")
KEPT = " is unusable (its live schedule, if any, is kept): "  # goes without saying here
NOT_JSON = "not UTF-8 JSON"
OFTEN = 288  # runs a day: every five minutes


@dataclass(frozen=True, slots=True)
class Report:
    """What the queries of a file become; schedules by name, sentences for everything else."""

    schedules: Mapping[str, Schedule]
    problems: Mapping[str, str]  # by name of the schedule
    hints: list[str]


def main(arguments: list[str]) -> int:
    """Check the file named by the only argument and return the exit code."""
    parser = Parser("check", __doc__, {NOT_WELL: "a query is unusable, or the document is refused"})
    parser.add_argument("file", metavar="FILE", help="a configuration; - reads standard input")
    path = parser.parse_args(arguments).file
    try:
        document = sys.stdin.buffer.read() if path == STANDARD_INPUT else Path(path).read_bytes()
    except OSError as error:
        terminal.remark(f"Cannot read {path}: {error.strerror}")
        return NOT_DONE
    project = os.environ.get("PROJECT_NAME", "").strip() or "pn"
    name = "Standard input" if path == STANDARD_INPUT else path
    code, text = check(document, name, project, datetime.now(UTC))
    terminal.say(text)
    return code


def check(document: bytes, name: str, project: str, now: datetime) -> tuple[int, str]:
    """Return the exit code and what to print."""
    heading = f"{name}, checked without AWS: nothing was sent, no live schedule was read."
    try:
        queries = _parse(document)
    except CannotReconcileError as error:
        problem = str(error).removeprefix("Invalid config from Git: ")
        if NOT_JSON in problem:
            problem = mistake(document) or problem
        return NOT_WELL, f"{heading}\n\nThe document is refused, and changes nothing: {problem}"
    report = examine(queries, project, now)
    sections = [heading]
    if report.schedules:
        rows = [_row(schedule, now) for schedule in report.schedules.values()]
        sections.append(table(rows))
    if report.problems:
        sections.append("\n".join(report.problems.values()))
    if report.hints:
        sections.append("\n".join(report.hints))
    sections.append(_summary(report))
    return (NOT_WELL if report.problems else OK), "\n\n".join(sections)


def examine(queries: Queries, project: str, now: datetime) -> Report:
    """Return what the queries become, and what is wrong or hardly meant."""
    settings = Settings("https://git.example/", "executor", "role", project_name=project)
    desired, unusable = desired_state(queries, settings)
    schedules = {}
    problems = {
        name: _problem(message, name, queries[name.removeprefix(settings.prefix)], settings)
        for name, message in unusable.items()
    }
    for name, schedule in desired.items():
        problem = _zone_problem(schedule.timezone)
        if problem:
            problems[name] = f"Query {quoted(name.removeprefix(settings.prefix))}: {problem}"
        else:
            schedules[name] = schedule
    by_id = {name.removeprefix(settings.prefix): found for name, found in schedules.items()}
    advice = [*hints(queries), *_hints_on_all(queries, by_id, settings.prefix, now)]
    advice += [
        f"HINT: query {quoted(query_id)}: {hint}"
        for query_id, schedule in by_id.items()
        for hint in _hints_on(schedule, now)
    ]
    return Report(schedules, problems, advice)


def _parse(document: bytes) -> dict[str, object]:
    """Parse as the manager does, with its limit, and a word on what people save by mistake."""
    if len(document) > MAX_CONFIG_BYTES:
        raise CannotReconcileError(f"it is larger than {MAX_CONFIG_BYTES} bytes")
    if not document.strip():
        raise CannotReconcileError("it is empty")
    if document.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise CannotReconcileError("it is a web page, not JSON; save the raw file")
    return parse_config(document)


# --- Problems


def _problem(message: str, name: str, query: object, settings: Settings) -> str:
    """Say it once and shortly, with the corrected form unless the message has it."""
    short = message.replace(KEPT, ": ")
    if len(name) > MAX_NAME:
        excess = len(name) - MAX_NAME
        characters = _count(excess, "character", "characters")
        return f"{short}; with {settings.prefix!r} before it, it is {characters} too long"
    expression = _expression(query)
    if "did you mean" in short or "two ways" in short or not expression_problem(expression):
        return short
    return short + suggestion(expression, _zone(query))


def _expression(query: object) -> str:
    if not isinstance(query, dict):
        return ""
    value = query.get("schedule")
    value = query.get("cron") if value is None else value
    return value.strip() if isinstance(value, str) else ""


def _zone(query: object) -> str:
    zone = query.get("timezone", "UTC") if isinstance(query, dict) else ""
    return zone.strip() if isinstance(zone, str) else ""


def _zone_problem(zone: str) -> str | None:
    if zones.known_zone(zone) or not zones.names():
        return None
    return f"its timezone {quoted(zone)} is not in the tz database{zones.advice(zone)}"


# --- What is allowed, and probably not meant


def _hints_on_all(
    queries: Queries, schedules: Mapping[str, Schedule], prefix: str, now: datetime
) -> Iterator[str]:
    if not queries:
        yield (
            f"HINT: 'queries' is {{}}, which deletes every schedule that begins with {prefix!r}, or"
            " none if they are more than the deletion limit"
        )
    if not zones.names():
        yield "HINT: time zones were not checked: this machine has no tz database; install tzdata"
    crowd = crowding(schedules, now)
    if crowd:
        yield f"HINT: {crowd}"


def _hints_on(schedule: Schedule, now: datetime) -> Iterator[str]:
    its = f"its schedule {quoted(schedule.cron)}"
    reason = never(schedule.cron, schedule.timezone, now)
    if reason:
        yield f"{its} {reason}"
    kind, body = parts(schedule.cron)
    if kind == "at" and not DOCUMENTED_AT.fullmatch(body):
        meant = suggestion(schedule.cron, schedule.timezone)
        yield f"{its} may be refused: only at(yyyy-mm-ddThh:mm:ss) is documented{meant}"
    elif kind == "at" and next_runs(schedule.cron, schedule.timezone, now) is None:
        yield f"{its} is at a time that the clock skips in {schedule.timezone}"
    days = numbered_weekdays(schedule.cron)
    if days:
        yield f"day-of-week {days[0]} means {days[1]}, since 1 is Sunday; write names"
    runs = runs_a_day(schedule.cron)
    if runs > OFTEN:
        yield f"{its} runs {runs:,} times a day, and each run is a paid query"


# --- What is printed


def _summary(report: Report) -> str:
    counts = [
        _count(len(report.schedules), "schedule", "schedules"),
        _count(len(report.problems), "unusable query", "unusable queries"),
        _count(len(report.hints), "hint", "hints"),
    ]
    return f"{', '.join(counts)}. What only AWS knows, such as its quotas, was not checked."


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _row(schedule: Schedule, now: datetime) -> tuple[str, ...]:
    state = schedule.state or "-"
    paused = state == "DISABLED"
    runs = "(paused)" if paused else shown(schedule.cron, schedule.timezone, now)
    expression = terminal.shown(" ".join(schedule.cron.split()))  # on one line
    return schedule.name, expression, ascii(schedule.timezone)[1:-1], state, runs


def table(rows: list[tuple[str, ...]]) -> str:
    """Return the rows in columns, under their headings."""
    columns = zip(COLUMNS, *rows, strict=True)
    widths = [max(map(len, column)) for column in columns]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (COLUMNS, *rows)]
    return "\n".join(lines)
