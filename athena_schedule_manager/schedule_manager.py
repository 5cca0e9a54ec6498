"""The reconciliation: make the schedules of one group match the queries of the configuration.

`make_plan` compares the desired schedules with the existing ones; `apply_plan` makes the changes
and counts, `preview_plan` only tells them. Only schedules of one group whose names have our prefix
are ever looked at. Of those only some fields are ours (`Schedule`): everything else is the
operator's and survives.

Nothing here reads the environment or makes a client: settings, client and clock are handed in.
"""

from __future__ import annotations

import functools
import logging
import math
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from ._calls import (
    CONFLICT,
    Call,
    Calls,
    Clock,
    OutOfTimeError,
    UnreadableAnswerError,
    error_code,
    is_transient,
    may_be_done,
    reading_answer,
)
from ._schedules import (
    ExistingSchedule,
    Schedule,
    Settings,
    completed,
    create_request,
    desired_schedule,
    drift,
    existing_schedule,
    update_request,
)
from ._words import (
    MAX_LINE,
    MAX_SHOWN,
    AlreadyDoneError,
    CannotReconcileError,
    GroupMissingError,
    UnusableQueryError,
    describe,
    one_line,
    quoted,
)

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient as Client

logger = logging.getLogger(__package__)

PAGES = {"PageSize": 100}
FRESH = 5.0  # seconds: a schedule that was read longer ago is read again before it is updated
SETTLED = timedelta(seconds=60)  # without a change, after which a schedule is remembered as read
MAX_CHANGES = 1000  # lines of a dry run
RANKS = {"failed": 0, "delete": 1, "kept": 1, "update": 2, "create": 3, "hint": 4}
KEPT_SHOWN = 10  # deletes held back that the ERROR line names
NOT_DONE = "not done"  # counts what the clock left, beside the four counters


# --- The values


Queries = Mapping[str, object]  # by id, as the configuration has them
Desired = dict[str, Schedule]  # by name of the schedule, like the next two
Unusable = dict[str, str]  # the message of each query that cannot become a schedule
Memory = dict[str, ExistingSchedule]
Outcome = Exception | None  # how a change ended; None: it was made


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the listing: when our schedules on it were last modified, by name."""

    dates: Mapping[str, datetime | None]
    next_token: str  # empty: it is the last


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
    def counter(self) -> str:
        """The counter of the change once it is made."""
        return f"{self.action}d"

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
    failures: Mapping[str, str] = field(default_factory=dict)  # lines of what cannot be compared
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

    A schedule in `memory` whose date in the listing is the same is not read again. What is gone
    from the listing is forgotten.
    """
    dates = group.list_dates()
    logger.info("Found %d existing schedules", len(dates))
    known = {
        name: schedule
        for name, schedule in memory.items()
        if name in desired and schedule.modified == dates.get(name)
    }
    unknown = sorted((dates.keys() & set(desired)) - known.keys())
    read: dict[str, ExistingSchedule] = {}
    unreadable: dict[str, str] = {}
    absent: set[str] = set()
    began = group.clock.now()
    for name, result in zip(unknown, group.read_all(unknown), strict=True):
        if isinstance(result, ExistingSchedule):
            read[name] = result
        elif _is_absent(result):
            absent.add(name)
        elif not isinstance(result, OutOfTimeError):
            unreadable[name] = f"Failed to read schedule {name}: {describe(result)}"
    memory.clear()
    memory.update(known)
    memory.update(memorable(read, began))
    return Existing(frozenset(dates) - absent, read | known, unreadable, group_exists=bool(dates))


def memorable(read: Memory, began: float) -> Memory:
    """Return what may be remembered: with read_at so old that an update reads it again. Pure.

    `began`: when the reading began. A schedule that was modified in the last minute before it may
    not: a second change could have the same date.
    """
    settled_since = datetime.fromtimestamp(began, UTC) - SETTLED
    return {
        name: replace(schedule, read_at=-math.inf)
        for name, schedule in read.items()
        if schedule.modified < settled_since
    }


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
        failures={**unusable, **existing.unreadable},
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
    schedules = "schedule" if count == 1 else "schedules"
    line = (
        f"Refused to delete {count} {schedules}, which is more than MAX_DELETIONS={limit}: none is"
        f" deleted ({names}{more}); if they are to go, invoke the function once with"
        f' {{"max_deletions": {count}}}'
    )
    return replace(plan, deletes=(), kept=plan.deletes, refusals=(line,))


def preview_plan(plan: Plan, hints: Sequence[str] = ()) -> dict[str, Any]:
    """Return the counters that applying would end in, and what it would log, as "changes".

    Each of them is {"action": a key of RANKS, "name": a schedule's or "", "line": "..."}, in the
    order of RANKS, so that the cut at MAX_CHANGES hides deletes last; the log has its own order.
    Raises CannotReconcileError when the clock ended the reads: half a plan is no preview.
    """
    if plan.not_read:
        raise CannotReconcileError(f"Out of time before {plan.not_read} reads; try again")
    results = plan.counters
    for change in plan.changes:
        results[change.counter] += 1
    shown = _what_is_shown(plan, hints)
    for entry in shown[:MAX_CHANGES]:
        logger.info("%s", entry["line"])
    changes = sorted(shown, key=lambda entry: RANKS[entry["action"]])
    if len(changes) > MAX_CHANGES:
        more = f"and {len(changes) - MAX_CHANGES} more"
        changes = [*changes[:MAX_CHANGES], _shown("hint", "", more)]
    return {**results, "changes": changes}


def _what_is_shown(plan: Plan, hints: Sequence[str]) -> list[dict[str, str]]:
    """Return what a dry run tells, in the order of the log."""
    shown = [_shown("failed", name, line) for name, line in plan.failures.items()]
    shown += [_shown("kept", "", line) for line in plan.refusals]
    shown += [_shown("kept", change.name, f"Kept: {change.name}") for change in plan.kept]
    shown += [_shown(change.action, change.name, change.line) for change in plan.changes]
    shown += [_shown("hint", "", line) for line in hints]
    return shown


def _shown(action: str, name: str, line: str) -> dict[str, str]:
    return {"action": action, "name": one_line(name)[:MAX_SHOWN], "line": one_line(line)[:MAX_LINE]}


def apply_plan(group: ScheduleGroup, plan: Plan) -> dict[str, int]:
    """Make the changes and count: every change and failure ends in exactly one counter.

    Only what somebody else has done meanwhile is in none. Deletes start when every create and
    update has ended.
    """
    for line in (*plan.failures.values(), *plan.refusals):
        logger.error("%s", line)
    for change in plan.changes:
        if not group.clock.has_time():
            break  # it is only counted: logging thousands of lines takes the seconds that are left
        logger.info("%s", change.line)
    counts = Counter({**plan.counters, NOT_DONE: plan.not_read})
    writes = plan.creates + plan.updates
    if plan.creates and not plan.group_exists and (missing := group.ensure_exists()):
        counts.update(_count(plan.creates, [missing] * len(plan.creates)))
        writes = plan.updates
    counts.update(_count(writes, group.write_all(writes)))
    counts.update(_count(plan.deletes, group.write_all(plan.deletes)))
    not_done = counts.pop(NOT_DONE)
    if not_done:
        counts["failed"] += not_done
        logger.warning("Out of time before %d reads or writes; the next run makes them", not_done)
    return dict(counts)


def _count(changes: Sequence[Change], outcomes: Sequence[Outcome]) -> Counter[str]:
    """Count how the changes ended, and log those that failed.

    | a change ended with | counter | line |
    |---|---|---|
    | nothing, or on a delete the schedule's absence | created, updated, deleted | none |
    | AlreadyDoneError | none | WARNING |
    | OutOfTimeError | NOT_DONE | one WARNING for all |
    | anything else | failed | ERROR |
    """
    counts = Counter[str]()
    for change, outcome in zip(changes, outcomes, strict=True):
        if outcome is None or (change.action == "delete" and _is_absent(outcome)):
            counts[change.counter] += 1
        elif isinstance(outcome, AlreadyDoneError):
            logger.warning("Schedule %s %s", change.name, outcome)
        elif isinstance(outcome, OutOfTimeError):
            counts[NOT_DONE] += 1
        else:
            counts["failed"] += 1
            reason = describe(outcome)
            logger.error("Failed to %s schedule %s: %s", change.action, change.name, reason)
    return counts


# --- The API


class ScheduleGroup:
    """The schedule group as the API shows it: every call to EventBridge Scheduler is made here.

    Each call names the group. `client` makes one attempt for each call.
    """

    def __init__(self, client: Client, settings: Settings, clock: Clock) -> None:
        self._client = client
        self._calls = Calls(clock)
        self._group: dict[str, Any] = {"GroupName": settings.schedule_group_name}
        self.settings = settings
        self.clock = clock

    def list_dates(self) -> dict[str, datetime | None]:
        """Return when our schedules were last modified, by name; a missing group has none.

        Raises CannotReconcileError: an incomplete listing must never look like missing schedules.
        """
        try:
            return self._list()
        except Exception as error:
            name = self.settings.schedule_group_name
            problem = f"Failed to list schedules of group {name}: {describe(error)}"
            raise CannotReconcileError(problem) from error

    def _list(self) -> dict[str, datetime | None]:
        """List a page by each job: a paginator that went on by itself would not ask the clock."""
        dates: dict[str, datetime | None] = {}
        tokens = [""]
        while True:
            try:
                page = self._calls.do(Call(functools.partial(self._list_page, tokens[-1])))
            except ClientError as error:
                if tokens[-1] or not _is_absent(error):
                    raise
                return {}  # there is no group
            dates.update(page.dates)
            if not page.next_token:
                return dates
            if page.next_token in tokens:
                raise UnreadableAnswerError("its NextToken repeats")
            tokens.append(page.next_token)

    def _list_page(self, token: str) -> Page:
        paginator: Any = self._client.get_paginator("list_schedules")
        asked = {**self._group, "NamePrefix": self.settings.prefix, "PaginationConfig": PAGES}
        if token:
            asked["NextToken"] = token
        with reading_answer():
            return self._page(next(iter(paginator.paginate(**asked))))

    def _page(self, answer: Mapping[str, Any]) -> Page:
        """Take what is ours of a page: an emulator may show another group's schedules, too."""
        dates = {}
        for summary in answer["Schedules"]:
            name = summary["Name"]
            is_in_group = summary.get("GroupName") in {None, self.settings.schedule_group_name}
            if is_in_group and name.startswith(self.settings.prefix):
                dates[name] = summary.get("LastModificationDate")
        return Page(dates, answer.get("NextToken", ""))

    def read_all(self, names: Sequence[str]) -> list[ExistingSchedule | Exception]:
        """Read schedules; the exceptions are the results of those that could not be read."""
        return self._calls.do_all([Call(functools.partial(self.read, name)) for name in names])

    def read(self, name: str) -> ExistingSchedule:
        """Read a schedule, as it was when the call began."""
        began = self.clock.monotonic()
        with reading_answer():
            answer = self._client.get_schedule(**self._group, Name=name)
            return existing_schedule(answer, began)

    def ensure_exists(self) -> Exception | None:
        """Make the group unless it exists; return why it cannot be made, if so.

        If only looking at it fails, the creates will tell; if time is out, none of them starts.
        """
        [looked] = self._calls.do_all([Call(self._look_at_group)])
        if not _is_absent(looked):
            return None
        [made] = self._calls.do_all([Call(self._make_group)])
        if not isinstance(made, Exception) or isinstance(made, OutOfTimeError):
            return None
        if error_code(made) == CONFLICT:
            return None  # another run has made it
        name = self.settings.schedule_group_name
        return GroupMissingError(f"schedule group {name} cannot be created: {describe(made)}")

    def _look_at_group(self) -> None:
        with reading_answer():
            self._client.get_schedule_group(Name=self.settings.schedule_group_name)

    def _make_group(self) -> None:
        with reading_answer():
            answer = self._client.create_schedule_group(Name=self.settings.schedule_group_name)
            require_arn(answer, "ScheduleGroupArn")

    def write_all(self, changes: Sequence[Change]) -> list[Outcome]:
        """Make the changes; the result of each is None or the exception with which it ended."""
        return self._calls.do_all([self._job(change) for change in changes])

    def _job(self, change: Change) -> Create | Update | Delete:
        if change.wanted and change.live:
            return Update(self, change.wanted, change.live)
        if change.wanted:
            return Create(self, change.wanted)
        return Delete(self, change.name)

    def create(self, request: Mapping[str, Any]) -> None:
        """Create a schedule."""
        with reading_answer():
            answer = self._client.create_schedule(**request, **self._group)
            require_arn(answer)

    def update(self, request: Mapping[str, Any]) -> None:
        """Replace a schedule."""
        with reading_answer():
            answer = self._client.update_schedule(**{**request, **self._group})
            require_arn(answer)

    def delete(self, name: str) -> None:
        """Delete a schedule."""
        with reading_answer():
            self._client.delete_schedule(**self._group, Name=name)

    @functools.cached_property
    def update_members(self) -> Collection[str]:
        """The members that the SDK's own UpdateSchedule takes."""
        model: Any = self._client.meta.service_model
        members: Collection[str] = model.operation_model("UpdateSchedule").input_shape.members
        return members


# --- Writes in flight: what each knows of its earlier attempts


class Create:
    """A create: one that another run has done is no failure."""

    passing_codes = ()

    def __init__(self, group: ScheduleGroup, wanted: Schedule) -> None:
        self._group = group
        # one token for all attempts: one whose answer was lost is no conflict
        self._request = {**create_request(wanted), "ClientToken": str(uuid.uuid4())}
        self._name = wanted.name
        self._conflict: ClientError | None = None

    def attempt(self) -> None:
        """Create the schedule, or look at the one that was there before."""
        if self._conflict is None:
            self._create()
        if self._conflict is not None:
            self._look(self._conflict)

    def _create(self) -> None:
        try:
            self._group.create(self._request)
        except ClientError as error:
            if error_code(error) != CONFLICT:
                raise
            self._conflict = error
            self._group.clock.require_time()

    def _look(self, conflict: ClientError) -> None:
        try:
            self._group.read(self._name)
        except ClientError as error:
            if is_transient(error):
                raise
            raise conflict from None  # it is not there (a group that is being deleted), or denied
        problem = "exists already: another run created it; the next run compares it"
        raise AlreadyDoneError(problem) from conflict


class Update:
    """An update: it is made of what is there now.

    Every attempt reads the schedule first, except a first one within FRESH of its reading.
    """

    passing_codes = (CONFLICT,)

    def __init__(self, group: ScheduleGroup, wanted: Schedule, live: ExistingSchedule) -> None:
        self._group = group
        self._wanted = wanted
        self._live = live
        self._has_tried = False
        self._may_be_done = False  # by an attempt whose answer left it open

    def attempt(self) -> None:
        """Update the schedule; look at it again before, unless it has just been read."""
        if not self._look_is_fresh():
            self._look_again()
            if completed(self._wanted, self._live.owned) == self._live.owned:
                if self._may_be_done:
                    return
                raise AlreadyDoneError("no longer differs: somebody changed it meanwhile")
        self._has_tried = True
        try:
            self._group.update(self._request())
        except Exception as error:
            self._may_be_done = self._may_be_done or may_be_done(error)
            raise

    def _look_is_fresh(self) -> bool:
        age = self._group.clock.monotonic() - self._live.read_at
        return age <= FRESH and not self._has_tried

    def _look_again(self) -> None:
        self._live = self._group.read(self._wanted.name)
        self._group.clock.require_time()

    def _request(self) -> dict[str, Any]:
        now = self._group.clock.now()
        return update_request(self._live, self._wanted, self._group.update_members, now)


class Delete:
    """A delete."""

    passing_codes = (CONFLICT,)

    def __init__(self, group: ScheduleGroup, name: str) -> None:
        self._group = group
        self._name = name

    def attempt(self) -> None:
        """Delete the schedule."""
        self._group.delete(self._name)


def require_arn(answer: Mapping[str, Any], name: str = "ScheduleArn") -> None:
    """Raise KeyError if an answer to a write is not one: the model requires the ARN."""
    answer[name]


def _is_absent(error: object) -> bool:
    return error_code(error) == "ResourceNotFoundException"
