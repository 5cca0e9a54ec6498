"""The cases of `make bench`, each in a process of its own: the manager's and their references.

What Lambda does in its init phase, and what a case needs before it, is done before the word
"ready"; what is measured begins when standard input answers.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import resource
import ssl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from athena_schedule_manager import index
from athena_schedule_manager._calls import Clock, threads_for
from athena_schedule_manager._git import parse_config
from athena_schedule_manager._schedules import existing_schedule
from athena_schedule_manager.schedule_manager import (
    ScheduleGroup,
    apply_plan,
    make_plan,
    preview_plan,
)
from tests.world import EXECUTOR_ARN, GROUP, ROLE_ARN
from tests.world.bystander import reconcile
from tests.world.environment import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from athena_schedule_manager._schedules import ExistingSchedule
    from athena_schedule_manager.schedule_manager import Change

SQL = "SELECT paid, COUNT(*) FROM cdc_analytics_database.pn_timelines_json_view WHERE p_year = 1 "
DAILY, OTHER = "cron({} ? *)", "cron({} ? 2030)"
REFUSED = "at(" + " " * 80 + "1" * 80 + " " * 70 + "{}x)"  # after all that a check may cost
LARGEST = 8 * 2**20  # bytes of a document


def document(count: int, form: str = DAILY, sql: str = SQL * 4) -> bytes:
    """Return a configuration of so many queries, half a kilobyte each, no two alike."""
    query = {"description": "Daily", "type": "export", "query": sql}
    queries = {f"query-{n:05}": {"schedule": expression(n, form), **query} for n in range(count)}
    return json.dumps({"queries": queries}).encode()


def expression(number: int, form: str = DAILY) -> str:
    """Return the expression of a query; a year has enough minutes for as many as there can be."""
    hours, minute = divmod(number, 60)
    day, hour = divmod(hours, 24)
    month, day = divmod(day, 28)
    return form.format(f"{minute} {hour} {day + 1} {month + 1}")


def group(count: int) -> dict[str, Any]:
    """Return the schedules of that configuration, as the service has them."""
    return {name: schedule(name) for name in (f"pn-query-{n:05}" for n in range(count))}


def schedule(name: str) -> dict[str, Any]:
    """Return a schedule as the service has it."""
    return {
        "Arn": f"arn:aws:scheduler:eu-south-1:123456789012:schedule/{GROUP}/{name}",
        "Name": name,
        "GroupName": GROUP,
        "ScheduleExpression": expression(int(name[-5:])),
        "ScheduleExpressionTimezone": "UTC",
        "Description": "Daily",
        "State": "ENABLED",
        "ActionAfterCompletion": "NONE",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "CreationDate": 1.5,
        "LastModificationDate": 1.5,
        "Target": {
            "Arn": EXECUTOR_ARN,
            "RoleArn": ROLE_ARN,
            "Input": json.dumps({"query_id": name.removeprefix("pn-")}),
            "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
        },
    }


# --- The references


def names() -> list[str]:
    """List, with bare boto3."""
    pages = (
        index.environment.scheduler_client()
        .get_paginator("list_schedules")
        .paginate(GroupName=GROUP, NamePrefix="pn-", PaginationConfig={"PageSize": 100})
    )
    return [summary["Name"] for page in pages for summary in page["Schedules"]]


def read(name: str) -> object:
    """Read a schedule, with bare boto3."""
    return index.environment.scheduler_client().get_schedule(GroupName=GROUP, Name=name)


def serial(_: int) -> Callable[[], object]:
    """Read one schedule after another, as the original of this function did."""
    return lambda: [read(name) for name in names()]


def threads(count: int) -> Callable[[], object]:
    """Make the same calls over as many connections, and nothing with the answers."""

    def work() -> object:
        with ThreadPoolExecutor(threads_for(count)) as pool:
            return list(pool.map(read, names()))

    return work


def listing(count: int) -> Callable[[], object]:
    """List and parse the document, which is the least that any run does."""
    body = document(count)
    return lambda: (names(), json.loads(body))


def raw(count: int) -> Callable[[], object]:
    """Ask the same of as many connections without the SDK: not signed, one context for all."""

    def work() -> object:
        asked = RawConnections(os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_CA_BUNDLE"])
        with ThreadPoolExecutor(threads_for(count)) as pool:
            return list(pool.map(asked.read, asked.names()))

    return work


class RawConnections:
    """One connection for each thread, and one TLS context for all of them."""

    def __init__(self, url: str, bundle: str) -> None:
        """Take the server's URL, and the file of the authorities that vouch for it."""
        self._host = urlsplit(url).netloc
        self._context = ssl.create_default_context(cafile=bundle)
        self._local = threading.local()

    def names(self) -> list[str]:
        """List, page by page."""
        found, token = list[str](), ""
        while True:
            query = f"ScheduleGroup={GROUP}&NamePrefix=pn-&MaxResults=100{token}"
            page = self._ask(f"/schedules?{query}")
            found += [summary["Name"] for summary in page["Schedules"]]
            if "NextToken" not in page:
                return found
            token = f"&NextToken={quote(page['NextToken'], safe='')}"

    def read(self, name: str) -> object:
        """Read a schedule."""
        return self._ask(f"/schedules/{name}?groupName={GROUP}")

    def _ask(self, path: str) -> Any:
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPSConnection(self._host, context=self._context)
        self._local.connection.request("GET", path)
        return json.load(self._local.connection.getresponse())


# --- The manager


def run(body: bytes, memory: dict[str, ExistingSchedule]) -> dict[str, int]:
    """Do what an invocation does when it has fetched."""
    client = index.environment.scheduler_client()
    return reconcile(client, parse_config(body), memory, Clock(lambda: 3600.0))


def cold(count: int) -> Callable[[], object]:
    """Run in a new execution environment, with nothing to change."""
    body = document(count)
    return lambda: run(body, {})


def warm(count: int) -> Callable[[], object]:
    """Run again in the same execution environment, with nothing to change."""
    body, memory = document(count), dict[str, Any]()
    run(body, memory)
    return lambda: run(body, memory)


def creates(count: int) -> Callable[[], object]:
    """Create all schedules."""
    body = document(count)
    return lambda: run(body, {})


def updates(count: int) -> Callable[[], object]:
    """Update all schedules in a warm environment, where each is read again before its write."""
    memory = dict[str, Any]()
    run(document(count), memory)
    body = document(count, OTHER)
    return lambda: run(body, memory)


class LocalGroup(ScheduleGroup):
    """A schedule group that is there without a call: what is left is ours alone."""

    live: Sequence[str] = ()

    def list_dates(self) -> dict[str, datetime | None]:
        """Return the names, without dates."""
        return dict.fromkeys(self.live)

    def read_all(self, names: Sequence[str]) -> list[ExistingSchedule | Exception]:
        """Return the schedules as if read."""
        answers: Any = [{**schedule(name), "LastModificationDate": None} for name in names]
        return [existing_schedule(answer, 0.0) for answer in answers]

    def write_all(self, changes: Sequence[Change]) -> list[Exception | None]:
        """Write nothing, and succeed."""
        return [None] * len(changes)


def local_group(*live: str) -> LocalGroup:
    """Return such a group."""
    made = LocalGroup(
        index.environment.scheduler_client(), SETTINGS, Clock(lambda: 3600.0, sleep=lambda _: None)
    )
    made.live = live
    return made


def log_lines(count: int) -> Callable[[], object]:
    """Announce so many updates in the log, without their calls."""
    there = local_group(*group(count))
    plan = make_plan(there, parse_config(document(count, OTHER)), {})
    return lambda: apply_plan(there, plan)


def unusable(count: int) -> Callable[[], object]:
    """Run with so many unusable queries, each of which has its line."""
    body = document(count, REFUSED)
    there = local_group()
    return lambda: apply_plan(there, make_plan(there, parse_config(body), {}))


def large(count: int) -> Callable[[], object]:
    """Parse the largest document, and plan."""
    body = document(count, sql="S" * (LARGEST // count - 150))
    there = local_group(*group(count))
    return lambda: make_plan(there, parse_config(body), {})


def tiny(count: int) -> Callable[[], object]:
    """Preview so many small queries, all of which exist and have been read: what memory holds."""
    body = document(count, sql="")
    there = local_group(*(f"pn-query-{n:05}" for n in range(count)))
    return lambda: preview_plan(make_plan(there, parse_config(body), {}))


_REFERENCES = (serial, threads, raw, listing)
_OURS = (cold, warm, creates, updates, log_lines, unusable, large, tiny)
CASES_OF_OURS = {case.__name__ for case in _OURS}
CASES: dict[str, Callable[[int], Callable[[], object]]] = {
    case.__name__: case for case in (*_REFERENCES, *_OURS)
}


def measure_here(case: str, count: int) -> None:
    """Measure a case in this process when the parent says so, and print the result."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - it is no file
        logging.basicConfig(stream=nowhere)
        index.set_up_logging("request")
        if case in CASES_OF_OURS:
            index.environment.initialise({"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"})
        index.environment.scheduler_client()  # made before the clock starts, as in Lambda
        work = CASES[case](count)
        print("ready", flush=True)
        sys.stdin.readline()
        wall, processor = time.perf_counter(), time.process_time()
        work()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(json.dumps([wall, processor, peak_memory()]), flush=True)


def peak_memory() -> int:
    """Return this process's largest size in kilobytes, and not its parent's where that is known."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    measure_here(sys.argv[1], int(sys.argv[2]))
