"""The schedule expression that was probably meant, where the core does not say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from athena_schedule_manager._expressions import expression_problem
from athena_schedule_manager.tools.next_runs import DAYS, MONTHS

if TYPE_CHECKING:
    from collections.abc import Iterator

NICKNAMES = {
    "hourly": "rate(1 hour)",
    "daily": "cron(0 0 * * ? *)",
    "midnight": "cron(0 0 * * ? *)",
    "weekly": "cron(0 0 ? * SUN *)",
    "monthly": "cron(0 0 1 * ? *)",
}
UNITS = {"m": "minute", "h": "hour", "d": "day", "w": "week"}
UNIX_FIELDS, QUARTZ_FIELDS = 5, 7


def corrected(expression: str) -> str | None:
    """Return the expression that was probably meant; only one that passes the manager's check."""
    for candidate in _candidates(expression.strip()):
        if candidate != expression and expression_problem(candidate) is None:
            return candidate
    return None


def _candidates(text: str) -> Iterator[str]:
    kind, _, body = text.partition("(")
    body = body.rstrip(") ")
    if kind.strip().lower() == "rate":
        yield from _rates(body)
    elif kind.strip().lower() == "at":
        yield from _ats(body)
    elif kind.strip().lower() == "cron":
        yield from _crons(body)
    else:
        yield NICKNAMES.get(text.lstrip("@").lower(), "")
        yield from _rates(text)
        yield from _ats(text)
        yield from _crons(text)


def _rates(body: str) -> Iterator[str]:
    match = re.fullmatch(r"(?:every )?\s*([0-9]+)\s*([a-z]+)", body.strip().lower())
    unit = UNITS.get(match[2][0], "") if match else ""
    if match and unit == "week":
        yield f"rate({7 * int(match[1])} days)"
    elif match and unit and not match[2].startswith("mo"):
        yield f"rate({match[1]} {unit}{'' if int(match[1]) == 1 else 's'})"


def _ats(body: str) -> Iterator[str]:
    """Without quotes and without Z, which is UTC, the default; an offset needs a zone instead."""
    plain = body.strip(" '\"").removesuffix("Z").removesuffix("z")
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", plain):
        yield f"at({plain})"
        yield f"at({plain}T00:00:00)"


def _crons(body: str) -> Iterator[str]:
    fields = body.upper().split()
    if len(fields) == QUARTZ_FIELDS:
        fields = fields[1:]  # there are no seconds
    elif len(fields) == UNIX_FIELDS:
        fields = [*fields[:4], _from_unix(fields[4]) if "?" not in fields else fields[4], "*"]
    if len(fields) == UNIX_FIELDS + 1:
        minute, hour, day, month, weekday, year = fields
        hour = re.sub(r"\b24\b", "0", hour)
        month = _short_names(month, MONTHS)
        weekday = re.sub(r"\b0\b", "SUN", _short_names(weekday, DAYS))
        for days in _day_fields(day, weekday):
            yield f"cron({minute} {hour} {days[0]} {month} {days[1]} {year})"


def _from_unix(weekday: str) -> str:
    """Return Unix's days of the week, of which 0 and 7 are Sunday, by their names."""
    return re.sub(r"(?<![/#])\b[0-7]\b", lambda match: DAYS[int(match[0]) % 7], weekday)


def _short_names(field: str, names: tuple[str, ...]) -> str:
    return re.sub(
        r"[A-Z]{4,}", lambda m: m[0][:3] if m[0][:3] in names and m[0][-1] != "L" else m[0], field
    )


def _day_fields(day: str, weekday: str) -> Iterator[tuple[str, str]]:
    """Put the one ? where it belongs; two days that are both given are two schedules."""
    if weekday in {"*", "?"}:
        yield ("*" if day == "?" else day), "?"
    if day in {"*", "?"}:
        yield "?", weekday
    yield day, weekday
