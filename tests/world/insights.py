"""As much of CloudWatch Logs Insights as the template's queries use, and no more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, str]


def run_query(query: str, lines: list[str]) -> list[Row]:
    """Return the rows that a query finds in the lines of a log, the oldest line first."""
    rows = [{"@timestamp": f"{at:04}", "@message": line} for at, line in enumerate(lines)]
    for command in re.sub(r"^SOURCE '[^']*' \| ", "", query).split("\n| "):
        name, _, rest = command.partition(" ")
        rows = COMMANDS[name](rows, rest)
    return rows


def _pattern(text: str) -> re.Pattern[str]:
    """Compile what stands between slashes, in the flavour that is common to both."""
    return re.compile(text[text.index("/") + 1 : text.rindex("/")].replace("(?<", "(?P<"))


def _parse(rows: list[Row], rest: str) -> list[Row]:
    pattern = _pattern(rest)
    matches = [(row, pattern.search(row["@message"])) for row in rows]
    return [row | (match.groupdict() if match else {}) for row, match in matches]


def _filter(rows: list[Row], rest: str) -> list[Row]:
    if present := re.fullmatch(r"ispresent\((\w+)\)", rest):
        return [row for row in rows if present[1] in row]
    pattern = _pattern(rest)
    return [row for row in rows if pattern.search(row["@message"])]


def _display(rows: list[Row], rest: str) -> list[Row]:
    return [{name: row[name] for name in rest.split(", ")} for row in rows]


def _sort(rows: list[Row], rest: str) -> list[Row]:
    name, order = rest.split(" ")
    return sorted(
        rows, key=lambda row: row.get(name, ""), reverse={"desc": True, "asc": False}[order]
    )


def _limit(rows: list[Row], rest: str) -> list[Row]:
    return rows[: int(rest)]


def _stats(rows: list[Row], rest: str) -> list[Row]:
    wanted, _, by = rest.partition(" by ")
    groups: dict[str, list[Row]] = {}
    for row in rows:  # all lines are of the same hour
        groups.setdefault("" if by.startswith("bin(") else row[by], []).append(row)
    found = []
    for value, group in groups.items():
        result = {by: value}
        for function, name, alias in re.findall(r"(\w+)\(([\w*]+)\) as (\w+)", wanted):
            result[alias] = STATISTICS[function](group, name)
        found.append(result)
    return found


COMMANDS: dict[str, Callable[[list[Row], str], list[Row]]] = {
    "fields": lambda rows, _rest: rows,
    "parse": _parse,
    "filter": _filter,
    "display": _display,
    "sort": _sort,
    "limit": _limit,
    "stats": _stats,
}
STATISTICS: dict[str, Callable[[list[Row], str], str]] = {
    "count": lambda group, _name: str(len(group)),
    "earliest": lambda group, name: next((row[name] for row in group if name in row), ""),
    "latest": lambda group, name: next((row[name] for row in group[::-1] if name in row), ""),
}
