"""Runs that are killed at a call of the API, and what the next run makes of it."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Any

from tests.world import bystander
from tests.world.environment import CRON, GROUP, NOTHING_DONE, OTHER_CRON, TRIED

if TYPE_CHECKING:
    from tests.world.model_server import RemoteScheduler

CALLS = 1 + 20 + 20 + 10  # a listing, reads, creates and updates, deletes
NAMES = [f"q{number:02}" for number in range(40)]
OLD = {name: {"schedule": CRON} for name in NAMES[:30]}
# ten schedules are created, ten updated, ten deleted, and ten stay
NEW = {name: {"schedule": OTHER_CRON if name < "q20" else CRON} for name in NAMES[10:]}
WANTED = {f"pn-{query_id}": query["schedule"] for query_id, query in NEW.items()}


def fork_server() -> Any:
    """Return what makes processes quickly: forks of a server that has imported all it needs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.world.bystander"])
    return context


def expressions(remote: RemoteScheduler) -> dict[str, str]:
    """Return the expressions of the group's schedules by name."""
    group = remote.groups().get(GROUP, {})
    return {name: schedule["ScheduleExpression"] for name, schedule in group.items()}


def survive_a_kill(remote: RemoteScheduler, processes: Any, call: int) -> bool:
    """Kill a run at its n-th call, check that the next one makes all as wanted.

    Return whether the kill came after the first write and before the last one.
    """
    remote.control()
    bystander.run(remote.url, OLD)
    before = remote.groups()
    process = processes.Process(target=bystander.run, args=(remote.url, NEW, call))
    process.start()
    process.join()
    left = expressions(remote)
    assert left.keys() >= {f"pn-{name}" for name in NAMES[10:30]}
    amid = remote.groups() != before and left != WANTED
    bystander.run(remote.url, NEW)
    assert expressions(remote) == WANTED
    assert bystander.run(remote.url, NEW) == NOTHING_DONE
    TRIED["kills"] += amid
    return amid
