"""Schedule expressions: what AWS is known to reject, and that everything else is left to it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athena_schedule_manager._expressions import expression_problem

TAKEN = [
    # recorded as accepted by the service
    "cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)",
    "cron(30-30 13-13 ? * 2,4,6 *)",
    "cron(1-31/30 1-1 ? * 1,7 *)",
    "cron(0 18 ? * MON-FRI *)",
    "cron(*/15 * * * ? *)",
    "cron(0-59/10 0-23/2 ? * * *)",
    "cron(* * ? * * 2024)",
    "cron(15 10 ? * 6L 2022-2023)",
    "cron(0 2 ? * SAT#3 *)",
    "cron(0/5 5 ? JAN 1-5 2022)",
    "cron(0 18 LW * ? *)",
    "cron(0 9 ? * mOn *)",
    "at(2022-12-31T23:59:59)",
    "rate(1 minutes)",
    "rate(1 days)",
    # in deployed public code
    "cron(00 07 ? * MON-SUN *)",
    "cron(0 0 L-2 * ? *)",
    "cron(20 9 ? 1/1 MON#1 *)",
    "rate(5 minute)",
    # left to AWS on purpose
    "cron(0 2 * * ?)",
    "cron(0 22-6 * * ? *)",
    "cron(*/90 * * * ? *)",
    "cron(/2 * * * ? *)",
    "cron(0 0 15W * ? *)",
    "cron(0 0 L * ? *)",
    "cron(0 0 ? * L *)",
    "cron(0 0 ? * FRIL *)",
    "cron(0 0 ? * fril *)",
    "cron(0 0 ? * MON#0 *)",
    "cron(0 0 ? * MON#6 *)",
    "cron(0 0 L-40 * ? *)",
    "cron(0 0 ? JUL-9 MON *)",
    "cron(0 0 1 jan,FEB,Mar ? *)",
    "cron(59 23 31 12 ? *)",
    "cron(0 0 1 1 ? *)",
    "cron(0 0 ? * 1,7 *)",
    "cron(0 0 1 * ? 1970)",
    "cron(0 0 1 * ? 2999)",
    "cron(0   2 *  * ? *)",
    "CRON(0 2 * * ? *)",
    "Rate(05 Hours)",
    "AT(2022-12-31T23:59)",
    "at(1999-12-31T23:59:59)",
    "at(2022-12-31T23:59:59.000)",
    "at(2022-12-31 23:59:59)",
    "cron(0 0 1/10,2,3/8 * ? *)",
    "cron(0/60 * * * ? *)",
    "cron(0 8-23,0-1 * * ? *)",
    "cron(15 12 ? * -1 *)",
    "cron(0/5-99 2 * * ? *)",
    "cron(0 2 1,L * ? *)",
    "cron(0 2 15W,LW * ? *)",
    "cron(0 2 ? * 2,4L *)",
    "cron(0 2 ? * MON#1,3 *)",
    "cron(0 2 ? * LW *)",
    "cron(**/2 2 * * ? *)",
    "cron(1-5-7 2 * * ? *)",
    "cron(0#1 2 * * ? *)",
    "cron(0 2 1 JAN/3 ? *)",
    "cron(0 2 ? * 2/MON *)",
    "cron(0 2 ? * 2/3 *)",
    "cron(0 18 ? * L *)",
    "cron(0 2 1 * ? 2027/2)",
    "cron(0 2 1 * ? 2027-2030,2040)",
    "cron(0 2 1 * ? 99999)",
    "cron(\t0\n2\r* * ? *\f)",
]

REFUSED = {
    # recorded as rejected by the service
    "cron(0 1 * * * *)": "? in exactly one",
    "cron(7 20 * * NOT *)": "? in exactly one",
    "cron(INVALID)": "1 cron fields",
    "cron(71 8 1 * ? *)": "minute 71, outside 0-59",
    "cron()": "0 cron fields",
    "cron(*/30 * * * * ? *)": "7 cron fields",
    "cron(0 9 ? * 3#1,6#3 *)": "two #",
    "rate(10 seconds)": "minutes, hours or days",
    "rate(10)": "minutes, hours or days",
    "rate(foo minutes)": "positive whole number",
    "rate(-10 minutes)": "positive whole number",
    "rate( 10 minutes )": "one space",
    "at(2021-12-31T23:59:59Z)": "without zone",
    "at(2021-12-31)": "a date and a time",
    # the common mistakes
    "0 2 * * ? *": "must be cron",
    "0 2 * * *": "must be cron",
    "cron (0 2 * * ? *)": "must be cron",
    "cron(0 2 * * ? *": "must be cron",
    "every(5 minutes)": "must be cron",
    "cron(0 2 * * MON *)": "? in exactly one",
    "cron(0 2 ? * ? *)": "? in exactly one",
    "cron(? 2 * * * *)": "? in exactly one",
    "cron(0 2 * ? * *)": "? in exactly one",
    "cron(? 2 * * ? *)": "? in exactly one",
    "cron(0 2 * * ? ?)": "? in exactly one",
    "cron(0 2 * *)": "4 cron fields",
    "cron(0 24 * * ? *)": "hour 24, outside 0-23",
    "cron(60 2 * * ? *)": "minute 60, outside 0-59",
    "cron(0-60 2 * * ? *)": "minute 60, outside 0-59",
    "cron(0,99 2 * * ? *)": "minute 99, outside 0-59",
    "cron(60/5 2 * * ? *)": "minute 60, outside 0-59",
    "cron(0 2 0 * ? *)": "day-of-month 0, outside 1-31",
    "cron(0 2 32 * ? *)": "day-of-month 32, outside 1-31",
    "cron(0 2 32W * ? *)": "day-of-month 32, outside 1-31",
    "cron(0 2 1 0 ? *)": "month 0, outside 1-12",
    "cron(0 2 1 13 ? *)": "month 13, outside 1-12",
    "cron(0 2 ? * 0 *)": "day-of-week 0, outside 1-7",
    "cron(0 2 ? * 8 *)": "day-of-week 8, outside 1-7",
    "cron(0 2 ? * 8L *)": "day-of-week 8, outside 1-7",
    "cron(0 2 ? * 8#1 *)": "day-of-week 8, outside 1-7",
    "cron(0 2 ? * MONDAY *)": "has MONDAY, which is not a day-of-week",
    "cron(0 2 ? * JAN *)": "has JAN, which is not a day-of-week",
    "cron(0 2 1 MON ? *)": "has MON, which is not a month",
    "cron(0 2 1 JANUARY ? *)": "has JANUARY, which is not a month",
    "cron(0 noon * * ? *)": "has NOON, which is not a hour",
    "cron(L 2 * * ? *)": "has L, which is not a minute",
    "cron(0 2 1st * ? *)": "has ST, which is not a day-of-month",
    "cron(0,,30 2 * * ? *)": "empty part",
    "cron(0 2 * * ? 2024,)": "empty part",
    "cron(,0 2 * * ? *)": "empty part",
    "rate(0 minutes)": "positive whole number",
    "rate(1.5 hours)": "positive whole number",
    "rate(5  minutes)": "one space",
    "rate(1 week)": "minutes, hours or days",
    "rate(1 month)": "minutes, hours or days",
    "rate(5 minutess)": "minutes, hours or days",
    "at()": "a date and a time",
    "at(2021-12-31T)": "a date and a time",
    "at(tomorrow)": "a date and a time",
    "at(   )": "a date and a time",
    "at(2021-12-31  )": "a date and a time",
    "at(2021-12-31T:)": "a date and a time",
    "rate(5 minute\u017f)": "minutes, hours or days",
    # a field is matched as a whole: what is in it and is no wildcard, number or name is named
    "cron(0 2 ? * \u00e9 *)": "has '\u00e9' (LATIN SMALL LETTER E WITH ACUTE)",
    "cron(0 2 ? * \u00b2 *)": "(SUPERSCRIPT TWO)",
    "cron(0 2 ? * \u0663 *)": "(ARABIC-INDIC DIGIT THREE)",
    "cron(0 9 ? * MON\u2013FRI *)": "has '\u2013' (EN DASH)",
    "cron(0 9,10,\u2026,17 ? * 2-6 *)": "has '\u2026' (HORIZONTAL ELLIPSIS)",
    "cron(0 2 * * ? *;)": "has ';' (SEMICOLON)",
    "cron(0:30 2 * * ? *)": "has ':' (COLON)",
    "cron((0 2 * * ? *))": "has '(' (LEFT PARENTHESIS)",
    "cron(0 2 * * ? *))": "has ')' (RIGHT PARENTHESIS)",
    "cron('0 2 * * ? *')": 'has "\'" (APOSTROPHE)',
    "cron(0 2 * * ? *.)": "has '.' (FULL STOP)",
    "cron(0 2 * * ? +)": "has '+' (PLUS SIGN)",
    "cron(0 2 1_5 * ? *)": "has '_' (LOW LINE)",
    "cron(0 2 1~5 * ? *)": "has '~' (TILDE)",
    "cron(0 2 \\* * ? *)": "has '\\\\' (REVERSE SOLIDUS)",
    "cron(0 2 \uff0a * ? *)": "(FULLWIDTH ASTERISK)",
    "cron(0 2 * * \uff1f *)": "(FULLWIDTH QUESTION MARK)",
    "cron(0\u00a02 * * ? *)": "has '\\xa0' (NO-BREAK SPACE)",
    "cron(0\u20032 * * ? *)": "(EM SPACE)",
    "cron(0 2 * * ?\u200b *)": "(ZERO WIDTH SPACE)",
    "cron(0 2 * * ? *\x00)": "has '\\x00' (U+0000)",
    "cron(0\x1c2 * * ? *)": "has '\\x1c' (U+001C)",
    "cron(0 9 * * ? FOO)": "has FOO, which is not a year",
    "cron(0 9 * * ? MON)": "has MON, which is not a year",
    "cron(0 9 * * ? 2027L)": "has L, which is not a year",
    "cron(*/5min 9 * * ? *)": "has MIN, which is not a minute",
    "cron(0 9-17h * * ? *)": "has H, which is not a hour",
    "cron(0 9 ? * MON#FIRST *)": "has FIRST, which is not a day-of-week",
    "cron(0 0 9 * * MON-FRI)": "did you mean cron(0 9 ? * MON-FRI *)?",
    "cron(L-5 2 1 * ? *)": "has L, which is not a minute",
    "cron(0 2 1 L-3 ? *)": "has L, which is not a month",
    "cron(0 2 1? * * *)": "? in exactly one",
    "cron(0 2 ?/2 * MON *)": "? in exactly one",
    "at('2021-12-31T23:59:59')": "without zone",
    'at("2021-12-31T23:59:59")': "without zone",
    "at(2021-12-31T23:59:59+01:00)": "offset",
    "at(2021-12-31T23:59:59-0100)": "offset",
    "at(2021-12-31T23:59:59 UTC)": "without zone",
    "at(2021-12-31T23:59:59[Europe/Rome])": "without zone",
    "": "blank",
}


@pytest.mark.parametrize("expression", TAKEN)
def test_an_expression_that_the_service_may_take_is_left_to_it(expression: str) -> None:
    """Too strict a check would stop a report that runs today."""
    assert expression_problem(expression) is None


@pytest.mark.parametrize(("expression", "problem"), REFUSED.items(), ids=REFUSED)
def test_an_expression_that_the_service_refuses_is_told_why(expression: str, problem: str) -> None:
    """The reason names the field and what is wrong with it."""
    assert problem in (expression_problem(expression) or "")


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text("0123456789MONJALWS*?,-/# ", max_size=20), st.characters(), st.text(max_size=5))
def test_no_other_character_passes_anywhere_in_a_cron(before: str, stray: str, after: str) -> None:
    """Whatever stands around it."""
    allowed = re.fullmatch(r"[0-9A-Za-z*?,/# \t\n\r\f\v-]", stray)
    assert allowed or expression_problem(f"cron({before}{stray}{after})")
    assert allowed or expression_problem(f"cron(0 2 * * ? *{stray})")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("cron(0 6 * * *)", "cron(0 6 * * ? *)"),
        ("cron(0 6 * * MON)", "cron(0 6 ? * MON *)"),
        ("cron(0 6 * * MON *)", "cron(0 6 ? * MON *)"),
        ("cron(0 6 1 * * 2030)", "cron(0 6 1 * ? 2030)"),
        ("cron(0 6 * * 1)", "cron(0 6 ? * MON *)"),
        ("0 6 * * *", "cron(0 6 * * ? *)"),
        ("0 6 * * ? *", "cron(0 6 * * ? *)"),
        ("0 6 ? * MON *", "cron(0 6 ? * MON *)"),
        ("cron(0 26 * * *)", ""),
        ("at noon", ""),
        ("", ""),
    ],
)
def test_the_expression_that_was_probably_meant_is_told(written: str, meant: str) -> None:
    """Never when it would be a guess; tests/test_suggestions.py has every dialect."""
    _, mark, suggestion = (expression_problem(written) or "").partition("; did you mean ")
    assert suggestion == (f"{meant}?" if meant else "")
    assert bool(mark) == bool(meant)


@pytest.mark.parametrize(
    "expression",
    [f"at({' ' * 250}x)", f"at({'1 ' * 125}x)", f"cron({'L-' * 125})", f"cron({'0,' * 120}? *)"],
    ids=lambda text: text[:9],
)
def test_the_longest_expression_is_judged(expression: str) -> None:
    """A pattern that tried again and again would not come to an end."""
    for _ in range(100):
        assert expression_problem(expression + " ")
