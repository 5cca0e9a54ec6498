"""The schedule expression that was probably meant, where the manager's message does not say it.

What is said is right or it is not said: the text means these times in the dialect it is written in.
"""

from __future__ import annotations

import calendar
import re
from datetime import datetime

from athena_schedule_manager import _dialects
from athena_schedule_manager._expressions import expression_problem
from athena_schedule_manager.tools.zones import known_zone

# cron of Unix has them with @, systemd without: its week begins on Monday, that of cron on Sunday
NICKNAMES = {
    "yearly": "cron(0 0 1 1 ? *)",
    "annually": "cron(0 0 1 1 ? *)",
    "monthly": "cron(0 0 1 * ? *)",
    "@weekly": "cron(0 0 ? * SUN *)",
    "daily": "cron(0 0 * * ? *)",
    "@midnight": "cron(0 0 * * ? *)",
    "hourly": "cron(0 * * * ? *)",
}
UNITS = {
    "minute": ("m", "min", "mins", "minute", "minutes"),
    "hour": ("h", "hr", "hrs", "hour", "hours"),
    "day": ("d", "day", "days"),
    "week": ("w", "wk", "week", "weeks"),
}
DAYS_A_WEEK = 7
DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
LONG_NAMES = [name.upper() for name in (*calendar.day_name, *calendar.month_name) if name]
AT = re.compile(
    r"(?ai)(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.0+)?)? ?(Z|UTC|[+-]\d\d:?\d\d)?"
)


def suggestion(expression: str, timezone: str = "UTC") -> str:
    """Return the end of a message on an expression that is refused, or ""."""
    text = DASHES.sub("-", expression).strip(" \t\r\n'\"`")
    match = re.fullmatch(r"(?is)(cron|rate|at)?[\s(]*(.*?)[\s)]*", text)
    if match is None:
        return ""
    keyword = (match[1] or "").lower()
    body = match[2].strip("'\"` ")
    plain = ""
    if not keyword:
        plain = NICKNAMES.get(body.lower()) or NICKNAMES.get(body.lower().removeprefix("@"), "")
    if keyword in {"", "rate"}:
        plain = plain or _rate(body)
    if keyword in {"", "at"}:
        plain = plain or _at(body, timezone)
    if plain and expression_problem(plain) is None:
        return f"; did you mean {plain}?"
    return _cron(body) if keyword in {"", "cron"} else ""


def _rate(body: str) -> str:
    match = re.fullmatch(r"(?a)(?:@?every\s+)?0*([1-9][0-9]*)\s*([A-Za-z]+)", body, re.IGNORECASE)
    if match is None or match[2] == "M":  # which is a month elsewhere
        return ""
    count = int(match[1])
    for unit, spellings in UNITS.items():
        if match[2].lower() in spellings:
            if unit == "week":
                return f"rate({DAYS_A_WEEK * count} days)"
            return f"rate({count} {unit}{'' if count == 1 else 's'})"
    return ""


def _at(body: str, timezone: str) -> str:
    """Return the documented form; an offset must be the one that the query's zone has then."""
    match = AT.fullmatch(body)
    zone = known_zone(timezone)
    if match is None or zone is None:
        return ""
    plain = f"{match[1]}T{match[2] or '00:00'}{match[3] or ':00'}"
    try:
        run = datetime.fromisoformat(plain).replace(tzinfo=zone)
        offset = re.sub("(?i)z|utc", "+00:00", match[4] or "")
        meant = datetime.fromisoformat(plain + offset)
    except ValueError:
        return ""
    return "" if offset and run != meant else f"at({plain})"


def _cron(body: str) -> str:
    """Let the manager's own rule read the fields, with the names cut to three letters."""
    fields = re.sub("[A-Z]{4,}", _short_name, body.upper()).split()
    found = _dialects.suggestion(" ".join(fields))
    if not found:
        fields = re.sub(r"\s*,\s*", ",", " ".join(fields)).split()  # a list has no spaces
        found = _dialects.suggestion(" ".join(fields))
    every_day = all(field in {"*", "?"} for field in fields[2:])
    if not found and fields[1:2] == ["24"] and every_day:  # midnight, on whichever day
        fields[1] = "0"
        found = _dialects.suggestion(" ".join(fields))
    return found


def _short_name(word: re.Match[str]) -> str:
    is_long = any(name.startswith(word[0]) for name in LONG_NAMES)
    return word[0][:3] if is_long else word[0]
