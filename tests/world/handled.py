"""A whole world: the real handler between a Git host and a mocked Scheduler."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from athena_schedule_manager.index import handler
from tests.world.environment import CRON, EXECUTOR_ARN, GROUP, ROLE_ARN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from tests.world.faults import Faults
    from tests.world.git_host import GitHost
    from tests.world.virtual_time import VirtualTime


@dataclass
class World:
    """The real handler between a Git host and a mocked Scheduler."""

    git_host: GitHost
    client: EventBridgeSchedulerClient
    """For arranging and looking; it meets no faults."""
    faults: Faults
    time: VirtualTime

    @property
    def pauses(self) -> list[float]:
        """The pauses that the manager would have made."""
        return self.time.pauses

    def run(
        self,
        queries: object = None,
        left: Callable[[], float] = lambda: 240.0,
        event: object = None,
    ) -> dict[str, Any]:
        """Invoke the handler, with a document of these queries unless None."""
        if queries is not None:
            self.git_host.publish({"queries": queries})
        self.faults.calls.clear()
        self.faults.requests.clear()
        context = SimpleNamespace(
            aws_request_id="request-id", get_remaining_time_in_millis=lambda: int(left() * 1000)
        )
        return handler({} if event is None else event, context)

    def create_group(self, name: str = GROUP) -> None:
        """Make a schedule group by hand; never one that exists, for moto would empty it."""
        self.client.create_schedule_group(Name=name)

    def create(self, name: str, group: str = GROUP, **overrides: Any) -> None:
        """Create a schedule by hand, as the manager would for a query, save for the overrides."""
        try:
            self.client.get_schedule_group(Name=group)
        except self.client.exceptions.ResourceNotFoundException:
            self.create_group(group)
        target: Mapping[str, Any] = overrides.pop("Target", {})
        self.client.create_schedule(
            **{
                "Name": name,
                "GroupName": group,
                "ScheduleExpression": CRON,
                "ScheduleExpressionTimezone": "UTC",
                "Description": "Managed by Athena Schedule Manager",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {
                    "Arn": EXECUTOR_ARN,
                    "RoleArn": ROLE_ARN,
                    "Input": json.dumps({"query_id": name.removeprefix("pn-")}),
                    **target,
                },
                **overrides,
            }
        )

    def many(self, cron: str, count: int) -> dict[str, dict[str, str]]:
        """Make so many schedules in the strict model at once; return queries that want CRON."""
        assert self.faults.scheduler
        self.create("pn-0", ScheduleExpression=cron)
        group = self.faults.scheduler.groups[GROUP]
        first = group["pn-0"]
        for number in range(count):
            name, own = f"pn-{number}", {"Input": json.dumps({"query_id": str(number)})}
            target, arn = first["Target"] | own, f"{first['Arn']}-{number:04}"
            group[name] = first | {"Name": name, "Arn": arn, "Target": target}
        return {str(number): {"schedule": CRON} for number in range(count)}

    def left_for(self, calls: int) -> Callable[[], float]:
        """Return a clock that stands still until the run has made so many calls, and then ends."""
        return lambda: 60.0 if len(self.faults.calls) < calls else 4.9

    def live(self) -> dict[str, dict[str, Any]]:
        """Return all schedules of all groups, by group/name, without what any update changes."""
        found = {}
        for page in self.client.get_paginator("list_schedules").paginate():
            for summary in page["Schedules"]:
                group, name = summary["GroupName"], summary["Name"]
                schedule: dict[str, Any] = {**self.client.get_schedule(GroupName=group, Name=name)}
                for key in ("ResponseMetadata", "LastModificationDate"):
                    schedule.pop(key, None)
                found[f"{group}/{name}"] = schedule
        return found

    def ours(self) -> dict[str, str]:
        """Return the expressions of the group's schedules by name."""
        prefix = f"{GROUP}/"
        return {
            key.removeprefix(prefix): schedule["ScheduleExpression"]
            for key, schedule in self.live().items()
            if key.startswith(prefix)
        }
