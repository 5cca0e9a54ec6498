"""Schedule expressions that EventBridge Scheduler is known to reject. Pure.

Everything else is passed to AWS: the service takes leading zeros, wrapping ranges, `LW`, `5L`, the
year 2999 and `rate(1 minutes)`, and a report that runs today must not stop because a validator
disagrees. Source: the Scheduler User Guide, "Schedule types", and recordings of the service.
"""

from __future__ import annotations

import functools
import re

MAX_EXPRESSION = 256  # characters (botocore model)

# name, lowest and highest number, words; the service does not check the year, so it is not here
_CRON_FIELDS = (
    ("minute", 0, 59, ""),
    ("hour", 0, 23, ""),
    ("day-of-month", 1, 31, "L|W|LW"),
    ("month", 1, 12, "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"),
    ("day-of-week", 1, 7, "L|W|LW|(SUN|MON|TUE|WED|THU|FRI|SAT)L?"),
)


def expression_problem(expression: str) -> str | None:
    """Return why AWS is known to reject the expression, to be read after it, or None."""
    if not expression:
        return "is blank; write one such as 'cron(0 2 * * ? *)'"
    if len(expression) > MAX_EXPRESSION:
        return f"is longer than {MAX_EXPRESSION} characters; split the query's schedule"
    match = re.fullmatch(r"(?is)(cron|rate|at)\((.*)\)", expression)
    if match is None:
        return f"must be cron(...), rate(...) or at(...){_suggestion(expression)}"
    keyword, body = match[1].lower(), match[2]
    if keyword == "rate" and not re.fullmatch("(?ai)0*[1-9][0-9]* (minute|hour|day)s?", body):
        return "needs a positive whole number, one space and minutes, hours or days in rate(...)"
    if keyword == "at" and not re.fullmatch("[^A-Za-z'\"]*[Tt ][:. ]*+[0-9][0-9:. ]*+", body):
        return "needs a date and a time without zone, offset or quotes: at(yyyy-mm-ddThh:mm:ss)"
    problem = _cron_problem(body) if keyword == "cron" else None
    return problem and problem + _suggestion(body)


@functools.lru_cache(maxsize=16_384)  # most expressions are those of the run before
def _cron_problem(body: str) -> str | None:
    texts = body.split()
    if len(texts) not in {5, 6}:
        return f"has {len(texts)} cron fields, not six: minute hour day month weekday year"
    if body.count("?") != 1 or "?" not in {texts[2], texts[4]}:
        count = f"has {len(texts)} fields and " if len(texts) == len(_CRON_FIELDS) else ""
        return f"{count}needs ? in exactly one of day-of-month and day-of-week, and nowhere else"
    if body.count("#") > 1:
        return "has two #, and only one is allowed"
    if any("" in text.split(",") for text in texts):
        return "has an empty part beside a comma"
    pairs = zip(texts, _CRON_FIELDS, strict=False)
    problems = (_field_problem(text, *known) for text, known in pairs)
    return next((problem for problem in problems if problem), None)


def _field_problem(text: str, name: str, low: int, high: int, words: str) -> str | None:
    # the numbers after / and #, and after L-, are no values of the field
    values = re.sub(r"[/#][^,]*|(?<=\bL)-[0-9]+", "", text.upper())
    for value in re.findall(r"[0-9]+|[^\W0-9_]+", values):
        if value.isdecimal() and not low <= int(value) <= high:
            return f"has {name} {value}, outside {low}-{high}"
        if value.isalpha() and not re.fullmatch(words, value):
            return f"has {value}, which is not a {name}"
    return None


def _suggestion(body: str) -> str:
    """Return the cron that was probably meant, or nothing when that would be a guess."""
    texts = body.split()
    if len(texts) == len(_CRON_FIELDS) and not re.search("[0-9]", texts[4]):
        texts.append("*")  # Unix cron has no year, and other numbers for the weekdays
    if len(texts) != len(_CRON_FIELDS) + 1:
        return ""
    if "?" not in texts and "*" in {texts[2], texts[4]}:
        texts[4 if texts[4] == "*" else 2] = "?"
    body = " ".join(texts)
    return "" if _cron_problem(body) else f"; did you mean cron({body})?"
