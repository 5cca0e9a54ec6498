"""Schedule expressions that EventBridge Scheduler is known to reject, and what was meant. Pure.

Everything else is passed to AWS: the service takes leading zeros, wrapping ranges, `LW`, `5L`, the
year 2999 and `rate(1 minutes)`, and a report that runs today must not stop because a validator
disagrees. Source: the Scheduler User Guide, "Schedule types", and recordings of the service.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_EXPRESSION = 256  # characters (botocore model)
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

_ANY = {"*", "?"}
_DAY_NUMBER = "(?<![#0-9])[0-7](?![0-9])"
_NO_DAYS = "!"  # stands for days of the week that AWS cannot say


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
    _Field("year", 0, 10**MAX_EXPRESSION),  # the service does not check its number
)


def expression_problem(expression: str) -> str | None:
    """Return why AWS is known to reject the expression, to be read after it, or None."""
    if not expression:
        return "is blank; write one such as 'cron(0 2 * * ? *)'"
    if len(expression) > MAX_EXPRESSION:
        return f"is longer than {MAX_EXPRESSION} characters; split the query's schedule"
    match = re.fullmatch(r"(?is)(cron|rate|at)\((.*)\)", expression)
    if match is None:
        return f"must be cron(...), rate(...) or at(...){suggestion(expression)}"
    keyword = match[1].lower()
    body = match[2]
    problem = _PROBLEMS[keyword](body)
    if problem and keyword == "cron":
        problem += suggestion(body)
    return problem


def _rate_problem(body: str) -> str | None:
    if re.fullmatch("(?ai)0*[1-9][0-9]* (minute|hour|day)s?", body):
        return None
    return "needs a positive whole number, one space and minutes, hours or days in rate(...)"


def _at_problem(body: str) -> str | None:
    if re.fullmatch("[^A-Za-z'\"]*[Tt ][:. ]*[0-9][0-9:. ]*", body):
        return None
    return "needs a date and a time without zone, offset or quotes: at(yyyy-mm-ddThh:mm:ss)"


@functools.lru_cache(maxsize=16_384)  # most expressions are those of the run before
def _cron_problem(body: str) -> str | None:
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
    if len(texts) not in {5, 6}:
        return f"has {len(texts)} cron fields, not six: minute hour day month weekday year"
    if "".join(texts).count("?") == 1 and "?" in {texts[2], texts[4]}:
        return None
    count = f"has {len(texts)} fields and " if len(texts) == len(_FIELDS) - 1 else ""
    return f"{count}needs ? in exactly one of day-of-month and day-of-week, and nowhere else"


_PROBLEMS: dict[str, Callable[[str], str | None]] = {
    "cron": _cron_problem,
    "rate": _rate_problem,
    "at": _at_problem,
}


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


# --- What was meant


def suggestion(text: str) -> str:
    """Return the end of a message: the cron that the fields mean, or "" if that is not certain.

    Unix has five fields and counts days of the week from Sunday = 0. Quartz, Spring and node-cron
    begin with seconds; Quartz counts from Sunday = 1, as AWS does, and the other two as Unix does.
    What a dialect means and AWS cannot do makes the answer uncertain, too.
    """
    dialects: dict[str, str] = {}  # by what they mean
    for dialect, cron in _readings(text.upper().split()).items():
        dialects.setdefault(cron, dialect)
    if not dialects or "" in dialects:
        return ""
    if len(dialects) == 1:
        return f"; did you mean {next(iter(dialects))}?"
    ways = " or ".join(f"{cron} ({dialect})" for cron, dialect in dialects.items())
    return f"; it can be read in two ways: {ways}"


def _readings(fields: list[str]) -> dict[str, str]:
    """Return what the fields mean in each dialect that has them; "" is what AWS cannot do."""
    marks = {index for index, field in enumerate(fields) if field == "?"}
    found: dict[str, str | None] = {}
    match len(fields):
        case 5 if marks:
            found["no year"] = _written([*fields, "*"])
        case 5:
            found["Unix"] = _written([*fields[:4], _days(fields[4], sunday=0), "*"], either=True)
        case 6 if marks & {2, 4}:
            sunday = 0 if re.search(r"(?<![/#0-9])0(?![0-9])", fields[4]) else 1
            found["year last"] = _written([*fields[:4], _days(fields[4], sunday), fields[5]])
        case 6 if marks:
            found["Quartz"] = _seconds_first(fields, sunday=1)
            found["Spring"] = _seconds_first(fields, sunday=0)
            if marks == {3} and fields[2] == "*":  # or the ? has slipped by one field
                found["year last"] = _year_last([*fields[:3], "*", *fields[4:]])
        case 6:
            found["seconds first"] = _seconds_first(fields, sunday=0)
            found["year last"] = _year_last(fields)
        case 7:
            found["Quartz"] = _seconds_first(fields, sunday=1 if marks else None)
    return {dialect: cron for dialect, cron in found.items() if cron is not None}


def _seconds_first(fields: list[str], sunday: int | None) -> str | None:
    seconds, *others = fields
    year = others[5] if len(others) == len(_FIELDS) else "*"
    written = _written([*others[:4], _days(others[4], sunday), year])
    # AWS runs once in a minute, at any second of it
    return written if written is None or re.fullmatch("[0-5]?[0-9]", seconds) else ""


def _year_last(fields: list[str]) -> str | None:
    if not re.fullmatch(r"\*|[12][0-9]{3}([-,/][0-9]+)*", fields[5]):
        return None
    return _written([*fields[:4], _days(fields[4], sunday=None), fields[5]], either=True)


def _days(weekday: str, sunday: int | None) -> str:
    """Return a day-of-week field with names for its numbers, or _NO_DAYS.

    `sunday` is the number of Sunday in the dialect; None: nobody can tell which day is meant.
    """
    weekday = re.sub("(?<![0-9])0+(?=[0-9])", "", weekday)
    if re.search("(?<![/#0-9])[0-9]{2}", weekday):
        return weekday  # a year, which the check refuses
    if sunday == 1:
        return weekday if "/" in weekday else re.sub(_DAY_NUMBER, _quartz_name, weekday)
    if "/" in weekday or weekday == "L" or "0-7" in weekday:
        return _NO_DAYS
    if sunday == 0:
        return re.sub(_DAY_NUMBER, _unix_name, weekday)
    return _NO_DAYS if re.search(_DAY_NUMBER, weekday) else weekday


def _quartz_name(number: re.Match[str]) -> str:
    day = int(number[0])
    return DAYS[day - 1] if day else "0"


def _unix_name(number: re.Match[str]) -> str:
    return DAYS[int(number[0]) % len(DAYS)]


def _written(fields: list[str], *, either: bool = False) -> str | None:
    """Return the cron with ? where it belongs, "" if AWS has none, None if the fields are no cron.

    `either`: of two day fields one is enough, so that they are two schedules.
    """
    minute, hour, day, month, weekday, year = fields
    if weekday in _ANY:
        days = [("*" if day == "?" else day, "?")]
    elif day in _ANY:
        days = [("?", weekday)]
    else:
        days = [(day, "?"), ("?", weekday)]
    crons = [f"{minute} {hour} {first} {month} {second} {year}" for first, second in days]
    if any(_cron_problem(cron.replace(_NO_DAYS, "L")) for cron in crons):
        return None
    if weekday == _NO_DAYS or max(map(len, crons)) > MAX_EXPRESSION - len("cron()"):
        return ""
    if len(crons) == 1:
        return f"cron({crons[0]})"
    if not either or day.startswith("*") or weekday.startswith("*"):
        return ""  # in cron of Unix, both must match where one begins with *
    return f"two queries, cron({crons[0]}) and cron({crons[1]})"
