"""What deploying does, with a made-up account in the place of the AWS CLI and the SAM CLI."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from athena_schedule_manager._git import FetchError, invalid_config, url_to_fetch
from athena_schedule_manager._words import CannotReconcileError
from athena_schedule_manager.tools.deploy import UNUSABLE
from athena_schedule_manager.tools.parameters import read_template
from tests.tools.transformed import TEMPLATE, template
from tests.world import EXECUTOR_ARN, SHA
from tests.world.account import COUNTED, FIRST_URL, NUMBER, Account
from tests.world.person import Ended, Operator

NEXT = "f" * 40
NEXT_URL = FIRST_URL.replace(SHA, NEXT)
SECRET = "arn:aws:secretsmanager:eu-south-1:123456789012:secret:git-token-a1b2c3"  # noqa: S105 - an ARN
TOKEN = f"ConfigGitUrl={NEXT_URL} ConfigGitTokenSecretArn={SECRET}"
LIVE = f"{EXECUTOR_ARN}:live"
FIRST = f"ConfigGitUrl={FIRST_URL} QueryExecutorArn={EXECUTOR_ARN}"


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operator:
    """Return somebody with an account that has no stack."""
    account = Account(functions=[EXECUTOR_ARN, LIVE, f"{EXECUTOR_ARN}:$LATEST"])
    return Operator(account, tmp_path, monkeypatch, capsys)


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
    assert done.code == 0, done.complaint
    assert deployed.account.parameters[name] == value


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ('ConfigGitUrl=https://git.example/"c.json', "double quotes"),
        ("ConfigGitUrl=https://git.example/\\c.json", "backslashes"),
        ("QueryExecutorArn=pn-Executor", "must be the ARN of a Lambda function"),
        ("MaxDeletions=many", "MaxDeletions must be a whole number"),
        (
            "MaxDeletion=5",
            "word 1 is not the name of a parameter of the template; did you mean MaxD",
        ),
        ("LogRetentionDays", "word 1 must be Name=value"),
        ("MaxDeletions=1 MaxDeletions=2", "MaxDeletions appears twice"),
        ("ConfigGitTokenSecretArn=arn:aws:secretsmanager:r:123456789012:secret:a", "whole ARN"),
        ("LogRetentionDays=8", "LogRetentionDays must be a number of days that CloudWatch Logs"),
        ("MemorySize=100", "MemorySize must be a whole number from 256 to 10240"),
        ("TriggerState=off", "TriggerState must be ENABLED or DISABLED"),
        ("Dashboard=no", "Dashboard must be ENABLED or DISABLED"),
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
    command = "make deploy PARAMETERS='ConfigGitUrl=... QueryExecutorArn=...'"
    assert failed(refused, f"needs ConfigGitUrl: {command}")
    refused = operator.run("deploy", PARAMETERS="ProjectName=acme MaxDeletions=3")
    for name in ("ConfigGitUrl", "QueryExecutorArn", "ProjectName", "MaxDeletions"):
        assert f"{name}=..." in refused.complaint, "what was given is not lost when it is pasted"
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
    "coming",
    [
        pytest.param(["ROLLBACK_COMPLETE"], id="rolled back"),
        pytest.param(["REVIEW_IN_PROGRESS"], id="a change set alone"),
        pytest.param(["DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", ""], id="being deleted"),
    ],
)
def test_a_first_try_that_failed_does_not_bar_the_second(
    deployed: Operator, coming: list[str]
) -> None:
    """What it left has no resources, and is deleted if it must be."""
    deployed.account.status = coming[0]
    deployed.account.coming = list(coming)
    done = deployed.run("deploy", PARAMETERS=FIRST.replace(SHA, NEXT))
    assert done.code == 0, done.complaint
    assert deployed.account.parameters["ConfigGitUrl"] == FIRST_URL.replace(SHA, NEXT)
    assert bool(deployed.account.called("delete-stack")) == (coming == ["ROLLBACK_COMPLETE"])


def test_what_a_deployment_left_stays_until_everything_is_checked(deployed: Operator) -> None:
    """A deployment that is refused has changed nothing."""
    deployed.account.status = "ROLLBACK_COMPLETE"
    missing = FIRST.replace("Executor", "Exekutor").replace("ExekutorArn", "ExecutorArn")
    refused = deployed.run("deploy", PARAMETERS=missing)
    assert failed(refused, "There is no function")
    assert failed(deployed.run("deploy"), "its first deployment needs")
    assert not deployed.account.called("delete-stack")


def test_a_roll_back_is_told_before_the_next_change(deployed: Operator) -> None:
    """Somebody may not know that the last update has not worked."""
    deployed.account.status = "UPDATE_ROLLBACK_COMPLETE"
    for done in (deployed.run("delete"), deployed.run("deploy")):
        assert "was rolled back: it is as it was before" in done.complaint


def test_the_template_of_another_folder_is_missed_with_a_sentence(operator: Operator) -> None:
    """The exit code says that nothing was done."""
    (operator.folder / "template.yaml").unlink()
    assert failed(operator.run("deploy"), "There is no template.yaml here: type it in the folder")


def test_what_another_projects_deployment_left_is_not_deleted_unasked(deployed: Operator) -> None:
    """It is somebody else's to look at."""
    deployed.account.status = "ROLLBACK_COMPLETE"
    deployed.account.parameters["ProjectName"] = "acme"
    refused = deployed.run("deploy", PARAMETERS=FIRST)
    assert failed(
        refused, "what a failed deployment of the project acme has left. If that is yours,"
    )
    assert "give ProjectName=acme in PARAMETERS" in refused.complaint
    assert not deployed.account.called("delete-stack")
    assert deployed.run("deploy", PARAMETERS=FIRST, CONFIRM="yes").code == 0
    deployed.account.status = "ROLLBACK_COMPLETE"
    del deployed.account.parameters["ConfigGitUrl"]
    refused = deployed.run("deploy", PARAMETERS=FIRST, CONFIRM="yes")
    assert failed(refused, "it is another stack")


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("DELETE_FAILED", "Type make delete CONFIRM=yes"),
        ("UPDATE_ROLLBACK_FAILED", "Type aws cloudformation continue-update-rollback --stack-name"),
        ("ROLLBACK_FAILED", "only a part of it is there. Type make delete CONFIRM=yes"),
        ("CREATE_FAILED", "only a part of it is there. Type make delete CONFIRM=yes"),
        ("UPDATE_FAILED", "partly live. Type aws cloudformation rollback-stack --stack-name"),
        ("IMPORT_ROLLBACK_FAILED", "in which it cannot be changed; why is told by aws cloud"),
    ],
)
def test_a_broken_stack_is_left_alone_and_what_to_type_is_told(
    deployed: Operator, status: str, command: str
) -> None:
    """It has resources, so it is neither updated nor deleted."""
    deployed.account.status = status
    refused = deployed.run("deploy")
    assert failed(refused, f"is in the state {status}")
    assert command in refused.complaint
    assert len(deployed.account.called("sam", "deploy")) == 1
    assert not deployed.account.called("delete-stack")


def test_a_stack_that_is_busy_is_waited_for(deployed: Operator) -> None:
    """With a sign of life."""
    deployed.account.coming = ["UPDATE_IN_PROGRESS"] * 10 + ["UPDATE_COMPLETE"]
    done = deployed.run("deploy")
    assert done.code == 0
    assert done.complaint.count("UPDATE_IN_PROGRESS") == 2
    assert sum(deployed.pauses) == 50


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
    ("words", "runs"), [(f"QueryExecutorArn={LIVE}", 1), ("", 1), ("TriggerState=DISABLED", 0)]
)
def test_an_update_runs_once_unless_the_trigger_is_paused(
    deployed: Operator, words: str, runs: int
) -> None:
    """Schedules that still have the old executor are denied until a run has moved them."""
    deployed.account.events.clear()
    done = deployed.run("deploy", PARAMETERS=words)
    assert done.code == 0
    assert len(deployed.account.events) == runs
    assert ("The trigger is paused" in done.output) == (not runs)


def test_a_new_executor_while_the_trigger_is_paused_is_warned_of(deployed: Operator) -> None:
    """Nothing moves the schedules to it until somebody runs the function."""
    sentence = "denied until the next run"
    words = "TriggerState=DISABLED"
    assert sentence not in deployed.run("deploy", PARAMETERS=words).output
    done = deployed.run("deploy", PARAMETERS=f"QueryExecutorArn={LIVE}")
    assert (done.code, sentence in done.output) == (0, True)


def test_an_update_whose_run_fails_says_so_last(deployed: Operator) -> None:
    """The stack is deployed all the same, so it is not well rather than not done."""
    deployed.account.answers["run"] = {"errorMessage": "boom", "errorType": "KeyError"}
    done = deployed.run("deploy")
    assert done.code == 1
    assert "Deployed 3.0.0" in done.output
    last = done.complaint.splitlines()[-1]
    assert last.startswith("The stack is deployed, and this run was not well. The run of")
    assert "failed: KeyError: boom. Correct the file, or a parameter with make deploy" in last
    deployed.account.answers["run"] = COUNTED | {"failed": 2}
    done = deployed.run("deploy")
    assert done.code == 1
    assert "this run was not well. Failed for 2" in done.complaint


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


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("ProjectName=acme", "so every query runs twice"),
        ("ExistingScheduleGroupName=other", "each fails, since the execution role is for the new"),
        ("ProjectName=acme ExistingScheduleGroupName=other", "each fails, since the execution"),
    ],
)
def test_a_change_that_makes_a_second_set_needs_a_confirmation(
    deployed: Operator, words: str, what: str
) -> None:
    """The schedules in an existing group stay; the role lets those of one group invoke."""
    deployed.account.parameters["ExistingScheduleGroupName"] = "old"
    refused = deployed.run("deploy", PARAMETERS=words)
    assert failed(refused, "second set of schedules")
    assert what in refused.complaint
    assert len(deployed.account.called("sam", "deploy")) == 1
    assert deployed.run("deploy", PARAMETERS=words, CONFIRM="yes").code == 0


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
        assert read[name].default == str(parameter.get("Default", ""))
        assert read[name].values == tuple(map(str, parameter.get("AllowedValues", [])))
        assert (read[name].least, read[name].most) == (
            parameter.get("MinValue"),
            parameter.get("MaxValue"),
        )


# --- One Region, one profile, and what is told of them

PLACES = [
    pytest.param({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, id="Region"),
    pytest.param({"AWS_DEFAULT_REGION": "eu-west-1"}, id="default Region"),
    pytest.param({}, id="configured"),
]


def told(operator: Operator) -> list[dict[str, str]]:
    """Return the variables of each call but those that ask for the configured Region."""
    account = operator.account
    calls = zip(account.calls, account.variables, strict=True)
    return [seen for call, seen in calls if "configure" not in call]


@pytest.mark.parametrize("variables", PLACES)
def test_one_region_is_decided_once_and_given_to_every_tool(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """The AWS CLI and SAM read different variables."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    operator.account.region = "eu-west-1"
    operator.account.configured_region = "eu-west-1"
    done = operator.run("deploy", PARAMETERS=FIRST, **variables)
    assert done.code == 0, done.complaint
    assert {seen["AWS_REGION"] for seen in told(operator)} == {"eu-west-1"}
    assert {seen["AWS_DEFAULT_REGION"] for seen in told(operator)} == {"eu-west-1"}
    [deployment] = operator.account.called("sam", "deploy")
    assert deployment[deployment.index("--region") + 1] == "eu-west-1"
    assert f"Account {NUMBER}, Region eu-west-1, stack pn-athena" in done.complaint.splitlines()[0]


def test_one_profile_is_decided_once_and_given_to_every_tool(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two variables set, the AWS CLI took one and SAM the other: two accounts."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    profiles = {"AWS_PROFILE": "test", "AWS_DEFAULT_PROFILE": "production"}
    done = operator.run("deploy", PARAMETERS=FIRST, **profiles)
    assert done.code == 0, done.complaint
    for seen in told(operator):
        assert (seen["AWS_PROFILE"], seen["AWS_DEFAULT_PROFILE"]) == ("test", "test")
    [deployment] = operator.account.called("sam", "deploy")
    assert deployment[deployment.index("--profile") + 1] == "test"
    assert "profile test" in done.complaint


def test_the_packages_of_a_tool_are_not_those_of_the_programs_that_it_calls(
    operator: Operator,
) -> None:
    """An AWS CLI that is a program of Python would import another botocore than its own."""
    done = operator.run("deploy", PARAMETERS=FIRST, PYTHONPATH="/packages")
    assert done.code == 0, done.complaint
    assert [seen for seen in operator.account.variables if "PYTHONPATH" in seen] == []


def test_keys_in_the_environment_go_before_a_profile_everywhere(operator: Operator) -> None:
    """As they do for the AWS CLI; SAM would take the profile."""
    done = operator.run("deploy", PARAMETERS=FIRST, AWS_PROFILE="other")
    assert done.code == 0
    assert all("AWS_PROFILE" not in seen for seen in told(operator))
    [deployment] = operator.account.called("sam", "deploy")
    assert "--profile" not in deployment


def test_without_a_region_nothing_is_called(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentence says what to set."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    operator.account.configured_region = ""
    assert failed(operator.run("deploy", PARAMETERS=FIRST), "No Region is set")
    assert not operator.account.called("sam")


def test_sam_reads_no_settings_of_its_own_accord(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A samconfig with a Region or a profile would send the deployment elsewhere."""
    contents = []
    answer = operator.account.answer

    def look(tool: str, words: list[str]) -> object:
        if tool == "sam":
            contents.append(Path(words[words.index("--config-file") + 1]).read_text("utf-8"))
        return answer(tool, words)

    monkeypatch.setattr(operator.account, "answer", look)
    assert operator.run("deploy", PARAMETERS=FIRST).code == 0
    assert contents == ["version = 0.1\n", "version = 0.1\n"]


@pytest.mark.parametrize("name", ["samconfig.toml", "samconfig.yaml", "samconfig.yml"])
def test_an_old_url_in_sams_settings_is_refused(operator: Operator, name: str) -> None:
    """A bare sam deploy would bring it back."""
    saved = operator.folder / name
    saved.write_text('parameter_overrides: ["ConfigGitUrl=https://git.example"]')
    assert failed(operator.run("deploy", PARAMETERS=FIRST), f"Remove {name}")
    assert operator.account.calls == []


def test_suggestions_are_complete(deployed: Operator) -> None:
    """With the stack, and the Region where the configured one is another."""
    deployed.account.status = "DELETE_FAILED"
    deployed.account.configured_region = "us-east-1"
    refused = deployed.run("deploy", STACK="legacy-asm")
    typed = "Type AWS_REGION=eu-south-1 make delete STACK=legacy-asm CONFIRM=yes"
    assert typed in refused.complaint
    assert "describe-stack-events --stack-name legacy-asm --region eu-south-1" in refused.complaint


# --- What is checked before anything changes


def test_an_executor_that_does_not_exist_is_refused(deployed: Operator) -> None:
    """Every live schedule would be pointed to nothing."""
    missing = EXECUTOR_ARN.replace("Executor", "Exekutor")
    refused = deployed.run("deploy", PARAMETERS=f"QueryExecutorArn={missing}")
    assert failed(refused, f"There is no function {missing}, so every schedule would invoke")
    assert len(deployed.account.called("sam", "deploy")) == 1
    deployed.account.refusals["get-function-configuration"] = ["AccessDeniedException", "not you"]
    done = deployed.run("deploy", PARAMETERS=f"QueryExecutorArn={missing}")
    assert (done.code, "cannot be seen, so that is not checked" in done.complaint) == (0, True)


PAGES = [
    (
        f"https://github.com/org/repo/blob/{SHA}/a/c.json",
        f"https://raw.githubusercontent.com/org/repo/{SHA}/a/c.json",
    ),
    (
        f"https://gitlab.example/group/sub/repo/-/blob/{SHA}/c.json?token=s3cret",
        f"https://gitlab.example/group/sub/repo/-/raw/{SHA}/c.json",
    ),
    (
        "https://github.example/org/repo/blob/main/c.json",
        "https://github.example/org/repo/raw/main/c.json",
    ),
]


@pytest.mark.parametrize(
    "url",
    [
        f"https://raw.githubusercontent.com/org/repo/{SHA}/blob/c.json",
        f"https://api.github.com/repos/org/repo/contents/blob/c.json?ref={SHA}",
        f"https://gitlab.example/group/repo/-/raw/{SHA}/blob/c.json",
    ],
)
def test_a_folder_that_is_named_blob_is_no_page(operator: Operator, url: str) -> None:
    """The URL is that of the file itself."""
    assert operator.run("deploy", PARAMETERS=FIRST.replace(FIRST_URL, url)).code == 0
    assert operator.account.parameters["ConfigGitUrl"] == url


@pytest.mark.parametrize(("page", "raw"), PAGES)
def test_the_page_of_a_file_is_refused_with_the_raw_form(
    operator: Operator, page: str, raw: str
) -> None:
    """It was found after 22 resources, by an ERROR in a log."""
    refused = operator.run("deploy", PARAMETERS=FIRST.replace(FIRST_URL, page))
    assert failed(refused, f"the raw file is at {raw}\n")
    assert "s3cret" not in refused.complaint
    assert not operator.account.called("sam")


def test_what_is_refused_is_not_printed(operator: Operator) -> None:
    """It may hold a token."""
    for words in ("ConfigGitUrl=http://h/c?token=s3cret", "ConfigUrl=s3cret", "s3cret"):
        refused = operator.run("deploy", PARAMETERS=words)
        assert refused.code == 2
        assert "s3cret" not in refused.output + refused.complaint


def test_sams_advice_and_tokens_are_not_shown(operator: Operator) -> None:
    """Sam deploy --guided would save the URL; SAM prints every parameter as it is."""
    operator.account.sam_prints = [
        'Parameter overrides : {"ConfigGitUrl": "https://h/c.json?token=s3cret"}',
        "[*] Deploy: sam deploy --guided",
        "\tAbove settings can be stored in samconfig.toml",
        "\t\x1b[2JCreating",
    ]
    done = operator.run("deploy", PARAMETERS=FIRST)
    assert "https://h/c.json?***" in done.output
    assert "s3cret" not in done.output
    assert "--guided" not in done.output
    assert "samconfig" not in done.output
    assert "        \\x1b[2JCreating" in done.output


def test_the_aws_cli_1_is_told_early(operator: Operator) -> None:
    """It goes unnoticed until somebody follows a log."""
    operator.account.version = "aws-cli/1.45.11 Python/3.11"
    assert "This is the AWS CLI 1" in operator.run("deploy", PARAMETERS=FIRST).complaint
    assert failed(operator.run("logs"), "This is the AWS CLI 1")


# --- How it ends


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"error": "Failed to fetch config from Git: HTTP 404"}, "Nothing was done: Failed to fe"),
        (COUNTED | {"failed": 3, "changes": []}, "Failed for 3"),
        ({"errorMessage": "timed out"}, "The run of"),
        ("null", "not one of this manager's"),
    ],
)
def test_a_first_deployment_ends_with_a_dry_run(
    operator: Operator, answer: object, sentence: str
) -> None:
    """So a wrong URL or token is known at once, and not by an ERROR in a log."""
    operator.account.answers["published"] = answer
    done = operator.run("deploy", PARAMETERS=FIRST)
    assert operator.account.events == [{"dry_run": True}]
    assert done.code == 1
    assert sentence in done.complaint


def test_what_refuses_a_url_is_what_the_manager_answers() -> None:
    """Its words stand in the package, which needs boto3, and so not the tools."""
    answers = [str(FetchError("https://h/c.json", "HTTP 404")), str(invalid_config("it is empty"))]
    for answer, beginning in zip(answers, UNUSABLE, strict=True):
        assert answer.startswith(beginning)
    with pytest.raises(CannotReconcileError, match="event's config_git_url"):
        url_to_fetch(FIRST_URL, "https://elsewhere.example/c.json")
    with pytest.raises(CannotReconcileError, match="event's config_git_url"):
        url_to_fetch(FIRST_URL, "ftp://h/c.json")


def test_a_first_deployment_names_each_failure(operator: Operator) -> None:
    """The complaint says that they are above it; a number alone would help nobody."""
    line = "Query 'a' is unusable (its live schedule, if any, is kept): no schedule"
    change = {"action": "failed", "name": "pn-a", "line": line}
    operator.account.answers["published"] = COUNTED | {"failed": 1, "changes": [change]}
    done = operator.run("deploy", PARAMETERS=FIRST)
    assert line in done.lines
    assert "Failed for 1: the failures above say why" in done.complaint


def test_a_first_deployment_with_a_paused_trigger_promises_no_run(operator: Operator) -> None:
    """As when a group is adopted."""
    done = operator.run("deploy", PARAMETERS=f"{FIRST} TriggerState=DISABLED")
    assert "A run would make this: 1 created" in done.output
    assert "within five minutes" not in done.output


def test_a_first_deployment_says_what_a_run_would_make_and_what_it_costs(
    operator: Operator,
) -> None:
    """The counters of a dry run, and the list prices of a month."""
    done = operator.run("deploy", PARAMETERS=FIRST)
    assert done.code == 0
    assert "A run would make this: 1 created, 0 updated, 0 deleted" in done.output
    assert re.search(r"costs some \$\d\.\d\d a month: the function \$", done.lines[0])


@pytest.mark.parametrize(
    "error",
    [
        "Failed to fetch config from Git: https://git.example/c.json?***: HTTP 404 Not Found",
        "Invalid config from Git: it is empty",
    ],
)
def test_another_url_that_the_live_manager_cannot_use_is_refused(
    deployed: Operator, error: str
) -> None:
    """Or it is found when every run fails."""
    deployed.account.answers["head"] = {"error": error}
    refused = deployed.run("deploy", PARAMETERS=f"ConfigGitUrl={NEXT_URL}")
    assert failed(refused, f"{error}. Nothing has been changed")
    assert deployed.account.events[-1] == {"dry_run": True, "config_git_url": NEXT_URL}
    assert len(deployed.account.called("sam", "deploy")) == 1
    assert NEXT_URL not in refused.output + refused.complaint


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "Failed to fetch config from Git: the event's config_git_url must be ..."},
        {"error": "The event's config_git_url may differ from CONFIG_GIT_URL in ..."},
        {"errorMessage": "Task timed out"},
        "",
    ],
    ids=str,
)
def test_another_url_that_cannot_be_tried_before_is_deployed(
    deployed: Operator, answer: object
) -> None:
    """Another file or host is not what a dry run may fetch; the run after it tells."""
    deployed.account.answers["head"] = answer
    done = deployed.run("deploy", PARAMETERS=f"ConfigGitUrl={NEXT_URL}")
    assert (done.code, "cannot be tried before" in done.complaint) == (0, True)
    assert deployed.account.parameters["ConfigGitUrl"] == NEXT_URL


@pytest.mark.parametrize("words", [f"ConfigGitUrl={FIRST_URL}", "MaxDeletions=5", TOKEN])
def test_a_url_that_stays_or_comes_with_another_token_is_not_tried_before(
    deployed: Operator, words: str
) -> None:
    """There is nothing new to try, or the live manager would try it with the wrong token."""
    deployed.account.events.clear()
    assert deployed.run("deploy", PARAMETERS=words).code == 0
    assert deployed.account.events == [{}]


def test_a_trigger_that_is_off_is_told(deployed: Operator) -> None:
    """The stack says ENABLED, and changes in Git are followed no more."""
    deployed.account.rule = "DISABLED"
    done = deployed.run("deploy")
    assert done.code == 1
    assert "The trigger is off although the stack says ENABLED" in done.complaint
    assert done.complaint.endswith("Type make resume\n")


def test_a_trigger_that_is_on_and_should_be_paused_is_told(deployed: Operator) -> None:
    """Somebody has turned it on in the console: "only make invoke runs it" would be false."""
    deployed.account.parameters["TriggerState"] = "DISABLED"
    deployed.account.rule = "ENABLED"
    done = deployed.run("deploy")
    assert done.code == 1
    assert "The trigger is on although the stack says DISABLED" in done.complaint
    assert "Type make pause, or make resume" in done.complaint


def test_ctrl_c_at_a_question_of_a_first_deployment_says_that_nothing_is_deployed(
    operator: Operator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the end of the input does."""

    def interrupt(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupt)
    with pytest.raises(KeyboardInterrupt):
        operator.run("deploy", typed="")
    assert "Stopped: nothing has been deployed" in capsys.readouterr().err
    assert not operator.account.called("sam")


def test_ctrl_c_during_a_deployment_says_that_it_goes_on(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    """And how to see it."""
    operator.account.interrupted = "sam-deploy"
    with pytest.raises(KeyboardInterrupt):
        operator.run("deploy", PARAMETERS=FIRST)
    assert "goes on without this command: see aws cloudformation" in capsys.readouterr().err


def test_expired_credentials_are_told(operator: Operator) -> None:
    """With what to do, and where it was tried."""
    operator.account.refusals["describe-stacks"] = ["ExpiredToken", "The token has expired"]
    refused = operator.run("deploy", PARAMETERS=FIRST)
    assert failed(refused, "Region eu-south-1, stack pn-athena-schedule-manager: An error")
    assert "log in, and type it again" in refused.complaint
