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
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 16
PAGE_SIZE = 100
CONFLICT_PAUSES = (0.5, 1.0, 2.0)
"""Seconds before the second and each later try of a call that met a passing ConflictException."""
NO_NEW_CALL = 5.0
"""With fewer seconds left than this no call is started."""
STOP_WAITING = 2.0
"""With this many seconds left the calls in flight are left to themselves."""

MAX_NAME = 64
MAX_EXPRESSION = 256
MAX_DESCRIPTION = 512
MAX_SHOWN = 200
DEFAULT_DESCRIPTION = "Managed by Athena Schedule Manager"
TIMEZONE = "UTC"
READ_ONLY = frozenset({"Arn", "CreationDate", "LastModificationDate", "ResponseMetadata"})
"""What GetSchedule returns and UpdateSchedule does not take (botocore model)."""
NEW_SCHEDULE: Mapping[str, Any] = {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {}}
"""What CreateSchedule requires besides the fields that we own."""


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

    @property
    def prefix(self) -> str:
        """What the names of our schedules begin with."""
        return f"{self.project_name}-"


@dataclass(frozen=True, slots=True)
class Clock:
    """The seconds left of the invocation, and how to pause for some."""

    left: Callable[[], float]
    sleep: Callable[[float], None] = time.sleep

    def check(self, pause: float = 0.0) -> None:
        """Raise OutOfTimeError if no call may start any more, `pause` seconds from now."""
        if self.left() - pause < NO_NEW_CALL:
            raise OutOfTimeError


@dataclass(frozen=True, slots=True)
class Schedule:
    """The fields of a schedule that we own, normalised so that equal means no drift."""

    name: str
    expression: str
    timezone: str
    description: str
    target_arn: str
    role_arn: str
    input: str


OWNED = {
    "cron": "expression",
    "timezone": "timezone",
    "description": "description",
    "target": "target_arn",
    "role": "role_arn",
    "input": "input",
}
"""The words of an UPDATE line, in its order, and the fields of Schedule that they stand for."""


@dataclass(frozen=True, slots=True)
class ExistingSchedule:
    """A live schedule: our fields, and the UpdateSchedule request that would change nothing."""

    owned: Schedule
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Desired:
    """What the configuration wants, by schedule name, and why its unusable queries are none."""

    schedules: Mapping[str, Schedule]
    unusable: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Existing:
    """What is there: all names; of the desired ones the schedule, or why it could not be read."""

    names: frozenset[str]
    schedules: Mapping[str, ExistingSchedule]
    unreadable: Mapping[str, str]
    unread: frozenset[str]
    """Desired names for which there was no time: whether they exist may not even be known."""
    group_exists: bool
    """Surely: False means that it may or may not."""


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

    writes: tuple[Change, ...]
    """Creates and updates."""
    deletes: tuple[Change, ...]
    """Start when the writes have ended."""
    failures: tuple[str, ...]
    """A message for each unusable query and each schedule that could not be read."""
    unread: int
    group_exists: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a change ended: the counter it goes into (None: another run did it), and what to log."""

    counter: Literal["created", "updated", "deleted", "failed"] | None
    message: str = ""


def brief(value: object) -> str:
    """Quote a value from outside for a message: one line, cut to MAX_SHOWN characters."""
    return repr(value[:MAX_SHOWN]) if isinstance(value, str) else reprlib.repr(value)[:MAX_SHOWN]


def describe(error: Exception) -> str:
    """Say what went wrong: the service's code and message, or the exception's type and text."""
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        return f"{details.get('Code', 'Unknown')}: {details.get('Message', error)}"
    return f"{type(error).__name__}: {error}"


# --- The desired state ------------------------------------------------------------------------


def desired_state(queries: Mapping[str, object], settings: Settings) -> Desired:
    """Turn the configuration's queries into schedules. Pure; an unusable one harms no other."""
    schedules = {}
    unusable = {}
    for query_id, query in queries.items():
        name = settings.prefix + query_id
        try:
            schedules[name] = desired_schedule(query_id, query, settings)
        except UnusableQueryError as error:
            unusable[name] = (
                f"Query {brief(query_id)} is unusable (its live schedule, if any, is kept): {error}"
            )
    return Desired(schedules, unusable)


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
        expression=_desired_expression(query),
        timezone=TIMEZONE,
        description=_desired_description(query),
        target_arn=settings.query_executor_arn,
        role_arn=settings.schedule_role_arn,
        input=json.dumps({"query_id": query_id}),
    )


def _desired_expression(query: Mapping[str, object]) -> str:
    value = query.get("schedule")
    if value is None:
        value = query.get("cron")
    if value is None:
        raise UnusableQueryError("it has neither schedule nor cron; add a schedule")
    if not isinstance(value, str):
        raise UnusableQueryError(f"its schedule must be a string, not {brief(value)}")
    expression = value.strip()
    if problem := expression_problem(expression):
        raise UnusableQueryError(f"its schedule {brief(value)} {problem}")
    return expression


def _desired_description(query: Mapping[str, object]) -> str:
    value = query.get("description")
    if value is not None and not isinstance(value, str):
        raise UnusableQueryError(f"its description must be a string, not {brief(value)}")
    return (value or DEFAULT_DESCRIPTION)[:MAX_DESCRIPTION]


# --- Schedule expressions: only what the service surely refuses is refused here -----------------


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
    if re.fullmatch(r"0*[1-9][0-9]* (minute|hour|day)s?", body, re.IGNORECASE):
        return None
    return "needs a positive whole number, one space and minutes, hours or days in rate(...)"


def _at_problem(body: str) -> str | None:
    if re.fullmatch(r"[^A-Za-z'\"]+[Tt ][0-9:. ]+", body):
        return None
    return "needs a date and a time without zone, offset or quotes: at(yyyy-mm-ddThh:mm:ss), in UTC"


def _cron_problem(body: str) -> str | None:
    fields = body.split()
    if len(fields) not in (5, 6):
        return (
            f"has {len(fields)} cron fields instead of six:"
            " minute hour day-of-month month day-of-week year"
        )
    if body.count("?") != 1 or "?" not in fields[2] + fields[4]:
        return "needs ? in exactly one of day-of-month and day-of-week, and nowhere else"
    if body.count("#") > 1:
        return "has two #, and only one is allowed"
    if any("" in cron_field.split(",") for cron_field in fields):
        return "has an empty part beside a comma"
    problems = (_values_problem(*pair) for pair in zip(CRON_FIELDS, fields, strict=False))
    return next((problem for problem in problems if problem), None)


@dataclass(frozen=True, slots=True)
class CronField:
    """A field of a cron expression: the numbers and the words that may stand in it."""

    name: str
    low: int
    high: int
    words: frozenset[str] = frozenset()


_LAST = frozenset({"L", "W", "LW"})
_WEEKDAYS = frozenset({"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"})
_MONTHS = frozenset(
    {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
)

CRON_FIELDS = (
    CronField("minute", 0, 59),
    CronField("hour", 0, 23),
    CronField("day-of-month", 1, 31, _LAST),
    CronField("month", 1, 12, _MONTHS),
    CronField("day-of-week", 1, 7, _LAST | _WEEKDAYS | {f"{day}L" for day in _WEEKDAYS}),
)
"""The year is missing on purpose: the service does not check it."""


def _values_problem(cron_field: CronField, text: str) -> str | None:
    # what follows / and # and a lone L- counts something else than the field's values
    values = re.sub(r"[/#][^,]*|(?<![A-Z])L-[0-9]+", "", text.upper())
    for value in re.findall(r"[0-9]+|[A-Z]+", values):
        if value.isdigit() and not cron_field.low <= int(value) <= cron_field.high:
            return f"has {cron_field.name} {value}, outside {cron_field.low}-{cron_field.high}"
        if value.isalpha() and value not in cron_field.words:
            return f"has {cron_field.name} {value}, which is none"
    return None


# --- The existing state -----------------------------------------------------------------------


def existing_schedule(response: GetScheduleOutputTypeDef) -> ExistingSchedule:
    """Normalise a GetSchedule response. Pure; the request keeps every field of the operator's."""
    target = response["Target"]
    owned = Schedule(
        name=response["Name"],
        expression=response["ScheduleExpression"].strip(),
        timezone=response.get("ScheduleExpressionTimezone", TIMEZONE),
        description=response.get("Description", "")[:MAX_DESCRIPTION],
        target_arn=target["Arn"],
        role_arn=target["RoleArn"],
        input=_normalised_json(target.get("Input", "")),
    )
    request = {key: value for key, value in response.items() if key not in READ_ONLY}
    return ExistingSchedule(owned, request)


def _normalised_json(text: str) -> str:
    try:
        return json.dumps(json.loads(text))
    except (ValueError, RecursionError):
        return text


def read_existing(group: ScheduleGroup, desired: Collection[str], clock: Clock) -> Existing:
    """List our schedules and read those that are desired, the only ones that must be compared."""
    listings = run_all(lambda _: group.list_names(), [None], clock)
    if not listings:
        return Existing(frozenset(), {}, {}, frozenset(desired), group_exists=True)
    [(_, names)] = listings
    logger.info("Found %d existing schedules", len(names))
    compared = sorted(names.intersection(desired))
    reads = dict(run_all(group.read, compared, clock))
    return Existing(
        names=names - {name for name, read in reads.items() if read is None},
        schedules={n: read for n, read in reads.items() if isinstance(read, ExistingSchedule)},
        unreadable={n: read for n, read in reads.items() if isinstance(read, str)},
        unread=frozenset(compared) - reads.keys(),
        group_exists=bool(names),
    )


# --- The difference ---------------------------------------------------------------------------


def plan_changes(desired: Desired, existing: Existing, group_name: str) -> Plan:
    """Compare the two states. Pure, and in the order of names.

    A live schedule whose query is unusable, or which could not be read, is in no change.
    """
    missing = desired.schedules.keys() - existing.names - existing.unread
    compared = desired.schedules.keys() & existing.schedules.keys()
    obsolete = existing.names - desired.schedules.keys() - desired.unusable.keys()
    writes = [_create(desired.schedules[name], group_name) for name in missing]
    writes += [
        _update(existing.schedules[name], desired.schedules[name], group_name)
        for name in compared
        if existing.schedules[name].owned != desired.schedules[name]
    ]
    return Plan(
        writes=tuple(sorted(writes, key=lambda change: change.name)),
        deletes=tuple(_delete(name, group_name) for name in sorted(obsolete)),
        failures=(*desired.unusable.values(), *existing.unreadable.values()),
        unread=len(existing.unread),
        group_exists=existing.group_exists,
    )


def _create(wanted: Schedule, group_name: str) -> Change:
    line = f"CREATE: {wanted.name} (cron: {wanted.expression})"
    return Change("create", wanted.name, line, _request(NEW_SCHEDULE, wanted, group_name))


def _update(live: ExistingSchedule, wanted: Schedule, group_name: str) -> Change:
    line = f"UPDATE: {wanted.name} ({'; '.join(drift(live.owned, wanted))})"
    return Change("update", wanted.name, line, _request(live.request, wanted, group_name))


def _delete(name: str, group_name: str) -> Change:
    line = f"DELETE: {name} (removed from config)"
    return Change("delete", name, line, {"GroupName": group_name, "Name": name})


def drift(live: Schedule, wanted: Schedule) -> list[str]:
    """Name the owned fields that differ, each as `word: old → new`. Pure."""
    pairs = ((word, getattr(live, name), getattr(wanted, name)) for word, name in OWNED.items())
    return [f"{word}: {_shown(old)} → {_shown(new)}" for word, old, new in pairs if old != new]


def _shown(text: str) -> str:
    return text[:MAX_DESCRIPTION] or "none"


def _request(base: Mapping[str, Any], wanted: Schedule, group_name: str) -> dict[str, Any]:
    return {
        **base,
        "GroupName": group_name,
        "Name": wanted.name,
        "ScheduleExpression": wanted.expression,
        "ScheduleExpressionTimezone": wanted.timezone,
        "Description": wanted.description,
        "Target": {
            **base["Target"],
            "Arn": wanted.target_arn,
            "RoleArn": wanted.role_arn,
            "Input": wanted.input,
        },
    }


# --- The API ----------------------------------------------------------------------------------


class ScheduleGroup:
    """The schedule group as the API shows it: every call of this project is made here.

    Each call names the group, and asks the clock first.
    """

    def __init__(
        self, client: EventBridgeSchedulerClient, settings: Settings, clock: Clock
    ) -> None:
        """Take a client whose retry mode deals with throttling; nothing is called yet."""
        self._client = client
        self._name = settings.schedule_group_name
        self._prefix = settings.prefix
        self._clock = clock

    def list_names(self) -> frozenset[str]:
        """Return the names of our schedules; a missing group has none.

        Raises CannotReconcileError: an incomplete listing must never look like missing schedules.
        """
        names: list[str] = []
        pages = 0
        try:
            for page in self._client.get_paginator("list_schedules").paginate(
                GroupName=self._name,
                NamePrefix=self._prefix,
                PaginationConfig={"PageSize": PAGE_SIZE},
            ):
                pages += 1
                names += [summary["Name"] for summary in page["Schedules"]]
                if "NextToken" in page:
                    self._clock.check()
        except (ClientError, BotoCoreError) as error:
            missing = isinstance(error, self._client.exceptions.ResourceNotFoundException)
            if missing and not pages:
                return frozenset()
            raise CannotReconcileError(
                f"Failed to list schedules of group {self._name}: {describe(error)}"
            ) from error
        return frozenset(name for name in names if name.startswith(self._prefix))

    def read(self, name: str) -> ExistingSchedule | str | None:
        """Return a schedule, None if it is absent, or the message of why it cannot be read."""
        try:
            return existing_schedule(self._client.get_schedule(GroupName=self._name, Name=name))
        except self._client.exceptions.ResourceNotFoundException:
            return None
        except Exception as error:  # noqa: BLE001 - one schedule's failure is never another's
            return f"Failed to read schedule {name}: {describe(error)}"

    def ensure_exists(self) -> str | None:
        """Make the group unless it exists; return why no schedule can be created in it, or None.

        CreateScheduleGroup is not called on a group that exists. When only looking at it fails,
        the creates will tell.
        """
        try:
            state = self._client.get_schedule_group(Name=self._name).get("State")
        except self._client.exceptions.ResourceNotFoundException:
            return self._create_group()
        except (ClientError, BotoCoreError):
            return None
        return f"schedule group {self._name} is being deleted" if state == "DELETING" else None

    def _create_group(self) -> str | None:
        self._clock.check()
        try:
            self._client.create_schedule_group(Name=self._name)
        except self._client.exceptions.ConflictException:
            return None
        except (ClientError, BotoCoreError) as error:
            return f"schedule group {self._name} cannot be created: {describe(error)}"
        return None

    def apply(self, change: Change) -> Outcome:
        """Make the change; failures and races become outcomes, OutOfTimeError passes."""
        writes = {"create": self._create, "update": self._update, "delete": self._delete}
        try:
            return writes[change.action](change)
        except OutOfTimeError:
            raise
        except Exception as error:  # noqa: BLE001 - one schedule's failure is never another's
            return failed(change, describe(error))

    def _create(self, change: Change) -> Outcome:
        try:
            self._client.create_schedule(**change.request)
        except self._client.exceptions.ConflictException:
            return Outcome(
                None,
                f"Schedule {change.name} exists already: another run created it;"
                " the next run compares it",
            )
        return Outcome("created")

    def _update(self, change: Change) -> Outcome:
        self._patiently(lambda: self._client.update_schedule(**change.request))
        return Outcome("updated")

    def _delete(self, change: Change) -> Outcome:
        with suppress(self._client.exceptions.ResourceNotFoundException):  # gone is what is wanted
            self._patiently(lambda: self._client.delete_schedule(**change.request))
        return Outcome("deleted")

    def _patiently(self, call: Callable[[], object]) -> None:
        """Call again after a ConflictException: it often passes, and botocore does not retry it."""
        for pause in CONFLICT_PAUSES:
            try:
                call()
            except self._client.exceptions.ConflictException:
                jittered = pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret hangs on it
                self._clock.check(jittered)
                self._clock.sleep(jittered)
            else:
                return
        call()


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


# --- Applying ---------------------------------------------------------------------------------


def reconcile(
    client: EventBridgeSchedulerClient,
    settings: Settings,
    queries: Mapping[str, object],
    clock: Clock,
) -> dict[str, int]:
    """Make the schedules match the queries and return the four counters.

    Raises CannotReconcileError, before any write, when the existing schedules cannot be listed.
    """
    desired = desired_state(queries, settings)
    group = ScheduleGroup(client, settings, clock)
    existing = read_existing(group, desired.schedules.keys(), clock)
    return apply_plan(group, plan_changes(desired, existing, settings.schedule_group_name), clock)


def apply_plan(group: ScheduleGroup, plan: Plan, clock: Clock) -> dict[str, int]:
    """Carry out the plan and count: every change and failure in it ends in exactly one counter.

    Only a create that another run has just done is in none. Deletes start when every create and
    update has ended.
    """
    results = {"created": 0, "updated": 0, "deleted": 0, "failed": len(plan.failures)}
    for failure in plan.failures:
        logger.error("%s", failure)
    for change in (*plan.writes, *plan.deletes):
        logger.info("%s", change.line)
    obstacle = _obstacle_to_creates(group, plan, clock)
    undone = plan.unread
    for changes in (plan.writes, plan.deletes):
        outcomes = run_all(lambda change: _outcome(group, change, obstacle), changes, clock)
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


def _obstacle_to_creates(group: ScheduleGroup, plan: Plan, clock: Clock) -> str | None:
    """Make the group if creates need it; out of time is no obstacle, for then no create starts."""
    needed = not plan.group_exists and any(change.action == "create" for change in plan.writes)
    ensured = run_all(lambda _: group.ensure_exists(), [None] if needed else [], clock)
    return next((obstacle for _, obstacle in ensured), None)


def _outcome(group: ScheduleGroup, change: Change, obstacle: str | None) -> Outcome:
    if obstacle and change.action == "create":
        return failed(change, obstacle)
    return group.apply(change)


def _record(outcome: Outcome, results: dict[str, int]) -> None:
    if outcome.counter:
        results[outcome.counter] += 1
    if outcome.message:
        logger.log(logging.ERROR if outcome.counter else logging.WARNING, "%s", outcome.message)
