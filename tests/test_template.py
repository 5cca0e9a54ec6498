"""The template held against the code, as CloudFormation sees it after SAM's transform."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager import __version__
from athena_schedule_manager._schedules import Settings
from athena_schedule_manager.index import handler
from tests.tools.transformed import TEMPLATE, template, transformed
from tests.world import NOTHING_DONE, QUERIES
from tests.world.actions import scheduler_actions
from tests.world.runtime import Function, needs_awslambdaric

if TYPE_CHECKING:
    from tests.world import World

ROOT = TEMPLATE.parent
LOGICAL_ID = "AthenaScheduleManager"
EVENTS = sorted((ROOT / "tests" / "events").glob("*.json"))
SCHEDULER_ARN = "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:"


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
    found: dict[str, dict[str, Any]] = {}
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
    assert names == {"Group": GROUP}
    return str(pattern).removeprefix(SCHEDULER_ARN)


GROUP = {"Fn::If": ["MakesGroup", {"Ref": "ScheduleGroup"}, {"Ref": "ExistingScheduleGroupName"}]}
QUEUE = {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


def test_the_handler_resolves(function: Any) -> None:
    """No linter checks it."""
    module, _, name = function["Handler"].rpartition(".")
    assert getattr(importlib.import_module(module), name) is handler


def test_the_function_is_as_documented(function: Any) -> None:
    """Runtime, architecture, memory, the log's format and no reserved concurrency."""
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert function["MemorySize"] == {"Ref": "MemorySize"}
    assert function["LoggingConfig"]["LogFormat"] == "Text"
    assert "ReservedConcurrentExecutions" not in function


def test_an_invocation_is_not_tried_again(resources: Any) -> None:
    """The next run is the second try."""
    [config] = [r for r in resources.values() if r["Type"] == "AWS::Lambda::EventInvokeConfig"]
    assert config["Properties"]["MaximumRetryAttempts"] == 0
    assert config["Properties"]["MaximumEventAgeInSeconds"] == 300


def test_the_trigger_is_a_rule_and_no_schedule(resources: Any) -> None:
    """A schedule in the managed group would be deleted by the manager itself."""
    [rule] = [r for r in resources.values() if r["Type"] == "AWS::Events::Rule"]
    expression = rule["Properties"]["ScheduleExpression"]
    assert expression == "rate(5 minutes)"
    assert not [r for r in resources.values() if r["Type"] == "AWS::Scheduler::Schedule"]


def test_the_trigger_can_be_paused_and_found(resources: Any) -> None:
    """By a parameter that an update keeps; its name is an output."""
    [(name, rule)] = [(n, r) for n, r in resources.items() if r["Type"] == "AWS::Events::Rule"]
    assert rule["Properties"]["State"] == {"Ref": "TriggerState"}
    assert transformed()["Outputs"]["TriggerRuleName"]["Value"] == {"Ref": name}


def test_function_and_log_group_can_have_another_name(resources: Any, function: Any) -> None:
    """Beside an older manager of the same name, or its log, which outlives it."""
    default = {"Fn::Sub": "${ProjectName}-AthenaScheduleManager"}
    name = {"Fn::If": ["NamesFunction", {"Ref": "FunctionName"}, default]}
    assert function["FunctionName"] == name
    log_group = resources["ManagerLogGroup"]["Properties"]["LogGroupName"]
    assert log_group == {"Fn::Sub": ["/aws/lambda/${Name}", {"Name": name}]}
    named = template()["Conditions"]["NamesFunction"]
    assert named == {"Fn::Not": [{"Fn::Equals": [{"Ref": "FunctionName"}, ""]}]}


def test_the_environment_is_the_settings(function: Any) -> None:
    """The same names, and the same defaults, but for the limit on deletions and the queue."""
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
    assert variables["SCHEDULE_GROUP_NAME"] == GROUP


def test_the_manager_is_told_of_the_queue_that_there_is(function: Any) -> None:
    """The stack's own, an existing one, or none: a blank variable counts as not set."""
    variable = function["Environment"]["Variables"]["DEAD_LETTER_QUEUE_ARN"]
    existing = {"Fn::If": ["HasQueue", {"Ref": "DeadLetterQueueArn"}, ""]}
    assert variable == {"Fn::If": ["MakesQueue", QUEUE, existing]}
    conditions = template()["Conditions"]
    assert conditions["MakesQueue"] == {"Fn::Equals": [{"Ref": "DeadLetterQueueArn"}, ""]}
    none = {"Fn::Equals": [{"Ref": "DeadLetterQueueArn"}, "none"]}
    assert conditions["HasQueue"] == {"Fn::Not": [none]}


def test_the_queue_keeps_what_was_dropped_encrypted_and_as_long_as_can_be(resources: Any) -> None:
    """14 days; and its name is CloudFormation's, so that a stack can be made again at once."""
    queue = resources["DeadLetterQueue"]
    assert queue["Condition"] == "MakesQueue"
    assert queue["Properties"] == {
        "MessageRetentionPeriod": 14 * 24 * 3600,
        "SqsManagedSseEnabled": True,
    }


def test_the_manager_may_call_what_the_code_calls_and_nothing_else(resources: Any) -> None:
    """Each on the narrowest resource that AWS allows."""
    granted = statements(resources, "ManagerRole")
    actions = {action for statement in granted.values() for action in statement["Action"]}
    logs = {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert actions == scheduler_actions() | {"iam:PassRole", "secretsmanager:GetSecretValue"} | logs
    secret = granted["secretsmanager:GetSecretValue"]["Resource"]
    assert secret == {"Ref": "ConfigGitTokenSecretArn"}
    assert granted["scheduler:ListSchedules"]["Resource"] == "*"
    assert arn(granted["scheduler:GetSchedule"]["Resource"]) == "schedule/${Group}/${ProjectName}-*"
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


@pytest.mark.parametrize("role", ["ManagerRole", "SchedulerExecutionRole"])
def test_a_permissions_boundary_bounds_both_roles(resources: Any, role: str) -> None:
    """Where an account demands one; by default there is none."""
    boundary = {"Ref": "PermissionsBoundaryArn"}
    expected = {"Fn::If": ["HasBoundary", boundary, {"Ref": "AWS::NoValue"}]}
    assert resources[role]["Properties"]["PermissionsBoundary"] == expected
    assert template()["Parameters"]["PermissionsBoundaryArn"]["Default"] == ""


def test_the_execution_role_serves_this_groups_schedules_alone(resources: Any) -> None:
    """Trusted to the service for the group and the account, and allowed the executor as given."""
    role = resources["SchedulerExecutionRole"]["Properties"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    equals = trust["Condition"]["StringEquals"]
    assert equals["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert arn(equals["aws:SourceArn"]) == "schedule-group/${Group}"
    granted = statements(resources, "SchedulerExecutionRole")
    assert granted.keys() == {"lambda:InvokeFunction", "sqs:SendMessage"}
    assert all(len(statement["Action"]) == 1 for statement in granted.values())
    assert granted["lambda:InvokeFunction"]["Resource"] == {"Ref": "QueryExecutorArn"}


def test_the_execution_role_may_send_to_the_queue_where_there_is_one(resources: Any) -> None:
    """EventBridge Scheduler writes dead letters with the schedule's role."""
    [policy] = resources["SchedulerExecutionRole"]["Properties"]["Policies"]
    condition, statement, otherwise = policy["PolicyDocument"]["Statement"][1]["Fn::If"]
    assert (condition, otherwise) == ("HasQueue", {"Ref": "AWS::NoValue"})
    queue = {"Fn::If": ["MakesQueue", QUEUE, {"Ref": "DeadLetterQueueArn"}]}
    assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", queue)
    output = transformed()["Outputs"]["DeadLetterQueueArn"]
    assert (output["Condition"], output["Value"]) == ("HasQueue", queue)


def test_a_run_ends_before_the_next_begins(function: Any) -> None:
    """The trigger is every five minutes, as the specification says."""
    assert function["Timeout"] == 240 < 5 * 60


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
    assert not any("tools" in name for name in found)
    code = "import athena_schedule_manager.index as index; print(index.__file__)"
    output = subprocess.check_output([sys.executable, "-c", code], cwd=artifact, text=True)  # noqa: S603 - ours
    assert Path(output.strip()).parent.parent == artifact
    assert template()["Resources"][LOGICAL_ID]["Metadata"] == {"BuildMethod": "makefile"}


def test_a_stray_file_beside_the_modules_is_not_deployed(tmp_path: Path) -> None:
    """A note, a copy or a script that somebody has left there."""
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "athena_schedule_manager", copy / "athena_schedule_manager")
    shutil.copy(ROOT / "Makefile", copy)
    (copy / "athena_schedule_manager" / "secrets_of_mine.py").touch()
    command = ["make", f"build-{LOGICAL_ID}", f"ARTIFACTS_DIR={tmp_path / 'artifact'}"]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)  # noqa: S603 - ours
    found = {path.name for path in (tmp_path / "artifact").rglob("*.py")}
    assert "index.py" in found
    assert "secrets_of_mine.py" not in found


def test_the_version_is_told_by_the_package_and_the_stack_alike() -> None:
    """So an operator sees which code a stack has."""
    assert template()["Outputs"]["Version"]["Value"] == __version__


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
