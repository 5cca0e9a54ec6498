"""How a plan is shown: as text for a terminal, as Markdown for the summary of a job. Pure.

Whoever writes a pull request writes the texts of a plan. So nothing in them is Markdown, HTML or a
command of the runner, which takes `::` at the beginning of a line and `##[` anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from athena_schedule_manager.tools.plans import SHOWN_ORDER, Details
from athena_schedule_manager.tools.terminal import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from athena_schedule_manager.tools.plans import Change, Comparison

SUMMARY_BYTES = 1_000_000  # GitHub takes a summary of 1 MiB
COMMENT_BYTES = 60_000  # and a comment of 65,536 characters
COLUMNS = ("what", "schedule", "expression", "zone", "state", "next runs", "line of the log")
UNKNOWN = "-"
UNSAID = {"create": "enabled", "update": "as it is"}  # the state, where the file does not say
BREAKS = "Breaks"
FAILED = "Failed"
URGENT = {BREAKS, FAILED}  # lists that stand above the changes


@dataclass(frozen=True, slots=True)
class Report:
    """A plan as it is shown: a title, sentences, rows, and lists with a title each."""

    title: str
    sentences: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()


def report_of(title: str, compared: Comparison) -> Report:
    """Arrange a plan for reading: what is lost and what breaks comes first."""
    changes = [change for change in compared.plan.of(*SHOWN_ORDER) if change.name]
    lists = (
        (BREAKS, compared.broken),
        ("Broken before", compared.broken_before),
        ("Hints", compared.hints),
    )
    deleted = compared.plan.counters["deleted"]
    if deleted:
        title = f"{title}: deletes {_count(deleted, 'schedule')}"
    return Report(
        title=title,
        sentences=(*compared.view.remarks, *_headlines(compared), *compared.remarks),
        rows=tuple(_row(change, compared.view.details.get(change.name)) for change in changes),
        lists=tuple((name, lines) for name, lines in lists if lines),
    )


def _headlines(compared: Comparison) -> list[str]:
    plan = compared.plan
    kept = len([change for change in plan.of("kept") if change.name])
    sentences = []
    if kept:
        sentences.append(f"Would delete {_count(kept, 'schedule')}: the deletion limit keeps them.")
    sentences.append(f"{plan.counts}.")
    if compared.cut:
        sentences.append(f"The answer is cut: {compared.cut}.")
    return sentences


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _row(change: Change, details: Details | None) -> tuple[str, ...]:
    if change.action in {"delete", "kept"} or details is None:
        details = Details(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
    return (
        change.action,
        change.name,
        details.expression,
        details.zone,
        details.state or UNSAID[change.action],
        details.next_runs,
        change.detail,
    )


# --- Text


def safe(text: str) -> str:
    """Return a text from outside on one line that no runner takes for a command."""
    line = shown(text).replace("##[", r"##\x5b")
    return re.sub("^( *):", r"\1\\x3a", line)


def as_text(report: Report) -> str:
    """Return a report for a terminal or a job's log."""
    parts = [safe(report.title), "\n".join(safe(sentence) for sentence in report.sentences)]
    if report.rows:
        rows = [tuple(safe(cell) for cell in row) for row in report.rows]
        headings = tuple(column.upper() for column in COLUMNS)
        parts.append(in_columns([headings, *rows]))
    for name, lines in report.lists:
        parts.append("\n".join([f"{name}:", *(f"  {safe(line)}" for line in lines)]))
    return "\n\n".join(parts)


def in_columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Return the rows in columns; the last one is as wide as it is."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


# --- Markdown


def as_markdown(report: Report, limit: int = SUMMARY_BYTES) -> str:
    """Return a report as GitHub's Markdown, cut to so many bytes."""
    kept = []
    size = 0
    for line in _markdown_lines(report):
        size += len(line.encode()) + 1
        if size > limit:
            kept += ["", "This is cut: the job's log has the rest."]
            break
        kept.append(line)
    return "\n".join(kept) + "\n"


def _markdown_lines(report: Report) -> Iterator[str]:
    """Yield the lines: what breaks stands above the changes, everything else below."""
    yield from (f"### {_escaped(report.title)}", "")
    for sentence in report.sentences:
        yield from (_escaped(sentence), "")
    for name, entries in report.lists:
        if name in URGENT:
            yield from _list(name, entries)
    if report.rows:
        yield f"| {' | '.join(COLUMNS)} |"
        yield f"|{'---|' * len(COLUMNS)}"
        for row in report.rows:
            yield f"| {' | '.join(_code(cell) for cell in row)} |"
        yield ""
    for name, entries in report.lists:
        if name not in URGENT:
            yield from _list(name, entries)


def _list(name: str, entries: Iterable[str]) -> Iterator[str]:
    yield from (f"**{name}**", "")
    for entry in entries:
        yield f"- {_code(entry)}"
    yield ""


def _escaped(text: str) -> str:
    """Return a text in which nothing is Markdown or HTML."""
    return re.sub("[^0-9A-Za-z ]", lambda sign: f"&#{ord(sign[0])};", shown(text))


def _code(text: str) -> str:
    """Return a text as code, in which GitHub looks for no mention, link or number of an issue."""
    return f"<code>{_escaped(text)}</code>" if text else ""
