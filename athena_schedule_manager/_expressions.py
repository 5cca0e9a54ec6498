"""Schedule expressions that EventBridge Scheduler is known to reject. Pure.

Everything else is passed to AWS: a report that runs today must not stop because a validator
disagrees. Source: the Scheduler User Guide, "Schedule types", and recordings of the service.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ._crons import cron_problem
from ._dialects import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_EXPRESSION = 256  # characters (botocore model)


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
    text = body.upper().rstrip()
    date, separator, time = text.rpartition("T" if "T" in text else " ")
    is_date = separator and not re.search("[A-Z'\"]", date)
    is_time = re.fullmatch("[0-9:. ]*", time) and re.search("[0-9]", time)
    if is_date and is_time:
        return None
    return "needs a date and a time without zone, offset or quotes: at(yyyy-mm-ddThh:mm:ss)"


_PROBLEMS: dict[str, Callable[[str], str | None]] = {
    "cron": cron_problem,
    "rate": _rate_problem,
    "at": _at_problem,
}
