"""The reconciliation: make the schedules of one group match the queries of the configuration.

`make_plan` compares the desired schedules with the existing ones; `apply_plan` makes the changes
and counts, `preview_plan` only tells them. Only schedules of one group whose names have our prefix
are ever looked at. Of those only some fields are ours (`Schedule`): everything else is the
operator's and survives.

Nothing here reads the environment or makes a client: settings, client and clock are handed in.
"""

from __future__ import annotations

import functools
import json
import logging
import math
import re
import reprlib
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from ._calls import CONFLICT, Calls, Clock, OutOfTimeError, error_code
from ._expressions import expression_problem

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient as Client
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

logger = logging.getLogger(__package__)

PAGES = {"PageSize": 100}
# seconds after which a schedule is read again before it is updated; and seconds without a change
# after which it is remembered as it was read
FRESH, SETTLED = 5.0, 60.0
MAX_NAME, MAX_DESCRIPTION, MAX_TIMEZONE = 64, 512, 50  # characters (botocore model)
MAX_CHANGES, MAX_LINE = 1000, 1000  # lines of a dry run; characters of a line, and of an answer
MAX_SHOWN, KEPT_SHOWN = 200, 10  # characters of a value in a message; deletes held back, by name
DEFAULT_DESCRIPTION = "Managed by Athena Schedule Manager"
TIMEZONE = "UTC"
QUERY_KEYS = ("schedule", "cron", "description", "timezone", "enabled")
# of the name of a schedule or a group (botocore model), and the same in words
NAME_CHARACTER, NAMED = "[0-9a-zA-Z_.-]", "letters, digits, '-', '_' and '.'"
NEVER = datetime.max.replace(tzinfo=UTC)


# --- The values


class CannotReconcileError(Exception):
    """The states cannot be compared: the run logs one ERROR line, raises, has changed nothing."""


class UnusableQueryError(Exception):
    """A query that cannot become a schedule: it is counted as failed, its live schedule stays."""


class GroupMissingError(Exception):
    """The schedule group does not exist and cannot be made: every create fails for it."""


class AlreadyDoneError(Exception):
    """Somebody else made the change meanwhile: it is in no counter and has one WARNING."""


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


Queries = Mapping[str, object]  # by id, as the configuration has them
Desired = dict[str, Schedule]  # by name of the schedule, like the next two
Unusable = dict[str, str]  # the message of each query that cannot become a schedule
Memory = dict[str, ExistingSchedule]
Outcome = Exception | None  # how a change ended; None: it was made


@dataclass(frozen=True, slots=True)
class Existing:
    """The existing state: all names, and of the desired ones what was read of each.

    A desired name that is in `names` and in neither of the other two was not read in time.
    """

    names: frozenset[str]
    schedules: Mapping[str, ExistingSchedule]
    unreadable: Mapping[str, str]  # the messages
    group_exists: bool  # certainly; False: it may or may not


@dataclass(frozen=True, slots=True)
class Change:
    """One planned call. A create has no `live`, a delete has neither."""

    action: Literal["create", "update", "delete"]
    name: str
    wanted: Schedule | None = None
    live: ExistingSchedule | None = None

    @property
    def line(self) -> str:
        """What announces the change in the log."""
        if self.wanted and self.live:
            differences = drift(self.live.owned, completed(self.wanted, self.live.owned))
            return f"UPDATE: {self.name} ({'; '.join(differences)})"
        if self.wanted:
            return f"CREATE: {self.name} (cron: {self.wanted.cron})"
        return f"DELETE: {self.name} (removed from config)"


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run will do, and what it knows already to have failed."""

    creates: tuple[Change, ...] = ()
    updates: tuple[Change, ...] = ()
    deletes: tuple[Change, ...] = ()  # they start when creates and updates have ended
    kept: tuple[Change, ...] = ()  # deletes that the limit holds back: each is a failure
    refusals: tuple[str, ...] = ()  # the line that says so
    failures: tuple[str, ...] = ()  # the lines of unusable queries and unreadable schedules
    not_read: int = 0  # schedules that could not be compared in time
    group_exists: bool = False

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes, in the order in which they are announced."""
        return self.creates + self.updates + self.deletes

    @property
    def counters(self) -> dict[str, int]:
        """The counters before any change is made."""
        failed = len(self.failures) + len(self.kept)
        return {"created": 0, "updated": 0, "deleted": 0, "failed": failed}


# --- The story


def make_plan(group: ScheduleGroup, queries: Queries, memory: Memory) -> Plan:
    """Compare the queries with the group's schedules; nothing is written.

    `memory` holds what was read before with the same settings, and is brought up to date.
    Raises CannotReconcileError when the existing schedules cannot be listed.
    """
    desired, unusable = desired_state(queries, group.settings)
    existing = read_existing(group, desired.keys(), memory)
    plan = plan_changes(desired, unusable, existing)
    return limit_deletes(plan, group.settings.max_deletions)


def desired_state(queries: Queries, settings: Settings) -> tuple[Desired, Unusable]:
    """Return the desired schedules, and why the other queries are unusable, by name. Pure."""
    desired, unusable = {}, {}
    for query_id, query in queries.items():
        name = settings.prefix + query_id
        try:
            desired[name] = desired_schedule(query_id, query, settings)
        except UnusableQueryError as error:
            which = f"Query {quoted(query_id)} is unusable (its live schedule, if any, is kept)"
            unusable[name] = f"{which}: {error}"
    return desired, unusable


def read_existing(group: ScheduleGroup, desired: Collection[str], memory: Memory) -> Existing:
    """List our schedules and read those that are desired, the only ones that must be compared.

    A schedule in `memory` whose date in the listing is the same is not read again. One that was
    modified in the last minute before it was read is not remembered: a second change could have
    the same date, as in git's index. What is gone from the listing is forgotten.
    """
    dates = group.list_dates()
    logger.info("Found %d existing schedules", len(dates))
    known = {n: m for n, m in memory.items() if n in desired and m.modified == dates.get(n, 0)}
    unknown = sorted((dates.keys() & set(desired)) - known.keys())
    settled = datetime.fromtimestamp(group.clock.now() - SETTLED, UTC)
    read, unreadable, absent = {}, {}, set()
    for name, result in zip(unknown, group.read_all(unknown), strict=True):
        if isinstance(result, ExistingSchedule):
            read[name] = result
        elif _is_absent(result):
            absent.add(name)
        elif not isinstance(result, OutOfTimeError):
            unreadable[name] = f"Failed to read schedule {name}: {describe(result)}"
    memory.clear()
    memory.update(known)
    memory |= {n: replace(m, read_at=-math.inf) for n, m in read.items() if m.modified < settled}
    return Existing(frozenset(dates) - absent, read | known, unreadable, group_exists=bool(dates))


def plan_changes(desired: Desired, unusable: Unusable, existing: Existing) -> Plan:
    """Compare the two states. Pure, and in the order of names.

    A live schedule whose query is unusable, or which could not be read, is in no change.
    """
    creates, updates = [], []
    for name, wanted in sorted(desired.items()):
        live = existing.schedules.get(name)
        if name not in existing.names:
            creates.append(Change("create", name, wanted))
        elif live and completed(wanted, live.owned) != live.owned:
            updates.append(Change("update", name, wanted, live))
    compared = existing.names & desired.keys()
    obsolete = sorted(existing.names - desired.keys() - unusable.keys())
    return Plan(
        creates=tuple(creates),
        updates=tuple(updates),
        deletes=tuple(Change("delete", name) for name in obsolete),
        failures=(*unusable.values(), *existing.unreadable.values()),
        not_read=len(compared - existing.schedules.keys() - existing.unreadable.keys()),
        group_exists=existing.group_exists,
    )


def limit_deletes(plan: Plan, limit: int | None) -> Plan:
    """Hold back all deletes of a plan that has more of them than the limit. Pure."""
    count = len(plan.deletes)
    if limit is None or count <= limit:
        return plan
    names = ", ".join(change.name for change in plan.deletes[:KEPT_SHOWN])
    more = f" and {count - KEPT_SHOWN} more" if count > KEPT_SHOWN else ""
    line = (
        f"Refused to delete {count} schedules, which is more than MAX_DELETIONS={limit}: none is"
        f" deleted ({names}{more}); if they are to go, invoke the function once with"
        f' {{"max_deletions": {count}}}'
    )
    return replace(plan, deletes=(), kept=plan.deletes, refusals=(line,))


def preview_plan(plan: Plan, hints: Sequence[str] = ()) -> dict[str, Any]:
    """Return the counters that applying would end in, and the lines that it would log.

    Raises CannotReconcileError when the clock ended the reads: half a plan is no preview.
    """
    if plan.not_read:
        raise CannotReconcileError(f"Out of time before {plan.not_read} reads; try again")
    lines = [*plan.failures, *plan.refusals, *(f"Kept: {change.name}" for change in plan.kept)]
    lines += [*(change.line for change in plan.changes), *hints]
    shown = [one_line(line)[:MAX_LINE] for line in lines[:MAX_CHANGES]]
    for line in shown:
        logger.info("%s", line)
    if len(lines) > MAX_CHANGES:
        shown.append(f"and {len(lines) - MAX_CHANGES} more")
    return {**plan.counters, **Counter(f"{c.action}d" for c in plan.changes), "changes": shown}


def apply_plan(group: ScheduleGroup, plan: Plan) -> dict[str, int]:
    """Make the changes and count: every change and failure ends in exactly one counter.

    Only what somebody else has done meanwhile is in none. Deletes start when every create and
    update has ended.
    """
    results = plan.counters
    for line in (*plan.failures, *plan.refusals):
        logger.error("%s", line)
    for change in plan.changes:
        if not group.clock.has_time():
            break  # it is only counted: logging thousands of lines takes the seconds that are left
        logger.info("%s", change.line)
    missing = group.ensure_exists() if plan.creates and not plan.group_exists else None
    blocked = plan.creates if missing else ()
    writes = plan.updates if missing else plan.creates + plan.updates
    not_done = plan.not_read + _count(blocked, [missing] * len(blocked), results)
    for changes in (writes, plan.deletes):
        not_done += _count(changes, group.write_all(changes), results)
    if not_done:
        results["failed"] += not_done
        logger.warning("Out of time before %d reads or writes; the next run makes them", not_done)
    return results


def _count(changes: Sequence[Change], outcomes: Sequence[Outcome], results: dict[str, int]) -> int:
    """Count how the changes ended, log those that failed, and return how many were not done.

    | a change ended with | counter | line |
    |---|---|---|
    | nothing, or on a delete the schedule's absence | created, updated, deleted | none |
    | AlreadyDoneError | none | WARNING |
    | OutOfTimeError | that of what was not done | one WARNING for all |
    | anything else | failed | ERROR |
    """
    not_done = 0
    for change, outcome in zip(changes, outcomes, strict=True):
        if outcome is None or (change.action == "delete" and _is_absent(outcome)):
            results[f"{change.action}d"] += 1
        elif isinstance(outcome, AlreadyDoneError):
            logger.warning("Schedule %s %s", change.name, outcome)
        elif isinstance(outcome, OutOfTimeError):
            not_done += 1
        else:
            results["failed"] += 1
            reason = describe(outcome)
            logger.error("Failed to %s schedule %s: %s", change.action, change.name, reason)
    return not_done


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
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TIMEZONE:
        problem = f"must be an IANA name such as 'Europe/Rome', at most {MAX_TIMEZONE} characters"
        raise UnusableQueryError(f"its timezone {problem}, not {quoted(value)}")
    return value


def _state(query: Mapping[str, Any]) -> str | None:
    if not isinstance(value := query.get("enabled", True), bool):
        raise UnusableQueryError(f"its enabled must be true or false, not {quoted(value)}")
    return {None: None, True: "ENABLED", False: "DISABLED"}[query.get("enabled")]


def _description(query: Mapping[str, Any]) -> str:
    value = query.get("description")
    if value is not None and not isinstance(value, str):
        raise UnusableQueryError(f"its description must be a string, not {quoted(value)}")
    return (value or DEFAULT_DESCRIPTION)[:MAX_DESCRIPTION]


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
    names = [owned.name for owned in fields(Schedule)]
    pairs = [(n.replace("_", " "), getattr(live, n), getattr(wanted, n)) for n in names]
    cut = f".{MAX_DESCRIPTION}"
    return [f"{w}: {a or 'none':{cut}} → {b or 'none':{cut}}" for w, a, b in pairs if a != b]


# --- Requests


def create_request(wanted: Schedule) -> dict[str, Any]:
    """Return what CreateSchedule is sent, without the group. Pure."""
    return _request({"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {}}, wanted)


def update_request(
    live: ExistingSchedule, wanted: Schedule, members: Collection[str], now: float
) -> dict[str, Any]:
    """Return what UpdateSchedule is sent: the schedule as read, with our fields replaced. Pure.

    It resets what is left out, and takes only `members`. A StartDate in the past, which it refuses,
    is left out; that of a `rate` is moved on to the next occurrence, so that its rhythm stays.
    """
    base = {name: value for name, value in live.answer.items() if name in members}
    request = _request(base, completed(wanted, live.owned))
    start, today = request.get("StartDate"), datetime.fromtimestamp(now, UTC)
    if start and start < today:
        del request["StartDate"]
        if rate := re.match(r"rate\(0*(\d{1,6}) (minute|hour|day)s?\)", wanted.cron.lower()):
            period = timedelta(**{f"{rate[2]}s": int(rate[1])})
            start += math.ceil((today - start) / period) * period
            if start < request.get("EndDate", NEVER):
                request["StartDate"] = start
    return request


def _request(base: Mapping[str, Any], wanted: Schedule) -> dict[str, Any]:
    queue = {"DeadLetterConfig": {"Arn": wanted.dead_letters}} if wanted.dead_letters else {}
    target = {"Arn": wanted.target, "RoleArn": wanted.role, "Input": wanted.input, **queue}
    return {
        **base,
        "Name": wanted.name,
        "ScheduleExpression": wanted.cron,
        "ScheduleExpressionTimezone": wanted.timezone,
        **({"State": wanted.state} if wanted.state else {}),
        "Description": wanted.description,
        "Target": {**base["Target"], **target},
    }


# --- The API


class ScheduleGroup:
    """The schedule group as the API shows it: every call to EventBridge Scheduler is made here.

    Each call names the group and is made by the one retry rule (`Calls`).
    """

    def __init__(self, client: Client, settings: Settings, clock: Clock) -> None:
        """Take a client that makes one attempt for each call; nothing is called yet."""
        self._client = client
        self._calls = Calls(clock)
        self._name = settings.schedule_group_name
        self._group: dict[str, Any] = {"GroupName": self._name}
        self.settings = settings
        self.clock = clock

    def list_dates(self) -> dict[str, datetime | None]:
        """Return when our schedules were last modified, by name; a missing group has none.

        Raises CannotReconcileError: an incomplete listing must never look like missing schedules.
        """
        try:
            dates = self._calls.alone(self._list)
        except Exception as error:
            problem = f"Failed to list schedules of group {self._name}: {describe(error)}"
            raise CannotReconcileError(problem) from error
        return {n: date for n, date in dates.items() if n.startswith(self.settings.prefix)}

    def _list(self) -> dict[str, datetime | None]:
        """List a page by each call: a paginator that went on by itself would not ask the clock."""
        dates: dict[str, datetime | None] = {}
        paginator: Any = self._client.get_paginator("list_schedules")
        asked = {**self._group, "NamePrefix": self.settings.prefix, "PaginationConfig": PAGES}
        while True:
            try:
                page = self._calls.retry(lambda: next(iter(paginator.paginate(**asked))))
            except ClientError as error:
                if "NextToken" in asked or not _is_absent(error):
                    raise
                return {}  # there is no group
            dates |= {s["Name"]: s.get("LastModificationDate") for s in page["Schedules"]}
            if not (token := page.get("NextToken")):
                return dates
            asked["NextToken"] = token

    def read_all(self, names: Sequence[str]) -> list[ExistingSchedule | Exception]:
        """Read schedules; the exceptions are the results of those that could not be read."""
        return self._calls.overlap(lambda name: self._calls.retry(lambda: self._read(name)), names)

    def _read(self, name: str) -> ExistingSchedule:
        began = self.clock.monotonic()
        return existing_schedule(self._client.get_schedule(**self._group, Name=name), began)

    def ensure_exists(self) -> Exception | None:
        """Make the group unless it exists; return why it cannot be made, if so.

        If only looking at it fails, the creates will tell; if time is out, none of them starts.
        """
        look = functools.partial(self._client.get_schedule_group, Name=self._name)
        make = functools.partial(self._client.create_schedule_group, Name=self._name)
        [looked] = self._calls.overlap(self._calls.retry, [look])
        if _is_absent(looked):
            [made] = self._calls.overlap(self._calls.retry, [make])
            harmless = isinstance(made, OutOfTimeError) or error_code(made) == CONFLICT
            if isinstance(made, Exception) and not harmless:  # a conflict: another run has made it
                problem = f"schedule group {self._name} cannot be created: {describe(made)}"
                return GroupMissingError(problem)
        return None

    def write_all(self, changes: Sequence[Change]) -> list[Outcome]:
        """Make the changes; the result of each is None or the exception with which it ended."""
        return self._calls.overlap(self._write, changes)

    def _write(self, change: Change) -> None:
        if change.wanted and change.live:
            self._update(change.wanted, change.live)
        elif change.wanted:
            self._create(change.wanted)
        else:
            delete = functools.partial(self._client.delete_schedule, **self._group)
            self._calls.retry(lambda: delete(Name=change.name), conflicts=True)

    def _create(self, wanted: Schedule) -> None:
        """Create, with one token for all attempts: one whose answer was lost is no conflict."""
        request = {**self._group, **create_request(wanted), "ClientToken": str(uuid.uuid4())}
        try:
            self._calls.retry(lambda: self._client.create_schedule(**request))
        except Exception as error:
            if error_code(error) != CONFLICT:
                raise
            try:
                self._calls.retry(lambda: self._read(wanted.name))
            except ClientError:
                raise error from None  # it is not there: its group is being deleted, say
            problem = "exists already: another run created it; the next run compares it"
            raise AlreadyDoneError(problem) from error

    def _update(self, wanted: Schedule, live: ExistingSchedule) -> None:
        """Update the schedule as it is now: each attempt reads again what is older than FRESH."""
        shape: Any = self._client.meta.service_model.operation_model("UpdateSchedule").input_shape
        tried = False

        def attempt() -> None:
            nonlocal live, tried
            if self.clock.monotonic() - live.read_at > FRESH:
                live = self._read(wanted.name)
                self.clock.require_time()
                if completed(wanted, live.owned) == live.owned:
                    if tried:
                        return  # by an attempt of ours whose answer was lost
                    raise AlreadyDoneError("no longer differs: somebody changed it meanwhile")
            tried = True
            request = update_request(live, wanted, shape.members, self.clock.now())
            try:
                self._client.update_schedule(**{**request, **self._group})
            except Exception as error:
                if error_code(error) == CONFLICT:
                    live = replace(live, read_at=-math.inf)  # somebody else is changing it
                raise

        self._calls.retry(attempt, conflicts=True)


# --- The words of messages


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlist = _repr.maxdict = MAX_SHOWN


def quoted(value: object) -> str:
    """Quote a value from outside for a message: on one line, cut, however deeply nested it is."""
    return repr(value[:MAX_SHOWN]) if isinstance(value, str) else _repr.repr(value)[:MAX_SHOWN]


def one_line(text: str) -> str:
    """Escape what could break or disguise a line: whatever is not printable."""
    escaped = (c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if text.isprintable() else "".join(escaped)


def describe(error: Exception) -> str:
    """Say what went wrong: the service's code and message, or the exception's type and text."""
    if isinstance(error, OutOfTimeError | GroupMissingError):
        return str(error) or "out of time"
    code = error_code(error) or type(error).__name__
    text = error.response["Error"].get("Message", "") if isinstance(error, ClientError) else error
    return f"{code}: {text}"[:MAX_LINE]


def _is_absent(error: object) -> bool:
    return error_code(error) == "ResourceNotFoundException"
