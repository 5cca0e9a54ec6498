"""A schedule, pure: as a query asks for it, as it lives, how the two differ, and what is sent.

Everything here is a function of values: nothing knows a client, the environment or the time.
"""

from __future__ import annotations

import difflib
import functools
import json
import math
import re
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ._expressions import expression_problem
from ._words import UnusableQueryError, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

MAX_NAME = 64  # characters (botocore model, like the next two)
MAX_DESCRIPTION = 512
MAX_TIMEZONE = 50
DEFAULT_DESCRIPTION = "Managed by Athena Schedule Manager"
TIMEZONE = "UTC"
QUERY_KEYS = ("schedule", "cron", "description", "timezone", "enabled")
PAUSE = 'write "enabled": false to pause it'
EXPRESSION = 'write "schedule": "cron(...)"'
MEANINGS = {  # of keys that are ours by another name: what to write instead
    "disabled": PAUSE,
    "paused": PAUSE,
    "state": PAUSE,
    "tz": 'write "timezone": "Europe/Rome", say',
    "cronexpression": EXPRESSION,
    "scheduleexpression": EXPRESSION,
}
MAX_KEYS = 100  # keys of a query that may have a hint
MAX_KEY = 50  # characters of a key that may have a hint
NEARLY = 0.8  # of 1: how much alike a key and one of ours are
NAME_CHARACTER = "[0-9a-zA-Z_.-]"  # of the name of a schedule or a group (botocore model)
NAMED = "letters, digits, '-', '_' and '.'"  # the same in words
RATE = re.compile(r"(?i)rate\(0*(\d{1,9}) (minute|hour|day)s?\)")
NEVER = datetime.max.replace(tzinfo=UTC)


# --- The values


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; each field is the environment variable of its name in capitals."""

    config_git_url: str = field(repr=False)  # it may carry a token
    query_executor_arn: str
    schedule_role_arn: str
    schedule_group_name: str = "pn-athena-queries"
    project_name: str = "pn"
    max_deletions: int | None = None  # None: no limit
    config_git_token_secret_arn: str = ""
    dead_letter_queue_arn: str = ""

    @property
    def prefix(self) -> str:
        """What the names of our schedules begin with."""
        return f"{self.project_name}-"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The fields of a schedule that we own, normalised so that equal means no drift.

    A field's name is its word in an UPDATE line. A desired state or dead-letter queue of None, or a
    queue where one is attached, leaves that field to the operator (`completed`).
    """

    name: str
    cron: str
    timezone: str
    state: str | None
    description: str
    target: str
    role: str
    input: str
    dead_letters: str | None = None


@dataclass(frozen=True, slots=True)
class ExistingSchedule:
    """A live schedule: our fields, and all of GetSchedule's answer."""

    owned: Schedule
    answer: Mapping[str, Any]
    modified: datetime
    read_at: float  # by the clock's monotonic time; minus infinity: in an earlier run


# --- The desired state


def desired_schedule(query_id: str, query: object, settings: Settings) -> Schedule:
    """Return the schedule that a query asks for, or raise UnusableQueryError with the reason."""
    name = settings.prefix + query_id
    if not query_id or not re.fullmatch(f"{NAME_CHARACTER}{{1,{MAX_NAME}}}", name):
        problem = f"must be prefix and id, at most {MAX_NAME} {NAMED}"
        raise UnusableQueryError(f"the schedule name {quoted(name)} {problem}; rename the query")
    if not isinstance(query, dict):
        raise UnusableQueryError(f"it must be an object with a schedule, not {quoted(query)}")
    schedule = Schedule(
        name=name,
        cron=_expression(query),
        timezone=_timezone(query),
        state=_state(query),
        description=_description(query),
        target=settings.query_executor_arn,
        role=settings.schedule_role_arn,
        input=json.dumps({"query_id": query_id}),
        dead_letters=settings.dead_letter_queue_arn or None,
    )
    for text in (schedule.cron, schedule.timezone, schedule.description):
        if re.search("[\ud800-\udfff]", text):
            raise UnusableQueryError(f"{quoted(text)} has half of a surrogate pair; retype it")
    return schedule


def _expression(query: Mapping[str, Any]) -> str:
    value = query.get("cron") if query.get("schedule") is None else query["schedule"]
    if value is None:
        raise UnusableQueryError("it has neither schedule nor cron; add a schedule")
    if not isinstance(value, str):
        raise UnusableQueryError(f"its schedule must be a string, not {quoted(value)}")
    expression = value.strip()
    if problem := expression_problem(expression):
        raise UnusableQueryError(f"its schedule {quoted(value)} {problem}")
    return expression


def _timezone(query: Mapping[str, Any]) -> str:
    value = query.get("timezone", TIMEZONE)
    timezone = value.strip() if isinstance(value, str) else ""
    if not timezone or len(timezone) > MAX_TIMEZONE:
        problem = f"must be an IANA name such as 'Europe/Rome', at most {MAX_TIMEZONE} characters"
        raise UnusableQueryError(f"its timezone {problem}, not {quoted(value)}")
    return timezone


def _state(query: Mapping[str, Any]) -> str | None:
    if "enabled" not in query:
        return None
    value = query["enabled"]
    if not isinstance(value, bool):
        raise UnusableQueryError(
            f"its enabled must be true or false, without quotation marks, not {quoted(value)}"
        )
    return "ENABLED" if value else "DISABLED"


def _description(query: Mapping[str, Any]) -> str:
    value = query.get("description")
    if value is not None and not isinstance(value, str):
        raise UnusableQueryError(f"its description must be a string, not {quoted(value)}")
    return (value or DEFAULT_DESCRIPTION)[:MAX_DESCRIPTION]


# --- Keys that are nearly ours


def hints(queries: Mapping[str, object]) -> list[str]:
    """Return a line for each key of a query that looks like one of ours and is none. Pure.

    The file is shared with the Query Executor, so such a key is never refused.
    """
    lines = []
    for query_id, query in queries.items():
        keys = list(query)[:MAX_KEYS] if isinstance(query, dict) else []
        for key in keys:
            if advice := _advice(key):
                problem = f"{quoted(key)} is not read; {advice}"
                lines.append(f"HINT: query {quoted(query_id)}: {problem}")
    return lines


@functools.lru_cache(maxsize=1024)  # the queries of a file have the same few keys
def _advice(key: str) -> str | None:
    if key in QUERY_KEYS or len(key) > MAX_KEY:
        return None
    plain = re.sub(r"[\s_-]", "", key).lower()
    if plain in MEANINGS:
        return MEANINGS[plain]
    for near in difflib.get_close_matches(plain, QUERY_KEYS, n=1, cutoff=NEARLY):
        return f"did you mean '{near}'?"
    return None


# --- The existing state, and how it differs


def existing_schedule(answer: GetScheduleOutputTypeDef, read_at: float) -> ExistingSchedule:
    """Normalise an answer of GetSchedule. Pure."""
    target = answer["Target"]
    owned = Schedule(
        name=answer["Name"],
        cron=answer["ScheduleExpression"].strip(),
        timezone=answer.get("ScheduleExpressionTimezone", TIMEZONE),
        state=answer.get("State", "ENABLED"),
        description=answer.get("Description", "")[:MAX_DESCRIPTION],
        target=target["Arn"],
        role=target["RoleArn"],
        input=_normalised_json(target.get("Input", "")),
        dead_letters=target.get("DeadLetterConfig", {}).get("Arn"),
    )
    kept = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    return ExistingSchedule(owned, kept, answer.get("LastModificationDate") or NEVER, read_at)


def _normalised_json(text: str) -> str:
    try:
        return json.dumps(json.loads(text))
    except (ValueError, RecursionError):
        return text


def completed(wanted: Schedule, live: Schedule) -> Schedule:
    """Return what a live schedule is to be: what the query leaves open is the live one's. Pure."""
    queue = live.dead_letters or wanted.dead_letters
    return replace(wanted, state=wanted.state or live.state, dead_letters=queue)


def drift(live: Schedule, wanted: Schedule) -> list[str]:
    """Name the fields that differ, each as `word: old → new`. Pure."""
    differences = []
    for owned in fields(Schedule):
        old = getattr(live, owned.name)
        new = getattr(wanted, owned.name)
        if old != new:
            word = owned.name.replace("_", " ")
            differences.append(f"{word}: {_shown(old)} → {_shown(new)}")
    return differences


def _shown(value: str | None) -> str:
    return (value or "none")[:MAX_DESCRIPTION]


# --- Requests


def create_request(wanted: Schedule) -> dict[str, Any]:
    """Return what CreateSchedule is sent, without the group. Pure."""
    return as_read({"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {}}, wanted)


def update_request(
    live: ExistingSchedule, wanted: Schedule, members: Collection[str], now: float
) -> dict[str, Any]:
    """Return what UpdateSchedule is sent: the schedule as read, with our fields replaced. Pure.

    It resets what is left out, and takes only `members`. A StartDate in the past, which it refuses,
    is left out; that of a `rate` is moved on to the next occurrence, so that its rhythm stays.
    """
    base = {name: value for name, value in live.answer.items() if name in members}
    request = as_read(base, completed(wanted, live.owned))
    today = datetime.fromtimestamp(now, UTC)
    start = request.get("StartDate")
    if start and start < today:
        del request["StartDate"]
        if following := next_occurrence(wanted.cron, start, today):
            request["StartDate"] = following
    return request


def next_occurrence(expression: str, start: datetime, today: datetime) -> datetime | None:
    """Return the first moment of a `rate` that is not in the past, or None. Pure."""
    rate = RATE.match(expression)
    if rate is None:
        return None
    period = timedelta(**{f"{rate[2].lower()}s": int(rate[1])})
    missed = math.ceil((today - start) / period)
    try:
        return start + missed * period
    except OverflowError:  # after the year 9999
        return None


def _without_other_kinds(target: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """Return a target as read, without the parameters of another kind of target than ours."""
    if target.get("Arn") == arn:
        return dict(target)
    return {name: value for name, value in target.items() if not name.endswith("Parameters")}


def as_read(base: Mapping[str, Any], wanted: Schedule) -> dict[str, Any]:
    """Return a request: the schedule as read, with our fields replaced. Pure."""
    target = _without_other_kinds(base["Target"], wanted.target)
    target |= {"Arn": wanted.target, "RoleArn": wanted.role, "Input": wanted.input}
    if wanted.dead_letters:
        target["DeadLetterConfig"] = {"Arn": wanted.dead_letters}
    request = {
        **base,
        "Name": wanted.name,
        "ScheduleExpression": wanted.cron,
        "ScheduleExpressionTimezone": wanted.timezone,
        "Description": wanted.description,
        "Target": target,
    }
    if wanted.state:
        request["State"] = wanted.state
    return request
