"""What `make publish SHA=` does: show what another commit would change, and publish it.

Shows commits and no URL, which may hold a token. The standard library alone, as in `deployed`.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

from tests.tools import deployed
from tests.tools.deployed import ProblemError, aws, invoke, plan_problem

COMMIT = re.compile("[0-9a-fA-F]{40}")
SECRET = re.compile("token|key|secret|sig|pass", re.IGNORECASE)
HOST = 3  # the parts of https://host/ that are no path segments


def main(_: list[str]) -> int:
    """Publish the commit that the variable COMMIT names; return the exit code."""
    return deployed.run(publish_without_url)


def publish_without_url() -> None:
    """Publish, and leave URLs out of what others complain of."""
    try:
        publish(os.environ.get("COMMIT", ""))
    except ProblemError as problem:
        shown = re.sub(r"https?://\S+?(?=:?(\s|$))", "ConfigGitUrl", str(problem))
        raise ProblemError(shown) from None


def publish(commit: str) -> None:
    """Preview the commit with the deployed function, then update the stack to it."""
    if not re.fullmatch("[0-9a-f]{40}", commit):
        raise ProblemError(f"SHA={commit} is not a commit SHA: give all 40 digits, in lower case")
    stack = deployed.stack()
    url = stack.parameters.get("ConfigGitUrl", "")
    old = revision(url)
    if old is None:
        raise ProblemError(
            "ConfigGitUrl has no commit SHA to replace. If it names a branch, merging publishes."
        )
    print(f"old: {old}\nnew: {commit}", flush=True)
    if old.lower() == commit:
        print("nothing to publish")
        return
    new_url = replaced(url, old, commit)
    show_plan(stack.output("FunctionName"), new_url)
    update(stack, new_url)
    print("published")


def revision(url: str) -> str | None:
    """Return the commit in a URL: a path segment, or a query value not named like a secret."""
    address, _, query = url.partition("#")[0].partition("?")
    values = address.split("/")[HOST:]
    for piece in query.split("&"):
        name, _, value = piece.partition("=")
        values += [] if SECRET.search(name) else [value]
    return next((value for value in values if COMMIT.fullmatch(value)), None)


def replaced(url: str, old: str, new: str) -> str:
    """Return the URL with its commit replaced, and nothing else."""
    address, mark, query = url.partition("?")
    segments = address.split("/")
    if old in segments[HOST:]:
        segments[segments.index(old, HOST)] = new
        return "/".join(segments) + mark + query
    pieces = query.split("&")
    for number, piece in enumerate(pieces):
        name, _, value = piece.partition("=")
        if value == old and not SECRET.search(name):
            pieces[number] = f"{name}={new}"
            break
    return address + mark + "&".join(pieces)


def show_plan(function: str, url: str) -> None:
    """Show what the new commit would change now. Raises ProblemError if that cannot be told."""
    plan = invoke(function, {"dry_run": True, "config_git_url": url})
    if problem := plan_problem(plan):
        raise ProblemError(f"Nothing is published: {problem}")
    for line in plan["changes"]:
        print(line)
    print(", ".join(f"{plan[name]} {name}" for name in deployed.COUNTERS), flush=True)


def update(stack: deployed.Stack, url: str) -> None:
    """Update the stack's URL and nothing else, and wait for it."""
    parameters: list[dict[str, Any]] = [
        {"ParameterKey": name, "UsePreviousValue": True}
        for name in stack.parameters
        if name != "ConfigGitUrl"
    ]
    parameters.append({"ParameterKey": "ConfigGitUrl", "ParameterValue": url})
    aws(
        *("cloudformation", "update-stack", "--stack-name", stack.name, "--use-previous-template"),
        *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
        *("--parameters", json.dumps(parameters)),
    )
    aws("cloudformation", "wait", "stack-update-complete", "--stack-name", stack.name)
