"""The alarms, metric filters, saved queries and dashboard of the template, on real log lines."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager._words import LineFormatter
from tests.tools.transformed import template, transformed
from tests.world import CRON, EXECUTOR_ARN, NAME, OTHER_CRON, QUERIES
from tests.world.insights import run_query

if TYPE_CHECKING:
    from tests.world import World


@pytest.fixture(scope="module")
def resources() -> Any:
    """Return the resources that CloudFormation makes."""
    return transformed()["Resources"]


def alarm(resources: Any, name: str) -> Any:
    """Return the properties of an alarm."""
    return resources[f"{name}Alarm"]["Properties"]


ALARMS = {
    "FunctionErrors": "Errors",
    "ErrorLines": "ErrorLines",
    "Heartbeat": "CompletedRuns",
    "ExecutorErrors": "Errors",
    "DroppedInvocations": "InvocationDroppedCount",
    "DeadLetters": "ApproximateNumberOfMessagesVisible",
}


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_notifies_the_topic_the_address_or_both(resources: Any, name: str) -> None:
    """When it rings and when it clears; an address gets a topic with that subscription."""
    nothing = {"Ref": "AWS::NoValue"}
    actions = [
        {"Fn::If": ["HasTopic", {"Ref": "AlarmTopicArn"}, nothing]},
        {"Fn::If": ["HasEmail", {"Ref": "AlarmTopic"}, nothing]},
    ]
    assert alarm(resources, name)["AlarmActions"] == actions
    assert alarm(resources, name)["OKActions"] == actions
    topic = resources["AlarmTopic"]
    assert topic["Condition"] == "HasEmail"
    subscription = {"Protocol": "email", "Endpoint": {"Ref": "AlarmEmail"}}
    assert topic["Properties"]["Subscription"] == [subscription]


@pytest.mark.parametrize("name", ["FunctionErrors", "ErrorLines"])
def test_an_alarm_does_not_clear_because_a_run_fell_at_the_edge_of_a_period(
    resources: Any, name: str
) -> None:
    """The empty period beside it is looked at together with the failed one."""
    found = alarm(resources, name)
    assert (found["EvaluationPeriods"], found["DatapointsToAlarm"]) == (2, 1)


def test_the_alarm_on_dead_letters_watches_the_queue_that_there_is(resources: Any) -> None:
    """The stack's own or an existing one, by its name; without one there is no alarm."""
    found = resources["DeadLettersAlarm"]
    assert found["Condition"] == "HasQueue"
    [dimension] = found["Properties"]["Dimensions"]
    condition, made, existing = dimension["Value"]["Fn::If"]
    assert (condition, made) == ("MakesQueue", {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]})
    position, split = existing["Fn::Select"]
    separator, text = split["Fn::Split"]
    given = "arn:aws:sqs:eu-south-1:123456789012:shared"
    pieces = text["Fn::Sub"].replace("${DeadLetterQueueArn}", given).split(separator)
    assert pieces[position] == "shared"
    assert found["Properties"]["Statistic"] == "Maximum"


def test_the_descriptions_say_what_an_alarm_does_not_show(resources: Any) -> None:
    """A timeout has no ERROR line, and the first minutes have no run."""
    assert "timed out" in alarm(resources, "FunctionErrors")["AlarmDescription"]
    assert "first deployment" in alarm(resources, "Heartbeat")["AlarmDescription"]


def test_the_alarms_mean_what_they_say(resources: Any) -> None:
    """Metrics, thresholds, and what missing data means."""
    metrics = {name: alarm(resources, name)["MetricName"] for name in ALARMS}
    assert metrics == ALARMS
    alarms = [name for name, r in resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"]
    assert sorted(alarms) == sorted(f"{name}Alarm" for name in ALARMS)
    heartbeat = alarm(resources, "Heartbeat")
    assert (heartbeat["EvaluationPeriods"], heartbeat["TreatMissingData"]) == (3, "breaching")
    assert heartbeat["ComparisonOperator"] == "LessThanThreshold"
    for name in ALARMS:
        found = alarm(resources, name)
        assert found["AlarmName"] == {"Fn::Sub": f"${{AthenaScheduleManager}}-{name}"}
        assert (found["Threshold"], found["Period"]) == (1, 300)
        if name != "Heartbeat":
            assert found["TreatMissingData"] == "notBreaching"
            assert found["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    [dimension] = alarm(resources, "DroppedInvocations")["Dimensions"]
    assert dimension["Name"] == "ScheduleGroup"
    assert dimension["Value"]["Fn::If"][0] == "MakesGroup"


def test_one_dropped_invocation_rings_one_alarm(resources: Any) -> None:
    """That on the queue, or, where there is none, that on the Scheduler's own count."""
    conditions = template()["Conditions"]
    none = {"Fn::Equals": [{"Ref": "DeadLetterQueueArn"}, "none"]}
    assert resources["DroppedInvocationsAlarm"]["Condition"] == "HasNoQueue"
    assert resources["DeadLettersAlarm"]["Condition"] == "HasQueue"
    assert conditions["HasNoQueue"] == none
    assert conditions["HasQueue"] == {"Fn::Not": [none]}


@pytest.mark.parametrize("behind", ["", ":live", ":7", ":$LATEST"])
def test_an_alarm_watches_the_executor_whatever_version_the_schedules_invoke(
    resources: Any, behind: str
) -> None:
    """Or every alarm is green while every query fails: an accepted invocation is delivered."""
    [dimension] = alarm(resources, "ExecutorErrors")["Dimensions"]
    assert dimension["Name"] == "FunctionName"
    position, split = dimension["Value"]["Fn::Select"]
    separator, reference = split["Fn::Split"]
    assert reference == {"Ref": "QueryExecutorArn"}
    pieces = f"{EXECUTOR_ARN}{behind}".split(separator)
    assert pieces[position] == "pn-AthenaQueryExecutor"


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged as the lines that CloudWatch Logs has."""
    return [LineFormatter("id", "").format(record) for record in caplog.records]


def matches(pattern: str, line: str) -> bool:
    """Match a line by a space-delimited filter pattern, as CloudWatch Logs does."""
    terms = [term.strip() for term in pattern.strip("[]").split(",")]
    words = line.split(" ")
    assert terms.pop() == "..."
    wanted = [re.findall(r'= "(.*)"', term) for term in terms]
    pairs = zip(wanted, words, strict=False)
    return len(words) >= len(terms) and all(not want or want == [word] for want, word in pairs)


def filter_pattern(resources: Any, name: str) -> str:
    """Return the pattern of a metric filter, and check that the alarm watches its metric."""
    properties = resources[name]["Properties"]
    [metric] = properties["MetricTransformations"]
    watching = {"ErrorLines": "ErrorLines", "CompletedRuns": "Heartbeat"}[name]
    found = alarm(resources, watching)
    assert (metric["MetricName"], metric["MetricNamespace"]) == (name, found["Namespace"])
    assert metric["MetricValue"] == "1"
    return str(properties["FilterPattern"])


def test_the_filters_count_real_lines_and_no_others(
    world: World, caplog: pytest.LogCaptureFixture, resources: Any
) -> None:
    """An ERROR line, a completed run; and no INFO line that holds the words."""
    errors = filter_pattern(resources, "ErrorLines")
    completed = filter_pattern(resources, "CompletedRuns")
    text = {"schedule": QUERIES["daily-report"]["schedule"], "description": "Old ERROR"}
    world.create(NAME, Description="Reconciliation complete: ERROR")
    world.run({"daily-report": text, "broken": {}})
    lines = logged(caplog)
    assert [line.split(" ")[2] for line in lines if matches(errors, line)] == ["ERROR"]
    assert sum("ERROR" in line for line in lines) == 2
    assert [line for line in lines if matches(completed, line)] == lines[-1:]
    assert sum("Reconciliation complete" in line for line in lines) == 2


def test_a_failed_run_is_no_completed_one(
    world: World, caplog: pytest.LogCaptureFixture, resources: Any
) -> None:
    """So the heartbeat alarm notices a manager that only fails."""
    world.git_host.publish([])
    with pytest.raises(Exception, match="Invalid config from Git"):
        world.run()
    completed = filter_pattern(resources, "CompletedRuns")
    lines = logged(caplog)
    assert not [line for line in lines if matches(completed, line)]
    assert caplog.records[-1].levelno == logging.ERROR


def saved_query(resources: Any, name: str) -> str:
    """Return the text of a saved query, which reads the manager's log alone."""
    properties = resources[name]["Properties"]
    assert properties["LogGroupNames"] == [{"Ref": "ManagerLogGroup"}]
    return str(properties["QueryString"])


@pytest.fixture
def log(world: World, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log of a dry run and a run that create, update, delete and fail, (all) at once."""
    world.create(NAME)
    world.create("pn-old")
    queries = {
        "daily-report": {"schedule": OTHER_CRON, "description": "all (and ERROR more)"},
        "new": {"schedule": CRON, "description": "INFO CREATE: pn-z (cron: x)"},
        "broken": {},
    }
    world.run(queries, event={"dry_run": True})
    assert any("DRY RUN CREATE: " in line for line in logged(caplog))
    world.run(queries)
    return logged(caplog)


def test_the_query_of_changes_finds_each_change_once_and_no_dry_run(
    resources: Any, log: list[str]
) -> None:
    """With what was done, to which schedule, and the details between the parentheses."""
    rows = run_query(saved_query(resources, "WhatChanged"), log)
    assert sorted((row["action"], row["schedule"]) for row in rows) == [
        ("CREATE", "pn-new"),
        ("DELETE", "pn-old"),
        ("UPDATE", NAME),
    ]
    [update] = [row["detail"] for row in rows if row["action"] == "UPDATE"]
    assert update.startswith("cron: ")
    assert update.endswith("all (and ERROR more)")
    assert [row["@timestamp"] for row in rows] == sorted(
        (row["@timestamp"] for row in rows), reverse=True
    )


RUNTIME_LINES = [
    "2026-11-25T08:46:38.312Z 8f6b4d0e Task timed out after 240.00 seconds",
    "RequestId: 8f6b4d0e Error: Runtime exited with error: signal: killed",
    "[ERROR] Runtime.ImportModuleError: Unable to import module 'x'",
]
OTHER_LINES = [
    "START RequestId: 8f6b4d0e Version: $LATEST",
    "[ERROR] CannotReconcileError: the ERROR line before has said so",
    "REPORT RequestId: 8f6b4d0e Duration: 1 ms Status: error",
]


def test_the_query_of_failures_finds_error_lines_and_what_the_runtime_says(
    resources: Any, log: list[str]
) -> None:
    """Each problem once, however often it was logged, and no dry run."""
    [error] = [line for line in log if line.split(" ")[2] == "ERROR"]
    rows = run_query(
        saved_query(resources, "WhatFails"), [*log, error, *RUNTIME_LINES, *OTHER_LINES]
    )
    found = {row["problem"]: row["times"] for row in rows}
    assert found == {
        error.split(" ", 2)[2]: "2",
        "Task timed out after 240.00 seconds": "1",
        "Error: Runtime exited with error: signal: killed": "1",
        "Unable to import module 'x'": "1",
    }
    [first] = [row["first"] for row in rows if row["times"] == "2"]
    assert first == error.split(" ")[0]


def dashboard(resources: Any) -> dict[str, Any]:
    """Return the widgets of the dashboard by their titles."""
    body, names = resources["ManagerDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert names.keys() == {"Group", "Executor"}
    filled = re.sub(r"\$\{(?:AWS::)?(\w+)\}", r"\1", body)
    assert "${" not in filled
    return {w["properties"]["title"]: w for w in json.loads(filled)["widgets"]}


def test_the_dashboard_shows_the_alarms_metrics(resources: Any) -> None:
    """Runs, failures, duration and drops, from the very metrics that the alarms watch."""
    shown = {
        (metric[0], metric[1])
        for widget in dashboard(resources).values()
        for metric in widget["properties"].get("metrics", [])
    }
    for name in ALARMS.keys() - {"DeadLetters"}:
        watched = alarm(resources, name)
        namespace = watched["Namespace"]
        if isinstance(namespace, dict):
            namespace = re.sub(r"[${}]", "", namespace["Fn::Sub"])
        assert (namespace, watched["MetricName"]) in shown
    failing = dashboard(resources)["Queries that failed or did not start"]["properties"]
    assert ["AWS/Lambda", "Errors", "FunctionName", "Executor"] in failing["metrics"]


def test_the_dashboard_counts_and_lists_the_changes_and_no_dry_run(
    resources: Any, log: list[str]
) -> None:
    """By the same rule as the saved query."""
    widgets = dashboard(resources)
    queries = {
        title: w["properties"]["query"] for title, w in widgets.items() if w["type"] == "log"
    }
    assert all(query.startswith("SOURCE 'ManagerLogGroup' | ") for query in queries.values())
    [counted] = run_query(queries["Changes"], log)
    assert counted["changes"] == "3"
    listed = run_query(queries["The last changes"], log)
    assert listed == run_query(saved_query(resources, "WhatChanged"), log)


def test_the_dashboards_widgets_do_not_overlap(resources: Any) -> None:
    """And fit into its 24 columns."""
    taken = [
        (column, row)
        for w in dashboard(resources).values()
        for column in range(w["x"], w["x"] + w["width"])
        for row in range(w["y"], w["y"] + w["height"])
    ]
    assert len(taken) == len(set(taken))
    assert {column for column, _ in taken} == set(range(24))


def test_the_dashboard_can_be_left_out(resources: Any) -> None:
    """An account has three free ones."""
    assert resources["ManagerDashboard"]["Condition"] == "ShowsDashboard"
    condition = template()["Conditions"]["ShowsDashboard"]
    assert condition == {"Fn::Equals": [{"Ref": "Dashboard"}, "ENABLED"]}
