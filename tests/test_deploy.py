"""What deploying does, with a made-up account in the place of the AWS CLI and the SAM CLI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from athena_schedule_manager.tools.deploy import read_template
from tests.tools.transformed import TEMPLATE, template
from tests.world import EXECUTOR_ARN, SHA
from tests.world.account import FIRST_URL, Account
from tests.world.person import Ended, Operator

if TYPE_CHECKING:
    from pathlib import Path

NEXT = "f" * 40
FIRST = f"ConfigGitUrl={FIRST_URL} QueryExecutorArn={EXECUTOR_ARN}"


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operator:
    """Return somebody with an account that has no stack."""
    return Operator(Account(), tmp_path, monkeypatch, capsys)


@pytest.fixture
def deployed(operator: Operator) -> Operator:
    """Return somebody with a deployed stack."""
    assert operator.run("deploy", PARAMETERS=FIRST).code == 0
    return operator


def failed(ended: Ended, sentence: str) -> bool:
    """Tell whether a tool could not do it, and said so in one sentence."""
    return ended.code == 2 and sentence in ended.complaint and "Traceback" not in ended.complaint


def test_a_later_deployment_does_not_bring_the_old_sha_back(deployed: Operator) -> None:
    """Or the queries added since would be deleted: deploy, publish, deploy."""
    assert deployed.account.parameters["ConfigGitUrl"] == FIRST_URL
    deployed.account.parameters["ConfigGitUrl"] = FIRST_URL.replace(SHA, NEXT)
    assert deployed.run("deploy", PARAMETERS="LogRetentionDays=90").code == 0
    assert deployed.account.parameters["ConfigGitUrl"] == FIRST_URL.replace(SHA, NEXT)
    assert deployed.account.parameters["LogRetentionDays"] == "90"


def test_a_deployment_saves_nothing_that_a_bare_sam_deploy_would_use(deployed: Operator) -> None:
    """It would bring the first URL back, and SAM's own output recommends it."""
    [called] = deployed.account.called("sam", "deploy")
    assert not {"--guided", "--save-params"} & set(called)
    assert "--no-confirm-changeset" in called


def test_a_url_that_an_earlier_version_saved_is_refused(operator: Operator) -> None:
    """Until somebody removes it; other saved settings are the person's own."""
    saved = operator.folder / "samconfig.toml"
    saved.write_text('parameter_overrides = "ConfigGitUrl=\\"https://git.example\\""')
    assert failed(operator.run("deploy", PARAMETERS=FIRST), "Remove samconfig.toml")
    assert not operator.account.called("sam", "deploy")
    saved.write_text('s3_prefix = "manager"')
    assert operator.run("deploy", PARAMETERS=FIRST).code == 0


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
def test_a_value_arrives_as_it_was_typed(deployed: Operator, name: str, value: str) -> None:
    """Whatever make, the shell or SAM's parser would make of it."""
    done = deployed.run("deploy", PARAMETERS=f"{name}={value}")
    assert (done.code, done.complaint) == (0, "")
    assert deployed.account.parameters[name] == value


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
    operator: Operator, words: str, sentence: str
) -> None:
    """SAM cuts a value at a quote and ignores a name that it does not know."""
    assert failed(operator.run("deploy", PARAMETERS=f"{words}"), sentence)
    assert not operator.account.called("sam")


def test_parameters_may_span_several_lines(operator: Operator) -> None:
    """As the README writes them, between single quotes."""
    words = FIRST.replace(" ", "\n     ") + "\n     MaxDeletions=0"
    assert operator.run("deploy", PARAMETERS=words).code == 0
    assert operator.account.parameters["ConfigGitUrl"] == FIRST_URL
    assert operator.account.parameters["MaxDeletions"] == "0"


def test_a_first_deployment_without_a_terminal_needs_its_two_values(operator: Operator) -> None:
    """It fails with a sentence that names them, and does not wait for an answer."""
    refused = operator.run("deploy", PARAMETERS=f"QueryExecutorArn={EXECUTOR_ARN}")
    assert failed(refused, "needs ConfigGitUrl: make deploy PARAMETERS='ConfigGitUrl=...'")
    assert not operator.account.called("sam")


def test_at_a_terminal_a_first_deployment_asks_for_what_is_missing(operator: Operator) -> None:
    """Again for an answer that the template would refuse, and as it was typed."""
    typed = f"http://git.example\n{FIRST_URL}\n{EXECUTOR_ARN}:$LATEST\n"
    done = operator.run("deploy", typed=typed)
    assert done.code == 0, done.complaint
    assert done.output.count("ConfigGitUrl = ") == 2
    assert "must begin with https://" in done.output
    assert operator.account.parameters["ConfigGitUrl"] == FIRST_URL
    assert operator.account.parameters["QueryExecutorArn"] == f"{EXECUTOR_ARN}:$LATEST"


def test_a_first_deployment_that_nobody_answers_stops(operator: Operator) -> None:
    """With a word, and nothing made."""
    assert failed(operator.run("deploy", typed=""), "Stopped")
    assert not operator.account.called("sam")


@pytest.mark.parametrize(
    "status", ["ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS"]
)
def test_a_first_try_that_failed_does_not_bar_the_second(deployed: Operator, status: str) -> None:
    """What it left has no resources, and is deleted if it must be."""
    deployed.account.status = status
    done = deployed.run("deploy", PARAMETERS=FIRST.replace(SHA, NEXT))
    assert done.code == 0, done.complaint
    assert deployed.account.parameters["ConfigGitUrl"] == FIRST_URL.replace(SHA, NEXT)
    assert bool(deployed.account.called("delete-stack")) == (status == "ROLLBACK_COMPLETE")


@pytest.mark.parametrize(
    "status", ["UPDATE_IN_PROGRESS", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"]
)
def test_a_stack_that_is_not_at_rest_is_left_alone(deployed: Operator, status: str) -> None:
    """It has resources, so it is neither updated nor deleted."""
    deployed.account.status = status
    assert failed(deployed.run("deploy"), f"is in the state {status}")
    assert len(deployed.account.called("sam", "deploy")) == 1
    assert not deployed.account.called("delete-stack")


def test_a_stack_without_the_url_is_not_deployed_to(deployed: Operator) -> None:
    """It is another one."""
    del deployed.account.parameters["ConfigGitUrl"]
    assert failed(deployed.run("deploy"), "has no parameter ConfigGitUrl")
    assert len(deployed.account.called("sam", "deploy")) == 1


def test_a_stack_that_cannot_be_looked_at_is_not_taken_for_a_missing_one(
    operator: Operator,
) -> None:
    """A first deployment would ask for its URL."""
    operator.account.refusals["describe-stacks"] = ["AccessDenied", "not you"]
    assert failed(operator.run("deploy", PARAMETERS=FIRST), "AccessDenied")
    assert not operator.account.called("sam")


def test_a_second_stack_can_be_made_from_the_same_clone(deployed: Operator) -> None:
    """Nothing of the first is kept in the folder."""
    before = {path.name for path in deployed.folder.iterdir()}
    deployed.account.status = ""
    second = f"{FIRST} ProjectName=acme"
    assert deployed.run("deploy", "--stack", "acme-manager", PARAMETERS=second).code == 0
    assert "acme-manager" in deployed.account.called("sam", "deploy")[-1]
    assert deployed.account.parameters["ProjectName"] == "acme"
    assert {path.name for path in deployed.folder.iterdir()} == before


@pytest.mark.parametrize(
    ("words", "runs"),
    [("QueryExecutorArn=" + EXECUTOR_ARN + ":live", 1), ("", 1), ("TriggerState=DISABLED", 0)],
)
def test_an_update_runs_once_unless_the_trigger_is_paused(
    deployed: Operator, words: str, runs: int
) -> None:
    """Schedules that still have the old executor are denied until a run has moved them."""
    assert not deployed.account.called("invoke")
    done = deployed.run("deploy", PARAMETERS=words)
    assert done.code == 0
    assert len(deployed.account.called("invoke")) == runs
    assert ("The trigger is paused" in done.output) == (not runs)


def test_a_new_executor_while_the_trigger_is_paused_is_warned_of(deployed: Operator) -> None:
    """Nothing moves the schedules to it until somebody runs the function."""
    sentence = "denied until the next run"
    words = "TriggerState=DISABLED"
    assert sentence not in deployed.run("deploy", PARAMETERS=words).output
    done = deployed.run("deploy", PARAMETERS=f"QueryExecutorArn={EXECUTOR_ARN}:live")
    assert (done.code, sentence in done.output) == (0, True)


def test_an_update_whose_run_fails_says_so(deployed: Operator) -> None:
    """The stack is deployed all the same."""
    deployed.account.answers["run"] = {"errorMessage": "boom"}
    done = deployed.run("deploy")
    assert failed(done, "failed: Unhandled")
    assert "Deployed 3.0.0" in done.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "Alarms notify nobody"),
        ("AlarmEmail=a@example.org", "once it is confirmed"),
        ("AlarmTopicArn=arn:aws:sns:eu-south-1:123456789012:alarms", ""),
    ],
)
def test_a_deployment_says_whom_the_alarms_notify(
    operator: Operator, words: str, sentence: str
) -> None:
    """Nobody, by default."""
    done = operator.run("deploy", PARAMETERS=f"{FIRST} {words}")
    said = [line for line in done.output.splitlines() if "larms notify" in line]
    assert len(said) == bool(sentence)
    assert sentence in "".join(said)


@pytest.mark.parametrize(
    "words", ["ProjectName=acme", "ExistingScheduleGroupName=pn-athena-queries"]
)
def test_a_change_that_deletes_the_group_needs_a_confirmation(
    deployed: Operator, words: str
) -> None:
    """The schedules go, with all that was set on them by hand."""
    refused = deployed.run("deploy", PARAMETERS=words)
    assert failed(refused, "This deletes the schedule group pn-athena-queries")
    assert len(deployed.account.called("sam", "deploy")) == 1
    assert deployed.run("deploy", PARAMETERS=words, CONFIRM="yes").code == 0
    deployed.account.parameters |= {"ProjectName": "pn", "ExistingScheduleGroupName": "old"}
    assert deployed.run("deploy", PARAMETERS="ProjectName=acme").code == 0


@pytest.mark.parametrize(("before", "said"), [("2.1.0", "was 2.1.0"), ("", "was older than 3.0.0")])
def test_an_update_says_which_version_it_replaces(
    deployed: Operator, before: str, said: str
) -> None:
    """As the stack's output tells it."""
    deployed.account.outputs["Version"] = before
    assert f"Deployed 3.0.0, {said}" in deployed.run("deploy").output


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
