"""A cron of EventBridge Scheduler, of which AWS is known to reject what is told here. Pure.

Everything else is passed to AWS: the service takes leading zeros, wrapping ranges, `LW`, `5L` and
the year 2999, and a report that runs today must not stop because a validator disagrees.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import NamedTuple

DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
FIELDS = 6  # minute hour day-of-month month day-of-week year


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    words: str = ""


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day-of-month", 1, 31, "L|W|LW"),
    _Field("month", 1, 12, "|".join(MONTHS)),
    _Field("day-of-week", 1, 7, f"L|W|LW|({'|'.join(DAYS)})L?"),
    _Field("year", 0, 10**256),  # any number: the service does not check it
)


@functools.lru_cache(maxsize=16_384)  # most expressions are those of the run before
def cron_problem(body: str) -> str | None:
    """Return why AWS is known to reject what is between the parentheses, or None."""
    texts = body.split()
    problem = _stray_problem(body) or _mark_problem(texts)
    if problem:
        return problem
    if body.count("#") > 1:
        return "has two #, and only one is allowed"
    if any("" in text.split(",") for text in texts):
        return "has an empty part beside a comma"
    problems = (_field_problem(*pair) for pair in zip(texts, _FIELDS, strict=False))
    return next((problem for problem in problems if problem), None)


def _stray_problem(body: str) -> str | None:
    stray = re.sub(r"(?a)[0-9A-Za-z*?,/#\s-]", "", body)
    if not stray:
        return None
    name = unicodedata.name(stray[0], f"U+{ord(stray[0]):04X}")
    return f"has {stray[0]!r} ({name}) in cron(...): letters, digits and * ? , - / # are allowed"


def _mark_problem(texts: list[str]) -> str | None:
    if len(texts) not in {FIELDS - 1, FIELDS}:
        return f"has {len(texts)} cron fields, not six: minute hour day month weekday year"
    if "".join(texts).count("?") == 1 and "?" in {texts[2], texts[4]}:
        return None
    count = f"has {len(texts)} fields and " if len(texts) == FIELDS - 1 else ""
    return f"{count}needs ? in exactly one of day-of-month and day-of-week, and nowhere else"


def _field_problem(text: str, field: _Field) -> str | None:
    text = text.upper()
    for word in re.findall("[A-Z]+", text):
        if not re.fullmatch(field.words, word):
            return f"has {word}, which is not a {field.name}"
    # the numbers after / and #, and after L-, are no values of the field
    values = re.sub(r"[/#][^,]*|(?<=\bL)-[0-9]+", "", text)
    for number in re.findall("[0-9]+", values):
        if not field.low <= int(number) <= field.high:
            return f"has {field.name} {number}, outside {field.low}-{field.high}"
    return None
