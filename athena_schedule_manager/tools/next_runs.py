"""When a schedule will run next, as far as a developer's machine can tell; AWS has the last word.

Times of a cron come from aws-croniter. It is given local time dressed up as UTC, so the two days
a year on which a clock changes are dealt with here, as EventBridge Scheduler does: an hour that is
skipped has no run, one that comes twice has one, at its first pass.
"""

from __future__ import annotations

import difflib
import functools
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

try:
    from aws_croniter import AwsCroniter
except ImportError:  # no reason to fail: the other columns are worth having
    AwsCroniter = None

SHOWN = 2  # runs of each schedule
TRIES = 50  # times to look at for them, some of which the clock skips
FIELDS_WITHOUT_YEAR = 5
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # of months, February's longest


def next_runs(expression: str, timezone: str, now: datetime) -> list[datetime] | None:
    """Return the next runs in the schedule's zone; none if it never runs, None if unknown."""
    kind, body = _parts(expression)
    zone = known_zone(timezone)
    if kind == "rate" or zone is None:
        return None
    if never(expression, timezone, now):
        return []
    return _at_times(body, zone, now) if kind == "at" else _cron_times(body, zone, now)


def never(expression: str, timezone: str, now: datetime) -> str | None:
    """Say why a schedule that AWS accepts never runs again, if that is certain."""
    kind, body = _parts(expression)
    zone = known_zone(timezone)
    if kind == "at" and zone and _at_times(body, zone, now) == []:
        return "is in the past: it never runs again"
    if kind != "cron":
        return None
    fields = cron_fields(body)
    days, months, years = _numbers(fields[2]), _numbers(fields[3]), _numbers(fields[5])
    within = months or range(1, 13)
    if days and min(days) > max(
        LENGTHS[month - 1] for month in within if 1 <= month <= len(MONTHS)
    ):
        return "never runs: there is no such day in its months"
    if years and max(years) < now.year:
        return "has only years that are past: it never runs again"
    return None


def numbered_weekdays(expression: str) -> tuple[str, str] | None:
    """Return a cron's day-of-week field that counts from Sunday = 1, and the same in names."""
    kind, body = _parts(expression)
    field = cron_fields(body)[4] if kind == "cron" else "?"
    parts = [re.fullmatch(r"([1-7](?:-[1-7])?)(L?(?:[#/].*)?)", part) for part in field.split(",")]
    names = ",".join(re.sub("[1-7]", _day_name, m[1]) + m[2] if m else "" for m in parts)
    return (field, names) if any(parts) and all(parts) else None


def _day_name(match: re.Match[str]) -> str:
    return DAYS[int(match[0]) - 1]


@functools.cache
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


def known_zone(name: str) -> ZoneInfo | None:
    """Return the zone, or None if this machine does not know it."""
    return ZoneInfo(name) if name in _zones().values() else None


def similar_zone(name: str) -> str | None:
    """Return the zone that was probably meant."""
    close = difflib.get_close_matches(name.strip().casefold().replace(" ", "_"), _zones(), 1)
    return _zones()[close[0]] if close else None


def cron_fields(body: str) -> list[str]:
    """Return the six fields of a cron's body, in capitals; the year may be left out."""
    fields = body.upper().split()
    return [*fields, "*"] if len(fields) == FIELDS_WITHOUT_YEAR else fields


def _parts(expression: str) -> tuple[str, str]:
    kind, _, body = expression.partition("(")
    return kind.lower(), body.removesuffix(")")


def _numbers(field: str) -> list[int]:
    """Return the numbers of a plain list of numbers and ranges, or nothing: it is not plain."""
    found: list[int] = []
    for part in field.split(","):
        ends = [MONTHS.index(end) + 1 if end in MONTHS else end for end in part.split("-", 1)]
        if not all(str(end).isdecimal() for end in ends):
            return []
        first, last = int(ends[0]), int(ends[-1])
        if first > last:  # a range that wraps
            return []
        found += [first, last]
    return found


def _at_times(body: str, zone: ZoneInfo, now: datetime) -> list[datetime] | None:
    try:
        run = datetime.fromisoformat(body.strip()).replace(tzinfo=zone)
    except ValueError:
        return None
    if not _exists(run):
        return None
    return [run] if run.astimezone(UTC) > now else []


def _cron_times(body: str, zone: ZoneInfo, now: datetime) -> list[datetime] | None:
    if AwsCroniter is None:
        return None
    runs: list[datetime] = []
    local = now.astimezone(zone).replace(tzinfo=UTC, fold=0)
    try:
        cron = AwsCroniter(" ".join(cron_fields(body)))
        for _ in range(TRIES):
            [local] = cron.get_next(local)
            if local is None or len(runs) == SHOWN:
                break
            run = local.replace(tzinfo=zone)
            if _exists(run) and run.astimezone(UTC) > now:
                runs.append(run)
    except Exception:  # noqa: BLE001 - whatever the library cannot do, the answer is "unknown"
        return None
    return runs or None


def _exists(run: datetime) -> bool:
    """Tell whether the clock shows this time at all on that day."""
    there_and_back = run.astimezone(UTC).astimezone(run.tzinfo)
    return there_and_back.replace(tzinfo=None) == run.replace(tzinfo=None)
