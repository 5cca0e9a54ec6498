"""What `make bench` prints: the manager beside references that do the same work, in one run.

Every case runs in a process of its own (`cases`) against the model of the Scheduler in another,
over TLS and on the share of a core that a memory buys, so that time, processor time and memory are
those of the case alone. Ratios are what counts: absolute times on a shared machine mean little.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.tools.cases import group
from tests.tools.share import WHOLE_CORE, limited
from tests.world import GROUP, clean_environment
from tests.world.model_server import tls_model_server

if TYPE_CHECKING:
    from tests.world.model_server import RemoteScheduler

SMALL, DEFAULT = 256, 512  # megabytes of memory
CLOCK = 240  # seconds that an invocation has
LATENCY = 0.02  # seconds
QUOTA = 250  # calls a second
OUTAGE = 2.0  # seconds
MEMORIES = (128, SMALL, DEFAULT, 1_024, WHOLE_CORE)
CURVE = (("cold", 10), ("warm", 10), ("cold", 1_000), ("warm", 1_000))
RUNS = 12 * 24 * 30  # in a month
PRICE = 0.0000133334  # dollars for a GB-second on arm64 in us-east-1; other Regions differ a little
WITHOUT_SCHEDULES = {"creates", "log_lines", "unusable", "large", "tiny"}


@dataclass(frozen=True)
class Case:
    """What is measured, and under which conditions."""

    name: str
    count: int
    memory: int = WHOLE_CORE
    latency: float = LATENCY
    quota: float = 0.0
    outage: float = 0.0
    hanging: int = 0

    @property
    def share(self) -> float:
        """The share of a core that the memory buys."""
        return self.memory / WHOLE_CORE

    @property
    def times(self) -> int:
        """How often it is measured, on a machine that others use, too; the best counts."""
        if self.hanging:
            return 1  # it takes the patience
        whole = self.memory == WHOLE_CORE and self.count < 10_000 and self.name != "serial"
        return 3 if whole or self.count <= 100 else 1

    @property
    def title(self) -> str:
        """The case's name with its conditions."""
        conditions = [f"at {self.quota:.0f}/s"] * bool(self.quota)
        conditions += [f"{self.outage:.0f} s of outage"] * bool(self.outage)
        conditions += [f"{self.hanging} of them hanging"] * bool(self.hanging)
        return ", ".join([self.name.replace("_", " "), *conditions])


CASES = (
    *(Case(name, 10, SMALL) for name in ("serial", "threads", "raw", "listing", "cold", "warm")),
    *(Case(name, 100, SMALL) for name in ("serial", "cold", "warm")),
    *(Case(name, 1_000) for name in ("serial", "threads", "raw", "listing", "cold", "warm")),
    *(Case(name, 1_000) for name in ("creates", "updates")),
    Case("cold", 1_000, outage=OUTAGE),
    Case("cold", 20, hanging=2),
    *(Case(name, 1_000, DEFAULT) for name in ("cold", "warm")),
    *(Case(name, 10_000, DEFAULT) for name in ("listing", "cold", "warm")),
    Case("cold", 1_500, quota=QUOTA, latency=0.0),
    Case("cold", 10_000, quota=QUOTA, latency=0.0),
    Case("log_lines", 10_000, DEFAULT),
    Case("unusable", 5_000, DEFAULT),
    Case("large", 1_000, DEFAULT),
    Case("tiny", 50_000, DEFAULT),
    *(Case(*of, memory) for memory in MEMORIES for of in CURVE),
)


@dataclass(frozen=True)
class Measured:
    """What a case took."""

    wall: float  # seconds
    processor: float  # seconds
    peak: float  # megabytes
    calls: int
    how: str  # the share was held: cgroup, stops, or nothing for a whole core

    @property
    def cells(self) -> tuple[object, ...]:
        """What its row shows."""
        return f"{self.wall:.2f}", f"{self.processor:.3f}", self.calls, f"{self.peak:.0f}"


def measure(server: RemoteScheduler, case: Case) -> Measured:
    """Measure a case in a process of its own."""
    groups = {GROUP: {} if case.name in WITHOUT_SCHEDULES else group(case.count)}
    command = [sys.executable, "-m", "tests.tools.cases", case.name, str(case.count)]
    with subprocess.Popen(  # noqa: S603 - ours
        command,
        env={**os.environ, "AWS_ENDPOINT_URL": server.url, "AWS_CA_BUNDLE": server.bundle},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        server.control(latency=0.0, groups=groups)
        process.stdout.readline()
        conditions = {"latency": case.latency, "quota": case.quota, "outage": case.outage}
        server.control(**conditions, hanging=case.hanging, groups=groups)
        with limited(process.pid, case.share) as how:
            print(file=process.stdin, flush=True)
            wall, processor, peak = json.loads(process.stdout.readline())
            process.wait()
    return Measured(wall, processor, peak / 1024, server.calls(), how)


def row(*cells: object) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def table(server: RemoteScheduler) -> dict[Case, Measured]:
    """Measure all cases and print them."""
    found = {}
    row("schedules", "memory", "core", "case", "seconds", "processor", "calls", "peak MB")
    row("---:", "---:", "---:", "---", "---:", "---:", "---:", "---:")
    for case in dict.fromkeys(CASES):
        tries = [measure(server, case) for _ in range(case.times)]
        processor = min(tried.processor for tried in tries)
        best = min(tries, key=lambda tried: tried.wall)
        got = found[case] = replace(best, processor=processor)
        conditions = (case.count, f"{case.memory} MB", f"{case.share:.3f}", case.title)
        row(*conditions, *got.cells)
    return found


def memory_curve(found: dict[Case, Measured]) -> None:
    """Print what each memory buys, in seconds that were measured, and what it costs, computed."""
    row("memory", *(f"{name} {count:,}, s" for name, count in CURVE), "$ a month, 10", "1,000")
    row(*["---:"] * 7)
    for memory in MEMORIES:
        walls = [found[Case(*of, memory)].wall for of in CURVE]
        dollars = [wall * memory / 1024 * PRICE * RUNS for wall in (walls[1], walls[3])]
        row(f"{memory} MB", *(f"{wall:.2f}" for wall in walls), *(f"{d:.3f}" for d in dollars))


# --- What was to be reached


@dataclass(frozen=True)
class Bound:
    """A bound beside what was measured."""

    what: str
    bound: float
    got: float
    least: bool = False  # the bound is the least that is to be reached, not the most

    @property
    def is_met(self) -> bool:
        """Tell if it is kept."""
        return self.got >= self.bound if self.least else self.got <= self.bound

    @property
    def cells(self) -> tuple[str, ...]:
        """What its row shows."""
        bound = f"{'≥' if self.least else '≤'} {self.bound:g}"
        return self.what, bound, f"{self.got:.2f}", "met" if self.is_met else "MISSED"


def import_seconds(*modules: str) -> list[float]:
    """Return the processor time of each import in a new interpreter, the best of nine, in turn."""
    code = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"
    commands = [[sys.executable, "-c", code.format(module)] for module in modules]
    outputs = [[subprocess.check_output(command) for command in commands] for _ in range(9)]  # noqa: S603 - ours
    return [min(map(float, output)) for output in zip(*outputs, strict=True)]


def bounds_of_time(found: dict[Case, Measured]) -> list[Bound]:
    """Compare elapsed time."""

    def wall(name: str, count: int = 1_000, memory: int = WHOLE_CORE) -> float:
        return found[Case(name, count, memory)].wall

    half = wall("cold", 10_000, DEFAULT) / CLOCK
    outage = found[Case("cold", 1_000, outage=OUTAGE)].wall - wall("cold")
    throttled = {case.count: got.wall * QUOTA for case, got in found.items() if case.quota}
    return [
        Bound(
            "cold 1,000, whole core: times serial", 12, wall("serial") / wall("cold"), least=True
        ),
        Bound("warm 1,000, whole core: of its listing", 1.25, wall("warm") / wall("listing")),
        Bound(f"cold 10,000, {DEFAULT} MB: of the clock of {CLOCK} s", 0.5, half),
        Bound("1,500 reads at 250/s: of the quota's time", 1.3, throttled[1_500] / 1_500),
        Bound("10,000 reads at 250/s: of the quota's time", 1.15, throttled[10_000] / 10_000),
        Bound("outage of 2 s at 1,000: seconds more", OUTAGE + 3, outage),
    ]


def bounds_of_work(found: dict[Case, Measured]) -> list[Bound]:
    """Compare processor time and memory, which the share does not change."""

    def work(name: str, count: int = 1_000, memory: int = WHOLE_CORE) -> float:
        return found[Case(name, count, memory)].processor

    growth = work("cold", 10_000, DEFAULT) / work("cold", 1_000, DEFAULT)
    peak, tiny = (found[Case(*of, DEFAULT)].peak for of in (("cold", 10_000), ("tiny", 50_000)))
    ours, sdk = import_seconds("athena_schedule_manager.index", "boto3")
    small = work("cold", 10, SMALL) / work("serial", 10, SMALL)
    return [
        Bound("cold 10, processor: of serial, bare boto3", 1.6, small),
        Bound("cold, processor: of threads, bare boto3", 1.15, work("cold") / work("threads")),
        Bound("warm, processor: of its listing", 1.4, work("warm") / work("listing")),
        Bound("growth from 1,000 to 10,000, processor", 10.5, growth),
        Bound("10,000 schedules: peak MB", 150, peak),
        Bound("50,000 tiny queries: peak MB", DEFAULT, tiny),
        Bound("import, processor: of `import boto3`", 1.1, ours / sdk),
    ]


def main() -> int:
    """Print both tables; return 1 if a bound is missed."""
    clean_environment(os.environ)
    print(f"\nPython {platform.python_version()}, {os.cpu_count()} cores, {time.strftime('%F')}")
    print(f"TLS on loopback, {LATENCY * 1000:.0f} ms a call except at a quota\n")
    with tls_model_server() as server:
        found = table(server)
    if any(measured.how == "stops" for measured in found.values()):
        print("\nNOTE: no cgroup can be made here; the share is held by stopping the process, so")
        print("that seconds (not processor time) on less than a core are longer than in Lambda.")
    print(f"\nWhat memory buys; its cost is computed: {RUNS:,} warm runs at ${PRICE} a GB-second\n")
    memory_curve(found)
    print()
    row("what", "bound", "measured", "")
    row("---", "---:", "---:", "---")
    bounds = bounds_of_time(found) + bounds_of_work(found)
    for bound in bounds:
        row(*bound.cells)
    return 0 if all(bound.is_met for bound in bounds) else 1


if __name__ == "__main__":
    sys.exit(main())
