"""What `make run` plays: the real handler against moto's server and a Git host, all on loopback."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import textwrap
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
from moto.server import ThreadedMotoServer

from athena_schedule_manager.index import handler
from tests.world import GROUP, GitHost, clean_environment, settings_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_scheduler import EventBridgeSchedulerClient

REPORT = {"schedule": "cron(0 2 * * ? *)", "type": "export", "query": "SELECT 1"}
ALERT = {"schedule": "rate(6 hours)", "description": "Many refusals", "type": "alerts"}
WEEKLY = {"schedule": "cron(0 7 ? * MON *)", "timezone": "Europe/Rome", "type": "export"}
MAX_DELETIONS = 1
COLUMNS = 100
PATH = "/c.json?ref={sha}"  # a short one; what is behind the ? is not shown

STORY: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "Three queries are added",
        {"daily-report": REPORT, "refusals-alert": ALERT, "weekly-report": WEEKLY},
        {},
    ),
    (
        "Nothing has changed",
        {"daily-report": REPORT, "refusals-alert": ALERT, "weekly-report": WEEKLY},
        {},
    ),
    (
        "The cron of one is changed, one is paused, and another's is broken by a typo",
        {
            "daily-report": REPORT | {"schedule": "cron(0 3 * * ? *)"},
            "refusals-alert": ALERT | {"schedule": "cron(0 6 * * *)"},
            "weekly-report": WEEKLY | {"enabled": False},
        },
        {},
    ),
    (
        "The typo is corrected, and the daily report removed",
        {"refusals-alert": ALERT, "weekly-report": WEEKLY},
        {},
    ),
    ("A dry run: what would come of an empty document?", {}, {"dry_run": True}),
    ("It is published all the same, and the deletion limit holds", {}, {}),
    ("That was meant: the limit is lifted for one run", {}, {"max_deletions": 2}),
]


class Narrow(io.TextIOBase):
    """Standard output, on which long lines of the log go on indented."""

    def write(self, text: str) -> int:
        """Print the lines."""
        for line in text.splitlines():
            print("\n".join(textwrap.wrap(line, COLUMNS, subsequent_indent="    ")))
        return len(text)

    def flush(self) -> None:
        """Show what is printed."""
        sys.stdout.flush()


def main(_: list[str]) -> int:
    """Play the story; return the exit code."""
    clean_environment(os.environ)
    logging.basicConfig(stream=Narrow())
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        with GitHost().running() as git_host:
            os.environ.update(settings_environment(""), MAX_DELETIONS=str(MAX_DELETIONS))
            os.environ["AWS_ENDPOINT_URL"] = "http://{}:{}".format(*moto.get_host_and_port())
            for number, (title, queries, event) in enumerate(STORY, 1):
                os.environ["CONFIG_GIT_URL"] = git_host.publish({"queries": queries}, PATH)
                run(f"{number}. {title}", f"run-{number}", event)
    finally:
        moto.stop()
    return 0


def run(title: str, request_id: str, event: Mapping[str, Any] | None = None) -> None:
    """Invoke the handler; its log lines appear between the title and what it returns."""
    print(f"\n=== {title}\n")
    if event:
        print(f"invoked with {json.dumps(event)}")
    results = handler(event, SimpleNamespace(aws_request_id=request_id))
    changes = results.pop("changes", [])
    and_changes = f', and the {len(changes)} lines above as "changes"' if changes else ""
    print(f"\nreturned {json.dumps(results)}{and_changes}\n")
    print(table(boto3.client("scheduler")))


def table(client: EventBridgeSchedulerClient) -> str:
    """Return the schedules that exist, in columns."""
    rows = [("NAME", "EXPRESSION", "STATE", "TARGET"), *schedules(client)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def schedules(client: EventBridgeSchedulerClient) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, expression, state and target of the schedules in the group, by name."""
    pages = client.get_paginator("list_schedules").paginate(GroupName=GROUP)
    for name in sorted(summary["Name"] for page in pages for summary in page["Schedules"]):
        schedule = client.get_schedule(GroupName=GROUP, Name=name)
        target = schedule["Target"]["Arn"].rpartition(":")[2]
        yield name, schedule["ScheduleExpression"], schedule["State"], target
