"""The IAM actions of the calls that the manager makes, as a run of each kind makes them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import boto3

from tests.world.bystander import reconcile
from tests.world.environment import OTHER_CRON, QUERIES, REGION
from tests.world.faults import Faults
from tests.world.model import Scheduler

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


@functools.cache
def scheduler_actions() -> AbstractSet[str]:
    """Return the actions of a run that makes the group, creates, reads, updates and deletes."""
    client: Any = boto3.client("scheduler", region_name=REGION)
    faults = Faults(client, Scheduler())
    memory: dict[str, Any] = {}
    for queries in (QUERIES, {"daily-report": {"schedule": OTHER_CRON}}, {}):
        reconcile(client, queries, memory)
    return frozenset(f"scheduler:{call}" for call in faults.calls)
