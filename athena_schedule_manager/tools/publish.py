"""What `make publish SHA=` does: show what another commit would change, and publish it.

Shows commits and no URL, which may hold a token. The standard library alone, as in `cloud`.
"""

from __future__ import annotations

import json
import re

from athena_schedule_manager.tools.aws import call_function, change_parameter, the_stack
from athena_schedule_manager.tools.command_line import OK, Parser, StopError
from athena_schedule_manager.tools.terminal import say

COMMIT = re.compile("[0-9a-fA-F]{40}")
SECRET = re.compile("token|key|secret|sig|pass", re.IGNORECASE)
COUNTERS = ("created", "updated", "deleted", "failed")
HOST = 3  # the parts of https://host/ that are no path segments


def main(arguments: list[str]) -> int:
    """Publish a commit."""
    parser = Parser("publish", __doc__)
    parser.add_stack()
    parser.add_variable("SHA", "the commit, all 40 digits")
    asked = parser.parse_args(arguments)
    publish_without_url(asked.stack, asked.sha)
    return OK


def publish_without_url(stack_name: str, commit: str) -> None:
    """Publish, and leave URLs out of what others complain of."""
    try:
        publish(stack_name, commit)
    except StopError as problem:
        shown = re.sub(r"https?://\S+?(?=:?(\s|$))", "ConfigGitUrl", str(problem))
        raise StopError(shown) from None


def publish(stack_name: str, commit: str) -> None:
    """Preview the commit with the deployed function, then update the stack to it."""
    if not re.fullmatch("[0-9a-f]{40}", commit):
        raise StopError(f"SHA={commit} is not a commit SHA: give all 40 digits, in lower case")
    stack = the_stack(stack_name)
    url = stack.parameters.get("ConfigGitUrl", "")
    old = revision(url)
    if old is None:
        raise StopError(
            "ConfigGitUrl has no commit SHA to replace. If it names a branch, merging publishes."
        )
    say(f"old: {old}\nnew: {commit}")
    if old.lower() == commit:
        say("nothing to publish")
        return
    new_url = replaced(url, old, commit)
    show_plan(stack.output("FunctionName"), new_url)
    change_parameter(stack, "ConfigGitUrl", new_url)
    say("published")


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
    """Show what the new commit would change now. Raises StopError if that cannot be told."""
    event = {"dry_run": True, "config_git_url": url}
    _, text = call_function(function, json.dumps(event))
    plan = json.loads(text or "null")
    if problem := plan_problem(plan):
        raise StopError(f"Nothing is published: {problem}")
    for line in plan["changes"]:
        say(line)
    say(", ".join(f"{plan[name]} {name}" for name in COUNTERS))


def plan_problem(answer: object) -> str | None:
    """Say why the answer of a dry run is not a plan, or return None: it is one."""
    if isinstance(answer, dict) and set(answer) == {"error"}:
        return str(answer["error"])
    plan = answer if isinstance(answer, dict) else {}
    counted = all(type(plan.get(name)) is int for name in COUNTERS)
    if counted and isinstance(plan.get("changes"), list):
        return None
    return f"the answer is not a plan: {json.dumps(answer)[:200]}"
