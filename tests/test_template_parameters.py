"""The parameters of the template: what they take, and what they say."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.tools.transformed import template
from tests.world import SHA

if TYPE_CHECKING:
    from tests.world import World


def test_every_parameter_is_used_described_and_constrained() -> None:
    """Only the two that nobody can guess have no default."""
    written = template()
    body = json.dumps({key: written[key] for key in ("Conditions", "Resources", "Outputs")})
    for name, parameter in written["Parameters"].items():
        assert f'"{name}"' in body or f"${{{name}}}" in body, name
        assert {"Description", "ConstraintDescription"} <= parameter.keys()
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys()
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
    ("ConfigGitUrl", 'https://git.example/"c.json', False),
    ("ConfigGitUrl", "https://git.example/\\c.json", False),
    ("ConfigGitUrl", f"https://git.example/(a)/{SHA}/it's/c.json;x=[1]&y=$z", True),
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
    ("MaxDeletions", "20", True),
    ("MaxDeletions", "0", True),
    ("MaxDeletions", "", True),
    ("MaxDeletions", "-1", False),
    ("MaxDeletions", "many", False),
    ("ConfigGitTokenSecretArn", "", True),
    ("ConfigGitTokenSecretArn", f"{REPOSITORY_ARN}git/token-AbCdEf", True),
    ("ConfigGitTokenSecretArn", f"{REPOSITORY_ARN}git/token", False),
    ("ConfigGitTokenSecretArn", f"{REPOSITORY_ARN}git/token-AbCdEf-??????", False),
    ("ConfigGitTokenSecretArn", "my-token", False),
    ("AlarmTopicArn", "", True),
    ("AlarmTopicArn", "arn:aws:sns:eu-south-1:123456789012:alarms", True),
    ("AlarmTopicArn", "alarms", False),
    ("AlarmEmail", "", True),
    ("AlarmEmail", "on-call+pn@example.org", True),
    ("AlarmEmail", "on call@example.org", False),
    ("AlarmEmail", "example.org", False),
    ("FunctionName", "", True),
    ("FunctionName", "pn-AthenaScheduleManager2", True),
    ("FunctionName", "a:b", False),
    ("FunctionName", "a" * 65, False),
    ("DeadLetterQueueArn", "", True),
    ("DeadLetterQueueArn", "none", True),
    ("DeadLetterQueueArn", "arn:aws:sqs:eu-south-1:123456789012:dropped", True),
    ("DeadLetterQueueArn", "arn:aws:sqs:eu-south-1:123456789012:dropped.fifo", False),
    ("DeadLetterQueueArn", "None", False),
    ("PermissionsBoundaryArn", "", True),
    ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:policy/team/Boundary", True),
    ("PermissionsBoundaryArn", "arn:aws:iam::aws:policy/PowerUserAccess", True),
    ("PermissionsBoundaryArn", "Boundary", False),
]


@pytest.mark.parametrize(("name", "value", "taken"), VALUES)
def test_the_patterns_of_the_parameters(name: str, value: str, *, taken: bool) -> None:
    """What is wrong is refused by CloudFormation itself, in the words of the constraint."""
    pattern = template()["Parameters"][name]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value)) == taken


TAKEN_URLS = [value for name, value, taken in VALUES if name == "ConfigGitUrl" and taken]


@pytest.mark.parametrize("url", TAKEN_URLS)
def test_a_url_that_the_template_takes_is_one_that_the_manager_takes(
    world: World, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """The two rules do not contradict each other: it is opened."""
    opened = []

    def refuse(request: object, *_: object, **__: object) -> None:
        opened.append(request)
        raise urllib.error.HTTPError(url, 404, "Not Found", http.client.HTTPMessage(), None)

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("CONFIG_GIT_URL", url)
    assert "404" in world.run(event={"dry_run": True})["error"]
    assert opened


def test_names_made_of_the_longest_project_name_fit() -> None:
    """64 characters for functions, roles and groups."""
    assert len("x" * 32 + "-AthenaScheduleManager") <= 64


@pytest.mark.parametrize("name", ["ProjectName", "ExistingScheduleGroupName"])
def test_a_parameter_whose_change_deletes_schedules_says_so(name: str) -> None:
    """Where it is typed, in the console, too."""
    assert "DELETES" in template()["Parameters"][name]["Description"]


def test_the_defaults_make_everything_and_run_it() -> None:
    """The trigger runs, there is a queue and a dashboard, and the limit on deletions is on."""
    defaults = {name: p.get("Default") for name, p in template()["Parameters"].items()}
    assert defaults["TriggerState"] == "ENABLED"
    assert defaults["Dashboard"] == "ENABLED"
    assert defaults["DeadLetterQueueArn"] == ""
    assert defaults["MaxDeletions"] == "20"
    assert defaults["MemorySize"] == 512
