"""Show what a file becomes, without AWS: its schedules, their next runs, and every problem."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from athena_schedule_manager._git import MAX_CONFIG_BYTES, parse_config
from athena_schedule_manager._schedules import Settings, hints
from athena_schedule_manager._words import CannotReconcileError
from athena_schedule_manager.schedule_manager import desired_state
from athena_schedule_manager.tools import terminal
from athena_schedule_manager.tools.command_line import Parser
from athena_schedule_manager.tools.next_runs import (
    known_zone,
    never,
    next_runs,
    numbered_weekdays,
    similar_zone,
)
from athena_schedule_manager.tools.suggestions import corrected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from athena_schedule_manager._schedules import Schedule

OK, REFUSED, UNREADABLE = 0, 1, 2
COLUMNS = ("NAME", "EXPRESSION", "TIMEZONE", "STATE", "NEXT RUNS")
KEPT = " is unusable (its live schedule, if any, is kept): "  # goes without saying here


def main(arguments: list[str]) -> int:
    """Check the file named by the only argument and return the exit code."""
    parser = Parser("check", __doc__, {REFUSED: "a query is unusable, or the document is refused"})
    parser.add_argument("file", metavar="FILE", type=Path, help="a configuration")
    path = parser.parse_args(arguments).file
    try:
        document = path.read_bytes()
    except OSError as error:
        print(f"Cannot read {path}: {error.strerror}", file=sys.stderr)
        return UNREADABLE
    project = os.environ.get("PROJECT_NAME", "").strip() or "pn"
    code, text = check(document, str(path), project, datetime.now(UTC))
    terminal.emit(text)
    return code


def check(document: bytes, name: str, project: str, now: datetime) -> tuple[int, str]:
    """Return the exit code and what to print."""
    heading = f"{name}, checked without AWS: nothing was sent, no live schedule was read."
    try:
        queries = _parse(document)
    except CannotReconcileError as error:
        problem = str(error).removeprefix("Invalid config from Git: ")
        return REFUSED, f"{heading}\n\nThe document is refused, and changes nothing: {problem}"
    settings = Settings("https://git.example/", "executor", "role", project_name=project)
    desired, unusable = desired_state(queries, settings)
    problems = [
        _problem(message, queries[name.removeprefix(settings.prefix)])
        for name, message in unusable.items()
    ]
    advice = [*hints(queries), *_advice(desired, settings.prefix, now)]
    parts = [heading]
    parts += [table([_row(schedule, now) for schedule in desired.values()])] if desired else []
    parts += ["\n".join(lines) for lines in (problems, advice) if lines]
    parts.append(_summary(len(desired), len(problems), len(advice)))
    return (REFUSED if problems else OK), "\n\n".join(parts)


def _parse(document: bytes) -> dict[str, object]:
    """Parse as the manager does, with its limit, and a word on what people save by mistake."""
    if len(document) > MAX_CONFIG_BYTES:
        raise CannotReconcileError(f"it is larger than {MAX_CONFIG_BYTES} bytes")
    if not document.strip():
        raise CannotReconcileError("it is empty")
    if document.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise CannotReconcileError("it is a web page, not JSON; save the raw file")
    return parse_config(document)


def _summary(schedules: int, problems: int, advice: int) -> str:
    counts = [
        _count(schedules, "schedule", "schedules"),
        _count(problems, "unusable query", "unusable queries"),
        _count(advice, "hint", "hints"),
    ]
    return f"{', '.join(counts)}. What only AWS knows, such as its quotas, was not checked."


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _problem(message: str, query: object) -> str:
    """Say it once and shortly, with the corrected form unless the message has it."""
    short = message.replace(KEPT, ": ")
    meant = corrected(_expression(query)) if "did you mean" not in short else None
    return f"{short}; did you mean '{meant}'?" if meant else short


def _expression(query: object) -> str:
    if not isinstance(query, dict):
        return ""
    value = query.get("schedule")
    value = query.get("cron") if value is None else value
    return value if isinstance(value, str) else ""


def _advice(desired: Mapping[str, Schedule], prefix: str, now: datetime) -> Iterator[str]:
    """Yield what is allowed, and probably not meant."""
    for name, schedule in desired.items():
        query = f"HINT: query '{name.removeprefix(prefix)}':"
        if known_zone(schedule.timezone) is None:
            meant = similar_zone(schedule.timezone)
            ask = f"; did you mean '{meant}'?" if meant else ""
            yield f"{query} {schedule.timezone!r} is not a time zone that this machine knows{ask}"
        if reason := never(schedule.cron, schedule.timezone, now):
            yield f"{query} its schedule {schedule.cron!r} {reason}"
        if days := numbered_weekdays(schedule.cron):
            yield f"{query} day-of-week {days[0]} means {days[1]}, since 1 is Sunday; write names"


def _row(schedule: Schedule, now: datetime) -> tuple[str, ...]:
    state = schedule.state or "-"
    runs = "(paused)" if state == "DISABLED" else _shown_runs(schedule, now)
    expression = " ".join(schedule.cron.split())  # on one line
    return schedule.name, expression, ascii(schedule.timezone)[1:-1], state, runs


def _shown_runs(schedule: Schedule, now: datetime) -> str:
    if schedule.cron.lower().startswith("rate"):
        return ""
    runs = next_runs(schedule.cron, schedule.timezone, now)
    if runs is None:
        return "?"
    return ", ".join(run.strftime("%a %Y-%m-%d %H:%M") for run in runs) or "never"


def table(rows: list[tuple[str, ...]]) -> str:
    """Return the rows in columns, under their headings."""
    columns = zip(COLUMNS, *rows, strict=True)
    widths = [max(map(len, column)) for column in columns]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in (COLUMNS, *rows))
