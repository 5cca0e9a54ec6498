"""The real Lambda runtime, awslambdaric, around the real handler: the log as CloudWatch gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.world import CRON, OTHER_CRON, QUERIES, document
from tests.world.runtime import LINE, Function, needs_awslambdaric

if TYPE_CHECKING:
    from tests.world import World

pytestmark = needs_awslambdaric


def test_every_line_is_time_request_id_level_message_once(world: World) -> None:
    """In the real runtime, from worker threads too, and with newlines in foreign text."""
    started = Function("tests.world.probe.handler")
    queries = QUERIES | {"two\nlines": {"schedule": CRON}}
    world.git_host.publish({"queries": queries})
    created = started.api.invoke("request-1")
    world.git_host.publish({"queries": {"daily-report": {"schedule": OTHER_CRON}}})
    updated = started.api.invoke("request-2")
    lines = started.log().decode().split("\n")[:-1]
    assert created == ("response", {"created": 1, "updated": 0, "deleted": 0, "failed": 1})
    assert updated == ("response", {"created": 0, "updated": 1, "deleted": 0, "failed": 0})
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    url = world.git_host.url()
    assert [line.split(" ", 1)[1] for line in lines if "worker" not in line] == [
        f"request-1 INFO Fetching config from Git: {url}",
        "request-1 INFO Found 0 existing schedules",
        (
            r"request-1 ERROR Query 'two\nlines' is unusable (its live schedule, if any, is kept):"
            r" the schedule name 'pn-two\nlines' must be prefix and id, at most 64 letters,"
            " digits, '-', '_' and '.'; rename the query"
        ),
        f"request-1 INFO CREATE: pn-daily-report (cron: {CRON})",
        (
            'request-1 INFO Reconciliation complete: {"created": 1, "updated": 0, "deleted": 0,'
            ' "failed": 1}'
        ),
        f"request-2 INFO Fetching config from Git: {url}",
        "request-2 INFO Found 1 existing schedules",
        f"request-2 INFO UPDATE: pn-daily-report (cron: {CRON} → {OTHER_CRON})",
        (
            'request-2 INFO Reconciliation complete: {"created": 0, "updated": 1, "deleted": 0,'
            ' "failed": 0}'
        ),
    ]
    assert sorted(line.split(" ", 1)[1] for line in lines if "worker" in line) == [
        rf"request-{run} WARNING worker {number}\nsecond line"
        for run in (1, 2)
        for number in range(3)
    ]


def test_an_error_is_one_error_line_and_a_failed_invocation(world: World) -> None:
    """The runtime's own report behind it has no ERROR as its third word: no double count."""
    started = Function("athena_schedule_manager.index.handler")
    world.git_host.answer(document(b"<html>\n"))
    kind, error = started.api.invoke("request-1")
    world.git_host.publish({"queries": QUERIES})
    after = started.api.invoke("request-2")
    lines = started.log().decode().split("\n")[:-1]
    assert (kind, error["errorType"]) == ("error", "CannotReconcileError")
    assert error["errorMessage"].startswith("Invalid config from Git: the answer is a web page")
    assert after == ("response", {"created": 1, "updated": 0, "deleted": 0, "failed": 0})
    errors = [line for line in lines if line.split(" ")[2:3] == ["ERROR"]]
    assert [line.split(" ", 3)[3] for line in errors] == [error["errorMessage"]]


def test_lambdas_own_log_channel_gets_the_same_lines(world: World) -> None:
    """In Lambda each record is a frame of its own on a file descriptor, not a line on stdout."""
    started = Function("athena_schedule_manager.index.handler", framed=True)
    world.git_host.publish({"queries": QUERIES})
    started.api.invoke("request-1")
    log = started.log()
    frames = []
    while log:
        length = int.from_bytes(log[4:8], "big")
        frames.append(log[16 : 16 + length].decode())
        log = log[16 + length :]
    assert len(frames) == 4
    assert [frame for frame in frames if not LINE.fullmatch(frame.removesuffix("\n"))] == []
    assert all(frame.endswith("\n") for frame in frames)
