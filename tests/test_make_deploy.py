"""What make deploy does, with stand-ins for the AWS CLI and the SAM CLI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.tools.deploy import read_template
from tests.tools.transformed import TEMPLATE, template
from tests.world import EXECUTOR_ARN, SHA
from tests.world.stack import Stack

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

NEXT = "f" * 40


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Return a stack to be made."""
    return Stack(tmp_path)


def failed(done: subprocess.CompletedProcess[str], sentence: str) -> bool:
    """Tell whether make failed with this sentence and no traceback."""
    return done.returncode != 0 and sentence in done.stderr and "Traceback" not in done.stderr


def test_a_later_deployment_does_not_bring_the_old_sha_back(stack: Stack) -> None:
    """Or the queries added since would be deleted: deploy, publish, deploy."""
    stack.deploy()
    assert stack.url() == stack.first
    stack.write(url=stack.first.replace(SHA, NEXT))
    assert stack.make("deploy", "PARAMETERS=LogRetentionDays=90").returncode == 0
    assert stack.url() == stack.first.replace(SHA, NEXT)
    assert stack.read()["parameters"]["LogRetentionDays"] == "90"


def test_a_deployment_saves_nothing_that_a_bare_sam_deploy_would_use(stack: Stack) -> None:
    """It would bring the first URL back, and SAM's own output recommends it."""
    stack.deploy()
    [called] = stack.called("sam", "deploy")
    assert not {"--guided", "--save-params"} & set(called)
    assert "--no-confirm-changeset" in called


def test_a_url_that_an_earlier_version_saved_is_refused(stack: Stack) -> None:
    """Until somebody removes it; other saved settings are the person's own."""
    saved = stack.place / "samconfig.toml"
    saved.write_text('parameter_overrides = "ConfigGitUrl=\\"https://git.example\\""')
    assert failed(stack.make("deploy", stack.first_parameters), "Remove samconfig.toml")
    assert not stack.called("sam", "deploy")
    saved.write_text('s3_prefix = "manager"')
    stack.deploy()


VALUES = [
    ("QueryExecutorArn", f"{EXECUTOR_ARN}:$LATEST"),
    ("ConfigGitUrl", f"https://git.example/{SHA}/c.json?a=1&b=$HOME&c=$(id)&d=`id`"),
    ("ConfigGitUrl", f"https://git.example/(a)/{SHA}/it's/c.json;x#y"),
    ("ConfigGitUrl", f"https://git.example/{SHA}/c.json?a=$$&b=%20&c=*&d=!"),
    ("MaxDeletions", ""),
    ("AlarmTopicArn", ""),
    ("AlarmEmail", "a+b'c@example.org"),
]


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_a_value_arrives_as_it_was_typed(stack: Stack, name: str, value: str) -> None:
    """Whatever make, the shell or SAM's parser would make of it."""
    stack.deploy()
    done = stack.make("deploy", f"PARAMETERS={name}={value}")
    assert (done.returncode, done.stderr) == (0, "")
    state = stack.read()
    assert {"ConfigGitUrl": state["url"], **state["parameters"]}[name] == value
    assert not list((stack.place / "temporary").iterdir())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ('ConfigGitUrl=https://git.example/"c.json', "double quotes"),
        ("ConfigGitUrl=https://git.example/\\c.json", "backslashes"),
        ("QueryExecutorArn=pn-Executor", "must be the ARN of a Lambda function"),
        ("MaxDeletions=many", "MaxDeletions=many is refused: MaxDeletions must be a whole"),
        ("MaxDeletion=5", "MaxDeletion=5 must be Name=value, with the name of a parameter"),
        ("LogRetentionDays", "LogRetentionDays must be Name=value"),
        ("MaxDeletions=1 MaxDeletions=2", "MaxDeletions appears twice"),
        ("ConfigGitTokenSecretArn=arn:aws:secretsmanager:r:123456789012:secret:a", "whole ARN"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_made(
    stack: Stack, words: str, sentence: str
) -> None:
    """SAM cuts a value at a quote and ignores a name that it does not know."""
    assert failed(stack.make("deploy", f"PARAMETERS={words}"), sentence)
    assert not stack.called("sam")


def test_parameters_may_span_several_lines(stack: Stack) -> None:
    """As the README writes them, between single quotes."""
    words = stack.first_parameters.replace(" ", "\n     ") + "\n     MaxDeletions=0"
    assert stack.make("deploy", words).returncode == 0
    assert stack.url() == stack.first
    assert stack.read()["parameters"]["MaxDeletions"] == "0"


def test_a_first_deployment_without_a_terminal_needs_its_two_values(stack: Stack) -> None:
    """It fails with a sentence that names them, and does not wait for an answer."""
    given = f"PARAMETERS=QueryExecutorArn={EXECUTOR_ARN}"
    refused = stack.make("deploy", given)
    assert failed(refused, "needs ConfigGitUrl: make deploy PARAMETERS='ConfigGitUrl=...'")
    assert not stack.called("sam")


def test_at_a_terminal_a_first_deployment_asks_for_what_is_missing(stack: Stack) -> None:
    """Again for an answer that the template would refuse, and as it was typed."""
    typed = f"http://git.example\n{stack.first}\n{EXECUTOR_ARN}:$LATEST\n"
    done = stack.make("deploy", typed=typed)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ConfigGitUrl = ") == 2
    assert "must begin with https://" in done.stdout
    assert stack.url() == stack.first
    assert stack.read()["parameters"]["QueryExecutorArn"] == f"{EXECUTOR_ARN}:$LATEST"


def test_a_first_deployment_that_nobody_answers_stops(stack: Stack) -> None:
    """With a word, and nothing made."""
    assert failed(stack.make("deploy", typed="\x04"), "Stopped")
    assert not stack.called("sam")


@pytest.mark.parametrize(
    "status", ["ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS"]
)
def test_a_first_try_that_failed_does_not_bar_the_second(stack: Stack, status: str) -> None:
    """What it left has no resources, and is deleted if it must be."""
    stack.deploy()
    stack.write(status=status)
    if status == "DELETE_IN_PROGRESS":
        stack.state.unlink()
    done = stack.make("deploy", stack.first_parameters.replace(SHA, NEXT))
    assert done.returncode == 0, done.stderr
    assert stack.url() == stack.first.replace(SHA, NEXT)
    assert bool(stack.called("delete-stack")) == (status == "ROLLBACK_COMPLETE")


@pytest.mark.parametrize(
    "status", ["UPDATE_IN_PROGRESS", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"]
)
def test_a_stack_that_is_not_at_rest_is_left_alone(stack: Stack, status: str) -> None:
    """It has resources, so it is neither updated nor deleted."""
    stack.deploy()
    stack.write(status=status)
    assert failed(stack.make("deploy"), f"is in the state {status}")
    assert len(stack.called("sam", "deploy")) == 1
    assert not stack.called("delete-stack")


@pytest.mark.parametrize("url", ["None", ""])
def test_a_stack_without_the_url_is_not_deployed_to(stack: Stack, url: str) -> None:
    """It is another one."""
    stack.state.write_text(json.dumps({"url": url, "others": []}))
    assert failed(stack.make("deploy"), "has no parameter ConfigGitUrl")
    assert not stack.called("sam")


def test_a_stack_that_cannot_be_looked_at_is_not_taken_for_a_missing_one(stack: Stack) -> None:
    """A first deployment would ask for its URL."""
    stack.state.write_text(json.dumps({"denied": True}))
    assert failed(stack.make("deploy", stack.first_parameters), "AccessDenied")
    assert not stack.called("sam")


def test_a_second_stack_can_be_made_from_the_same_clone(stack: Stack) -> None:
    """Nothing of the first is kept in the folder."""
    stack.deploy()
    before = {path.name for path in stack.place.iterdir()}
    stack.state.unlink()
    second = f"{stack.first_parameters} ProjectName=acme"
    assert stack.make("deploy", "STACK=acme-manager", second).returncode == 0
    assert "acme-manager" in stack.called("sam", "deploy")[-1]
    assert stack.read()["parameters"]["ProjectName"] == "acme"
    assert {path.name for path in stack.place.iterdir()} == before


@pytest.mark.parametrize(
    ("words", "runs"),
    [("QueryExecutorArn=" + EXECUTOR_ARN + ":live", 1), ("", 1), ("TriggerState=DISABLED", 0)],
)
def test_an_update_runs_once_unless_the_trigger_is_paused(
    stack: Stack, words: str, runs: int
) -> None:
    """Schedules that still have the old executor are denied until a run has moved them."""
    stack.deploy()
    assert not stack.called("invoke")
    done = stack.make("deploy", f"PARAMETERS={words}")
    assert done.returncode == 0
    assert len(stack.called("invoke")) == runs
    assert ("The trigger is paused" in done.stdout) == (not runs)


def test_a_new_executor_while_the_trigger_is_paused_is_warned_of(stack: Stack) -> None:
    """Nothing moves the schedules to it until somebody runs the function."""
    stack.deploy()
    sentence = "denied until the next run"
    words = "PARAMETERS=TriggerState=DISABLED"
    assert sentence not in stack.make("deploy", words).stdout
    done = stack.make("deploy", f"PARAMETERS=QueryExecutorArn={EXECUTOR_ARN}:live")
    assert (done.returncode, sentence in done.stdout) == (0, True)


def test_an_update_whose_run_fails_says_so(stack: Stack) -> None:
    """The stack is deployed all the same."""
    stack.deploy()
    stack.write(invoke="Unhandled")
    done = stack.make("deploy")
    assert failed(done, "failed: Unhandled")
    assert "Deployed. " in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "Alarms notify nobody"),
        ("AlarmEmail=a@example.org", "once it is confirmed"),
        ("AlarmTopicArn=arn:aws:sns:eu-south-1:123456789012:alarms", ""),
    ],
)
def test_a_deployment_says_whom_the_alarms_notify(stack: Stack, words: str, sentence: str) -> None:
    """Nobody, by default."""
    done = stack.make("deploy", f"{stack.first_parameters} {words}")
    said = [line for line in done.stdout.splitlines() if "larms notify" in line]
    assert len(said) == bool(sentence)
    assert sentence in "".join(said)


@pytest.mark.parametrize(
    "words", ["ProjectName=acme", "ExistingScheduleGroupName=pn-athena-queries"]
)
def test_a_change_that_deletes_the_group_needs_a_confirmation(stack: Stack, words: str) -> None:
    """The schedules go, with all that was set on them by hand."""
    stack.deploy()
    refused = stack.make("deploy", f"PARAMETERS={words}")
    assert failed(refused, "This deletes the schedule group pn-athena-queries")
    assert len(stack.called("sam", "deploy")) == 1
    assert stack.make("deploy", f"PARAMETERS={words}", "CONFIRM=yes").returncode == 0
    stack.write(parameters={"ProjectName": "pn", "ExistingScheduleGroupName": "old"})
    assert stack.make("deploy", "PARAMETERS=ProjectName=acme").returncode == 0


def test_the_parameters_are_read_off_the_template_as_yaml_has_them() -> None:
    """Without a parser of YAML, which the standard library has none of."""
    read = read_template(TEMPLATE.read_text("utf-8"))
    written = template()["Parameters"]
    assert list(read) == list(written)
    for name, parameter in written.items():
        assert read[name].description == parameter["Description"]
        assert read[name].pattern == parameter.get("AllowedPattern", ".*")
        assert read[name].constraint == parameter["ConstraintDescription"]
        assert read[name].is_required == ("Default" not in parameter)
