"""The deletion limit: a run that would delete more schedules than it deletes none."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from athena_schedule_manager._words import CannotReconcileError
from tests.world import CRON, NOTHING_DONE, OTHER_CRON, messages, shown

if TYPE_CHECKING:
    from tests.world import World

DRY = {"dry_run": True}


@pytest.fixture
def ten(strict_world: World) -> World:
    """Return a world with ten schedules, of which the first is drifted."""
    for number in range(10):
        strict_world.create(f"pn-q{number}")
    return strict_world


LESS = {"q0": {"schedule": OTHER_CRON}, "new": {"schedule": CRON}}


def test_what_the_limit_holds_back_is_named(
    ten: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ten in the ERROR line, all of them in a dry run, a line each."""
    ten.create("pn-z")
    monkeypatch.setenv("MAX_DELETIONS", "5")
    names = [*(f"pn-q{number}" for number in range(10)), "pn-z"]
    lines = shown(ten.run({}, event=DRY))
    assert lines[1:] == [f"Kept: {name}" for name in names]
    caplog.clear()
    ten.run({})
    assert messages(caplog, logging.ERROR) == [lines[0]]
    assert f"({', '.join(names[:10])} and 1 more)" in lines[0]


def test_a_plan_that_deletes_too_many_deletes_none(
    ten: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each counts as failed, one ERROR line tells the numbers and the way on, the rest goes on."""
    monkeypatch.setenv("MAX_DELETIONS", "8")
    assert ten.run(LESS) == {"created": 1, "updated": 1, "deleted": 0, "failed": 9}
    assert len(ten.ours()) == 11
    [line] = messages(caplog, logging.ERROR)
    assert "Refused to delete 9 schedules" in line
    assert "MAX_DELETIONS=8" in line
    assert '{"max_deletions": 9}' in line
    assert "DELETE" not in caplog.text.replace("MAX_DELETIONS", "")


@pytest.mark.parametrize("limit", ["9", "20", "", " "])
def test_a_plan_within_the_limit_deletes(
    ten: World, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """As many as the limit are not more than it; unset or empty is no limit."""
    monkeypatch.setenv("MAX_DELETIONS", limit)
    assert ten.run(LESS) == {"created": 1, "updated": 1, "deleted": 9, "failed": 0}


def test_a_limit_of_zero_deletes_nothing_ever(
    ten: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zero is a number, and one is one schedule."""
    monkeypatch.setenv("MAX_DELETIONS", "0")
    assert ten.run({f"q{number}": {"schedule": CRON} for number in range(9)})["failed"] == 1
    assert len(ten.ours()) == 10
    assert "Refused to delete 1 schedule, which" in messages(caplog, logging.ERROR)[0]


def test_an_event_lifts_the_limit_for_one_run(ten: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or sets a tighter one."""
    monkeypatch.setenv("MAX_DELETIONS", "2")
    ten.git_host.publish({"queries": {}})
    assert ten.run(event={"max_deletions": 9}) == NOTHING_DONE | {"failed": 10}
    assert ten.run(event={"max_deletions": 10}) == NOTHING_DONE | {"deleted": 10}
    ten.create("pn-1")
    assert ten.run(event={"max_deletions": 0}) == NOTHING_DONE | {"failed": 1}


def test_a_dry_run_shows_the_limit(ten: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what lifting it would do."""
    monkeypatch.setenv("MAX_DELETIONS", "2")
    ten.git_host.publish({"queries": {}})
    held = ten.run(event=DRY)
    assert (held["deleted"], held["failed"], len(held["changes"])) == (0, 10, 11)
    lifted = ten.run(event=DRY | {"max_deletions": 10})
    assert (lifted["deleted"], lifted["failed"], len(lifted["changes"])) == (10, 0, 10)


@pytest.mark.parametrize("value", ["-1", "1.5", "many", "1e3", "٣", "9" * 10])
def test_a_limit_that_is_no_number_is_a_settings_error(
    ten: World, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Never taken for no limit."""
    monkeypatch.setenv("MAX_DELETIONS", value)
    with pytest.raises(CannotReconcileError, match="MAX_DELETIONS must be a whole number"):
        ten.run({})
    assert len(ten.ours()) == 10
