"""The listing: it is whole or refused, however long the pages are, and ends with its run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from athena_schedule_manager._words import CannotReconcileError
from tests.world import CRON, GROUP, NAME, NOTHING_DONE
from tests.world.faults import FAULTS, TRANSIENT, Hanging, response

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

    from tests.world import World


def set_page_size(world: World, size: int) -> None:
    """Let the service's pages be no longer than this, whatever is asked for."""
    assert world.faults.scheduler
    world.faults.scheduler.page_size = size


@pytest.mark.parametrize(("count", "size"), [(0, 100), (100, 100), (101, 100), (7, 1), (7, 3)])
def test_every_page_of_the_listing_counts(strict_world: World, count: int, size: int) -> None:
    """However many there are, a second run writes nothing, and removal removes them all."""
    set_page_size(strict_world, size)
    queries = {f"q{number}": {"schedule": CRON} for number in range(count)}
    assert strict_world.run(queries) == NOTHING_DONE | {"created": count}
    assert strict_world.run() == NOTHING_DONE
    assert strict_world.faults.calls.count("ListSchedules") == max(-(-count // size), 1)
    assert strict_world.faults.calls.count("GetSchedule") == count
    assert strict_world.faults.requests[0] == {
        "GroupName": GROUP,
        "NamePrefix": "pn-",
        "MaxResults": 100,
    }
    assert strict_world.run({}) == NOTHING_DONE | {"deleted": count}
    assert strict_world.ours() == {}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_later_page_of_the_listing_failing(strict_world: World, kind: str) -> None:
    """What passes loses no page; what does not raises, a missing group too: nothing is changed."""
    set_page_size(strict_world, 2)
    strict_world.many(CRON, 5)
    before = strict_world.live()
    rule = strict_world.faults.put("ListSchedules", replace(FAULTS[kind], after=1))
    if kind in TRANSIENT:
        assert strict_world.run({"0": {"schedule": CRON}}) == NOTHING_DONE | {"deleted": 4}
        return
    with pytest.raises(CannotReconcileError, match="Failed to list schedules"):
        strict_world.run({})
    strict_world.faults.remove(rule)
    assert strict_world.live() == before


def test_an_empty_page_is_not_the_last(strict_world: World) -> None:
    """The service may answer so while it looks for names with the prefix."""
    strict_world.many(CRON, 3)
    empty = b'{"Schedules": [], "NextToken": "arn"}'
    strict_world.faults.hook("ListSchedules", lambda: response(empty), times=1)
    assert strict_world.run({}) == NOTHING_DONE | {"deleted": 3}


@pytest.mark.parametrize("calls", [1, 2])
def test_time_that_ends_between_pages_compares_nothing(strict_world: World, calls: int) -> None:
    """Half a listing would look like missing schedules."""
    set_page_size(strict_world, 1)
    queries = strict_world.many(CRON, 3)
    with pytest.raises(CannotReconcileError, match="out of time"):
        strict_world.run(queries, left=strict_world.left_for(calls))
    assert strict_world.faults.calls == ["ListSchedules"] * calls
    assert len(strict_world.ours()) == 3


def test_a_listing_that_its_run_has_given_up_reads_no_further_page(strict_world: World) -> None:
    """The thread asks the clock of its own invocation before each page."""
    set_page_size(strict_world, 1)
    queries = strict_world.many(CRON, 3)
    hanging = Hanging(strict_world.faults, "ListSchedules")
    strict_world.faults.rules.pop(0)
    strict_world.faults.rule(lambda *_: hanging.hang())
    with pytest.raises(CannotReconcileError, match="out of time"):
        strict_world.run(queries, left=hanging.left)
    hanging.let_go()
    assert strict_world.faults.calls == ["ListSchedules"]


def test_a_listing_that_ignores_the_prefix_does_no_harm(strict_world: World) -> None:
    """What a service lists beyond what was asked for is still nobody's business here."""
    strict_world.create("foreign")
    strict_world.create(NAME)
    assert strict_world.faults.scheduler
    strict_world.faults.scheduler.ignores_prefix = True
    assert strict_world.run({}) == NOTHING_DONE | {"deleted": 1}
    assert list(strict_world.ours()) == ["foreign"]


def test_a_token_that_repeats_is_a_failed_listing(strict_world: World) -> None:
    """At the first repeat, not when the clock ends; and never half a listing."""
    strict_world.many(CRON, 3)
    tokens = iter(["a", "b", "a"])

    def answer() -> AWSResponse:
        return response(json.dumps({"Schedules": [], "NextToken": next(tokens)}).encode())

    strict_world.faults.hook("ListSchedules", answer)
    with pytest.raises(CannotReconcileError, match="its NextToken repeats"):
        strict_world.run({})
    assert strict_world.faults.calls == ["ListSchedules"] * 3
    assert len(strict_world.ours()) == 3


def test_what_the_listing_shows_of_another_group_is_skipped(strict_world: World) -> None:
    """An emulator may ignore the group; its schedules are nobody's business here."""
    strict_world.create(NAME)
    strict_world.create("pn-theirs", "other-group")
    assert strict_world.faults.scheduler
    strict_world.faults.scheduler.ignores_group = True
    for deleted in (1, 0):
        assert strict_world.run({}) == NOTHING_DONE | {"deleted": deleted}
    assert list(strict_world.live()) == ["other-group/pn-theirs"]


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"\xff", b'{"Schedules": [{}]}'])
def test_a_page_that_cannot_be_read_is_asked_for_again(strict_world: World, body: bytes) -> None:
    """A page without its members never looks like missing schedules."""
    strict_world.many(CRON, 3)
    strict_world.faults.hook("ListSchedules", lambda: response(body), times=2)
    assert strict_world.run({"0": {"schedule": CRON}}) == NOTHING_DONE | {"deleted": 2}
    strict_world.faults.hook("ListSchedules", lambda: response(body))
    with pytest.raises(CannotReconcileError, match="an answer that cannot be read"):
        strict_world.run({})
