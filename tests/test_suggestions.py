"""A suggestion is right or absent: it fires when the text does, in the dialect it is written in."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from athena_schedule_manager._expressions import expression_problem
from athena_schedule_manager.tools.next_runs import month_days, read_cron
from athena_schedule_manager.tools.suggestions import suggestion
from tests.world.dialects import WINDOW, Firing, readings


def numbers(low: int, high: int, *names: str) -> st.SearchStrategy[str]:
    """Return fields of a cron: *, a number, a name, a range, a step, a list."""
    number = st.integers(low, high).map(str)
    spans = st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted)
    span = spans.map(lambda ends: f"{ends[0]}-{ends[1]}")
    step = st.builds("{}/{}".format, st.just("*") | number | span, st.integers(1, 9))
    named = st.sampled_from(names) if names else number
    one = number | named | span | step
    return st.just("*") | st.just("*") | one | st.lists(one, min_size=2, max_size=3).map(",".join)


MINUTE = numbers(0, 59)
HOUR = numbers(0, 23)
DAY = numbers(1, 31) | st.just("?")
MONTH = numbers(1, 12, "JAN", "jun", "DEC")
WEEKDAY = numbers(0, 7, "SUN", "mon", "FRI", "MON-FRI", "SAT-SUN", "1-5", "01", "0") | st.just("?")
SECOND = st.sampled_from(["0", "0", "0", "00", "30", "*", "*/15", "0,30"])
YEAR = st.sampled_from(["*", "*", "2027", "2027-2028", "?"])
TEXTS = st.one_of(
    st.tuples(MINUTE, HOUR, DAY, MONTH, WEEKDAY),
    st.tuples(SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY),
    st.tuples(MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR),
    st.tuples(SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR),
).map(" ".join)


def fires(crons: list[str]) -> Firing:
    """Return when schedules fire, together; they differ in their days alone."""
    found: set[date] = set()
    hours: set[int] = set()
    minutes: set[int] = set()
    for text in crons:
        assert expression_problem(text) is None
        cron = read_cron(text[5:-1])
        assert cron is not None
        hours.update(cron.hours)
        minutes.update(cron.minutes)
        for year, month in sorted({(day.year, day.month) for day in WINDOW}):
            if year in cron.years and month in cron.months:
                days = month_days(cron.days, cron.weekdays, year, month) or ()
                found.update(date(year, month, day) for day in days)
    return Firing(1, frozenset(hours), frozenset(minutes), frozenset(found & set(WINDOW)))


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(TEXTS, st.sampled_from(["{}", "cron({})", " cron ( {} ", "cron(({}))"]))
@example("0 0 9 * * MON-FRI", "{}")
@example("0 0 4 * * *", "cron({})")
@example("0 6 * * 0-7", "{}")
@example("0 6 * * 01", "{}")
@example("0 0 9 ? * 2-6", "{}")
@example("0 6 1 * MON", "{}")
@example("0 6 */2 * MON", "{}")
@example("0 6 * * 2 *", "cron({})")
@example("*/15 * * * * *", "{}")
@example("0 0 9 1 * MON", "{}")
@example("0 0 6 * * 2 *", "{}")
def test_a_suggestion_fires_when_the_text_does(text: str, wrapper: str) -> None:
    """In every dialect that has the text; where two differ, both are told, each once."""
    expression = wrapper.format(text)
    problem = expression_problem(expression.strip())
    if problem is None:
        return
    if "cron(" not in problem.partition(";")[2]:
        problem += suggestion(expression)
    said = problem.partition("; ")[2]
    meant = set(readings(text).values())
    if said.startswith("did you mean"):
        crons = re.findall(r"cron\([^)]*\)", said)
        assert meant <= {fires(crons)}
    elif said:
        labelled = re.findall(r"(cron\([^)]*\)) \(", said)
        assert len(set(labelled)) == 2
        assert meant <= {fires([cron]) for cron in labelled}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0 0 9 * * MON-FRI", "cron(0 9 ? * MON-FRI *)"),
        ("0 0 9 * * 1-5", "cron(0 9 ? * MON-FRI *)"),
        ("30 0 9 * * MON", "cron(0 9 ? * MON *)"),
        ("0 0 12 * * ?", "cron(0 12 * * ? *)"),
        ("cron(0 0 12 ? * MON)", "cron(0 12 ? * MON *)"),
        ("cron(0 0 6 ? * 2-6 *)", "cron(0 6 ? * MON-FRI *)"),
        ("cron(0 0 6 * * ? 2027)", "cron(0 6 * * ? 2027)"),
        ("cron(0 30 9 1 * *)", "cron(30 9 1 * ? *)"),
        ("0 6 * * 0", "cron(0 6 ? * SUN *)"),
        ("0 6 * * 5-7", "cron(0 6 ? * FRI-SUN *)"),
        ("cron(0 6 * * 7)", "cron(0 6 ? * SUN *)"),
        ("0 6 1 * *", "cron(0 6 1 * ? *)"),
        ("cron(0 6 ? * ? *)", "cron(0 6 * * ? *)"),
        ("cron(0 6 ? * MONDAY *)", "cron(0 6 ? * MON *)"),
        ("cron(0 6 ? sept thurs *)", "cron(0 6 ? SEP THU *)"),
        ("cron(0 6 ? * 0 *)", "cron(0 6 ? * SUN *)"),
        ("cron(0 6 ? * 0-5 *)", "cron(0 6 ? * SUN-FRI *)"),
        ("cron(0 6 * * ? *", "cron(0 6 * * ? *)"),
        ("cron (0 6 * * ? *)", "cron(0 6 * * ? *)"),
        ("cron: 0 6 * * ? *", ""),
        ("cron((0 2 * * ? *))", "cron(0 2 * * ? *)"),
        ("'cron(0 2 * * ? *)'", "cron(0 2 * * ? *)"),
        ("cron(0 9 ? * MON\u2013FRI *)", "cron(0 9 ? * MON-FRI *)"),
        ("cron(0\u00a09 * * ? *)", "cron(0 9 * * ? *)"),
        ("cron(0 24 * * ? *)", "cron(0 0 * * ? *)"),
        ("cron(0 9 ? * MON, WED *)", "cron(0 9 ? * MON,WED *)"),
        ("0 0/5 14,18 * * ?", "cron(0/5 14,18 * * ? *)"),
        ("0 0/5 * * * ?", "cron(0/5 * * * ? *)"),
        ("0 15 10 ? * *", "cron(15 10 * * ? *)"),
        ("0 15 10 ? * 6L 2027-2029", "cron(15 10 ? * FRIL 2027-2029)"),
        ("0 0 0 25 DEC ?", "cron(0 0 25 DEC ? *)"),
        ("0 0 0 1W * *", "cron(0 0 1W * ? *)"),
        ("0 0 0 * * 5#2", "cron(0 0 ? * FRI#2 *)"),
        ("*/5 9-17 * * mon-fri", "cron(*/5 9-17 ? * MON-FRI *)"),
        ("cron 0 9 * * ? *", "cron(0 9 * * ? *)"),
        ("rate (5 minutes)", "rate(5 minutes)"),
        ("@daily", "cron(0 0 * * ? *)"),
        ("@hourly", "cron(0 * * * ? *)"),
        ("@weekly", "cron(0 0 ? * SUN *)"),
        ("@annually", "cron(0 0 1 1 ? *)"),
        ("hourly", "cron(0 * * * ? *)"),
        ("rate(1h)", "rate(1 hour)"),
        ("rate( 10 minutes )", "rate(10 minutes)"),
        ("rate(05 mins)", "rate(5 minutes)"),
        ("every 5 minutes", "rate(5 minutes)"),
        ("@every 5m", "rate(5 minutes)"),
        ("2 weeks", "rate(14 days)"),
        ("2099-01-01", "at(2099-01-01T00:00:00)"),
        ("2099-01-01 10:30", "at(2099-01-01T10:30:00)"),
        ("at('2099-01-01T10:00')", "at(2099-01-01T10:00:00)"),
        ("at(2099-01-01T00:00:00Z)", "at(2099-01-01T00:00:00)"),
    ],
)
def test_the_corrected_form_is_given_where_it_can_be(written: str, meant: str) -> None:
    """And it is one that the manager takes."""
    assert suggestion(written) == (f"; did you mean {meant}?" if meant else "")
    assert not meant or expression_problem(meant) is None


@pytest.mark.parametrize(
    ("written", "ways"),
    [
        ("0 0 4 * * *", ["cron(0 4 * * ? *) (seconds first)", "cron(0 0 4 * ? *) (year last)"]),
        ("cron(0 6 * * * *)", ["cron(6 * * * ? *) (seconds first)", "cron(0 6 * * ? *) (year"]),
        ("0 0 9 ? * 2-6", ["cron(0 9 ? * MON-FRI *) (Quartz)", "cron(0 9 ? * TUE-SAT *) (Spring)"]),
        ("cron(0 9 * ? * *)", ["cron(9 * * * ? *) (Quartz)", "cron(0 9 * * ? *) (year last)"]),
        ("0 0/30 8-10 * * *", ["cron(0/30 8-10 * * ? *) (sec", "cron(0 0/30 8-10 * ? *) (year"]),
        ("0 0 9 ? * 6L", ["cron(0 9 ? * FRIL *) (Quartz)", "cron(0 9 ? * SATL *) (Spring)"]),
    ],
)
def test_what_can_be_read_in_two_ways_is_told_in_both(written: str, ways: list[str]) -> None:
    """By the manager and the check alike, since they share the rule."""
    said = expression_problem(written) or ""
    assert "; it can be read in two ways: " in said
    assert all(way in said for way in ways)
    assert said.endswith(suggestion(written))


def test_a_suggestion_is_never_longer_than_aws_takes() -> None:
    """Names for numbers may make it so, and the wrapper, too."""
    for count in range(100, 130):
        text = f"0 6 * * {','.join('1' * count)}"
        said = expression_problem(text) or ""
        found = re.findall(r"cron\([^)]*\)", said.partition(";")[2])
        assert all(expression_problem(cron) is None for cron in found)


@pytest.mark.parametrize("written", ["cron(0 2 1 * MON *)", "0 2 1 * 1", "cron(0 2 1 * MON)"])
def test_a_day_of_the_month_and_one_of_the_week_are_two_queries(written: str) -> None:
    """One schedule cannot have both."""
    said = expression_problem(written) or ""
    assert "did you mean two queries, cron(0 2 1 * ? *) and cron(0 2 ? * MON *)?" in said


@pytest.mark.parametrize(
    "written",
    [
        "",
        "x",
        "rate(10 seconds)",
        "rate(1 month)",
        "rate(1M)",
        "rate(5 midnights)",
        "rate(1 decade)",
        "rate(0 days)",
        "rate(1.5 hours)",
        "cron(61 6 * * ? *)",
        "cron(0 24 ? * MON *)",
        "cron(0 8-24 * * ? *)",
        "cron(0 2 * * ? *;)",
        "cron(0:30 2 * * ? *)",
        "cron(0 9,10,\u2026,17 ? * 2-6 *)",
        "cron(0/5, 9-18, ?, *, MON-FRI, *)",
        "cron(0 9 ? * Mo-Fr *)",
        "cron(0 9 ? * 1-8 *)",
        "CRON_TZ=UTC 0 9 * * *",
        "0 9 * * MON-FRI # weekdays",
        "@reboot",
        "@every 1h30m",
        "PT15M",
        "rate(five minutes)",
        "cron(*/30 * * * * ? *)",
        "cron(* * * * * *)",
        "cron(0 6 * * 2 *)",
        "cron(0 2 1 * 2 *)",
        "cron(0 0 9 1 * MON)",
        "0 6 */2 * MON",
        "0 6 * * 0-7",
        "0 6 * * */2",
        "H 6 * * *",
        "weekly",
        "at noon",
        "at(2099-01-01T00:00:00+02:00)",
        "at(2099-02-30T00:00:00Z)",
        "2099-13-01",
        "01/02/2099",
        "cron()",
    ],
)
def test_what_was_meant_is_not_guessed_at(written: str) -> None:
    """Neither by the check nor by the manager."""
    assert suggestion(written) == ""
    assert "did you mean" not in (expression_problem(written) or "")


@pytest.mark.parametrize(
    ("written", "zone", "meant"),
    [
        ("at(2099-07-01T00:00:00Z)", "Europe/Rome", ""),
        ("at(2099-07-01T00:00:00Z)", "Etc/UTC", "at(2099-07-01T00:00:00)"),
        ("at(2026-07-01T08:00:00+02:00)", "Europe/Rome", "at(2026-07-01T08:00:00)"),
        ("at(2026-12-01T08:00:00+02:00)", "Europe/Rome", ""),
        ("at(2026-07-01T08:00:00Z)", "Europe/Roma", ""),
    ],
)
def test_an_offset_may_be_left_out_where_the_zone_has_it(
    written: str, zone: str, meant: str
) -> None:
    """Otherwise the query would run at another hour."""
    assert suggestion(written, zone) == (f"; did you mean {meant}?" if meant else "")
