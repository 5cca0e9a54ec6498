"""When a schedule will run next, as far as a developer's machine can tell; AWS has the last word.

The search goes over the days on which a cron can run, and over their hours and minutes. On the two
days a year on which a clock changes it does as EventBridge Scheduler does: a time that is skipped
has no run, one that comes twice has one, at its first pass. Source: the Scheduler User Guide,
"Schedule types" and "Daylight savings time".
"""

from __future__ import annotations

import calendar
import functools
import itertools
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from athena_schedule_manager._crons import DAYS, MONTHS
from athena_schedule_manager.tools.zones import known_zone

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from zoneinfo import ZoneInfo

SHOWN = 2  # runs of each schedule
YEARS_AHEAD = 30
YEARS = (1970, 2199)  # that a cron may name
FIELDS_WITHOUT_YEAR = 5
DOCUMENTED_AT = re.compile(r"(?a)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
RATE = re.compile("(?ai)([0-9]+) (minute|hour|day)s?")
MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}
WEEK = 7
ANY_MONTH = (2000, 1)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron of which every part is understood."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: str  # the two day fields, as they are written
    weekdays: str
    months: tuple[int, ...]
    years: tuple[int, ...]


# --- The runs


@functools.lru_cache(maxsize=16_384)  # a table asks for them, and so does a hint
def next_runs(expression: str, timezone: str, now: datetime) -> tuple[datetime, ...] | None:
    """Return the next runs in the schedule's zone; none if it never runs, None if unknown."""
    kind, body = parts(expression)
    zone = known_zone(timezone)
    if zone is None:
        return None
    if kind == "at":
        return _run_at(body, zone, now)
    cron = read_cron(body) if kind == "cron" else None
    return None if cron is None else tuple(itertools.islice(runs_of(cron, zone, now), SHOWN))


def runs_of(cron: Cron, zone: ZoneInfo, now: datetime) -> Iterator[datetime]:
    """Yield the runs of the next 30 years, in their order."""
    local = now.astimezone(zone).replace(tzinfo=None)
    for day in _days_from(cron, local.date()):
        for hour, minute in itertools.product(cron.hours, cron.minutes):
            naive = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - zone below
            run = naive.replace(tzinfo=zone)
            if naive > local and exists(run) and run.astimezone(UTC) > now:
                yield run


def _days_from(cron: Cron, today: date) -> Iterator[date]:
    last_year = today.year + YEARS_AHEAD
    years = (year for year in cron.years if today.year <= year <= last_year)
    for year, month in itertools.product(years, cron.months):
        if (year, month) < (today.year, today.month):
            continue
        for number in month_days(cron.days, cron.weekdays, year, month) or ():
            day = date(year, month, number)
            if day >= today:
                yield day


def exists(run: datetime) -> bool:
    """Tell whether the clock shows this time at all on that day."""
    there_and_back = run.astimezone(UTC).astimezone(run.tzinfo)
    return there_and_back.replace(tzinfo=None) == run.replace(tzinfo=None)


def _run_at(body: str, zone: ZoneInfo, now: datetime) -> tuple[datetime, ...] | None:
    if not DOCUMENTED_AT.fullmatch(body):
        return None
    try:
        run = datetime.fromisoformat(body).replace(tzinfo=zone)
    except ValueError:
        return ()
    if not exists(run):
        return None
    return (run,) if run.astimezone(UTC) > now else ()


# --- What can be said of a schedule


def shown(expression: str, timezone: str, now: datetime) -> str:
    """Return the next runs as a table shows them."""
    if parts(expression)[0] == "rate":
        return "(counts from its creation)"
    runs = next_runs(expression, timezone, now)
    if runs is None:
        return "?"
    if not runs and never(expression, timezone, now) is None:
        return f"after {now.year + YEARS_AHEAD}"
    return ", ".join(run.strftime("%a %Y-%m-%d %H:%M") for run in runs) or "never"


def never(expression: str, timezone: str, now: datetime) -> str | None:
    """Say why a schedule that AWS accepts never runs again, if that is certain."""
    if next_runs(expression, timezone, now) != ():
        return None
    kind, body = parts(expression)
    if kind == "at":
        return _never_at(body)
    cron = read_cron(body)
    return None if cron is None else _never_cron(cron, now)


def _never_cron(cron: Cron, now: datetime) -> str | None:
    if max(cron.years) < now.year:
        return "has only years that are past: it never runs again"
    years = {year for year in cron.years if _has_days(cron, year)}
    if not years:
        return "never runs: there is no such day in its months"
    if max(years) > now.year + YEARS_AHEAD:
        return None
    return "never runs again: no such day and time is left"


def _has_days(cron: Cron, year: int) -> bool:
    return any(month_days(cron.days, cron.weekdays, year, month) for month in cron.months)


def _never_at(body: str) -> str:
    try:
        datetime.fromisoformat(body)
    except ValueError:
        return "never runs: there is no such date and time"
    return "is in the past: it never runs again"


def runs_a_day(expression: str) -> int:
    """Return how often it runs on a day on which it runs, or 0 if that is unknown."""
    kind, body = parts(expression)
    rate = RATE.fullmatch(body)
    if kind == "rate" and rate:
        return MINUTES["day"] // (int(rate[1]) * MINUTES[rate[2].lower()])
    cron = read_cron(body) if kind == "cron" else None
    return len(cron.hours) * len(cron.minutes) if cron else 0


def numbered_weekdays(expression: str) -> tuple[str, str] | None:
    """Return a cron's day-of-week field that counts from Sunday = 1, and the same in names."""
    kind, body = parts(expression)
    field = cron_fields(body)[4] if kind == "cron" else "?"
    found = [re.fullmatch(r"([1-7](?:-[1-7])?)(L?(?:[#/].*)?)", part) for part in field.split(",")]
    names = ",".join(re.sub("[1-7]", _day_name, m[1]) + m[2] if m else "" for m in found)
    return (field, names) if any(found) and all(found) else None


def _day_name(match: re.Match[str]) -> str:
    return DAYS[int(match[0]) - 1]


# --- The fields of a cron


def parts(expression: str) -> tuple[str, str]:
    """Return the keyword in small letters, and what is between the parentheses."""
    kind, _, body = expression.partition("(")
    return kind.lower(), body.removesuffix(")")


def cron_fields(body: str) -> list[str]:
    """Return the six fields of a cron's body, in capitals; the year may be left out."""
    fields = body.upper().split()
    return [*fields, "*"] if len(fields) == FIELDS_WITHOUT_YEAR else fields


@functools.lru_cache(maxsize=16_384)
def read_cron(body: str) -> Cron | None:
    """Return the cron, or None if a part of it is not understood for certain."""
    fields = cron_fields(body)
    if len(fields) != FIELDS_WITHOUT_YEAR + 1:
        return None
    minutes = _numbers(fields[0], 0, 59)
    hours = _numbers(fields[1], 0, 23)
    months = _numbers(fields[3], 1, 12, MONTHS)
    years = _numbers(fields[5], *YEARS, wraps=False)
    if not (minutes and hours and months and years):
        return None
    cron = Cron(minutes, hours, fields[2], fields[4], months, years)
    return None if month_days(cron.days, cron.weekdays, *ANY_MONTH) is None else cron


@functools.lru_cache(maxsize=16_384)
def month_days(days: str, weekdays: str, year: int, month: int) -> tuple[int, ...] | None:
    """Return the days of a month on which a cron runs, or None if its fields are not understood."""
    if (days == "?") == (weekdays == "?"):
        return None
    last = calendar.monthrange(year, month)[1]
    found: set[int] = set()
    for part in (days if weekdays == "?" else weekdays).split(","):
        some = (_days_of if weekdays == "?" else _dates_of)(part, year, month)
        if some is None:
            return None
        found.update(day for day in some if 1 <= day <= last)
    return tuple(sorted(found))


def _days_of(part: str, year: int, month: int) -> Collection[int] | None:
    """Return the days that a part of the field day-of-month means in a month."""
    last = calendar.monthrange(year, month)[1]
    match = re.fullmatch(r"(?a)(L(?:-(\d+))?|\d+)(W?)", part)
    if match is None or not (match[3] or match[1].startswith("L")):
        return _span(part, 1, 31)
    day = last - int(match[2] or 0) if match[1].startswith("L") else int(match[1])
    if not 1 <= day <= last:
        return ()
    return (_nearest_weekday(year, month, day) if match[3] else day,)


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """Return the day from Monday to Friday that is nearest, in the same month."""
    last = calendar.monthrange(year, month)[1]
    weekday = calendar.weekday(year, month, day)
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < last else day - 2
    return day


def _dates_of(part: str, year: int, month: int) -> Collection[int] | None:
    """Return the days that a part of the field day-of-week means in a month."""
    match = re.fullmatch(r"(?a)([A-Z]{3}|\d+)(L|#(\d))", part)
    if match is None:
        weekdays = _span("SAT" if part == "L" else part, 1, WEEK, DAYS)
        if weekdays is None:
            return None
        return [day for weekday in weekdays for day in _dates(weekday, year, month)]
    weekday = _number(match[1], DAYS)
    if weekday is None or match[3] == "0":
        return None
    dates = _dates(weekday, year, month)
    return dates[-1:] if match[2] == "L" else dates[int(match[3]) - 1 : int(match[3])]


def _dates(weekday: int, year: int, month: int) -> list[int]:
    """Return the days of a month that are this day of the week; 1 is Sunday."""
    first_weekday, last = calendar.monthrange(year, month)
    first = (weekday - 2 - first_weekday) % WEEK + 1
    return list(range(first, last + 1, WEEK))


def _numbers(
    field: str, low: int, high: int, names: Sequence[str] = (), *, wraps: bool = True
) -> tuple[int, ...]:
    """Return the numbers of a field of lists, ranges and steps, or nothing if it is not one."""
    found: set[int] = set()
    for part in field.split(","):
        span = _span(part, low, high, names, wraps=wraps)
        if span is None:
            return ()
        found.update(span)
    return tuple(sorted(found))


def _span(
    part: str, low: int, high: int, names: Sequence[str] = (), *, wraps: bool = True
) -> Collection[int] | None:
    """Return the numbers of `*`, a number or a range, with or without a step, or None."""
    values, slash, written_step = part.partition("/")
    step = _number(written_step) if slash else 1
    first, dash, last = values.partition("-")
    if values == "*" or (slash and not values):
        start: int | None = low
        end: int | None = high
    else:
        start = _number(first, names)
        end = high if slash else start
        if dash:
            end = _number(last, names)
    if start is None or end is None or not step:
        return None
    if start <= end:
        return range(start, end + 1, step)
    size = high - low + 1
    return [low + (n - low) % size for n in range(start, end + size + 1, step)] if wraps else None


def _number(text: str, names: Sequence[str] = ()) -> int | None:
    if text in names:
        return names.index(text) + 1
    return int(text) if re.fullmatch("[0-9]{1,4}", text) else None
