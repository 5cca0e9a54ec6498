"""The template held against the code, as CloudFormation sees it after SAM's transform."""

from __future__ import annotations

import importlib
import json
import logging
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager import _git, schedule_manager
from athena_schedule_manager.index import LineFormatter, handler
from athena_schedule_manager.schedule_manager import Settings
from tests.tools.transformed import TEMPLATE, template, transformed
from tests.world import NAME, NOTHING_DONE, QUERIES, SHA
from tests.world.actions import scheduler_actions
from tests.world.runtime import Function, needs_awslambdaric

if TYPE_CHECKING:
    from tests.world import World

ROOT = TEMPLATE.parent
LOGICAL_ID = "AthenaScheduleManager"
EVENTS = sorted((ROOT / "tests" / "events").glob("*.json"))
GROUP_ARN = "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:"


@pytest.fixture(scope="module")
def resources() -> Any:
    """Return the resources that CloudFormation makes."""
    return transformed()["Resources"]


@pytest.fixture(scope="module")
def function(resources: Any) -> Any:
    """Return the properties of the function."""
    return resources[LOGICAL_ID]["Properties"]


def statements(resources: Any, role: str) -> dict[str, dict[str, Any]]:
    """Return the statements of a role by their first action."""
    found = {}
    for policy in resources[role]["Properties"]["Policies"]:
        for written in policy["PolicyDocument"]["Statement"]:
            statement = written["Fn::If"][1] if "Fn::If" in written else written
            actions = statement["Action"]
            actions = [actions] if isinstance(actions, str) else actions
            found[actions[0]] = statement | {"Action": actions}
    return found


def arn(resource: Any) -> str:
    """Return the pattern of an ARN that is put together with Sub."""
    pattern, names = resource["Fn::Sub"]
    condition = {"Fn::If": ["MakesGroup", {"Ref": "ScheduleGroup"}, _EXISTING]}
    assert names == {"Group": condition}
    return str(pattern).removeprefix(GROUP_ARN)


_EXISTING = {"Ref": "ExistingScheduleGroupName"}


def test_the_handler_resolves(function: Any) -> None:
    """No linter checks it."""
    module, _, name = function["Handler"].rpartition(".")
    assert getattr(importlib.import_module(module), name) is handler


def test_the_function_is_as_documented(function: Any) -> None:
    """Runtime, architecture, memory, the log's format and no reserved concurrency by default."""
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert function["MemorySize"] == 256
    assert function["LoggingConfig"]["LogFormat"] == "Text"
    assert function["ReservedConcurrentExecutions"]["Fn::If"][0] == "ReservesConcurrency"
    assert template()["Parameters"]["ReservedConcurrency"]["Default"] == ""


def test_an_invocation_is_not_tried_again(resources: Any) -> None:
    """The next run is the second try."""
    [config] = [r for r in resources.values() if r["Type"] == "AWS::Lambda::EventInvokeConfig"]
    assert config["Properties"]["MaximumRetryAttempts"] == 0
    assert config["Properties"]["MaximumEventAgeInSeconds"] == 300


def test_the_trigger_is_a_rule_and_no_schedule(resources: Any) -> None:
    """A schedule in the managed group would be deleted by the manager itself."""
    [rule] = [r for r in resources.values() if r["Type"] == "AWS::Events::Rule"]
    expression = rule["Properties"]["ScheduleExpression"]
    assert expression == {"Fn::Sub": "rate(${IntervalMinutes} minutes)"}
    assert not [r for r in resources.values() if r["Type"] == "AWS::Scheduler::Schedule"]


def test_the_environment_is_the_settings(function: Any) -> None:
    """The same names, and the same defaults, but for the brake, which the template puts on."""
    variables = function["Environment"]["Variables"]
    defaults = {setting.name.upper(): setting.default for setting in fields(Settings)}
    assert variables.keys() == defaults.keys()
    parameters = template()["Parameters"]
    assert parameters["ProjectName"]["Default"] == defaults["PROJECT_NAME"]
    group = transformed()["Resources"]["ScheduleGroup"]["Properties"]["Name"]["Fn::Sub"]
    assert group.replace("${ProjectName}", "pn") == defaults["SCHEDULE_GROUP_NAME"]
    assert parameters["MaxDeletions"]["Default"] == "20"
    assert parameters["ConfigGitTokenSecretArn"]["Default"] == ""
    assert variables["SCHEDULE_ROLE_ARN"] == {"Fn::GetAtt": ["SchedulerExecutionRole", "Arn"]}
    made = {"Fn::If": ["MakesGroup", {"Ref": "ScheduleGroup"}, _EXISTING]}
    assert variables["SCHEDULE_GROUP_NAME"] == made


def test_the_manager_may_call_what_the_code_calls_and_nothing_else(resources: Any) -> None:
    """Each on the narrowest resource that AWS allows."""
    granted = statements(resources, "ManagerRole")
    actions = {action for statement in granted.values() for action in statement["Action"]}
    logs = {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert actions == scheduler_actions() | {"iam:PassRole", "secretsmanager:GetSecretValue"} | logs
    secret = granted["secretsmanager:GetSecretValue"]["Resource"]
    assert secret == {"Ref": "ConfigGitTokenSecretArn"}
    assert granted["scheduler:ListSchedules"]["Resource"] == "*"
    assert arn(granted["scheduler:GetSchedule"]["Resource"]) == "schedule/${Group}/*"
    assert arn(granted["scheduler:GetScheduleGroup"]["Resource"]) == "schedule-group/${Group}"
    log_group = {"Fn::GetAtt": ["ManagerLogGroup", "Arn"]}
    assert granted["logs:CreateLogStream"]["Resource"] == log_group
    pass_role = granted["iam:PassRole"]
    assert pass_role["Resource"] == {"Fn::GetAtt": ["SchedulerExecutionRole", "Arn"]}
    service = {"iam:PassedToService": "scheduler.amazonaws.com"}
    assert pass_role["Condition"] == {"StringEquals": service}


def test_the_secret_is_granted_only_where_there_is_one(resources: Any) -> None:
    """A statement without a resource would break the stack."""
    [policy] = resources["ManagerRole"]["Properties"]["Policies"]
    [conditional] = [s["Fn::If"] for s in policy["PolicyDocument"]["Statement"] if "Fn::If" in s]
    assert (conditional[0], conditional[2]) == ("ReadsSecret", {"Ref": "AWS::NoValue"})


def test_no_other_role_and_no_managed_policy(resources: Any, function: Any) -> None:
    """SAM's implicit role may write any log group."""
    roles = {name: r for name, r in resources.items() if r["Type"] == "AWS::IAM::Role"}
    assert roles.keys() == {"ManagerRole", "SchedulerExecutionRole"}
    assert all("ManagedPolicyArns" not in role["Properties"] for role in roles.values())
    assert function["Role"] == {"Fn::GetAtt": ["ManagerRole", "Arn"]}


def test_the_execution_role_serves_this_groups_schedules_alone(resources: Any) -> None:
    """Trusted to the service for the group and the account, and allowed the executor."""
    role = resources["SchedulerExecutionRole"]["Properties"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    equals = trust["Condition"]["StringEquals"]
    assert equals["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert arn(equals["aws:SourceArn"]) == "schedule-group/${Group}"
    [(action, statement)] = statements(resources, "SchedulerExecutionRole").items()
    assert action == "lambda:InvokeFunction"
    assert statement["Action"] == [action]
    executor = [{"Ref": "QueryExecutorArn"}, {"Fn::Sub": "${QueryExecutorArn}:*"}]
    assert statement["Resource"] == executor


def test_every_parameter_is_used_described_and_constrained() -> None:
    """Only the two that nobody can guess have no default."""
    written = template()
    body = json.dumps({key: written[key] for key in ("Conditions", "Resources", "Outputs")})
    for name, parameter in written["Parameters"].items():
        assert f'"{name}"' in body or f"${{{name}}}" in body, name
        assert {"Description", "ConstraintDescription"} <= parameter.keys()
        assert {"AllowedPattern", "AllowedValues"} & parameter.keys()
    required = [name for name, p in written["Parameters"].items() if "Default" not in p]
    assert required == ["ConfigGitUrl", "QueryExecutorArn"]
    listed = written["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert {n for group in listed for n in group["Parameters"]} == written["Parameters"].keys()


EXECUTOR = "arn:aws:lambda:eu-south-1:123456789012:function:pn-Executor"
REPOSITORY_ARN = "arn:aws:secretsmanager:eu-south-1:123456789012:secret:"
VALUES = [
    ("ConfigGitUrl", f"https://raw.githubusercontent.com/org/repo/{SHA}/c.json", True),
    ("ConfigGitUrl", f"https://gitlab.example/api/v4/projects/1/x%2Fc.json/raw?ref={SHA}", True),
    ("ConfigGitUrl", f"https://bitbucket.example/p/r/raw/c.json?at={SHA}&x=1#y", True),
    ("ConfigGitUrl", "http://git.example/c.json", False),
    ("ConfigGitUrl", "https://user:password@git.example/c.json", False),
    ("ConfigGitUrl", "https://git.example/a b", False),
    ("ConfigGitUrl", "https://", False),
    ("ConfigGitUrl", "https://git.example/\n", False),
    ("QueryExecutorArn", EXECUTOR, True),
    ("QueryExecutorArn", f"{EXECUTOR}:live", True),
    ("QueryExecutorArn", f"{EXECUTOR}:$LATEST", True),
    ("QueryExecutorArn", f"{EXECUTOR}:7", True),
    ("QueryExecutorArn", EXECUTOR.replace("aws", "aws-us-gov", 1), True),
    ("QueryExecutorArn", EXECUTOR.replace("aws", "aws-cn", 1), True),
    ("QueryExecutorArn", "pn-Executor", False),
    ("QueryExecutorArn", EXECUTOR.replace("123456789012", "12345"), False),
    ("QueryExecutorArn", EXECUTOR.replace("lambda", "sqs"), False),
    ("QueryExecutorArn", f"{EXECUTOR}:a:b", False),
    ("ProjectName", "pn", True),
    ("ProjectName", "a" * 33, False),
    ("ProjectName", "-pn", False),
    ("ProjectName", "p n", False),
    ("ProjectName", "", False),
    ("ExistingScheduleGroupName", "", True),
    ("ExistingScheduleGroupName", "pn-athena_queries.1", True),
    ("ExistingScheduleGroupName", "a/b", False),
    ("ReservedConcurrency", "", True),
    ("ReservedConcurrency", "1", True),
    ("ReservedConcurrency", "0", False),
    ("ReservedConcurrency", "-1", False),
    ("MaxDeletions", "20", True),
    ("MaxDeletions", "0", True),
    ("MaxDeletions", "", True),
    ("MaxDeletions", "-1", False),
    ("MaxDeletions", "many", False),
    ("ConfigGitTokenSecretArn", "", True),
    ("ConfigGitTokenSecretArn", f"{REPOSITORY_ARN}git/token-AbCdEf", True),
    ("ConfigGitTokenSecretArn", "my-token", False),
    ("AlarmTopicArn", "", True),
    ("AlarmTopicArn", "arn:aws:sns:eu-south-1:123456789012:alarms", True),
    ("AlarmTopicArn", "alarms", False),
]


@pytest.mark.parametrize(("name", "value", "taken"), VALUES)
def test_the_patterns_of_the_parameters(name: str, value: str, *, taken: bool) -> None:
    """What is wrong is refused by CloudFormation itself, in the words of the constraint."""
    pattern = template()["Parameters"][name]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value)) == taken


def test_a_url_that_the_template_takes_is_one_that_the_manager_takes() -> None:
    """The two rules do not contradict each other."""
    for name, value, taken in VALUES:
        if name == "ConfigGitUrl" and taken:
            _git.check_url(value, name)


def test_names_made_of_the_longest_project_name_fit() -> None:
    """64 characters for functions, roles and groups."""
    assert len("x" * 32 + "-AthenaScheduleManager") <= 64


def test_a_run_ends_before_the_next_begins(function: Any) -> None:
    """And the periods of the alarms follow the interval."""
    written = template()
    minutes = written["Parameters"]["IntervalMinutes"]["AllowedValues"]
    assert minutes == [5, 10, 15, 30, 60]
    assert function["Timeout"] == 240 < min(minutes) * 60
    seconds = {key: value["Seconds"] for key, value in written["Mappings"]["Interval"].items()}
    assert seconds == {str(minute): minute * 60 for minute in minutes}


def alarm(resources: Any, name: str) -> Any:
    """Return the properties of an alarm."""
    return resources[f"{name}Alarm"]["Properties"]


def test_the_alarms_mean_what_they_say(resources: Any, function: Any) -> None:
    """Metrics, thresholds, and what missing data means."""
    names = ["FunctionErrors", "ErrorLines", "NearTimeout", "Heartbeat", "TargetErrors"]
    names.append("DroppedInvocations")
    metrics = [alarm(resources, name)["MetricName"] for name in names]
    assert metrics == [
        "Errors",
        "ErrorLines",
        "Duration",
        "CompletedRuns",
        "TargetErrorCount",
        "InvocationDroppedCount",
    ]
    near = alarm(resources, "NearTimeout")
    assert (near["Threshold"], near["Statistic"]) == (function["Timeout"] * 800, "Maximum")
    heartbeat = alarm(resources, "Heartbeat")
    assert (heartbeat["EvaluationPeriods"], heartbeat["TreatMissingData"]) == (3, "breaching")
    assert heartbeat["ComparisonOperator"] == "LessThanThreshold"
    for name in names:
        found = alarm(resources, name)
        topic = {"Fn::If": ["Notifies", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
        assert found["AlarmActions"] == found["OKActions"] == topic
        assert found["Threshold"] == 1 or name == "NearTimeout"
        if name != "Heartbeat":
            assert found["TreatMissingData"] == "notBreaching"
            assert found["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    for name in ("TargetErrors", "DroppedInvocations"):
        [dimension] = alarm(resources, name)["Dimensions"]
        assert dimension["Name"] == "ScheduleGroup"
        assert dimension["Value"]["Fn::If"][0] == "MakesGroup"


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
    lines = [LineFormatter("id", "").format(record) for record in caplog.records]
    assert [line.split(" ")[2] for line in lines if matches(errors, line)] == ["ERROR"]
    assert sum("ERROR" in line for line in lines) == 2
    assert [line for line in lines if matches(completed, line)] == lines[-1:]
    assert sum("Reconciliation complete" in line for line in lines) == 2


def test_a_failed_run_is_no_completed_one(
    world: World, caplog: pytest.LogCaptureFixture, resources: Any
) -> None:
    """So the heartbeat alarm notices a manager that only fails."""
    world.git_host.publish([])
    with pytest.raises(schedule_manager.CannotReconcileError):
        world.run()
    completed = filter_pattern(resources, "CompletedRuns")
    lines = [LineFormatter("id", "").format(record) for record in caplog.records]
    assert not [line for line in lines if matches(completed, line)]
    assert caplog.records[-1].levelno == logging.ERROR


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """Return what the build target makes."""
    command = ["make", f"build-{LOGICAL_ID}", f"ARTIFACTS_DIR={tmp_path}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - ours
    return tmp_path


def test_the_artifact_holds_exactly_the_packages_modules(artifact: Path) -> None:
    """And it imports from a clean directory, with nothing of the project beside it."""
    found = {str(path.relative_to(artifact)) for path in artifact.rglob("*") if path.is_file()}
    modules = {path.name for path in (ROOT / "athena_schedule_manager").glob("*.py")}
    assert found == {f"athena_schedule_manager/{module}" for module in modules}
    code = "import athena_schedule_manager.index as index; print(index.__file__)"
    output = subprocess.check_output([sys.executable, "-c", code], cwd=artifact, text=True)  # noqa: S603 - ours
    assert Path(output.strip()).parent.parent == artifact
    assert template()["Resources"][LOGICAL_ID]["Metadata"] == {"BuildMethod": "makefile"}


@needs_awslambdaric
def test_the_artifact_answers_an_invocation(
    world: World, artifact: Path, function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the real runtime, with the template's handler."""
    monkeypatch.setenv("PYTHONPATH", str(artifact))
    started = Function(function["Handler"], cwd=artifact)
    world.git_host.publish({"queries": QUERIES})
    assert started.api.invoke("request-1") == ("response", NOTHING_DONE | {"created": 1})
    started.log()


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_the_event_files_are_events_of_the_function(world: World, path: Path) -> None:
    """Those of EventBridge and of a person."""
    world.git_host.publish({"queries": QUERIES})
    assert handler(json.loads(path.read_text("utf-8")), None) == NOTHING_DONE | {"created": 1}
