"""The minute in which most queries start, and the free minutes around it.

Athena counts running and queued queries, and refuses one more than its quota with
TooManyRequestsException: an error of the Query Executor.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from athena_schedule_manager.tools.next_runs import exists, month_days, next_runs, parts, read_cron
from athena_schedule_manager.tools.zones import known_zone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from athena_schedule_manager._schedules import Schedule
    from athena_schedule_manager.tools.next_runs import Cron

CROWD = 10  # queries may start together without a word
NAMED = 20
MINUTE = timedelta(minutes=1)
DAYS_AHEAD = 7
MINUTES_AHEAD = DAYS_AHEAD * 24 * 60


def crowding(schedules: Mapping[str, Schedule], now: datetime) -> str | None:
    """Return a sentence on the fullest minute of the next seven days, or None.

    `schedules` by what they are called. One that is paused starts nothing, and nobody knows when a
    rate starts.
    """
    begin = now.astimezone(UTC).replace(second=0, microsecond=0) + MINUTE
    starts = {
        name: _minutes(schedule.cron, schedule.timezone, begin)
        for name, schedule in schedules.items()
        if schedule.state != "DISABLED"
    }
    counts = [0] * MINUTES_AHEAD
    for minutes in starts.values():
        for minute in minutes:
            counts[minute] += 1
    most = max(counts)
    if most <= CROWD:
        return None
    fullest = counts.index(most)
    names = [name for name, minutes in starts.items() if fullest in minutes]
    return _sentence(begin, fullest, names, counts)


def _sentence(begin: datetime, fullest: int, names: list[str], counts: Sequence[int]) -> str:
    when = begin + fullest * MINUTE
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    free = [begin + minute * MINUTE for minute in _free_around(fullest, counts)]
    instead = " and ".join(f"{minute:%H:%M}" for minute in free)
    return (
        f"{when:%H:%M} UTC {when:%A}: {len(names)} queries start together"
        f" ({', '.join(names[:NAMED])}{more}), and Athena may refuse some of them"
        f"{f'; nothing starts at {instead}' if instead else ''}"
    )


def _free_around(fullest: int, counts: Sequence[int]) -> Iterator[int]:
    """Yield the nearest minutes, before and after, in which nothing starts."""
    for minutes in (range(fullest - 1, -1, -1), range(fullest + 1, len(counts))):
        free = next((minute for minute in minutes if counts[minute] == 0), None)
        if free is not None:
            yield free


@functools.lru_cache(maxsize=1024)  # many queries have the same schedule
def _minutes(expression: str, timezone: str, begin: datetime) -> Sequence[int]:
    """Return the minutes, counted from the beginning, in which a schedule starts its query."""
    kind, body = parts(expression)
    zone = known_zone(timezone)
    if zone is None:
        return ()
    if kind == "at":
        runs = next_runs(expression, timezone, begin - MINUTE) or ()
        found = [(run.astimezone(UTC) - begin) // MINUTE for run in runs]
    else:
        cron = read_cron(body) if kind == "cron" else None
        found = list(_cron_minutes(cron, zone, begin)) if cron else []
    return [minute for minute in found if 0 <= minute < MINUTES_AHEAD]


def _cron_minutes(cron: Cron, zone: ZoneInfo, begin: datetime) -> Iterator[int]:
    today = begin.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, fold=0)
    for ahead in range(DAYS_AHEAD + 1):
        day = today + timedelta(days=ahead)
        midnight = day.replace(tzinfo=zone)
        if day.year not in cron.years or day.month not in cron.months:
            continue
        if day.day not in (month_days(cron.days, cron.weekdays, day.year, day.month) or ()):
            continue
        first = (midnight.astimezone(UTC) - begin) // MINUTE
        changes = midnight.utcoffset() != (midnight + timedelta(days=1)).utcoffset()
        for hour in cron.hours:
            for minute in cron.minutes:
                if not changes:
                    yield first + 60 * hour + minute
                    continue
                run = midnight.replace(hour=hour, minute=minute)
                if exists(run):
                    yield (run.astimezone(UTC) - begin) // MINUTE
