"""Schedule what the configuration holds at a commit: show the plan, update the stack, run once.

make publish SHA=<40 digits>
python -m athena_schedule_manager.tools publish --branch main --config query-executor-config.json

With --branch, in a clone of the repository, the commit is the branch's head at this moment, so that
a pipeline that runs late or twice never goes back; where the file is as it is published, the stack
stays as it is. With SHA any commit is published, an older one, too. Deletes and new failures need
a yes. The standard library alone; with boto3 the plan shows what the check knows of the file.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from athena_schedule_manager._urls import redacted
from athena_schedule_manager.tools import commits
from athena_schedule_manager.tools.aws import (
    AT_REST,
    AwsError,
    Stack,
    change_parameter,
    invoke_once,
    stack_to_change,
    the_stack,
)
from athena_schedule_manager.tools.command_line import NOT_WELL, OK, Parser, StopError
from athena_schedule_manager.tools.plans import read_counters
from athena_schedule_manager.tools.preview import (
    BUSY,
    ask,
    compare_with_published,
    look_at,
    read_config,
)
from athena_schedule_manager.tools.reports import (
    FAILED,
    Report,
    as_markdown,
    as_text,
    report_of,
    safe,
)
from athena_schedule_manager.tools.terminal import say

if TYPE_CHECKING:
    import argparse

    from athena_schedule_manager.tools.plans import Comparison

PARAMETER = "ConfigGitUrl"
MOST_MOVES = 5  # of the branch, while a plan is made and the stack is updated
EXIT_CODES = {
    0: "it is published, and nothing has failed",
    1: "it is published, and something has failed",
}


def main(arguments: list[str]) -> int:
    """Publish a commit; messages hold no query string, which may be a token."""
    asked = read_arguments(arguments)
    try:
        return publish(asked)
    except StopError as problem:
        sentence = f"{without_secrets(str(problem))}\n{what_is_live(asked.stack)}"
        summarise(asked, Report("Publishing has stopped", tuple(sentence.splitlines())))
        raise StopError("\n".join(safe(line) for line in sentence.splitlines())) from None
    except KeyboardInterrupt:
        say(f"\nStopped. {what_is_live(asked.stack)} The same command continues.")
        raise


def without_secrets(text: str) -> str:
    """Return a text whose URLs have lost their query strings."""
    return re.sub(r"https?://\S+", lambda url: redacted(url[0]), text)


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the options. Raises StopError unless there is one of SHA and --branch."""
    parser = Parser("publish", __doc__ or "", EXIT_CODES)
    parser.add_stack()
    parser.add_variable("SHA", "the commit, all 40 digits")
    parser.add_argument("--branch", default="", help="publish the head of this branch instead")
    parser.add_variable("CONFIG", "the file: with --branch its path in the repository")
    parser.add_variable("CONFIRM", "yes: publish deletes and new failures without asking")
    parser.add_argument("--summary", help="a file to which the plan is added in Markdown")
    asked = parser.parse_args(arguments)
    if asked.branch and asked.sha:
        raise StopError("Give SHA or --branch, not both")
    if asked.branch and not asked.config:
        raise StopError("--branch needs --config, the path of the file in the repository")
    if not asked.branch:
        commits.require_commit(asked.sha)
    return asked


# --- The story


@dataclass(frozen=True, slots=True)
class Target:
    """A commit to be published, in the place of that which is published."""

    commit: str
    old_commit: str
    url: str
    old_url: str


def publish(asked: argparse.Namespace) -> int:
    """Publish, and begin again where the branch or the stack has moved meanwhile."""
    is_updated = False
    for _ in range(MOST_MOVES):
        stack = stack_to_change(asked.stack)
        target = find_target(asked, stack)
        if is_published(asked, target):
            return run_once(asked, stack) if is_updated else finish(asked, stack, target)
        agree(show_plan(asked, stack, target), asked.confirm)
        if is_current(asked, target):
            update(stack, target)
            is_updated = True
            if is_head(asked, target):
                return run_once(asked, stack)
        say("It has moved on meanwhile: once more, with what is there now")
    raise StopError(f"It has moved on {MOST_MOVES} times; try again")


def find_target(asked: argparse.Namespace, stack: Stack) -> Target:
    """Find the commit that is to be published. Raises StopError."""
    old_url = stack.parameters.get(PARAMETER, "")
    commit = commits.head_of(asked.branch) if asked.branch else asked.sha
    url = commits.at_commit(old_url, commit)
    return Target(commit, commits.commit_in(old_url) or "", url, old_url)


def is_published(asked: argparse.Namespace, target: Target) -> bool:
    """Tell whether the commit is published; of a branch, whether its file is."""
    if target.commit == target.old_commit:
        return True
    if not asked.branch:
        return False
    return commits.is_same_file(asked.config, target.commit, target.old_commit)


def is_current(asked: argparse.Namespace, target: Target) -> bool:
    """Tell whether the plan is still that of the stack and of the branch."""
    url = the_stack(asked.stack).parameters.get(PARAMETER)
    return url == target.old_url and is_head(asked, target)


def is_head(asked: argparse.Namespace, target: Target) -> bool:
    """Tell whether the branch, if one was asked for, still has this head."""
    return not asked.branch or commits.head_of(asked.branch) == target.commit


def finish(asked: argparse.Namespace, stack: Stack, target: Target) -> int:
    """Say that there is nothing to publish; run once if an earlier call was ended before that."""
    if target.commit != target.old_commit:
        say(f"The file is as it is published, at {target.old_commit}: nothing to publish")
        return OK
    say(f"{target.commit} is published already")
    plan = ask(stack.output("FunctionName"), {"dry_run": True})
    if plan.of("create", "update", "delete"):
        return run_once(asked, stack)
    say("nothing to publish")
    if plan.failures:  # a job that was red is not green because it runs again
        lists = ((FAILED, tuple(failure.line for failure in plan.failures)),)
        return tell_failure(asked, Report("It is published, and fails", (), lists=lists))
    return OK


# --- The plan


def show_plan(asked: argparse.Namespace, stack: Stack, target: Target) -> Comparison:
    """Show what the commit would change. Raises StopError if that cannot be told."""
    document = read_config("" if asked.branch else asked.config)
    if asked.branch:
        document = commits.read_file(asked.config, target.commit)
    view = look_at(document, stack.parameters.get("ProjectName", "pn"))
    say(f"old: {target.old_commit}\nnew: {target.commit}\n")
    compared = compare_with_published(stack.output("FunctionName"), target.url, view)
    report = report_of(f"What publishing {target.commit} does to the schedules", compared)
    say(as_text(report))
    summarise(asked, report)
    return compared


def agree(compared: Comparison, confirm: str) -> None:
    """Get a yes for what is lost or breaks. Raises StopError without it."""
    reasons = []
    deleted = compared.plan.counters["deleted"]
    if deleted:
        reasons.append(f"deletes {deleted} of the schedules")
    if compared.broken:
        reasons.append(f"breaks something ({len(compared.broken)})")
    if not reasons or confirm == "yes":
        return
    what = f"This {' and '.join(reasons)}"
    if not sys.stdin.isatty():
        raise StopError(f"{what}: CONFIRM=yes publishes it all the same")
    try:
        answer = input(f"\n{what}. Type yes to publish it: ")
    except EOFError:  # Ctrl-D
        answer = ""
    if answer.strip() != "yes":
        raise StopError("Nothing is published, since the answer was not yes")


# --- The update


def update(stack: Stack, target: Target) -> None:
    """Change the URL of the stack, and read it back. Raises StopError."""
    change_parameter(stack, PARAMETER, target.url)
    say(f"\npublished: {target.commit}")


def what_is_live(name: str) -> str:
    """Say which commit the stack has now."""
    try:
        stack = the_stack(name)
    except StopError:
        return "What is published cannot be told."
    commit = commits.commit_in(stack.parameters.get(PARAMETER, ""))
    busy = f" The stack is {stack.status}." if stack.status not in AT_REST else ""
    return f"Published is {commit or 'a URL without a commit'}.{busy}"


# --- The run


def run_once(asked: argparse.Namespace, stack: Stack) -> int:
    """Run the manager once; return 1 if something has failed, after naming it."""
    function = stack.output("FunctionName")
    try:
        answer = invoke_once(function, json.dumps({}), "--log-type", "Tail")
    except AwsError as error:
        if "TooManyRequestsException" in str(error):
            return tell_failure(asked, Report("It is published, and was not run", (BUSY,)))
        report = Report("It is published, and perhaps not run", (str(error),))
        return tell_failure(asked, report)
    counters = read_counters(_parsed(answer.text)) if not answer.error else None
    if counters is None:
        again = "The trigger runs it again."
        if stack.parameters.get("TriggerState") == "DISABLED":
            again = f"The trigger is paused: {stack.typed('invoke')} runs it again."
        sentences = (answer.text[:1000], *error_lines(answer.log), again)
        return tell_failure(asked, Report("It is published, and its run has failed", sentences))
    counts = ", ".join(f"{number} {name}" for name, number in counters.items())
    if counters["failed"]:
        failed = name_failures(stack, error_lines(answer.log))
        lists = ((FAILED, failed),)
        return tell_failure(asked, Report("The run after publishing", (f"{counts}.",), lists=lists))
    report = Report("The run after publishing", (f"{counts}.",))
    say(f"\n{as_text(report)}")
    summarise(asked, report)
    return OK


def tell_failure(asked: argparse.Namespace, report: Report) -> int:
    """Show a report of something that is not well."""
    say(f"\n{as_text(report)}")
    summarise(asked, report)
    return NOT_WELL


def error_lines(log: str) -> list[str]:
    """Return the messages at ERROR in the end of a log, `timestamp id level message`."""
    fields = [line.split(" ", 3) for line in log.splitlines()]
    return [line[-1] for line in fields if line[2:3] == ["ERROR"]]


def name_failures(stack: Stack, errors: list[str]) -> tuple[str, ...]:
    """Name what has failed: what the log's end tells, and what a plan made now has left to do."""
    try:
        plan = ask(stack.output("FunctionName"), {"dry_run": True})
    except StopError as problem:
        return (*errors, f"Whether that is all cannot be told: {problem}")
    failures = [change.line for change in plan.of("failed", "kept")]
    told = " ".join(errors).replace(":", " ").split()
    pending = plan.of("delete", "update", "create")
    not_done = [f"Not done yet: {change.line}" for change in pending if change.name not in told]
    return tuple(dict.fromkeys([*errors, *failures, *not_done, *how_to_lift(stack, failures)]))


def how_to_lift(stack: Stack, failures: list[str]) -> list[str]:
    """Return the command that makes the deletes that the deletion limit held back, if it did."""
    limit = re.compile(r'Refused to delete .*(\{"max_deletions": \d+\})')
    found = [limit.fullmatch(line) for line in failures]
    words = [f"PAYLOAD='{match[1]}'" for match in found if match]
    return [f"If they are to go: {stack.typed('invoke', word)}" for word in words]


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def summarise(asked: argparse.Namespace, report: Report) -> None:
    """Add a report to the summary, where there is one."""
    if asked.summary:
        with Path(asked.summary).open("a", encoding="utf-8") as file:
            file.write(as_markdown(report))
