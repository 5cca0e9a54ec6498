"""A reconciliation in a process of its own, to run beside others and to be killed."""

from __future__ import annotations

import os
from typing import Any

from athena_schedule_manager.index import scheduler_client
from athena_schedule_manager.schedule_manager import Clock, ScheduleGroup, reconcile
from tests.world import SETTINGS, clean_environment


def run(endpoint: str, queries: dict[str, Any]) -> dict[str, int]:
    """Reconcile once; importable, so that a process can be made of it."""
    clean_environment(os.environ)
    os.environ["AWS_ENDPOINT_URL"] = endpoint
    group = ScheduleGroup(scheduler_client(), SETTINGS, Clock(lambda: 60.0))
    return reconcile(group, SETTINGS, queries, {})
