"""What `make bench` prints: the manager beside references that do the same work, in one run.

Every case runs in a process of its own, against the model of the Scheduler in another, so that
time, processor time and memory are those of the case alone. Ratios are what counts; absolute times
on a shared machine mean little.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from athena_schedule_manager import index
from athena_schedule_manager._calls import Clock
from athena_schedule_manager._git import parse_config
from tests.world import CRON, EXECUTOR_ARN, GROUP, OTHER_CRON, ROLE_ARN, clean_environment
from tests.world.bystander import reconcile
from tests.world.model_server import RemoteScheduler, model_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from athena_schedule_manager.schedule_manager import ExistingSchedule

SQL = "SELECT paid, COUNT(*) FROM cdc_analytics_database.pn_timelines_json_view WHERE p_year = 1 "
SIZES = (100, 1_000, 10_000)
LATENCIES = (0.0, 0.02)
READ_QUOTA = 250


def document(count: int, cron: str = CRON) -> bytes:
    """Return a configuration of so many queries, half a kilobyte each."""
    query = {"schedule": cron, "description": "Daily", "type": "export", "query": SQL * 4}
    return json.dumps({"queries": {f"query-{n:05}": query for n in range(count)}}).encode()


def group(count: int) -> dict[str, Any]:
    """Return the schedules of that configuration, as the service has them."""
    return {name: schedule(name) for name in (f"pn-query-{n:05}" for n in range(count))}


def schedule(name: str) -> dict[str, Any]:
    """Return a schedule as the service has it."""
    return {
        "Arn": f"arn:aws:scheduler:eu-south-1:123456789012:schedule/{GROUP}/{name}",
        "Name": name,
        "GroupName": GROUP,
        "ScheduleExpression": CRON,
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


# --- The cases, each in a process of its own


def run(body: bytes, memory: dict[str, ExistingSchedule]) -> dict[str, int]:
    """Do what an invocation does when it has fetched."""
    client = index.environment.scheduler_client()
    return reconcile(client, parse_config(body), memory, Clock(lambda: 3600.0))


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


def threads(_: int) -> Callable[[], object]:
    """Make the same calls from sixteen threads, and nothing with the answers."""

    def work() -> object:
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(read, names()))

    return work


def listing(count: int) -> Callable[[], object]:
    """List and parse the document, which is the least that any run does."""
    body = document(count)
    return lambda: (names(), json.loads(body))


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
    """Update all schedules, in a warm environment."""
    memory = dict[str, Any]()
    run(document(count), memory)
    body = document(count, OTHER_CRON)
    return lambda: run(body, memory)


CASES: dict[str, Callable[[int], Callable[[], object]]] = {
    case.__name__: case for case in (serial, threads, listing, cold, warm, creates, updates)
}


@dataclass(frozen=True)
class Measured:
    """What a case took."""

    wall: float  # seconds
    processor: float  # seconds
    calls: int
    memory: int  # bytes at the peak


def measure_here(case: str, count: int, url: str) -> None:
    """Measure a case in this process, and print the result."""
    clean_environment(os.environ)
    os.environ["AWS_ENDPOINT_URL"] = url
    logging.getLogger("athena_schedule_manager").setLevel(logging.ERROR)
    index.environment.scheduler_client()  # before the clock starts, as in Lambda
    work = CASES[case](count)
    server = RemoteScheduler(url)
    before = server.calls()
    wall, processor = time.perf_counter(), time.process_time()
    work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps([wall, processor, server.calls() - before, peak]))


# --- The parent


def measure(
    server: RemoteScheduler, case: str, count: int, latency: float = 0.0, quota: float = 0.0
) -> Measured:
    """Measure a case in a process of its own."""
    existing = {} if case == "creates" else group(count)
    server.control(latency=latency, quota=quota, groups={GROUP: existing})
    command = [sys.executable, "-m", "tests.tools.bench", case, str(count), server.url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours
    return Measured(*json.loads(output))


def import_seconds(module: str) -> float:
    """Return how long an import takes in a new interpreter, the best of five."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    outputs = [subprocess.check_output(command, text=True) for _ in range(5)]  # noqa: S603 - ours
    return min(float(output) for output in outputs)


def row(*cells: object) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def table(server: RemoteScheduler) -> dict[tuple[str, int, float], Measured]:
    """Measure all cases and print them, each beside the reference of its size and latency."""
    found = {}
    row("schedules", "latency", "case", "seconds", "processor", "calls", "peak MB", "times serial")
    row("---:", "---:", "---", "---:", "---:", "---:", "---:", "---:")
    for count in SIZES:
        for latency in LATENCIES:
            for case in CASES:
                if case in {"creates", "updates"} and count != 1_000:
                    continue
                got = found[case, count, latency] = measure(server, case, count, latency)
                faster = found["serial", count, latency].wall / got.wall
                cells = (f"{got.wall:.2f}", f"{got.processor:.2f}", got.calls, got.memory >> 20)
                row(count, f"{latency * 1000:.0f} ms", case, *cells, f"{faster:.1f}")
    return found


def reach(server: RemoteScheduler, found: dict[tuple[str, int, float], Measured]) -> None:
    """Print what was to be reached beside what was."""

    def at(case: str, count: int = 1_000, latency: float = 0.02) -> Measured:
        return found[case, count, latency]

    writes = 1_000 * 0.02 / 16
    quota = measure(server, "cold", 1_500, quota=READ_QUOTA)
    imports = import_seconds("athena_schedule_manager.index") / import_seconds("boto3")
    row("what", "bound", "measured")
    row("---", "---:", "---:")
    for what, bound, got in (
        ("cold, 20 ms: times serial", "≥ 12", at("serial").wall / at("cold").wall),
        ("warm, 20 ms: times serial", "≥ 60", at("serial").wall / at("warm").wall),
        ("warm, 20 ms: of its listing", "≤ 1.8", at("warm").wall / at("listing").wall),
        ("1,000 updates, 20 ms: of 1,000 x 20 ms / 16", "≤ 1.7", at("updates").wall / writes),
        ("1,500 reads at 250/s: of the quota's time", "≤ 1.5", quota.wall / (1_500 / READ_QUOTA)),
        (
            "cold, processor: of bare boto3 threads",
            "≤ 1.35",
            at("cold", latency=0.0).processor / at("threads", latency=0.0).processor,
        ),
        (
            "warm, processor: of listing and JSON parse",
            "≤ 2",
            at("warm", latency=0.0).processor / at("listing", latency=0.0).processor,
        ),
        ("10,000 schedules: peak MB", "< 180", at("cold", 10_000).memory / 2**20),
        ("import: of `import boto3`", "≤ 1.5", imports),
    ):
        row(what, bound, f"{got:.2f}")


def main() -> None:
    """Print both tables."""
    print(f"\nPython {platform.python_version()}, {os.cpu_count()} cores, {time.strftime('%F')}\n")
    with model_server() as server:
        found = table(server)
        print()
        reach(server, found)


if __name__ == "__main__":
    if sys.argv[1:]:
        measure_here(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    else:
        main()
