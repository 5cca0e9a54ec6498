"""Schedule expressions that EventBridge Scheduler is known to reject. Pure.

Everything else is passed to AWS: the service takes leading zeros, wrapping ranges, `LW`, `5L`, the
year 2999 and `rate(1 minutes)`, and a report that runs today must not stop because a validator
disagrees. Source: the Scheduler User Guide, "Schedule types", and recordings of the service.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_EXPRESSION = 256  # characters (botocore model)

_LAST = "L W LW "
_WEEKDAYS = "SUN MON TUE WED THU FRI SAT SUNL MONL TUEL WEDL THUL FRIL SATL"
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
# name, lowest and highest number, words; the service does not check the year, so it is not here
_CRON_FIELDS = (
    ("minute", 0, 59, ""),
    ("hour", 0, 23, ""),
    ("day-of-month", 1, 31, _LAST),
    ("month", 1, 12, _MONTHS),
    ("day-of-week", 1, 7, _LAST + _WEEKDAYS),
)


def expression_problem(expression: str) -> str | None:
    """Return why AWS is known to reject the expression, to be read after it, or None."""
    if not expression:
        return "is blank; write one such as 'cron(0 2 * * ? *)'"
    if len(expression) > MAX_EXPRESSION:
        return f"is longer than {MAX_EXPRESSION} characters; split the query's schedule"
    match = re.fullmatch(r"(cron|rate|at)\((.*)\)", expression, re.IGNORECASE | re.DOTALL)
    if match is None:
        return f"must be cron(...), rate(...) or at(...){_suggestion(expression.split())}"
    return _PROBLEMS[match[1].lower()](match[2])


@functools.lru_cache(maxsize=16_384)  # most expressions are those of the run before
def _cron_problem(body: str) -> str | None:
    texts = body.split()
    if len(texts) not in {5, 6}:
        return f"has {len(texts)} cron fields, not six: minute hour day month weekday year"
    if not _has_one_question_mark(body, texts):
        count = f"has {len(texts)} fields and " if len(texts) == len(_CRON_FIELDS) else ""
        rule = "needs ? in exactly one of day-of-month and day-of-week, and nowhere else"
        return f"{count}{rule}{_suggestion(texts)}"
    if body.count("#") > 1:
        return "has two #, and only one is allowed"
    if any("" in text.split(",") for text in texts):
        return "has an empty part beside a comma"
    pairs = zip(texts, _CRON_FIELDS, strict=False)
    problems = (_field_problem(text, *known) for text, known in pairs)
    return next((problem for problem in problems if problem), None)


def _field_problem(text: str, name: str, low: int, high: int, words: str) -> str | None:
    # what follows / and # and a lone L counts something else than the field's values
    values = re.sub(r"[/#][^,]*|(?<=\bL)-[0-9]+", "", text.upper())
    for value in re.findall(r"[0-9]+|[^\W0-9_]+", values):
        if value.isdecimal() and not low <= int(value) <= high:
            return f"has {name} {value}, outside {low}-{high}"
        if value.isalpha() and value not in words.split():
            return f"has {value}, which is not a {name}"
    return None


def _suggestion(texts: list[str]) -> str:
    """Return the cron that was probably meant, or nothing when that would be a guess."""
    if len(texts) == len(_CRON_FIELDS) and not re.search("[0-9]", texts[4]):
        texts = [*texts, "*"]  # Unix cron has no year, and other numbers for the weekdays
    if len(texts) != len(_CRON_FIELDS) + 1:
        return ""
    if "?" not in texts and "*" in {texts[2], texts[4]}:
        texts[4 if texts[4] == "*" else 2] = "?"
    body = " ".join(texts)
    valid = _has_one_question_mark(body, texts) and _cron_problem(body) is None
    return f"; did you mean cron({body})?" if valid else ""


def _has_one_question_mark(body: str, texts: list[str]) -> bool:
    return body.count("?") == 1 and "?" in {texts[2], texts[4]}


def _rate_problem(body: str) -> str | None:
    if re.fullmatch(r"0*[1-9][0-9]* (minute|hour|day)s?", body, re.IGNORECASE | re.ASCII):
        return None
    return "needs a positive whole number, one space and minutes, hours or days in rate(...)"


def _at_problem(body: str) -> str | None:
    if re.fullmatch(r"[^A-Za-z'\"]*[Tt ][0-9:. ]*[0-9][0-9:. ]*", body):
        return None
    return "needs a date and a time without zone, offset or quotes: at(yyyy-mm-ddThh:mm:ss)"


_PROBLEMS: dict[str, Callable[[str], str | None]] = {
    "cron": _cron_problem,
    "rate": _rate_problem,
    "at": _at_problem,
}
