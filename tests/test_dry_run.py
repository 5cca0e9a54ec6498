"""The dry run of the real function, as `preview` reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from athena_schedule_manager.tools.plans import FileView, compare, read_plan
from athena_schedule_manager.tools.reports import report_of
from tests.world import CRON, NAME, OTHER_CRON

if TYPE_CHECKING:
    import pytest

    from tests.world import World


def test_a_plan_of_the_real_function_is_read(strict_world: World) -> None:
    """Creates, updates with old and new, deletes, and what fails, each in its place."""
    for name in (NAME, "pn-gone", "pn-broken"):
        strict_world.create(name)
    broken = {"daily-report": {"schedule": CRON}, "gone": {"schedule": CRON}, "broken": {}}
    published = read_plan(json.dumps(strict_world.run(broken, event={"dry_run": True})))
    queries = {"daily-report": {"schedule": OTHER_CRON}, "new": {"schedule": CRON}, "bad": {}}
    event = {"dry_run": True}
    head = read_plan(json.dumps(strict_world.run(queries | {"broken": {}}, event=event)))
    compared = compare(head, published, FileView())
    assert [row[:2] + row[-1:] for row in report_of("", compared).rows] == [
        ("delete", "pn-gone", "(removed from config)"),
        ("update", NAME, f"(cron: {CRON} → {OTHER_CRON})"),
        ("create", "pn-new", f"(cron: {CRON})"),
    ]
    assert [line[:11] for line in compared.broken] == ["Query 'bad'"]
    assert [line[:14] for line in compared.broken_before] == ["Query 'broken'"]


def test_deletes_that_the_real_function_holds_back_are_read(
    strict_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one thing that breaks, and a row each."""
    monkeypatch.setenv("MAX_DELETIONS", "1")
    for name in ("pn-a", "pn-b"):
        strict_world.create(name)
    head = read_plan(json.dumps(strict_world.run({}, event={"dry_run": True})))
    compared = compare(head, read_plan(json.dumps(EMPTY)), FileView())
    assert [line[:17] for line in compared.broken] == ["Refused to delete"]
    assert [row[:2] for row in report_of("", compared).rows] == [("kept", "pn-a"), ("kept", "pn-b")]


EMPTY = {"created": 0, "updated": 0, "deleted": 0, "failed": 0, "changes": []}
