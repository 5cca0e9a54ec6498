"""The reconciliation: make the schedules of one group match the queries of the configuration.

`make_plan` compares the desired schedules with the existing ones; `apply_plan` makes the changes
and counts, `preview_plan` only tells them. Only schedules of one group whose names have our prefix
are ever looked at. Of those only some fields are ours (`Schedule`): everything else is the
operator's and survives.

Nothing here reads the environment or makes a client: settings, client and clock are handed in.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import itertools
import json
import logging
import math
import re
import reprlib
import unicodedata
import uuid
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from ._calls import CONFLICT, Calls, OutOfTimeError, error_code, is_transient_or_conflict
from ._expressions import expression_problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef, PaginatorConfigTypeDef

    from ._calls import Clock

logger = logging.getLogger(__package__)

PAGE_SIZE = 100
FRESH = 5.0  # seconds after which a schedule is read again before it is updated
SETTLED = 60.0  # seconds without a change after which a schedule is remembered as it was read
MAX_NAME = 64
MAX_DESCRIPTION = 512
MAX_TIMEZONE = 50
MAX_KEYS, MAX_KEY = 100, 50  # keys of a query, and their characters, that may have a hint
MAX_CHANGES = 1000  # lines that a dry run returns
MAX_LINE = 1000  # characters of such a line, and of what a service answers
MAX_SHOWN = 200  # characters of a value from outside in a message
KEPT_SHOWN = 10  # names in the line about deletes that are held back
NOT_FOUND = "ResourceNotFoundException"
DEFAULT_DESCRIPTION = "Managed by Athena Schedule Manager"
TIMEZONE = "UTC"
QUERY_KEYS = ("schedule", "cron", "description", "timezone", "enabled")
RATE_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}
# what CreateSchedule requires besides the fields that we own
NEW_SCHEDULE: Mapping[str, Any] = {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {}}


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
    modified: datetime | None  # None: not to be remembered
    read_at: float  # by the clock's monotonic time; minus infinity: in an earlier run


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
    def failed(self) -> int:
        """How many queries and schedules have failed before any change is made."""
        return len(self.failures) + len(self.kept)


# --- The story


def make_plan(
    group: ScheduleGroup, queries: Mapping[str, object], memory: dict[str, ExistingSchedule]
) -> Plan:
    """Compare the queries with the group's schedules; nothing is written.

    `memory` holds what was read before with the same settings, and is brought up to date.
    Raises CannotReconcileError when the existing schedules cannot be listed.
    """
    desired, unusable = desired_state(queries, group.settings)
    existing = read_existing(group, desired.keys(), memory)
    plan = plan_changes(desired, unusable, existing)
    return limit_deletes(plan, group.settings.max_deletions)


def desired_state(
    queries: Mapping[str, object], settings: Settings
) -> tuple[dict[str, Schedule], dict[str, str]]:
    """Return the desired schedules, and why the other queries are unusable, by name. Pure."""
    desired, unusable = {}, {}
    for query_id, query in queries.items():
        name = settings.prefix + query_id
        try:
            desired[name] = desired_schedule(query_id, query, settings)
        except UnusableQueryError as error:
            unusable[name] = (
                f"Query {quoted(query_id)} is unusable"
                f" (its live schedule, if any, is kept): {error}"
            )
    return desired, unusable


def read_existing(
    group: ScheduleGroup, desired: Collection[str], memory: dict[str, ExistingSchedule]
) -> Existing:
    """List our schedules and read those that are desired, the only ones that must be compared.

    A schedule in `memory` whose date in the listing is the same is not read again. One that was
    modified in the last minute before it was read is not remembered: a second change could have
    the same date, as in git's index. What is gone from the listing is forgotten.
    """
    dates = group.list_dates()
    logger.info("Found %d existing schedules", len(dates))
    compared = sorted(dates.keys() & set(desired))
    known = {n: live for n in compared if (live := memory.get(n)) and live.modified == dates[n]}
    settled = group.clock.now() - SETTLED
    unknown = [name for name in compared if name not in known]
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
    for name, live in read.items():
        if live.modified and live.modified.timestamp() < settled:
            memory[name] = replace(live, read_at=-math.inf)
    return Existing(frozenset(dates) - absent, read | known, unreadable, group_exists=bool(dates))


def plan_changes(
    desired: Mapping[str, Schedule], unusable: Mapping[str, str], existing: Existing
) -> Plan:
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
        raise CannotReconcileError(
            f"Out of time before {plan.not_read} reads of schedules: there is no whole plan to"
            " show; invoke the function again"
        )
    kept = [f"Kept: {change.name}" for change in plan.kept]
    changes = [change.line for change in plan.changes]
    lines = [*plan.failures, *plan.refusals, *kept, *changes, *hints]
    shown = [one_line(line)[:MAX_LINE] for line in lines[:MAX_CHANGES]]
    for line in shown:
        logger.info("%s", line)
    more = [f"and {len(lines) - MAX_CHANGES} more"] if len(lines) > MAX_CHANGES else []
    return {
        "created": len(plan.creates),
        "updated": len(plan.updates),
        "deleted": len(plan.deletes),
        "failed": plan.failed,
        "changes": shown + more,
    }


def apply_plan(group: ScheduleGroup, plan: Plan) -> dict[str, int]:
    """Make the changes and count: every change and failure ends in exactly one counter.

    Only what somebody else has done meanwhile is in none. Deletes start when every create and
    update has ended.
    """
    results = {"created": 0, "updated": 0, "deleted": 0, "failed": plan.failed}
    for line in (*plan.failures, *plan.refusals):
        logger.error("%s", line)
    for change in plan.changes:
        if not group.clock.has_time():
            break  # it is only counted: logging thousands of lines takes the seconds that are left
        logger.info("%s", change.line)
    missing_group = group.ensure_exists() if plan.creates and not plan.group_exists else None
    not_done = plan.not_read
    if missing_group:
        not_done += _count(plan.creates, [missing_group] * len(plan.creates), results)
    writes = plan.updates if missing_group else plan.creates + plan.updates
    for changes in (writes, plan.deletes):
        not_done += _count(changes, group.write_all(changes), results)
    if not_done:
        results["failed"] += not_done
        logger.warning(
            "Out of time before %d reads or writes of schedules:"
            " they count as failed, and the next run makes them",
            not_done,
        )
    return results


def _count(
    changes: Sequence[Change], outcomes: Sequence[Exception | None], results: dict[str, int]
) -> int:
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
        gone = change.action == "delete" and outcome is not None and _is_absent(outcome)
        if outcome is None or gone:
            results[f"{change.action}d"] += 1
        elif isinstance(outcome, AlreadyDoneError):
            logger.warning("%s", outcome)
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
    if not query_id or not is_name(name):
        raise UnusableQueryError(
            f"the schedule name {quoted(name)} needs an id after the prefix, at most {MAX_NAME}"
            " characters in all, and only letters, digits, '-', '_' and '.'; rename the query"
        )
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


def is_name(text: str) -> bool:
    """Tell if the service takes the text as the name of a schedule or a group (botocore model)."""
    return re.fullmatch(rf"[0-9a-zA-Z_.-]{{1,{MAX_NAME}}}", text) is not None


def _expression(query: Mapping[str, object]) -> str:
    value = query.get("schedule")
    value = query.get("cron") if value is None else value
    if value is None:
        raise UnusableQueryError("it has neither schedule nor cron; add a schedule")
    if not isinstance(value, str):
        raise UnusableQueryError(f"its schedule must be a string, not {quoted(value)}")
    expression = value.strip()
    if problem := expression_problem(expression):
        raise UnusableQueryError(f"its schedule {quoted(value)} {problem}")
    return expression


def _timezone(query: Mapping[str, object]) -> str:
    value = query.get("timezone", TIMEZONE)
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TIMEZONE:
        raise UnusableQueryError(
            f"its timezone must be an IANA name such as 'Europe/Rome', at most {MAX_TIMEZONE}"
            f" characters, not {quoted(value)}"
        )
    return value


def _state(query: Mapping[str, object]) -> str | None:
    if "enabled" not in query:
        return None
    if not isinstance(query["enabled"], bool):
        raise UnusableQueryError(
            f"its enabled must be true or false, not {quoted(query['enabled'])}"
        )
    return "ENABLED" if query["enabled"] else "DISABLED"


def _description(query: Mapping[str, object]) -> str:
    value = query.get("description")
    if value is not None and not isinstance(value, str):
        raise UnusableQueryError(f"its description must be a string, not {quoted(value)}")
    return (value or DEFAULT_DESCRIPTION)[:MAX_DESCRIPTION]


def hints(queries: Mapping[str, object]) -> list[str]:
    """Return a line for each key of a query that is nearly one of ours and none. Pure.

    The file is shared with the Query Executor, so such a key is never refused.
    """
    return [
        f"HINT: query {quoted(query_id)}: {quoted(key)} is not a key of the manager;"
        f" did you mean '{near}'?"
        for query_id, query in queries.items()
        if isinstance(query, dict)
        for key in itertools.islice(query, MAX_KEYS)
        if (near := _near_key(key))
    ]


@functools.lru_cache(maxsize=1024)  # the queries of a file have the same few keys
def _near_key(key: str) -> str | None:
    if key in QUERY_KEYS or len(key) > MAX_KEY:
        return None
    plain = re.sub(r"[\s_-]", "", key).lower()
    return next(iter(difflib.get_close_matches(plain, QUERY_KEYS, n=1, cutoff=0.8)), None)


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
    return ExistingSchedule(owned, kept, answer.get("LastModificationDate"), read_at)


def _normalised_json(text: str) -> str:
    try:
        return json.dumps(json.loads(text))
    except (ValueError, RecursionError):
        return text


def completed(wanted: Schedule, live: Schedule) -> Schedule:
    """Return what a live schedule is to be: what the query leaves open is the live one's. Pure."""
    state, queue = wanted.state or live.state, live.dead_letters or wanted.dead_letters
    if (state, queue) == (wanted.state, wanted.dead_letters):
        return wanted
    return replace(wanted, state=state, dead_letters=queue)


def drift(live: Schedule, wanted: Schedule) -> list[str]:
    """Name the fields that differ, each as `word: old → new`. Pure."""
    names = [owned.name for owned in fields(Schedule)]
    pairs = [(n.replace("_", " "), getattr(live, n), getattr(wanted, n)) for n in names]
    return [f"{word}: {_shown(old)} → {_shown(new)}" for word, old, new in pairs if old != new]


def _shown(text: str | None) -> str:
    return (text or "none")[:MAX_DESCRIPTION]


# --- Requests


def create_request(wanted: Schedule) -> dict[str, Any]:
    """Return what CreateSchedule is sent, without the group. Pure."""
    return _request(NEW_SCHEDULE, wanted)


def update_request(
    live: ExistingSchedule, wanted: Schedule, members: Collection[str], now: float
) -> dict[str, Any]:
    """Return what UpdateSchedule is sent: the schedule as read, with our fields replaced. Pure.

    It resets what is left out, and takes only `members`. A StartDate in the past, which it refuses,
    is left out; that of a `rate` is moved on to the next occurrence, so that its rhythm stays.
    """
    request = _request({n: v for n, v in live.answer.items() if n in members}, wanted)
    start = request.get("StartDate")
    if start and start.timestamp() < now:
        del request["StartDate"]
        following = _next_occurrence(start, wanted.cron, now)
        if following and following < request.get("EndDate", datetime.max.replace(tzinfo=UTC)):
            request["StartDate"] = following
    return request


def _next_occurrence(start: datetime, expression: str, now: float) -> datetime | None:
    """Return when a rate that began at `start` comes next, or None if that cannot be told."""
    rate = re.match(r"rate\(0*(\d+) ([a-z]*?)s?\)", expression.lower())
    if rate is None:
        return None
    period = int(rate[1]) * RATE_SECONDS[rate[2]]
    with contextlib.suppress(OverflowError):  # beyond the year 9999
        periods = math.ceil((now - start.timestamp()) / period)
        return start + timedelta(seconds=periods * period)
    return None


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

    def __init__(
        self, client: EventBridgeSchedulerClient, settings: Settings, clock: Clock
    ) -> None:
        """Take a client that makes one attempt for each call; nothing is called yet."""
        self._client = client
        self._calls = Calls(clock)
        self._group = {"GroupName": settings.schedule_group_name}
        self.settings = settings
        self.clock = clock

    def list_dates(self) -> dict[str, datetime | None]:
        """Return when our schedules were last modified, by name; a missing group has none.

        Raises CannotReconcileError: an incomplete listing must never look like missing schedules.
        """
        dates: dict[str, datetime | None] = {}
        try:
            for page in self._calls.alone(lambda: list(self._pages())):
                dates.update(page)
        except Exception as error:
            reason = describe(error)
            if isinstance(error, OutOfTimeError):
                reason = "the invocation ran out of time; nothing was compared"
            name = self.settings.schedule_group_name
            raise CannotReconcileError(
                f"Failed to list schedules of group {name}: {reason}"
            ) from error
        prefix = self.settings.prefix
        return {name: date for name, date in dates.items() if name.startswith(prefix)}

    def _pages(self) -> Iterator[dict[str, datetime | None]]:
        paginator = self._client.get_paginator("list_schedules")
        group, prefix = self.settings.schedule_group_name, self.settings.prefix
        config: PaginatorConfigTypeDef = {"PageSize": PAGE_SIZE, "MaxItems": PAGE_SIZE}
        while True:
            pages = paginator.paginate(GroupName=group, NamePrefix=prefix, PaginationConfig=config)
            try:
                page = self._calls.retry(pages.build_full_result)
            except ClientError as error:
                if "StartingToken" in config or not _is_absent(error):
                    raise
                return  # there is no group
            yield {s["Name"]: s.get("LastModificationDate") for s in page["Schedules"]}
            if not (token := page.get("NextToken")):
                return
            config = {**config, "StartingToken": token}

    def read_all(self, names: Sequence[str]) -> list[ExistingSchedule | Exception]:
        """Read schedules; the exceptions are the results of those that could not be read."""
        return self._calls.overlap(
            lambda name: self._calls.retry(functools.partial(self._read, name)), names
        )

    def _read(self, name: str) -> ExistingSchedule:
        began = self.clock.monotonic()
        return existing_schedule(self._client.get_schedule(**self._group, Name=name), began)

    def ensure_exists(self) -> Exception | None:
        """Make the group unless it exists; return why it cannot be made, if so.

        If only looking at it fails, the creates will tell; if time is out, none of them starts.
        """
        try:
            self._calls.alone(self._ensure_exists)
        except OutOfTimeError:
            return None
        except Exception as error:  # noqa: BLE001 - updates and deletes must go on
            name = self.settings.schedule_group_name
            return GroupMissingError(f"schedule group {name} cannot be created: {describe(error)}")
        return None

    def _ensure_exists(self) -> None:
        name = self.settings.schedule_group_name
        try:
            self._calls.retry(lambda: self._client.get_schedule_group(Name=name))
        except OutOfTimeError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not the group's absence
            if not _is_absent(error):
                return
            try:
                self._calls.retry(lambda: self._client.create_schedule_group(Name=name))
            except Exception as conflict:
                if error_code(conflict) != CONFLICT:  # another run has made it
                    raise

    def write_all(self, changes: Sequence[Change]) -> list[Exception | None]:
        """Make the changes; the result of each is None or the exception with which it ended."""
        return self._calls.overlap(self._write, changes)

    def _write(self, change: Change) -> None:
        if change.wanted and change.live:
            self._update(change.wanted, change.live)
        elif change.wanted:
            self._create(change.wanted)
        else:
            delete = functools.partial(self._client.delete_schedule, **self._group)
            self._calls.retry(lambda: delete(Name=change.name), is_transient_or_conflict)

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
            except OutOfTimeError:
                raise
            except Exception:  # noqa: BLE001 - it is not there: its group is being deleted, say
                raise error from None
            raise AlreadyDoneError(
                f"Schedule {wanted.name} exists already: another run created it;"
                " the next run compares it"
            ) from error

    def _update(self, wanted: Schedule, live: ExistingSchedule) -> None:
        """Update the schedule as it is now: each attempt reads again what is older than FRESH."""
        model: Any = self._client.meta.service_model.operation_model("UpdateSchedule")
        members = model.input_shape.members
        tried = False

        def attempt() -> None:
            nonlocal live, tried
            if self.clock.monotonic() - live.read_at > FRESH:
                live = self._read(wanted.name)
                self.clock.require_time()
                if completed(wanted, live.owned) == live.owned:
                    if tried:
                        return  # by an attempt of ours whose answer was lost
                    raise AlreadyDoneError(
                        f"Schedule {wanted.name} no longer differs: somebody changed it meanwhile"
                    )
            aim = completed(wanted, live.owned)
            tried = True
            request = update_request(live, aim, members, self.clock.now())
            self._client.update_schedule(**{**request, **self._group})

        self._calls.retry(attempt, is_transient_or_conflict)


# --- The words of messages


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlist = _repr.maxdict = MAX_SHOWN
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # categories of Unicode


def quoted(value: object) -> str:
    """Quote a value from outside for a message: on one line, cut, however deeply nested it is."""
    return repr(value[:MAX_SHOWN]) if isinstance(value, str) else _repr.repr(value)[:MAX_SHOWN]


def one_line(text: str) -> str:
    """Escape what could break or disguise a line: control and format characters, surrogates."""
    if text.isprintable():
        return text
    escaped = (
        c.encode("unicode_escape").decode() if unicodedata.category(c) in _UNSAFE else c
        for c in text
    )
    return "".join(escaped)


def describe(error: Exception) -> str:
    """Say what went wrong: the service's code and message, or the exception's type and text."""
    if isinstance(error, GroupMissingError):
        return str(error)
    if code := error_code(error):
        message = getattr(error, "response", {}).get("Error", {}).get("Message", error)
        return f"{code}: {message}"[:MAX_LINE]
    return f"{type(error).__name__}: {error}"[:MAX_LINE]


def _is_absent(error: Exception) -> bool:
    return error_code(error) == NOT_FOUND
