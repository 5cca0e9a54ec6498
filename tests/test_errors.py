"""Errors are known by their code, whatever client raises them, and unforeseen ones stay alone."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.world import NOTHING_DONE, QUERIES
from tests.world.bystander import reconcile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world import World


class FakeClient:
    """A client that raises plain ClientErrors, as fakes do: no modelled exception classes."""

    def __init__(self, **codes: str) -> None:
        """Take the code that each operation answers; the others answer nothing."""
        self.codes = codes
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        """Return an operation, or the paginator."""
        return {"get_paginator": lambda _: self}.get(name, functools.partial(self._call, name))

    def paginate(self, **_: object) -> Iterator[dict[str, Any]]:
        """List one page."""
        yield self._call("list_schedules") or {"Schedules": [{"Name": "pn-old"}]}

    def _call(self, name: str, **_: object) -> dict[str, Any]:
        self.calls.append(name)
        if name in self.codes:
            raise ClientError({"Error": {"Code": self.codes[name], "Message": "no"}}, name)
        return {"ScheduleArn": "arn"} if name == "create_schedule" else {}


@pytest.mark.parametrize(
    ("codes", "queries", "results"),
    [
        pytest.param(
            {
                "list_schedules": "ResourceNotFoundException",
                "get_schedule_group": "ResourceNotFoundException",
                "create_schedule_group": "ConflictException",
            },
            QUERIES,
            {"created": 1},
            id="missing group, made meanwhile",
        ),
        pytest.param(
            {"get_schedule": "ResourceNotFoundException"},
            {"old": QUERIES["daily-report"]},
            {"created": 1},
            id="vanished",
        ),
        pytest.param(
            {"create_schedule": "ConflictException", "get_schedule": "ResourceNotFoundException"},
            QUERIES,
            {"deleted": 1, "failed": 1},
            id="a conflict without a schedule",
        ),
        pytest.param(
            {"delete_schedule": "ResourceNotFoundException"}, {}, {"deleted": 1}, id="delete race"
        ),
        pytest.param(
            {"delete_schedule": "AccessDeniedException"}, {}, {"failed": 1}, id="delete denied"
        ),
    ],
)
def test_an_error_is_known_by_its_code(
    codes: dict[str, str], queries: dict[str, Any], results: dict[str, int]
) -> None:
    """Not by the class that botocore makes for it, lazily and in whatever thread comes first."""
    client: Any = FakeClient(**codes)
    assert reconcile(client, queries, {}) == NOTHING_DONE | results


def test_a_group_that_fails_in_an_unforeseen_way_stops_only_creates(world: World) -> None:
    """Looking at it may fail in any way; making it may not be anybody else's failure."""
    world.faults.exception("GetScheduleGroup", RuntimeError("?"))
    world.create_group()
    assert world.run(QUERIES) == NOTHING_DONE | {"created": 1}


def test_a_group_that_cannot_be_made_for_an_unforeseen_reason_is_a_failed_create(
    world: World,
) -> None:
    """Each create fails, the run does not."""
    world.faults.exception("CreateScheduleGroup", RuntimeError("?"))
    assert world.run(QUERIES) == NOTHING_DONE | {"failed": 1}
