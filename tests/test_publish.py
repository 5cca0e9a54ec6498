"""What `make publish` and `make fire` do, with a stand-in for the AWS CLI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from athena_schedule_manager import _git, _urls
from athena_schedule_manager.tools.publish import replaced, revision
from tests.world import EXECUTOR_ARN, SHA
from tests.world.cloud import PLAN, SCHEDULE, URL, Cloud

if TYPE_CHECKING:
    from pathlib import Path

NEXT = "f" * 40
SECRET = "b" * 40


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """Return a deployed stack."""
    return Cloud(tmp_path)


def test_publishing_shows_the_plan_first_and_then_changes_the_url_alone(cloud: Cloud) -> None:
    """Of the new commit, asked of the deployed function; every other parameter stays."""
    published = cloud.make("publish", f"SHA={NEXT}")
    assert (published.returncode, published.stderr) == (0, "")
    assert published.stdout.splitlines() == [
        f"old: {SHA}",
        f"new: {NEXT}",
        "CREATE: pn-a (cron: x)",
        "1 created, 0 updated, 0 deleted, 0 failed",
        "published",
    ]
    new_url = URL.replace(SHA, NEXT)
    assert cloud.payloads() == [{"dry_run": True, "config_git_url": new_url}]
    assert cloud.now()["url"] == new_url
    assert cloud.now()["kept"] == ["QueryExecutorArn", "ProjectName"]
    words = [word for call in cloud.asked() for word in call]
    assert "--use-previous-template" in words
    assert "wait" in words


def test_no_url_is_shown_for_it_may_hold_a_token(cloud: Cloud) -> None:
    """Commits are enough."""
    published = cloud.make("publish", f"SHA={NEXT}")
    assert "https://" not in published.stdout + published.stderr
    assert SECRET not in published.stdout + published.stderr
    fetching = "Failed to fetch config from Git: https://git.example/o/r/c.json?***: HTTP 404"
    cloud.set(answers={"head": {"error": fetching}})
    refused = cloud.make("publish", f"SHA={'d' * 40}")
    assert "Failed to fetch config from Git: ConfigGitUrl: HTTP 404\n" in refused.stderr


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"error": "Failed to fetch config from Git: HTTP 404"}, "HTTP 404"),
        ({"errorMessage": "Task timed out after 240.00 seconds"}, "Unhandled"),
        ("null", "not a plan: null"),
        ("", "not a plan: null"),
        ({"created": 1}, "not a plan"),
        ({**PLAN, "failed": None}, "not a plan"),
    ],
)
def test_a_commit_that_cannot_be_previewed_is_not_published(
    cloud: Cloud, answer: object, why: str
) -> None:
    """One that does not exist, say, or one of another repository."""
    cloud.set(answers={"head": answer})
    refused = cloud.make("publish", f"SHA={NEXT}")
    assert refused.returncode != 0
    assert why in refused.stderr
    assert "Traceback" not in refused.stderr
    assert cloud.now()["url"] == URL


def test_failures_in_the_plan_are_shown_and_published(cloud: Cloud) -> None:
    """They fail one query each, and the rest of the commit is wanted."""
    line = "Query 'a' is unusable (its live schedule, if any, is kept): it has no schedule"
    cloud.set(answers={"head": PLAN | {"failed": 1, "changes": [line]}})
    published = cloud.make("publish", f"SHA={NEXT}")
    assert published.returncode == 0
    assert line in published.stdout


def test_what_is_published_already_is_not_published_again(cloud: Cloud) -> None:
    """And the function is not asked."""
    again = cloud.make("publish", f"SHA={SHA}")
    assert (again.returncode, "nothing to publish" in again.stdout) == (0, True)
    assert cloud.payloads() == []


@pytest.mark.parametrize(
    "sha",
    ['"; echo pwned; "', "", "main", "f" * 39, "f" * 41, "F" * 40, "g" * 40, "$(shell echo pwned)"],
)
def test_what_is_no_sha_is_not_published(cloud: Cloud, sha: str) -> None:
    """A sentence says what is wanted, with what was typed, and nothing is called."""
    refused = cloud.make("publish", f"SHA={sha}")
    assert refused.returncode != 0
    assert f"SHA={sha} is not a commit SHA: give all 40 digits" in refused.stderr
    assert cloud.asked() == []


def test_a_url_without_a_sha_cannot_be_published_to(cloud: Cloud) -> None:
    """There is nothing to replace."""
    cloud.set(url="https://git.example/main/c.json")
    refused = cloud.make("publish", f"SHA={NEXT}")
    assert (refused.returncode != 0, "no commit SHA to replace" in refused.stderr) == (True, True)
    assert cloud.now()["url"] == "https://git.example/main/c.json"


def test_what_the_aws_cli_complains_of_is_passed_on(cloud: Cloud) -> None:
    """As it is, without a traceback; so is its absence."""
    cloud.set(denied=True)
    refused = cloud.make("publish", f"SHA={NEXT}")
    assert refused.stderr.startswith("An error occurred (AccessDenied)\nmake: ")
    (cloud.place / "aws").unlink()
    missing = cloud.make("publish", f"SHA={NEXT}")
    assert "The AWS CLI cannot be started" in missing.stderr


def test_another_stack_is_told_apart(cloud: Cloud) -> None:
    """It has no function to ask."""
    cloud.set(outputs={})
    refused = cloud.make("publish", f"SHA={NEXT}")
    assert "has no output FunctionName" in refused.stderr


URLS = [
    pytest.param("raw.githubusercontent.com/o/r/{}/c.json", id="GitHub"),
    pytest.param("api.github.com/repos/o/r/contents/c.json?ref={}", id="GitHub's API"),
    pytest.param("gitlab.com/o/r/-/raw/{}/c.json", id="GitLab"),
    pytest.param("gitlab.com/api/v4/projects/1/repository/files/c.json/raw?ref={}", id="its API"),
    pytest.param("api.bitbucket.org/2.0/repositories/o/r/src/{}/c.json", id="Bitbucket"),
    pytest.param("bitbucket.example/rest/api/latest/projects/P/repos/r/raw/c?at={}", id="Server"),
    pytest.param(
        "dev.azure.com/o/p/_apis/git/repositories/r/items?path=/c.json"
        "&versionDescriptor.version={}&versionDescriptor.versionType=commit",
        id="Azure DevOps",
    ),
    pytest.param("git.example/o/r/raw/commit/{}/c.json", id="Gitea"),
    pytest.param("git.example/r.git/plain/c.json?id={}", id="cgit"),
    pytest.param("git.example/c.json?token=" + SECRET + "&id={}&x=1", id="a token first"),
    pytest.param(SECRET + ".example/o/{}/c.json", id="a host that looks like a SHA"),
]


@pytest.mark.parametrize("url", URLS)
def test_the_commit_of_every_host_is_found_and_replaced(url: str) -> None:
    """And nothing else in the URL."""
    before = "https://" + url.format(SHA)
    assert revision(before) == SHA
    after = "https://" + url.format(NEXT)
    assert replaced(before, SHA, NEXT) == _git.url_to_fetch(before, after) == after


@pytest.mark.parametrize(
    "query", ["token", "private_token", "access-key", "client_secret", "X-Amz-Signature", "PASS"]
)
def test_a_secret_is_not_taken_for_a_commit(query: str) -> None:
    """However much it looks like one; the same digits as the commit stay where they are secret."""
    assert revision(f"https://git.example/main/c.json?{query}={SHA}") is None
    url = f"https://git.example/c.json?{query}={SHA}&ref={SHA}"
    assert replaced(url, SHA, NEXT) == f"https://git.example/c.json?{query}={SHA}&ref={NEXT}"
    begin = url.index("ref=") + len("ref=")
    assert list(_urls.revisions(url)) == [(20, 26), (begin, begin + len(SHA))]


@pytest.mark.parametrize("url", ["", "https://git.example", f"https://git.example/{SHA}0/c.json"])
def test_where_there_is_no_commit_none_is_found(url: str) -> None:
    """Longer is no SHA either."""
    assert revision(url) is None


def test_firing_shows_target_and_input_and_then_invokes(cloud: Cloud) -> None:
    """As the schedule would, a paused one too, and without waiting for the query."""
    fired = cloud.make("fire", "QUERY=daily-report")
    assert (fired.returncode, fired.stderr) == (0, "")
    assert fired.stdout.splitlines() == [
        "schedule: pn-daily-report (cron(0 2 * * ? *), DISABLED)",
        f"target:   {EXECUTOR_ARN}",
        'input:    {"query_id": "daily-report"}',
        "invoked: the target runs now, on its own; see its log",
    ]
    assert cloud.payloads() == [{"query_id": "daily-report"}]
    [invoked] = [call for call in cloud.asked() if "invoke" in call]
    assert EXECUTOR_ARN in invoked
    assert invoked[invoked.index("--invocation-type") + 1] == "Event"


@pytest.mark.parametrize(
    "query", ["monthly-report", "a b", "$(shell echo pwned)", "'; echo pwned '"]
)
def test_a_query_without_a_schedule_is_not_fired(cloud: Cloud, query: str) -> None:
    """A sentence names the schedule that was looked for."""
    refused = cloud.make("fire", f"QUERY={query}")
    assert refused.returncode != 0
    assert f"There is no schedule pn-{query} in the group" in refused.stderr
    assert cloud.payloads() == []


def test_firing_nothing_says_how(cloud: Cloud) -> None:
    """With an example."""
    refused = cloud.make("fire")
    assert refused.stderr.startswith("Name the query, as in: make fire QUERY=daily-report\n")
    assert cloud.asked() == []


def test_a_schedule_that_cannot_be_read_is_not_called_missing(cloud: Cloud) -> None:
    """The complaint of the AWS CLI says more."""
    cloud.set(schedules={"pn-daily-report": SCHEDULE}, denied=True)
    refused = cloud.make("fire", "QUERY=daily-report")
    assert "AccessDenied" in refused.stderr
    assert "no schedule" not in refused.stderr
