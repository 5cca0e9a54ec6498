"""Two runs at once, in every order in which their calls and one edit by hand can come.

Each call of the two real cores is held until it is chosen, and then answered by the strict model.
The orders are tried depth first: a world is played again from its beginning with other choices.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager import _calls
from athena_schedule_manager._calls import Clock, make_client
from tests.world.bystander import reconcile
from tests.world.environment import (
    CRON,
    EXECUTOR_ARN,
    GROUP,
    NAME,
    NOTHING_DONE,
    OTHER_CRON,
    ROLE_ARN,
    TRIED,
)
from tests.world.faults import response
from tests.world.model import Scheduler
from tests.world.promises import input_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

QUEUE = {"Arn": "arn:aws:sqs:eu-south-1:123456789012:by-hand"}
LIVES: dict[str, dict[str, Any] | None] = {
    "absent": None,
    "same": {},
    "different": {"ScheduleExpression": OTHER_CRON},
    "paused": {"ScheduleExpression": OTHER_CRON, "State": "DISABLED"},
    "with a queue": {"ScheduleExpression": OTHER_CRON, "DeadLetterConfig": QUEUE},
}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "wanted": {"daily-report": {"schedule": CRON}},
    "wanted otherwise": {"daily-report": {"schedule": "rate(5 minutes)"}},
    "removed": {},
    "broken": {"daily-report": {"schedule": "often"}},
}
EDITS = ("none", "pause", "queue", "expression", "delete")
RUNS = ("first", "second")
OPERATOR = "operator"


@dataclass(frozen=True)
class Meeting:
    """What two runs find, what each of them wants, and what an operator does meanwhile."""

    live: str
    first: str
    second: str
    edit: str = "none"


def all_meetings() -> list[Meeting]:
    """Return every meeting that there is."""
    return [
        Meeting(*sides) for sides in itertools.product(LIVES, CONFIGURATIONS, CONFIGURATIONS, EDITS)
    ]


@dataclass
class Played:
    """A meeting, played in one order: who was chosen of how many, and what came of it."""

    order: list[tuple[str, str]] = field(default_factory=list)  # who, and what he did
    options: list[int] = field(default_factory=list)
    results: dict[str, dict[str, int]] = field(default_factory=dict)
    lines: Counter[tuple[str, str]] = field(default_factory=Counter)  # whose, and the first word


class Stage(logging.Handler):
    """Where two runs meet: it holds their calls, and lets one go on at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._clients = {run: make_client("scheduler") for run in RUNS}
        for run, client in self._clients.items():
            client.meta.events.register_first("before-send.scheduler", self._hook(run))
        self._changed = threading.Condition()

    def _hook(self, run: str) -> Any:
        def hold(request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse:
            operation = event_name.rpartition(".")[2]
            with self._changed:
                self._waiting[run] = operation
                self._changed.notify_all()
                assert self._changed.wait_for(lambda: self._chosen == run, 20)
                body: Any = request.body
                code, headers, answer = self.scheduler.answer(
                    str(request.method), request.url, body
                )
                del self._waiting[run]
                self._chosen = ""
                return response(answer, code, **headers)

        return hold

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line of a run by its level or, at INFO, its first word."""
        run = threading.current_thread().name
        word = record.levelname
        if record.levelno == logging.INFO:
            word = record.getMessage().partition(":")[0]
        self.played.lines[run, word] += 1

    def play(self, meeting: Meeting, choices: Sequence[int]) -> Played:
        """Play a meeting with these choices, and the first of what there is to choose from then."""
        seconds = itertools.count(1)
        self.scheduler = Scheduler(lambda: float(next(seconds)))
        self.scheduler.create_schedule_group(GROUP, "token")
        _create(self.scheduler, LIVES[meeting.live])
        self.played = Played()
        self._waiting: dict[str, str] = {}
        self._chosen = ""
        wanted = {"first": meeting.first, "second": meeting.second}
        threads = [
            threading.Thread(target=self._run, args=(run, CONFIGURATIONS[wanted[run]]), name=run)
            for run in RUNS
        ]
        for thread in threads:
            thread.start()
        self._direct(meeting.edit, iter(choices))
        for thread in threads:
            thread.join(20)
        return self.played

    def _run(self, run: str, queries: dict[str, Any]) -> None:
        clock = Clock(lambda: 60.0, sleep=lambda _: None)
        results = reconcile(self._clients[run], queries, {}, clock)
        with self._changed:
            self.played.results[run] = results
            self._changed.notify_all()

    def _direct(self, edit: str, choices: Iterator[int]) -> None:
        """Choose who goes on, until both runs have ended."""
        is_edited = edit == "none"
        while True:
            with self._changed:
                assert self._changed.wait_for(self._all_wait_or_have_ended, 20)
                options = sorted(self._waiting)
                if not options:
                    return
                options += [] if is_edited else [OPERATOR]
                chosen = options[next(choices, 0)]
                self.played.options.append(len(options))
                self.played.order.append((chosen, self._waiting.get(chosen, edit)))
                if chosen == OPERATOR:
                    is_edited = True
                    _edit(self.scheduler, edit)
                else:
                    self._chosen = chosen
                    self._changed.notify_all()

    def _all_wait_or_have_ended(self) -> bool:
        return not self._chosen and len(self._waiting) + len(self.played.results) == len(RUNS)

    def run_alone(self, queries: dict[str, Any]) -> dict[str, int]:
        """Run once more, beside nobody."""
        self.played = Played()
        thread = threading.Thread(target=self._run, args=("first", queries), name="first")
        self.played.results["second"] = {}
        thread.start()
        self._direct("none", itertools.repeat(0))
        thread.join(20)
        return self.played.results["first"]


def _create(scheduler: Scheduler, live: Mapping[str, Any] | None) -> None:
    if live is None:
        return
    target = {"Arn": EXECUTOR_ARN, "RoleArn": ROLE_ARN, "Input": input_of(NAME)}
    members = dict(live)
    if queue := members.pop("DeadLetterConfig", None):
        target["DeadLetterConfig"] = queue
    known = {
        "ScheduleExpression": CRON,
        "Description": "Managed by Athena Schedule Manager",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
    }
    scheduler.create_schedule(NAME, "by hand", GROUP, **known | members)


def _edit(scheduler: Scheduler, edit: str) -> None:
    group = scheduler.groups[GROUP]
    if NAME not in group:
        return
    if edit == "delete":
        del group[NAME]
        return
    live = group[NAME]
    changes: dict[str, dict[str, Any]] = {
        "pause": {"State": "DISABLED"},
        "queue": {"Target": live["Target"] | {"DeadLetterConfig": QUEUE}},
        "expression": {"ScheduleExpression": "rate(1 day)"},
    }
    group[NAME] = live | changes[edit] | {"LastModificationDate": scheduler.now()}


def orders(stage: Stage, meeting: Meeting) -> Iterator[Played]:
    """Play a meeting in every order, depth first."""
    choices: list[int] = []
    while True:
        played = stage.play(meeting, choices)
        yield played
        choices += [0] * (len(played.options) - len(choices))
        while choices and choices[-1] + 1 == played.options[len(choices) - 1]:
            choices.pop()
        if not choices:
            return
        choices[-1] += 1


def check(stage: Stage, meeting: Meeting) -> int:
    """Check all orders of a meeting; return in how many an edit fell between look and write."""
    unseen = 0
    for played in orders(stage, meeting):
        TRIED["orders"] += 1
        for run in RUNS:
            check_counters(played, run)
        is_unseen = _falls_between_look_and_write(played)
        unseen += is_unseen
        if not is_unseen:
            check_edit(meeting, played, stage.scheduler.groups[GROUP])
        check_end(stage, meeting)
    return unseen


def check_counters(played: Played, run: str) -> None:
    """Every planned change of a run is in one counter, or was somebody else's."""
    results = played.results[run]
    planned = sum(played.lines[run, word] for word in ("CREATE", "UPDATE", "DELETE"))
    errors = played.lines[run, "ERROR"]
    others = played.lines[run, "WARNING"]
    done = results["created"] + results["updated"] + results["deleted"]
    broken = errors if not planned else 0
    assert results["failed"] == errors
    assert done + errors + others == planned + broken
    calls = Counter(what for who, what in played.order if who == run)
    assert results["updated"] <= calls["UpdateSchedule"]
    assert results["created"] <= calls["CreateSchedule"]


def _falls_between_look_and_write(played: Played) -> bool:
    """Tell if a run wrote after an edit what it had last looked at before: nobody can see that."""
    if OPERATOR not in dict(played.order):
        return False
    edit = [who for who, _ in played.order].index(OPERATOR)
    for run in RUNS:
        looks = [n for n, step in enumerate(played.order) if step == (run, "GetSchedule")]
        writes = [n for n, step in enumerate(played.order) if step == (run, "UpdateSchedule")]
        for write in writes:
            look = max((n for n in looks if n < write), default=-1)
            if look < edit < write:
                return True
    return False


def check_edit(meeting: Meeting, played: Played, group: Mapping[str, Any]) -> None:
    """Check that what an operator did is still there, unless the schedule was made anew."""
    anew = {"CreateSchedule", "DeleteSchedule"} & {what for _, what in played.order}
    if NAME not in group or anew:
        return
    live = group[NAME]
    is_edited = OPERATOR in dict(played.order)
    if meeting.live == "paused" or (meeting.edit == "pause" and is_edited):
        assert live["State"] == "DISABLED"
    if meeting.live == "with a queue" or (meeting.edit == "queue" and is_edited):
        assert live["Target"]["DeadLetterConfig"] == QUEUE


def check_end(stage: Stage, meeting: Meeting) -> None:
    """Check that one more run reaches what it wants, and that the next writes nothing."""
    queries = CONFIGURATIONS[meeting.second]
    before = dict(stage.scheduler.groups[GROUP])
    results = stage.run_alone(queries)
    group = dict(stage.scheduler.groups[GROUP])
    if meeting.second == "broken":
        assert (results, group) == (NOTHING_DONE | {"failed": 1}, before)
        return
    assert results["failed"] == 0
    wanted = {f"pn-{query_id}": query["schedule"] for query_id, query in queries.items()}
    assert {name: live["ScheduleExpression"] for name, live in group.items()} == wanted
    assert stage.run_alone(queries) == NOTHING_DONE
    assert stage.scheduler.groups[GROUP] == group


@contextlib.contextmanager
def staged() -> Iterator[Stage]:
    """Give a stage on which what happens depends on the choices alone."""
    logger = logging.getLogger("athena_schedule_manager")
    logger.setLevel(logging.INFO)
    made = Stage()
    logger.addHandler(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_calls, "THREADS", 1)
        patch.setattr(random, "sample", lambda population, _: list(population))
        yield made
    logger.removeHandler(made)
