"""The core of the reconciliation: desired state, existing state, their difference, applying it.

The configuration's queries become the desired schedules (`desired_state`, pure); the API tells
which schedules exist (`read_existing`); the two give a plan (`plan_changes`, pure); `apply_plan`
carries it out and counts. Only schedules of one group whose name has our prefix are ever looked at,
and of those only some fields are ours (`Schedule`): all else is the operator's and survives.

Nothing here reads the environment or makes a client: settings, client and clock are handed in.
"""

from __future__ import annotations

import json
import logging
import random
import re
import reprlib
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

logger = logging.getLogger(__package__)

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 16
PAGE_SIZE = 100
NO_NEW_CALL = 5.0  # with fewer seconds left than this no call is started
STOP_WAITING = 2.0  # with this many seconds left the calls in flight are left to themselves
SETTLED = 60.0  # seconds without a change after which a schedule is remembered as it was read
CONFLICT_PAUSES = (0.5, 1.0, 2.0)  # seconds before each further try of a call that met a conflict

MAX_NAME = 64
MAX_EXPRESSION = 256
MAX_DESCRIPTION = 512
MAX_CHANGES = 1000  # lines that a dry run returns
MAX_SHOWN = 200  # characters of a value from outside in a message
NOT_FOUND = "ResourceNotFoundException"
CONFLICT = "ConflictException"
DEFAULT_DESCRIPTION = "Managed by Athena Schedule Manager"
TIMEZONE = "UTC"
# what GetSchedule returns and UpdateSchedule does not take (botocore model)
READ_ONLY = frozenset({"Arn", "CreationDate", "LastModificationDate", "ResponseMetadata"})
# what CreateSchedule requires besides the fields that we own
NEW_SCHEDULE: Mapping[str, Any] = {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {}}


class CannotReconcileError(Exception):
    """Comparing is impossible: the run logs one ERROR line, raises, and has changed nothing."""


class UnusableQueryError(Exception):
    """A query that cannot become a schedule: it is counted as failed, its live schedule stays."""


class OutOfTimeError(Exception):
    """Too little of the invocation is left to start a call: the next run makes it."""


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

    @property
    def prefix(self) -> str:
        """What the names of our schedules begin with."""
        return f"{self.project_name}-"


@dataclass(frozen=True, slots=True)
class Clock:
    """The seconds left of the invocation, how to pause for some, and the time of day."""

    left: Callable[[], float]
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = lambda seconds: time.sleep(seconds)  # noqa: PLW0108 - late

    def check(self, pause: float = 0.0) -> None:
        """Raise OutOfTimeError if no call may start any more, `pause` seconds from now."""
        if self.left() - pause < NO_NEW_CALL:
            raise OutOfTimeError


@dataclass(frozen=True, slots=True)
class Schedule:
    """The fields of a schedule that we own, normalised so that equal means no drift."""

    name: str
    cron: str
    timezone: str
    state: str | None  # None: the operator's
    description: str
    target: str
    role: str
    input: str


@dataclass(frozen=True, slots=True)
class ExistingSchedule:
    """A live schedule: our fields, and the UpdateSchedule request that would change nothing."""

    owned: Schedule
    request: Mapping[str, Any]
    modified: datetime | None  # None: not to be remembered

    def modified_before(self, when: float) -> bool:
        """Tell if it surely was not modified since, in seconds of the epoch."""
        return self.modified is not None and self.modified.timestamp() < when


@dataclass(frozen=True, slots=True)
class Existing:
    """What is there: the names, and of the desired ones the schedules as far as they were read."""

    names: frozenset[str] | None  # None: the clock ended the listing
    reads: Mapping[str, ExistingSchedule | str | None]  # as ScheduleGroup.read returns them


@dataclass(frozen=True, slots=True)
class Change:
    """One planned call: the line that announces it, and its whole request."""

    action: Literal["create", "update", "delete"]
    name: str
    line: str
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run will do, and what it knows already to have failed."""

    writes: tuple[Change, ...]  # creates and updates
    deletes: tuple[Change, ...]  # start when the writes have ended
    failures: tuple[str, ...]  # the lines that tell them
    failed: int  # unusable queries, schedules not readable, deletes held back
    unread: int  # schedules that could not be compared in time
    group_exists: bool  # surely: False means that it may or may not


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a change ended: the counter it goes into (None: another run did it), and what to log."""

    counter: str | None
    message: str = ""


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlist = _repr.maxdict = MAX_SHOWN


def brief(value: object) -> str:
    """Quote a value from outside for a message: on one line, cut, however deeply nested it is."""
    return repr(value[:MAX_SHOWN]) if isinstance(value, str) else _repr.repr(value)[:MAX_SHOWN]


def with_jitter(pause: float) -> float:
    """Return a pause shortened by up to a half, so that those who wait do not come back at once."""
    return pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret hangs on it


def one_line(text: str) -> str:
    """Escape what could break a line of the log: control characters, separators, surrogates."""
    unsafe = "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
    return re.sub(unsafe, lambda match: match[0].encode("unicode_escape").decode(), text)


def code(error: Exception) -> str:
    """Return the service's code of an error, or nothing if it is not the service's."""
    return (
        str(error.response.get("Error", {}).get("Code")) if isinstance(error, ClientError) else ""
    )


def describe(error: Exception) -> str:
    """Say what went wrong: the service's code and message, or the exception's type and text."""
    if isinstance(error, ClientError):
        return f"{code(error)}: {error.response.get('Error', {}).get('Message', error)}"
    return f"{type(error).__name__}: {error}"


# --- The desired state


def desired_state(
    queries: Mapping[str, object], settings: Settings
) -> tuple[dict[str, Schedule], dict[str, str]]:
    """Return the schedules that the queries want, and why the others are none, by name. Pure."""
    desired, unusable = {}, {}
    for query_id, query in queries.items():
        name = settings.prefix + query_id
        try:
            desired[name] = desired_schedule(query_id, query, settings)
        except UnusableQueryError as error:
            unusable[name] = (
                f"Query {brief(query_id)} is unusable (its live schedule, if any, is kept): {error}"
            )
    return desired, unusable


def desired_schedule(query_id: str, query: object, settings: Settings) -> Schedule:
    """Return the schedule that a query asks for, or raise UnusableQueryError with the reason."""
    name = settings.prefix + query_id
    if not query_id or not re.fullmatch(rf"[0-9a-zA-Z_.-]{{1,{MAX_NAME}}}", name):
        raise UnusableQueryError(
            f"the schedule name {brief(name)} needs an id after the prefix, at most {MAX_NAME}"
            " characters in all, and only letters, digits, '-', '_' and '.'; rename the query"
        )
    if not isinstance(query, dict):
        raise UnusableQueryError(f"it must be an object with a schedule, not {brief(query)}")
    return Schedule(
        name=name,
        cron=_desired_expression(query),
        timezone=_desired_timezone(query),
        state=_desired_state(query),
        description=_desired_description(query),
        target=settings.query_executor_arn,
        role=settings.schedule_role_arn,
        input=json.dumps({"query_id": query_id}),
    )


def _desired_expression(query: Mapping[str, object]) -> str:
    value = query.get("schedule")
    value = query.get("cron") if value is None else value
    if value is None:
        raise UnusableQueryError("it has neither schedule nor cron; add a schedule")
    if not isinstance(value, str):
        raise UnusableQueryError(f"its schedule must be a string, not {brief(value)}")
    if problem := expression_problem(value.strip()):
        raise UnusableQueryError(f"its schedule {brief(value)} {problem}")
    return value.strip()


def _desired_timezone(query: Mapping[str, object]) -> str:
    value = query.get("timezone", TIMEZONE)
    if not isinstance(value, str) or not value.strip():
        raise UnusableQueryError(
            f"its timezone must be an IANA name such as 'Europe/Rome', not {brief(value)}"
        )
    return value


def _desired_state(query: Mapping[str, object]) -> str | None:
    if "enabled" not in query:
        return None
    if not isinstance(query["enabled"], bool):
        raise UnusableQueryError(
            f"its enabled must be true or false, not {brief(query['enabled'])}"
        )
    return "ENABLED" if query["enabled"] else "DISABLED"


def _desired_description(query: Mapping[str, object]) -> str:
    value = query.get("description")
    if value is not None and not isinstance(value, str):
        raise UnusableQueryError(f"its description must be a string, not {brief(value)}")
    return (value or DEFAULT_DESCRIPTION)[:MAX_DESCRIPTION]


# --- Schedule expressions: only what the service surely refuses is refused here

_LAST = "L W LW "
_WEEKDAYS = "SUN MON TUE WED THU FRI SAT SUNL MONL TUEL WEDL THUL FRIL SATL"
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
# name, lowest and highest number, words; the service does not check the year, so it is not here
CRON_FIELDS = (
    ("minute", 0, 59, ""),
    ("hour", 0, 23, ""),
    ("day-of-month", 1, 31, _LAST),
    ("month", 1, 12, _MONTHS),
    ("day-of-week", 1, 7, _LAST + _WEEKDAYS),
)


def expression_problem(expression: str) -> str | None:
    """Return what makes a schedule expression surely invalid, or None: then AWS is the judge.

    Stricter would be wrong: the service takes leading zeros, wrapping ranges, `LW`, `5L`, a year
    2999 or `rate(1 minutes)`, and a report that runs today must not stop for our taste.
    Source: the Scheduler User Guide, "Schedule types", and recordings of the service.
    """
    if not expression:
        return "is blank; write one such as 'cron(0 2 * * ? *)'"
    if len(expression) > MAX_EXPRESSION:
        return f"is longer than {MAX_EXPRESSION} characters; split the query's schedule"
    match = re.fullmatch(r"(cron|rate|at)\((.*)\)", expression, re.IGNORECASE | re.DOTALL)
    if match is None:
        return "is none of cron(...), rate(...) and at(...)"
    problems = {"cron": _cron_problem, "rate": _rate_problem, "at": _at_problem}
    return problems[match[1].lower()](match[2])


def _rate_problem(body: str) -> str | None:
    if re.fullmatch(r"0*[1-9][0-9]* (minute|hour|day)s?", body, re.IGNORECASE | re.ASCII):
        return None
    return "needs a positive whole number, one space and minutes, hours or days in rate(...)"


def _at_problem(body: str) -> str | None:
    if re.fullmatch(r"[^A-Za-z'\"]*[Tt ][0-9:. ]*[0-9][0-9:. ]*", body):
        return None
    return "needs a date and a time without zone, offset or quotes: at(yyyy-mm-ddThh:mm:ss), in UTC"


def _cron_problem(body: str) -> str | None:
    texts = body.split()
    if len(texts) not in {5, 6}:
        return f"has {len(texts)} cron fields, not six: minute hour day month weekday year"
    if body.count("?") != 1 or "?" not in {texts[2], texts[4]}:
        return "needs ? in exactly one of day-of-month and day-of-week, and nowhere else"
    if body.count("#") > 1:
        return "has two #, and only one is allowed"
    if any("" in text.split(",") for text in texts):
        return "has an empty part beside a comma"
    pairs = zip(texts, CRON_FIELDS, strict=False)
    problems = (_field_problem(text, *known) for text, known in pairs)
    return next((problem for problem in problems if problem), None)


def _field_problem(text: str, name: str, low: int, high: int, words: str) -> str | None:
    # what follows / and # and a lone L counts something else than the field's values
    values = re.sub(r"[/#][^,]*|(?<=\bL)-[0-9]+", "", text.upper())
    for value in re.findall(r"[0-9]+|[^\W0-9_]+", values):
        if value.isdecimal() and not low <= int(value) <= high:
            return f"has {name} {value}, outside {low}-{high}"
        if value.isalpha() and value not in words.split():
            return f"has {name} {value}, which is none"
    return None


# --- The existing state


def existing_schedule(response: GetScheduleOutputTypeDef) -> ExistingSchedule:
    """Normalise a GetSchedule response. Pure; the request keeps every field of the operator's."""
    target = response["Target"]
    owned = Schedule(
        name=response["Name"],
        cron=response["ScheduleExpression"].strip(),
        timezone=response.get("ScheduleExpressionTimezone", TIMEZONE),
        state=response.get("State", "ENABLED"),
        description=response.get("Description", "")[:MAX_DESCRIPTION],
        target=target["Arn"],
        role=target["RoleArn"],
        input=_normalised_json(target.get("Input", "")),
    )
    request = {key: value for key, value in response.items() if key not in READ_ONLY}
    return ExistingSchedule(owned, request, response.get("LastModificationDate"))


def _normalised_json(text: str) -> str:
    try:
        return json.dumps(json.loads(text))
    except (ValueError, RecursionError):
        return text


def read_existing(
    group: ScheduleGroup, desired: Collection[str], memory: dict[str, ExistingSchedule]
) -> Existing:
    """List our schedules and read those that are desired, the only ones that must be compared.

    A schedule in `memory` that the listing dates as it was then need not be read again. One that
    was modified in the last minute before it was read is not remembered: a second change could
    bear the same date, as in git's index. What is gone from the listing is forgotten.
    """
    listings = run_all(lambda _: group.list_dates(), [None], group.clock)
    if not listings:
        return Existing(None, {})
    [(_, dates)] = listings
    logger.info("Found %d existing schedules", len(dates))
    compared = sorted(dates.keys() & set(desired))
    known = {n: live for n in compared if (live := memory.get(n)) and live.modified == dates[n]}
    settled = group.clock.now() - SETTLED
    unknown = [name for name in compared if name not in known]
    reads = dict(run_all(group.read, unknown, group.clock))
    lasting = {
        name: read
        for name, read in reads.items()
        if isinstance(read, ExistingSchedule) and read.modified_before(settled)
    }
    memory.clear()
    memory.update(known | lasting)
    return Existing(frozenset(dates), reads | known)


# --- The difference


def plan_changes(
    desired: Mapping[str, Schedule],
    unusable: Mapping[str, str],
    existing: Existing,
    group_name: str,
) -> Plan:
    """Compare the two states. Pure, and in the order of names.

    A live schedule whose query is unusable, or which could not be read, is in no change.
    """
    names, reads = existing.names, existing.reads
    writes: list[Change] = []
    failures = list(unusable.values())
    unread = 0
    for name, wanted in sorted(desired.items()):
        live = reads.get(name)
        if names is None or (name in names and name not in reads):
            unread += 1
        elif live is None:
            writes.append(_create(wanted, group_name))
        elif isinstance(live, str):
            failures.append(live)
        elif live.owned != (aimed := replace(wanted, state=wanted.state or live.owned.state)):
            writes.append(_update(live, aimed, group_name))
    obsolete = sorted((names or frozenset()) - desired.keys() - unusable.keys())
    deletes = tuple(_delete(name, group_name) for name in obsolete)
    return Plan(
        tuple(writes), deletes, tuple(failures), len(failures), unread, group_exists=bool(names)
    )


def brake(plan: Plan, limit: int | None) -> Plan:
    """Hold back all deletes of a plan that has more of them than the limit. Pure."""
    count = len(plan.deletes)
    if limit is None or count <= limit:
        return plan
    line = (
        f"Refused to delete {count} schedules, which is more than MAX_DELETIONS={limit}: none is"
        f' deleted; if they are to go, invoke the function once with {{"max_deletions": {count}}}'
    )
    return replace(plan, deletes=(), failures=(*plan.failures, line), failed=plan.failed + count)


def _create(wanted: Schedule, group_name: str) -> Change:
    line = f"CREATE: {wanted.name} (cron: {wanted.cron})"
    return Change("create", wanted.name, line, _request(NEW_SCHEDULE, wanted, group_name))


def _update(live: ExistingSchedule, wanted: Schedule, group_name: str) -> Change:
    line = f"UPDATE: {wanted.name} ({'; '.join(drift(live.owned, wanted))})"
    return Change("update", wanted.name, line, _request(live.request, wanted, group_name))


def _delete(name: str, group_name: str) -> Change:
    line = f"DELETE: {name} (removed from config)"
    return Change("delete", name, line, {"GroupName": group_name, "Name": name})


def drift(live: Schedule, wanted: Schedule) -> list[str]:
    """Name the fields that differ, each as `word: old → new`. Pure."""
    words = [owned.name for owned in fields(Schedule)]
    pairs = [(word, getattr(live, word), getattr(wanted, word)) for word in words]
    return [f"{word}: {_shown(old)} → {_shown(new)}" for word, old, new in pairs if old != new]


def _shown(text: str) -> str:
    return text[:MAX_DESCRIPTION] or "none"


def _request(base: Mapping[str, Any], wanted: Schedule, group_name: str) -> dict[str, Any]:
    target = {"Arn": wanted.target, "RoleArn": wanted.role, "Input": wanted.input}
    return {
        **base,
        "GroupName": group_name,
        "Name": wanted.name,
        "ScheduleExpression": wanted.cron,
        "ScheduleExpressionTimezone": wanted.timezone,
        **({"State": wanted.state} if wanted.state else {}),
        "Description": wanted.description,
        "Target": {**base["Target"], **target},
    }


# --- The API


class ScheduleGroup:
    """The schedule group as the API shows it: every call of this project is made here.

    Each call names the group, and asks the clock first.
    """

    def __init__(
        self, client: EventBridgeSchedulerClient, settings: Settings, clock: Clock
    ) -> None:
        """Take a client whose retry mode deals with throttling; nothing is called yet."""
        self._client = client
        self.name = settings.schedule_group_name
        self._prefix = settings.prefix
        self.clock = clock

    def list_dates(self) -> dict[str, datetime | None]:
        """Return when our schedules were last modified, by name; a missing group has none.

        Raises CannotReconcileError: an incomplete listing must never look like missing schedules.
        """
        dates: dict[str, datetime | None] = {}
        first = True
        try:
            for page in self._client.get_paginator("list_schedules").paginate(
                GroupName=self.name,
                NamePrefix=self._prefix,
                PaginationConfig={"PageSize": PAGE_SIZE},
            ):
                first = False
                dates.update((s["Name"], s.get("LastModificationDate")) for s in page["Schedules"])
                if "NextToken" in page:
                    self.clock.check()
        except (ClientError, BotoCoreError) as error:
            if not (first and code(error) == NOT_FOUND):
                raise CannotReconcileError(
                    f"Failed to list schedules of group {self.name}: {describe(error)}"
                ) from error
        return {name: date for name, date in dates.items() if name.startswith(self._prefix)}

    def read(self, name: str) -> ExistingSchedule | str | None:
        """Return a schedule, None if it is absent, or the message of why it cannot be read."""
        try:
            return existing_schedule(self._client.get_schedule(GroupName=self.name, Name=name))
        except Exception as error:  # noqa: BLE001 - one schedule's failure is never another's
            absent = code(error) == NOT_FOUND
            return None if absent else f"Failed to read schedule {name}: {describe(error)}"

    def ensure_exists(self) -> None:
        """Make the group unless it exists, or raise what the service says.

        If only looking at it fails, the creates will tell.
        """
        try:
            self._client.get_schedule_group(Name=self.name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not the group's absence
            if code(error) == NOT_FOUND:
                self._create_group()

    def _create_group(self) -> None:
        self.clock.check()
        try:
            self._client.create_schedule_group(Name=self.name)
        except ClientError as error:
            if code(error) != CONFLICT:  # another run has made it
                raise

    def apply(self, change: Change) -> Outcome:
        """Make the change; failures and races become outcomes, OutOfTimeError passes."""
        try:
            self._write(change)
        except OutOfTimeError:
            raise
        except Exception as error:  # noqa: BLE001 - one schedule's failure is never another's
            race = (change.action, code(error))
            if race == ("create", CONFLICT):
                return Outcome(
                    None,
                    f"Schedule {change.name} exists already: another run created it;"
                    " the next run compares it",
                )
            if race != ("delete", NOT_FOUND):
                return failed(change, describe(error))
        return Outcome(f"{change.action}d")

    def _write(self, change: Change) -> None:
        """Call, and again after a ConflictException: it may pass, and botocore does not retry it.

        Not on a create: there it says that the schedule exists.
        """
        calls: Mapping[str, Callable[..., object]] = {
            "create": self._client.create_schedule,
            "update": self._client.update_schedule,
            "delete": self._client.delete_schedule,
        }
        call = calls[change.action]
        for pause in () if change.action == "create" else CONFLICT_PAUSES:
            try:
                call(**change.request)
            except ClientError as error:
                if code(error) != CONFLICT:
                    raise
                jittered = with_jitter(pause)
                self.clock.check(jittered)
                self.clock.sleep(jittered)
            else:
                return
        call(**change.request)


def failed(change: Change, reason: str) -> Outcome:
    """Return the outcome of a change that could not be made."""
    return Outcome("failed", f"Failed to {change.action} schedule {change.name}: {reason}")


def run_all(
    call: Callable[[Item], Result], items: Collection[Item], clock: Clock
) -> list[tuple[Item, Result]]:
    """Call for each item, THREADS at a time, and return the pairs that got done, in their order.

    What the clock leaves undone is missing from the list: calls not started are dropped, those in
    flight are abandoned. An exception of a call is raised here, save OutOfTimeError.
    """

    def start(item: Item) -> Result:
        clock.check()
        return call(item)

    pool = ThreadPoolExecutor(THREADS)
    futures = [pool.submit(start, item) for item in items]
    wait(futures, timeout=max(clock.left() - STOP_WAITING, 0.0))
    pool.shutdown(wait=False, cancel_futures=True)
    return [
        (item, future.result())
        for item, future in zip(items, futures, strict=True)
        if future.done()
        and not future.cancelled()
        and not isinstance(future.exception(), OutOfTimeError)
    ]


# --- Applying


def apply_plan(group: ScheduleGroup, plan: Plan) -> dict[str, int]:
    """Carry out the plan and count: every change and failure in it ends in exactly one counter.

    Only a create that another run has just done is in none. Deletes start when every create and
    update has ended.
    """
    results = {"created": 0, "updated": 0, "deleted": 0, "failed": plan.failed}
    for failure in plan.failures:
        logger.error("%s", failure)
    for change in (*plan.writes, *plan.deletes):
        logger.info("%s", change.line)
    obstacle = _obstacle_to_creates(group, plan)

    def write(change: Change) -> Outcome:
        blocked = obstacle and change.action == "create"
        return failed(change, obstacle) if blocked else group.apply(change)

    undone = plan.unread
    for changes in (plan.writes, plan.deletes):
        outcomes = run_all(write, changes, group.clock)
        undone += len(changes) - len(outcomes)
        for _, outcome in outcomes:
            _record(outcome, results)
    if undone:
        results["failed"] += undone
        logger.warning(
            "Out of time before %d reads or writes of schedules:"
            " they count as failed, and the next run makes them",
            undone,
        )
    return results


def preview_plan(_: ScheduleGroup, plan: Plan) -> dict[str, Any]:
    """Return the counters that applying would end in, and the lines that it would log."""
    changes = [*plan.writes, *plan.deletes]
    lines = [one_line(text) for text in (*plan.failures, *(c.line for c in changes))]
    for line in lines:
        logger.info("%s", line)
    counts = Counter(change.action for change in changes)
    more = [f"and {len(lines) - MAX_CHANGES} more"] if len(lines) > MAX_CHANGES else []
    return {
        "created": counts["create"],
        "updated": counts["update"],
        "deleted": counts["delete"],
        "failed": plan.failed + plan.unread,
        "changes": lines[:MAX_CHANGES] + more,
    }


def _obstacle_to_creates(group: ScheduleGroup, plan: Plan) -> str:
    """Make the group if creates need it; out of time is no obstacle, for then no create starts."""
    needed = not plan.group_exists and any(change.action == "create" for change in plan.writes)
    try:
        run_all(lambda _: group.ensure_exists(), [None] if needed else [], group.clock)
    except Exception as error:  # noqa: BLE001 - updates and deletes must go on
        return f"schedule group {group.name} cannot be created: {describe(error)}"
    return ""


def _record(outcome: Outcome, results: dict[str, int]) -> None:
    if outcome.counter:
        results[outcome.counter] += 1
    if outcome.message:
        logger.log(logging.ERROR if outcome.counter else logging.WARNING, "%s", outcome.message)


def reconcile(
    group: ScheduleGroup,
    settings: Settings,
    queries: Mapping[str, object],
    memory: dict[str, ExistingSchedule],
    carry_out: Callable[[ScheduleGroup, Plan], dict[str, Any]] = apply_plan,
) -> dict[str, Any]:
    """Make the schedules match the queries, or tell what that would be, and return the counters.

    `memory` holds what was read before with the same settings, and is brought up to date.
    Raises CannotReconcileError, before any write, when the existing schedules cannot be listed.
    """
    desired, unusable = desired_state(queries, settings)
    existing = read_existing(group, desired.keys(), memory)
    plan = plan_changes(desired, unusable, existing, settings.schedule_group_name)
    return carry_out(group, brake(plan, settings.max_deletions))
