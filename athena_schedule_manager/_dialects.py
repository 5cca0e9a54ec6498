"""What was meant by a text that is a cron of another dialect, and none of AWS. Pure.

Unix has five fields and counts days of the week from Sunday = 0. Quartz, Spring and node-cron begin
with seconds; Quartz counts from Sunday = 1, as AWS does, and the other two as Unix does.
"""

from __future__ import annotations

import re

from ._crons import DAYS, FIELDS, cron_problem

MAX_CRON = 256 - len("cron()")  # characters between the parentheses (botocore model)

_ANY = {"*", "?"}
_DAY_NUMBER = "(?<![#0-9])[0-7](?![0-9])"
_NO_DAYS = "!"  # stands for days of the week that AWS cannot say


def suggestion(text: str) -> str:
    """Return the end of a message: the cron that the fields mean, or "" if that is not certain.

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
    year = others[5] if len(others) == FIELDS else "*"
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
    if any(cron_problem(cron.replace(_NO_DAYS, "L")) for cron in crons):
        return None
    if weekday == _NO_DAYS or max(map(len, crons)) > MAX_CRON:
        return ""
    if len(crons) == 1:
        return f"cron({crons[0]})"
    if not either or day.startswith("*") or weekday.startswith("*"):
        return ""  # in cron of Unix, both must match where one begins with *
    return f"two queries, cron({crons[0]}) and cron({crons[1]})"
