"""What `make soak` does: random worlds and kills, other ones each round, until the time is over."""

from __future__ import annotations

import logging
import os
import random
import sys
import time

from hypothesis import given, seed, settings

from tests.world import clean_environment
from tests.world.environment import TRIED
from tests.world.kills import CALLS, fork_server, survive_a_kill
from tests.world.model_server import model_server
from tests.world.random_worlds import RULES, WORLD, live_through, reconciling

WORLDS = 500
KILLS = 10


def worlds(number: int) -> None:
    """Live through random worlds that no other round has had."""
    with reconciling() as reconciler:

        @seed(number)
        @settings(RULES, max_examples=WORLDS)
        @given(**WORLD)
        def round_of_worlds(**world: object) -> None:
            live_through(reconciler, **world)  # type: ignore[arg-type] # as drawn

        round_of_worlds()


def kills(number: int) -> None:
    """Survive kills at random calls; counted are those between the first and the last write."""
    dice = random.Random(number)  # noqa: S311 - repeatable on purpose
    with model_server() as remote:
        for _ in range(KILLS):
            survive_a_kill(remote, fork_server(), dice.randint(2, CALLS))


def main(seconds: float) -> None:
    """Go on until the time is over, or until something does not hold."""
    clean_environment(os.environ)
    logging.getLogger("athena_schedule_manager").propagate = False
    began = time.monotonic()
    number = random.randrange(2**32)  # noqa: S311 - the first of a series of seeds
    while time.monotonic() - began < seconds:
        print(f"round {number}", end=": ", flush=True)
        worlds(number)
        kills(number)
        number += 1
        figures = ", ".join(f"{TRIED[name]:,} {name}" for name in ("worlds", "faults", "kills"))
        print(f"{figures} in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
