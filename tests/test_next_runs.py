"""The next runs: every form of a cron, zones, changes of the clock, and what can never run."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from aws_croniter import AwsCroniter

from athena_schedule_manager._expressions import expression_problem
from athena_schedule_manager.tools.next_runs import never, next_runs, runs_a_day, shown
from athena_schedule_manager.tools.zones import known_zone

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
MOMENTS = [
    NOW,
    datetime(2026, 12, 31, 23, 59, 30, tzinfo=UTC),
    datetime(2028, 2, 28, 12, 0, tzinfo=UTC),
    datetime(2027, 3, 28, 0, 45, tzinfo=UTC),  # a quarter of an hour before Rome springs forward
    datetime(2027, 10, 31, 0, 15, tzinfo=UTC),  # in the first pass of the hour that comes twice
    datetime(2027, 10, 31, 1, 15, tzinfo=UTC),  # in the second
]
ZONES = ("UTC", "Europe/Rome", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia")
TIMES = ("0 2", "30 2", "*/15 *", "5/10 1-3", "0,59 0-23/5", "0 22-6", "10-20/5 8", "7 */6", "0 12")
DAY_FIELDS = (
    "* * ?",
    "1 * ?",
    "31 * ?",
    "29 2 ?",
    "1-7 1,JUL ?",
    "*/10 * ?",
    "L * ?",
    "L-2 2 ?",
    "15W * ?",
    "1W * ?",
    "31W * ?",
    "LW * ?",
    "? * MON-FRI",
    "? * 2-6",
    "? * sun",
    "? * SAT-MON",
    "? */3 MON,WED",
    "? * 6L",
    "? * FRIL",
    "? * 2#1",
    "? * TUE#5",
    "? * L",
    "? * 2/3",
    "? 2 1#5",
)
YEARS = ("*", "2027", "2027-2030", "2027/2", "2026,2028")


def by_library(expression: str, timezone: str, now: datetime) -> list[str] | None:
    """Return the next two runs by aws-croniter, or None where it does not know.

    It knows no zones: it is given local time, and what the clock skips is left out here.
    """
    zone = known_zone(timezone)
    local = now.astimezone(zone).replace(tzinfo=UTC, fold=0)
    found: list[str] = []
    try:
        cron = AwsCroniter(expression[5:-1].upper())
        while len(found) < 2:
            [local] = cron.get_next(local)
            if local is None:
                return None
            run = local.replace(tzinfo=zone)
            as_shown = run.astimezone(UTC).astimezone(zone)
            if as_shown.replace(tzinfo=None) == run.replace(tzinfo=None) and as_shown > now:
                found.append(run.isoformat())
    except Exception:  # noqa: BLE001 - whatever the library cannot do
        return None
    return found


def test_the_next_runs_are_those_of_a_well_kept_library() -> None:
    """In all zones, at all moments: those around changes of the clock included."""
    forms = itertools.product(TIMES, DAY_FIELDS, YEARS)
    compared = 0
    for (times, days, year), now, zone in zip(
        forms, itertools.cycle(MOMENTS), itertools.cycle(ZONES), strict=False
    ):
        expression = f"cron({times} {days} {year})"
        assert expression_problem(expression) is None
        expected = by_library(expression, zone, now)
        if expected is not None:
            compared += 1
            runs = next_runs(expression, zone, now)
            assert [run.isoformat() for run in runs or ()] == expected, (expression, zone, now)
    assert compared > 500


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("cron(0 2 * * ? *)", "UTC", ["11-27 02:00", "11-28 02:00"]),
        ("cron(0 2 * * ?)", "UTC", ["11-27 02:00", "11-28 02:00"]),
        ("CRON(00  04 ? * mon-sun *)", "Europe/Rome", ["11-27 04:00", "11-28 04:00"]),
        ("cron(0 4 * * ? *)", "Asia/Tokyo", ["11-27 04:00", "11-28 04:00"]),
        ("cron(0 0 29 2 ? 2028)", "UTC", ["02-29 00:00"]),
        ("cron(0 18 LW * ? *)", "UTC", ["11-30 18:00", "12-31 18:00"]),
        ("cron(0 18 LW 2,5 ? 2027)", "UTC", ["02-26 18:00", "05-31 18:00"]),
        ("cron(0 18 L-3W 12 ? 2026)", "UTC", ["12-28 18:00"]),
        ("cron(0 18 1W 5 ? 2027)", "UTC", ["05-03 18:00"]),
        ("cron(0 18 31W 10 ? 2027)", "UTC", ["10-29 18:00"]),
        ("cron(0 18 ? * L *)", "UTC", ["11-28 18:00", "12-05 18:00"]),
        ("cron(0 18 ? * 2/3 *)", "UTC", ["11-26 18:00", "11-30 18:00"]),
        ("cron(0 18 ? * 2,4L *)", "UTC", ["11-30 18:00", "12-07 18:00"]),
        ("cron(0 18 1 1 ? 2027/2)", "UTC", ["01-01 18:00", "01-01 18:00"]),
        ("cron(0 18 ? 2 SUN#5 *)", "UTC", ["02-29 18:00"]),
        ("cron(0 22-6/3 * * ? *)", "UTC", ["11-26 04:00", "11-26 22:00"]),
        ("cron(/20 2 * * ? *)", "UTC", ["11-27 02:00", "11-27 02:20"]),
        ("cron(0 2 /2 * ? *)", "UTC", ["11-27 02:00", "11-29 02:00"]),
        ("cron(*/90 2 * * ? *)", "UTC", ["11-27 02:00", "11-28 02:00"]),
        ("cron(0 0 1/10,2,3/8 * ? *)", "UTC", ["11-27 00:00", "12-01 00:00"]),
        ("cron(0/60 * * * ? *)", "UTC", ["11-26 04:00", "11-26 05:00"]),
        ("cron(0 8-23,0-1 * * ? *)", "UTC", ["11-26 08:00", "11-26 09:00"]),
        ("cron(0 2 ? 11-1 MON *)", "UTC", ["11-30 02:00", "12-07 02:00"]),
        ("at(2026-11-26T05:00:00)", "Europe/Rome", ["11-26 05:00"]),
    ],
)
def test_the_next_runs_are_those_of_the_schedules_zone(
    expression: str, zone: str, expected: list[str]
) -> None:
    """Two of them, or as many as there are within thirty years."""
    found = next_runs(expression, zone, NOW)
    assert found is not None
    assert [run.strftime("%m-%d %H:%M") for run in found] == expected


def test_an_hour_that_is_skipped_has_no_run() -> None:
    """In Rome, on 29 March 2026, 02:00 to 03:00."""
    found = next_runs("cron(30 2 * * ? *)", "Europe/Rome", datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert [str(run.date()) for run in found or ()] == ["2026-03-30", "2026-03-31"]


@pytest.mark.parametrize(
    ("now", "first"),
    [("2026-10-25T00:15", "2026-10-25"), ("2026-10-25T01:15", "2026-10-26")],
    ids=["before both", "between the two"],
)
def test_an_hour_that_comes_twice_has_one_run(now: str, first: str) -> None:
    """In Rome, on 25 October 2026, 02:30 is 00:30 and 01:30 UTC; the first is the run."""
    found = next_runs("cron(30 2 * * ? *)", "Europe/Rome", datetime.fromisoformat(f"{now}Z"))
    assert found is not None
    assert str(found[0].date()) == first
    assert found[1].date() > found[0].date()


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("rate(1 day)", "UTC"),
        ("cron(0 2 * * ? *)", "Europe/Roma"),
        ("cron(0 2 W * ? *)", "UTC"),
        ("cron(0 2 ? * LW *)", "UTC"),
        ("cron(0 2 ? * 1-5L *)", "UTC"),
        ("cron(0 2 ? * MON#0 *)", "UTC"),
        ("cron(*/0 2 * * ? *)", "UTC"),
        ("cron(0 2 1 * ? 2030-2027)", "UTC"),
        ("cron(0#1 2 * * ? *)", "UTC"),
        ("cron(1-2-3 2 * * ? *)", "UTC"),
        ("cron(15 12 ? * -1 *)", "UTC"),
        ("at(2099-01-01 08:00)", "UTC"),
        ("at(2099-01-01T08:00)", "UTC"),
        ("at(2099-03-29T02:30:00)", "Europe/Rome"),
    ],
)
def test_what_cannot_be_told_is_not_told_wrongly(expression: str, zone: str) -> None:
    """A rate has no known phase, and what is not documented may mean anything."""
    assert next_runs(expression, zone, NOW) is None
    told = "(counts from its creation)" if expression.startswith("rate") else "?"
    assert shown(expression, zone, NOW) == told
    assert never(expression, zone, NOW) is None


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("cron(0 6 31 2,4 ? *)", "no such day in its months"),
        ("cron(0 6 30 FEB ? *)", "no such day in its months"),
        ("cron(0 0 29 2 ? 2027)", "no such day in its months"),
        ("cron(0 0 29W 2 ? 2027)", "no such day in its months"),
        ("cron(0 0 L-31 * ? *)", "no such day in its months"),
        ("cron(0 0 ? * MON#6 *)", "no such day in its months"),
        ("cron(0 0 29 2 ? 2024,2027,2100)", "no such day and time is left"),
        ("cron(0 0 29 2 ? 2024,2027)", "no such day and time is left"),
        ("cron(0 6 1 1 ? 2026)", "no such day and time is left"),
        ("cron(0 6 1 1 ? 2020-2022)", "only years that are past"),
        ("at(2026-11-26T02:59:59)", "in the past"),
        ("at(2027-02-29T08:00:00)", "no such date"),
        ("at(2027-04-31T08:00:00)", "no such date"),
        ("at(2027-04-30T24:30:00)", "no such date"),
    ],
)
def test_what_can_never_run_is_told_with_its_reason(expression: str, reason: str) -> None:
    """The table says never."""
    assert reason in (never(expression, "UTC", NOW) or "")
    assert shown(expression, "UTC", NOW) == "never"


@pytest.mark.parametrize("year", ["2057", "2100", "2199/3", "2999", "2024,2100"])
def test_what_runs_in_a_far_future_is_not_said_to_be_never(year: str) -> None:
    """The search ends after thirty years."""
    expression = f"cron(0 6 1 1 ? {year})"
    assert never(expression, "UTC", NOW) is None
    assert shown(expression, "UTC", NOW) == "after 2056"


@pytest.mark.parametrize(
    ("expression", "runs"),
    [
        ("cron(* * * * ? *)", 1440),
        ("cron(*/5 * * * ? *)", 288),
        ("cron(*/4 * ? * MON *)", 360),
        ("cron(0 2 * * ? *)", 1),
        ("rate(1 minute)", 1440),
        ("Rate(5 MINUTES)", 288),
        ("rate(2 hours)", 12),
        ("rate(2 days)", 0),
        ("at(2099-01-01T00:00:00)", 0),
        ("cron(0 2 W * ? *)", 0),
    ],
)
def test_the_runs_of_a_day_are_counted(expression: str, runs: int) -> None:
    """Zero: less than one a day, or nobody knows."""
    assert runs_a_day(expression) == runs


def test_a_run_is_always_after_now() -> None:
    """By less than a minute too, in any zone, and never at the very moment."""
    for zone, minutes in itertools.product(ZONES, range(0, 24 * 60, 7)):
        now = datetime(2027, 3, 28, tzinfo=UTC) + timedelta(minutes=minutes, seconds=minutes % 2)
        found = next_runs("cron(*/7 * * * ? *)", zone, now)
        assert found is not None
        assert now < found[0].astimezone(UTC) < found[1].astimezone(UTC)
