"""What `make run` plays: the real handler against moto's server and a Git host, all on loopback.

Without an argument the story of the specification; with the path of a configuration, that one,
which is what `make run CONFIG=path VERBOSE=1` shows after its check.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
from moto.server import ThreadedMotoServer

from athena_schedule_manager._words import CannotReconcileError
from athena_schedule_manager.index import handler
from tests.world import GROUP, GitHost, clean_environment, document, settings_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_scheduler import EventBridgeSchedulerClient

REPORT = {"schedule": "cron(0 2 * * ? *)", "type": "export", "query": "SELECT 1"}
ALERT = {"schedule": "rate(6 hours)", "description": "Many refusals", "type": "alerts"}
WEEKLY = {"schedule": "cron(0 7 ? * MON *)", "timezone": "Europe/Rome", "type": "export"}
MAX_DELETIONS = 1

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


def main(arguments: list[str]) -> int:
    """Play the story, or the configuration named by the only argument; return the exit code."""
    project = os.environ.get("PROJECT_NAME", "") if arguments else ""
    clean_environment(os.environ)
    logging.basicConfig(stream=sys.stdout)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        with GitHost().running() as git_host:
            os.environ.update(settings_environment(git_host.url()), PROJECT_NAME=project)
            os.environ["AWS_ENDPOINT_URL"] = "http://{}:{}".format(*moto.get_host_and_port())
            return play_file(git_host, Path(arguments[0])) if arguments else play(git_host)
    finally:
        moto.stop()


def play(git_host: GitHost) -> int:
    """Play the specification's story, and more of it."""
    os.environ["MAX_DELETIONS"] = str(MAX_DELETIONS)
    for number, (title, queries, event) in enumerate(STORY, 1):
        os.environ["CONFIG_GIT_URL"] = git_host.publish({"queries": queries})
        run(f"{number}. {title}", f"run-{number}", event)
    return 0


def play_file(git_host: GitHost, path: Path) -> int:
    """Run on a file twice; fail if the second run still changes something."""
    try:
        git_host.answer(document(path.read_bytes()))
    except OSError as error:
        print(f"Cannot read CONFIG={path}: {error.strerror}", file=sys.stderr)
        return 2
    try:
        run(f"1. The schedules of {path.name} are created", "run-1")
        second = run("2. A second run has nothing to do", "run-2")
    except CannotReconcileError:
        return 1  # the log has said why
    if any(second[counter] for counter in ("created", "updated", "deleted")):
        print("The second run changed something: that is a bug.", file=sys.stderr)
        return 1
    return 0


def run(title: str, request_id: str, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Invoke the handler; its log lines appear between the title and what it returns."""
    print(f"\n=== {title}\n")
    if event:
        print(f"invoked with {json.dumps(event)}")
    results = handler(event, SimpleNamespace(aws_request_id=request_id))
    print(f"\nreturned {json.dumps(results, indent=2 if 'changes' in results else None)}\n")
    print(table(boto3.client("scheduler")))
    return results


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
