"""Show what a commit would change: dry runs of the deployed manager, which do nothing.

make preview SHA=<40 digits>
make preview SHA=<40 digits> CONFIG=path/to/config.json

With CONFIG, the file as that commit has it, the plan has time zones, pauses, next runs, and the
problems and hints of the check, which needs boto3. Without SHA the plan is that of what is
published.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from athena_schedule_manager.tools.aws import AwsError, invoke_once, place, the_stack
from athena_schedule_manager.tools.command_line import NOT_WELL, OK, Parser, StopError
from athena_schedule_manager.tools.commits import at_commit, require_commit
from athena_schedule_manager.tools.plans import NOTHING, FileView, NoPlanError, compare, read_plan
from athena_schedule_manager.tools.reports import (
    COMMENT_BYTES,
    SUMMARY_BYTES,
    Report,
    as_markdown,
    as_text,
    report_of,
    safe,
)
from athena_schedule_manager.tools.terminal import remark, say, shown

if TYPE_CHECKING:
    import argparse

    from athena_schedule_manager.tools.plans import Comparison, Plan

EXIT_CODES = {
    0: "the plan breaks nothing",
    1: "the plan breaks something that was not broken before; without SHA, something fails",
}
BUSY = "Lambda takes no call just now (TooManyRequestsException): try again in a few minutes"


def main(arguments: list[str]) -> int:
    """Preview a commit; return 1 if it breaks something. Raises StopError for no plan."""
    asked = read_arguments(arguments)
    try:
        question = read_question(asked)
        view = look_at(read_config(asked.config), question.project)
        compared = compare_with_published(question.function, question.url, view)
    except StopError as problem:
        write_reports(asked, Report("No plan", (str(problem),)))
        raise StopError(f"No plan: {safe(str(problem))}") from None
    report = report_of(question.title, compared)
    write_reports(asked, report)
    say(as_text(report))
    say(f"\n{verdict(question, compared)}")
    return NOT_WELL if compared.broken else OK


def verdict(question: Question, compared: Comparison) -> str:
    """Say in a sentence whether it is well, beside what is published if that could be had."""
    count = len(compared.broken)
    if not question.url or compared.remarks:
        return f"This fails for {count}, see above" if count else "Nothing of this fails."
    if count:
        return f"This breaks something that is not broken now: {count} above"
    return "This breaks nothing that was not broken before."


# --- What is asked


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the options."""
    parser = Parser("preview", __doc__ or "", EXIT_CODES)
    parser.add_stack()
    parser.add_variable("SHA", "the commit, all 40 digits")
    parser.add_variable("CONFIG", "the file as the commit has it")
    parser.add_argument(
        "--function", help="the manager's function, for those who may not ask STACK"
    )
    parser.add_argument("--url", default="", help="with --function: the URL, {sha} for the commit")
    parser.add_argument("--project", help="with --function: PROJECT_NAME (default: pn)")
    parser.add_argument("--summary", help="a file to which the plan is added in Markdown")
    parser.add_argument("--comment", help="a file for the plan in Markdown, short enough to post")
    return parser.parse_args(arguments)


@dataclass(frozen=True, slots=True)
class Question:
    """Which function is asked for the plan of which URL; an empty one stands for the published."""

    function: str
    url: str
    project: str
    title: str


def read_question(asked: argparse.Namespace) -> Question:
    """Find the function and the URL; the stack knows them. Raises StopError."""
    title = "What a run would do to the schedules now"
    if asked.sha:
        title = f"What {require_commit(asked.sha)} would do to the schedules"
    if bool(asked.url) != bool(asked.function and asked.sha):
        raise StopError("--url is for --function with SHA, which need it, and for nothing else")
    if asked.function:
        remark(f"Region {place().region}, function {shown(asked.function)}")
        url = at_commit(asked.url, asked.sha) if asked.sha else ""
        return Question(asked.function, url, asked.project or "pn", title)
    stack = the_stack(asked.stack)
    url = at_commit(stack.parameters.get("ConfigGitUrl", ""), asked.sha) if asked.sha else ""
    project = stack.parameters.get("ProjectName", "pn")
    return Question(stack.output("FunctionName"), url, project, title)


def read_config(path: str) -> bytes | None:
    """Return the file, or None: none is at hand. Raises StopError."""
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StopError(f"Cannot read {path}: {error.strerror}") from error


# --- The answers


def ask(function: str, event: dict[str, object]) -> Plan:
    """Ask the manager for a plan, once. Raises StopError, and NoPlanError, which is one."""
    try:
        answer = invoke_once(function, json.dumps(event))
    except AwsError as error:
        if "TooManyRequestsException" in str(error):
            raise NoPlanError(BUSY) from None
        raise
    return read_plan(answer.text)


def compare_with_published(function: str, url: str, view: FileView) -> Comparison:
    """Ask for the plan of a URL and for that of what is published. Raises StopError."""
    if not url:
        return compare(ask(function, {"dry_run": True}), NOTHING, view)
    head = ask(function, {"dry_run": True, "config_git_url": url})
    try:
        published = ask(function, {"dry_run": True})
    except NoPlanError as problem:
        compared = compare(head, NOTHING, view)
        why = f"What is published could not be compared: {problem}."
        return replace(compared, remarks=(why,))
    return compare(head, published, view)


def look_at(document: bytes | None, project: str) -> FileView:
    """Let the check look at the file, if there is one and boto3, which it needs."""
    if document is None:
        return FileView()
    try:
        from athena_schedule_manager.tools.file_view import view_file  # noqa: PLC0415 - see above
    except ImportError:
        return FileView(remarks=("The file is not checked: the check needs boto3.",))
    return view_file(document, project, datetime.now(UTC))


def write_reports(asked: argparse.Namespace, report: Report) -> None:
    """Write the Markdown where it was asked for."""
    if asked.summary:
        with Path(asked.summary).open("a", encoding="utf-8") as file:
            file.write(as_markdown(report, SUMMARY_BYTES))
    if asked.comment:
        Path(asked.comment).write_text(as_markdown(report, COMMENT_BYTES), "utf-8")
