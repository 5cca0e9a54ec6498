"""Cron as other programs read it, each written from its own documentation, day by day.

Unix: crontab(5). Quartz: the CronTrigger tutorial. Spring: the Javadoc of CronExpression.
node-cron: its README. AWS: the Scheduler User Guide, for six fields whose `?` was forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
FIRST_DAY = date(2027, 1, 1)
WINDOW = [FIRST_DAY + timedelta(days=ahead) for ahead in range(3 * 365)]


class NotThisDialectError(Exception):
    """The dialect's documentation does not have the text."""


@dataclass(frozen=True)
class Firing:
    """When it fires: the seconds are more than one when no minute can say it."""

    seconds: int
    hours: frozenset[int]
    minutes: frozenset[int]
    days: frozenset[date]


def unix(fields: list[str]) -> Firing:
    """Five fields; of two restricted day fields one is enough, unless one begins with *."""
    minute, hour, day, month, weekday = needing(fields, 5)
    return firing("0", minute, hour, day, month, weekday, sunday=0, either=True)


def node(fields: list[str]) -> Firing:
    """Six fields, seconds first, everything else as Unix has it."""
    return firing(*needing(fields, 6), sunday=0, either=True)


def spring(fields: list[str]) -> Firing:
    """Six fields, seconds first; ? is *; both day fields must match; 0 and 7 are Sunday."""
    second, minute, hour, day, month, weekday = needing(fields, 6)
    day = "*" if day == "?" else day
    weekday = "*" if weekday == "?" else weekday
    return firing(second, minute, hour, day, month, weekday, sunday=0, either=False)


def quartz(fields: list[str]) -> Firing:
    """Six fields, seconds first, and a year at will; one day field is ?; 1 is Sunday."""
    year = fields[6] if len(fields) == 7 else "*"
    second, minute, hour, day, month, weekday = needing(fields[:6] + fields[7:], 6)
    if (day == "?") == (weekday == "?"):
        raise NotThisDialectError
    day = "*" if day == "?" else day
    weekday = "*" if weekday == "?" else weekday
    return firing(second, minute, hour, day, month, weekday, sunday=1, either=False, year=year)


def year_last(fields: list[str], sunday: int = 1) -> Firing:
    """Six fields of AWS without their ?: two restricted day fields are two schedules."""
    minute, hour, day, month, weekday, year = needing(fields, 6)
    if year != "*" and not all(len(part) == 4 for part in year.split("-")):
        raise NotThisDialectError
    return firing("0", minute, hour, day, month, weekday, sunday=sunday, either=True, year=year)


def year_last_from_unix(fields: list[str]) -> Firing:
    """Return the same by somebody who counts days as Unix does."""
    return year_last(fields, sunday=0)


DIALECTS = (unix, node, spring, quartz, year_last, year_last_from_unix)


def readings(text: str) -> dict[str, Firing]:
    """Return when the text fires in each dialect that has it."""
    found = {}
    for dialect in DIALECTS:
        try:
            found[dialect.__name__] = dialect(text.upper().split())
        except NotThisDialectError:
            continue
    return found


def needing(fields: list[str], count: int) -> list[str]:
    """Return the fields if they are so many."""
    if len(fields) != count:
        raise NotThisDialectError
    return fields


def firing(  # noqa: PLR0913, PLR0917 - the fields of a cron
    second: str,
    minute: str,
    hour: str,
    day: str,
    month: str,
    weekday: str,
    *,
    sunday: int,
    either: bool,
    year: str = "*",
) -> Firing:
    """Return when fields fire; `either`: of two restricted day fields one is enough."""
    days = values(day, 1, 31)
    months = values(month, 1, 12, dict(zip(MONTHS, range(1, 13), strict=True)))
    names = {name: index + sunday for index, name in enumerate(WEEKDAYS)}
    numbers = values(weekday, sunday, 7, names)
    weekdays = {(number - sunday) % 7 for number in numbers}
    years = values(year, 1970, 2199)
    one_is_enough = either and not day.startswith("*") and not weekday.startswith("*")
    found = set()
    for candidate in WINDOW:
        matches = (candidate.day in days, candidate.isoweekday() % 7 in weekdays)
        on_day = any(matches) if one_is_enough else all(matches)
        if on_day and candidate.month in months and candidate.year in years:
            found.add(candidate)
    return Firing(
        len(values(second, 0, 59)),
        frozenset(values(hour, 0, 23)),
        frozenset(values(minute, 0, 59)),
        frozenset(found),
    )


def values(field: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    """Return the numbers of a field: *, numbers, names, ranges that do not wrap, steps, lists."""
    found: set[int] = set()
    for part in field.split(","):
        body, slash, step = part.partition("/")
        first, dash, last = body.partition("-")
        if body == "*":
            begin = low
            end = high
        else:
            begin = value(first, low, high, names)
            end = value(last, low, high, names) if dash else begin
            end = high if slash and not dash else end
        if begin > end or (slash and not (step.isascii() and step.isdigit() and int(step))):
            raise NotThisDialectError
        found.update(range(begin, end + 1, int(step or 1)))
    return found


def value(text: str, low: int, high: int, names: dict[str, int] | None) -> int:
    """Return the number of one value, which must be within its bounds."""
    if names and text in names:
        return names[text]
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise NotThisDialectError
    return int(text)
