"""Random worlds, by Hypothesis; what must hold is in tests/world/random_worlds.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from tests.world.draws import RandomWorld, worlds
from tests.world.random_worlds import RULES, live_through, reconciling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world.random_worlds import Reconciler


@pytest.fixture(scope="module")
def reconciler() -> Iterator[Reconciler]:
    """Return a reconciler that never waits."""
    with reconciling() as made:
        yield made


@settings(RULES, max_examples=100, derandomize=True)
@given(world=worlds)
def test_in_any_world_nothing_is_lost_and_the_next_runs_make_all_as_wanted(
    reconciler: Reconciler, world: RandomWorld
) -> None:
    """Whatever the service answers, and whatever an operator does meanwhile."""
    live_through(reconciler, world)
