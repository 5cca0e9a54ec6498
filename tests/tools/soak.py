"""What `make soak` does, another part each round, until the time is over.

Random worlds, kills, and two runs at once in every order of their calls.

Each round is a process of its own; every third has a seventh of a core, as at 256 MB of memory, and
a run that must come back in time though it has more to do than that allows.
"""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
import time

from hypothesis import given, seed, settings

from athena_schedule_manager import index
from athena_schedule_manager._calls import Clock
from tests.tools.share import limited
from tests.world import bystander, clean_environment, draws
from tests.world.environment import CRON, FIGURES, OTHER_CRON, TRIED
from tests.world.interleavings import all_meetings, check, staged
from tests.world.kills import CALLS, fork_server, survive_a_kill
from tests.world.model_server import model_server
from tests.world.random_worlds import RULES, live_through, reconciling

SEVENTH = 1 / 7
WORLDS = 500
KILLS = 10
MEETINGS = 60  # of 400
MANY, SECONDS = 1_000, 10.0  # schedules that all differ, and what a hurried run has for them


def worlds(number: int, count: int) -> None:
    """Live through random worlds that no other round has had."""
    with reconciling() as reconciler:

        @seed(number)
        @settings(RULES, max_examples=count)
        @given(world=draws.worlds)
        def round_of_worlds(world: draws.RandomWorld) -> None:
            live_through(reconciler, world)

        round_of_worlds()


def kills(number: int) -> None:
    """Survive kills at random calls; counted are those between the first and the last write."""
    dice = random.Random(number)  # noqa: S311 - repeatable on purpose
    with model_server() as remote:
        for _ in range(KILLS):
            survive_a_kill(remote, fork_server(), dice.randint(2, CALLS))


def meet(number: int, share: float) -> None:
    """Let two runs meet in all orders: a part of the meetings, another one in each round."""
    meetings = all_meetings()
    random.Random(number).shuffle(meetings)  # noqa: S311 - repeatable on purpose
    with staged() as stage:
        for meeting in meetings[: round(MEETINGS * share)]:
            check(stage, meeting)


def hurry() -> None:
    """Check that a run whose clock ends it returns in time, with each schedule in a counter."""
    with model_server() as remote:
        queries = {f"q{number}": {"schedule": CRON} for number in range(MANY)}
        os.environ["AWS_ENDPOINT_URL"] = remote.url
        index.environment = index.ExecutionEnvironment()
        client = index.environment.scheduler_client()
        bystander.reconcile(client, queries, {}, Clock(lambda: 600.0))
        end = time.monotonic() + SECONDS
        changed = {name: {"schedule": OTHER_CRON} for name in queries}
        clock = Clock(lambda: end - time.monotonic())
        results = bystander.reconcile(client, changed, {}, clock)
        assert time.monotonic() < end
        assert (sum(results.values()), results["failed"] > 0) == (MANY, True), results
        TRIED["hurried runs"] += 1


def live_a_round(number: int, share: float) -> None:
    """Do what a round does, and print how much that was."""
    clean_environment(os.environ)
    logger = logging.getLogger("athena_schedule_manager")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    worlds(number, round(WORLDS * share))
    kills(number)
    meet(number, share)
    if share < 1:
        hurry()
    print(json.dumps(TRIED))


def main(seconds: float) -> None:
    """Go on until the time is over, or until something does not hold."""
    began = time.monotonic()
    first = random.randrange(2**32)  # noqa: S311 - the first of a series of seeds
    number = first
    while time.monotonic() - began < seconds:
        share = SEVENTH if number % 3 == first % 3 else 1.0
        command = [sys.executable, "-m", "tests.tools.soak", str(number), str(share)]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,  # noqa: S603 - ours
            limited(process.pid, share) as how,
        ):
            where = f" at a seventh of a core by {how}" if how else ""
            print(f"round {number}{where}: ", end="", flush=True)
            text, _ = process.communicate()
        if process.returncode:
            again = " ".join(["python", *command[1:]])
            sys.exit(f"something does not hold; to see it again: {again}")
        TRIED.update(json.loads(text))
        figures = ", ".join(f"{TRIED[name]:,} {name}" for name in (*FIGURES, "hurried runs"))
        print(f"{figures} in {time.monotonic() - began:.0f} s", flush=True)
        number += 1


if __name__ == "__main__":
    if len(sys.argv) == 2:
        main(float(sys.argv[1]))
    else:
        live_a_round(int(sys.argv[1]), float(sys.argv[2]))
