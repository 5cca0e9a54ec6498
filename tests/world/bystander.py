"""A reconciliation in a process of its own, to run beside others and to be killed."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from athena_schedule_manager import index
from athena_schedule_manager._calls import Clock
from athena_schedule_manager.schedule_manager import ScheduleGroup, apply_plan, make_plan
from tests.world.environment import SETTINGS, clean_environment

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from athena_schedule_manager._schedules import ExistingSchedule


def reconcile(
    client: EventBridgeSchedulerClient,
    queries: dict[str, Any],
    memory: dict[str, ExistingSchedule],
    clock: Clock | None = None,
) -> dict[str, int]:
    """Do what an invocation does when it has fetched."""
    group = ScheduleGroup(client, SETTINGS, clock or Clock(lambda: 60.0))
    return apply_plan(group, make_plan(group, queries, memory))


def run(endpoint: str, queries: dict[str, Any], kill_at: int = 0) -> dict[str, int]:
    """Reconcile once; be killed instead of the n-th call of the API, if there is a number."""
    clean_environment(os.environ)
    os.environ["AWS_ENDPOINT_URL"] = endpoint
    client = index.environment.scheduler_client()
    calls = 0

    def count(**_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    events: Any = client.meta.events
    events.register("before-send.scheduler", count, unique_id="count")
    try:
        return reconcile(client, queries, {})
    finally:
        events.unregister("before-send.scheduler", unique_id="count")
