"""An update is made of what is there now: fresh reads, start dates, dead-letter queues."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.world import (
    CRON,
    GROUP,
    NAME,
    NOTHING_DONE,
    OTHER_CRON,
    QUERIES,
    error_response,
    messages,
)
from tests.world.faults import CONFLICT, LOST, SERVER_ERROR, SILENT, THROTTLED, UNREACHABLE, Fault
from tests.world.model import service_model
from tests.world.plans import LIVE, existing, live_with, plan_of, request_of

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.world import World

MONTH = 30 * 86_400
NOW = 1_800_000_000.0
QUEUE = "arn:aws:sqs:eu-south-1:123456789012:dead"


def set_by_hand(world: World, name: str = NAME, **fields: Any) -> None:
    """Change a live schedule as an operator would, behind the manager's back."""
    assert world.faults.scheduler
    group = world.faults.scheduler.groups[GROUP]
    group[name] = group[name] | fields


@pytest.mark.parametrize(("seconds", "reads"), [(4.0, 1), (6.0, 2)])
def test_what_was_read_more_than_five_seconds_before_its_update_is_read_again(
    strict_world: World, seconds: float, reads: int
) -> None:
    """One call more in that case only; a pause that came meanwhile is kept."""
    strict_world.time.stop()
    strict_world.create(NAME, ScheduleExpression=OTHER_CRON)
    looks: list[str] = []

    def answer_slowly(operation: str, request: AWSPreparedRequest) -> AWSResponse | None:
        if operation != "GetSchedule" or looks:
            return None
        looks.append(operation)
        answer = strict_world.faults.serve(request)
        strict_world.time.ahead += seconds
        set_by_hand(strict_world, State="DISABLED")
        return answer

    strict_world.faults.rule(answer_slowly)
    assert strict_world.run(QUERIES)["updated"] == 1
    assert strict_world.faults.calls.count("GetSchedule") == reads
    live = strict_world.live()[f"{GROUP}/{NAME}"]
    assert live["ScheduleExpression"] == CRON
    assert live["State"] == ("DISABLED" if reads > 1 else "ENABLED")


FAILURES = {
    "conflict": Fault(CONFLICT, times=1),
    "throttled": Fault(THROTTLED, times=1),
    "server error": Fault(SERVER_ERROR, times=1),
    "timeout": Fault(SILENT, times=1),
    "cut connection": Fault(LOST, times=1),
    "unreachable": Fault(UNREACHABLE, times=1),
    "unreadable": Fault(b"[]", times=1),
}
OPEN = {"server error", "timeout", "cut connection", "unreadable"}


@pytest.mark.parametrize("failure", FAILURES)
def test_each_attempt_after_the_first_looks_again(strict_world: World, failure: str) -> None:
    """What an operator does right after a failed attempt is kept, however soon the next one is."""
    strict_world.create(NAME, ScheduleExpression=OTHER_CRON)

    def set_after_it(operation: str, _: AWSPreparedRequest) -> None:
        if operation == "GetSchedule" and "UpdateSchedule" in strict_world.faults.calls:
            set_by_hand(strict_world, State="DISABLED", Target=LIVE["Target"])

    strict_world.faults.rule(set_after_it)
    strict_world.faults.put("UpdateSchedule", FAILURES[failure])
    assert strict_world.run(QUERIES) == NOTHING_DONE | {"updated": 1}
    live = strict_world.live()[f"{GROUP}/{NAME}"]
    assert (live["ScheduleExpression"], live["State"]) == (CRON, "DISABLED")
    assert live["Target"]["RetryPolicy"] == LIVE["Target"]["RetryPolicy"]


@pytest.mark.parametrize("failure", FAILURES)
def test_only_an_answer_that_leaves_it_open_may_have_been_our_own_write(
    strict_world: World, caplog: pytest.LogCaptureFixture, failure: str
) -> None:
    """After any other failure, what no longer differs was changed by somebody else."""
    strict_world.create(NAME, ScheduleExpression=OTHER_CRON)

    def change_after_it(operation: str, _: AWSPreparedRequest) -> None:
        if operation == "GetSchedule" and "UpdateSchedule" in strict_world.faults.calls:
            set_by_hand(strict_world, ScheduleExpression=CRON)

    strict_world.faults.rule(change_after_it)
    strict_world.faults.put("UpdateSchedule", FAILURES[failure])
    is_ours = failure in OPEN
    assert strict_world.run(QUERIES) == NOTHING_DONE | {"updated": int(is_ours)}
    assert len(messages(caplog, logging.WARNING)) == (0 if is_ours else 1)
    assert strict_world.faults.calls.count("UpdateSchedule") == 1


PARAMETERS = {
    "SqsParameters": {"MessageGroupId": "g"},
    "EcsParameters": {"TaskDefinitionArn": "arn:aws:ecs:eu-south-1:123456789012:task/x"},
    "KinesisParameters": {"PartitionKey": "k"},
    "EventBridgeParameters": {"DetailType": "t", "Source": "s"},
    "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "n", "Value": "v"}]},
}


@pytest.mark.parametrize("kind", PARAMETERS)
def test_parameters_of_another_kind_of_target_go_with_it(strict_world: World, kind: str) -> None:
    """The service refuses them beside a function's ARN; retry policy and queue stay."""
    shape = service_model().operation_model("UpdateSchedule").input_shape.members["Target"]
    others = {"Arn", "RoleArn", "Input", "RetryPolicy", "DeadLetterConfig"}
    assert {name for name in shape.members if not name.endswith("Parameters")} == others
    strict_world.create(NAME)
    kept = {name: LIVE["Target"][name] for name in ("RetryPolicy", "DeadLetterConfig")}
    other = {**LIVE["Target"], "Arn": "arn:aws:sqs:eu-south-1:123456789012:q"}
    set_by_hand(strict_world, Target={**other, kind: PARAMETERS[kind]})
    assert strict_world.run(QUERIES) == NOTHING_DONE | {"updated": 1}
    target = strict_world.live()[f"{GROUP}/{NAME}"]["Target"]
    assert target == {**kept, **{name: target[name] for name in ("Arn", "RoleArn", "Input")}}
    assert strict_world.run() == NOTHING_DONE


def test_parameters_of_a_target_that_stays_are_the_operators() -> None:
    """Whatever they are good for."""
    live = live_with(T_SqsParameters=PARAMETERS["SqsParameters"])
    [update] = plan_of({"daily-report": {"schedule": OTHER_CRON}}, existing(live)).updates
    assert request_of(update)["Target"]["SqsParameters"] == PARAMETERS["SqsParameters"]


@pytest.mark.parametrize("conflicts", [1, 3])
def test_a_conflict_is_a_reason_to_read_again(strict_world: World, conflicts: int) -> None:
    """Somebody else is changing the schedule at this moment, and what he does is kept."""
    strict_world.create(NAME, ScheduleExpression=OTHER_CRON)

    def pause_it() -> AWSResponse:
        set_by_hand(strict_world, State="DISABLED")
        return error_response(*CONFLICT)

    strict_world.faults.hook("UpdateSchedule", pause_it, times=conflicts)
    assert strict_world.run(QUERIES) == NOTHING_DONE | {"updated": 1}
    assert strict_world.faults.calls.count("GetSchedule") == 1 + conflicts
    live = strict_world.live()[f"{GROUP}/{NAME}"]
    assert (live["ScheduleExpression"], live["State"]) == (CRON, "DISABLED")


def test_what_comes_from_memory_is_read_again_before_its_update(strict_world: World) -> None:
    """Its State may have been changed since without a trace in what is remembered."""
    strict_world.create(NAME)
    strict_world.time.ahead = 120
    strict_world.run(QUERIES)
    strict_world.run()
    assert strict_world.faults.calls == ["ListSchedules"]
    set_by_hand(strict_world, State="DISABLED", Target=LIVE["Target"])
    assert strict_world.run({"daily-report": {"schedule": OTHER_CRON}})["updated"] == 1
    assert strict_world.faults.calls == ["ListSchedules", "GetSchedule", "UpdateSchedule"]
    live = strict_world.live()[f"{GROUP}/{NAME}"]
    assert (live["State"], live["Target"]["DeadLetterConfig"]) == ("DISABLED", {"Arn": QUEUE})


def test_a_difference_that_has_gone_meanwhile_is_one_warning(
    strict_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody else has made the update: it is in no counter, and nothing is written."""
    strict_world.create(NAME, ScheduleExpression=OTHER_CRON)
    strict_world.time.ahead = 120
    strict_world.run({"daily-report": {"schedule": OTHER_CRON}})
    set_by_hand(strict_world, ScheduleExpression=CRON)
    assert strict_world.run(QUERIES) == NOTHING_DONE
    assert "UpdateSchedule" not in strict_world.faults.calls
    assert messages(caplog, logging.WARNING) == [
        f"Schedule {NAME} no longer differs: somebody changed it meanwhile"
    ]
    assert messages(caplog, logging.ERROR) == []


def test_an_update_whose_answer_was_lost_for_long_is_still_counted(
    strict_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """When it is read again nothing differs any more, and that was our own doing."""
    strict_world.create(NAME, ScheduleExpression=OTHER_CRON)
    strict_world.faults.put("UpdateSchedule", Fault(SILENT, seconds=12, served=True))
    assert strict_world.run(QUERIES) == NOTHING_DONE | {"updated": 1}
    assert messages(caplog, logging.WARNING) == []
    assert strict_world.faults.calls[-1] == "GetSchedule"  # nothing is sent that changes nothing


def test_a_member_that_the_sdk_does_not_take_is_left_out(strict_world: World) -> None:
    """A newer SDK may know more of the answer than of the request."""
    strict_world.create(NAME, ScheduleExpression=OTHER_CRON)
    strict_world.faults.events.register(
        "after-call.scheduler.GetSchedule", lambda parsed, **_: parsed.update(FromANewerSdk=1)
    )
    assert strict_world.run(QUERIES) == NOTHING_DONE | {"updated": 1}


# --- Start dates


@pytest.mark.parametrize(
    "change",
    [{"schedule": OTHER_CRON}, {"schedule": CRON, "enabled": False}, {"schedule": "rate(7 days)"}],
    ids=repr,
)
@pytest.mark.parametrize("live", [CRON, "rate(1 days)", "at(2030-01-01T00:00:00)"])
def test_a_schedule_that_began_a_month_ago_is_updated_once(
    strict_world: World, change: dict[str, Any], live: str
) -> None:
    """The service refuses a StartDate in the past on every update."""
    strict_world.create(NAME, ScheduleExpression=live)
    set_by_hand(strict_world, StartDate=strict_world.time.now() - MONTH)
    assert strict_world.run({"daily-report": change}) == NOTHING_DONE | {"updated": 1}
    assert strict_world.run() == NOTHING_DONE


@pytest.mark.parametrize(
    ("expression", "start", "sent"),
    [
        (OTHER_CRON, NOW - 1, None),
        (OTHER_CRON, NOW + 1, NOW + 1),
        ("at(2030-01-01T00:00:00)", NOW - MONTH, None),
        ("rate(7 days)", NOW + 9, NOW + 9),
        ("rate(7 days)", NOW - 7 * 86_400 - 100, NOW + 7 * 86_400 - 100),
        ("rate(7 days)", NOW - 14 * 86_400, NOW),
        ("rate(1 day)", NOW - 1, NOW + 86_399),
        ("RATE(090 Minutes)", NOW - 91 * 60, NOW + 89 * 60),
        ("rate(2 hours)", NOW - MONTH - 60, NOW + 7_140),
        ("rate(1000000 minutes)", NOW - 60, NOW + 59_999_940),
        ("rate(9999999 days)", NOW - 1, None),
        ("rate(999999999 days)", NOW - 1, None),
        ("rate(99999999999999999999 days)", NOW - 1, None),
    ],
)
def test_a_past_start_date_is_left_out_or_moved_on_by_whole_periods(
    expression: str, start: float, sent: float | None
) -> None:
    """So that the rhythm of a rate stays."""
    date = datetime.fromtimestamp(start, UTC)
    query = {"schedule": expression, "description": "Daily"}
    [update] = plan_of({"daily-report": query}, existing(live_with(StartDate=date))).updates
    found = request_of(update, NOW).get("StartDate")
    assert found == (datetime.fromtimestamp(sent, UTC) if sent else None)


def test_a_rate_that_would_next_come_after_its_end_keeps_quiet(
    strict_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a StartDate it would fire once more; what the service refuses stays as it is."""
    dates: dict[str, Any] = {
        "StartDate": strict_world.time.now() - 9,
        "EndDate": strict_world.time.now() + 9,
    }
    strict_world.create(NAME, ScheduleExpression="rate(6 days)")
    set_by_hand(strict_world, **dates)
    before = strict_world.live()
    results = strict_world.run({"daily-report": {"schedule": "rate(7 days)"}})
    assert results == NOTHING_DONE | {"failed": 1}
    assert "ValidationException" in messages(caplog, logging.ERROR)[0]
    assert strict_world.live() == before


# --- Dead-letter queues


def test_a_schedule_without_a_dead_letter_queue_gets_the_one_that_is_set(
    strict_world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an update with its own word; one that somebody attached stays."""
    own = {"DeadLetterConfig": {"Arn": QUEUE + "-own"}}
    strict_world.create(NAME)
    strict_world.create("pn-own", Target=own)
    queries = QUERIES | {"own": {"schedule": CRON}, "new": {"schedule": CRON}}
    monkeypatch.setenv("DEAD_LETTER_QUEUE_ARN", QUEUE)
    assert strict_world.run(queries) == NOTHING_DONE | {"created": 1, "updated": 1}
    assert f"UPDATE: {NAME} (dead letters: none → {QUEUE})" in caplog.messages
    assert strict_world.run() == NOTHING_DONE
    live = strict_world.live().values()
    queues = {s["Name"]: s["Target"]["DeadLetterConfig"]["Arn"] for s in live}
    assert queues == {NAME: QUEUE, "pn-new": QUEUE, "pn-own": QUEUE + "-own"}
    monkeypatch.delenv("DEAD_LETTER_QUEUE_ARN")
    assert strict_world.run() == NOTHING_DONE


def test_an_empty_dead_letter_configuration_is_none(strict_world: World) -> None:
    """The service's model does not require the ARN in it."""
    strict_world.create(NAME)
    target = {**strict_world.live()[f"{GROUP}/{NAME}"]["Target"], "DeadLetterConfig": {}}
    set_by_hand(strict_world, Target=target)
    assert strict_world.run(QUERIES) == NOTHING_DONE
