"""The parameters of the template: what it declares, and whether what is given is one of them.

No message repeats a value that is refused, since it may hold a token; of the page of a file it
shows the address without the query string.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass

from athena_schedule_manager.tools.command_line import StopError

PAGE = re.compile(  # of GitHub, whose repositories have two names, and GitLab
    r"https://([^/?#]+)/(?:([^/?#]+/[^/?#]+)|([^?#]+?)/-)/blob/([^?#]+)"
)


@dataclass(frozen=True)
class Parameter:
    """A parameter of the template."""

    description: str
    constraint: str
    default: str
    is_required: bool
    pattern: str = ".*"
    values: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None

    def problem(self, value: str) -> str | None:
        """Return what is wrong with a value, as far as the template tells."""
        fits = re.fullmatch(self.pattern, value) is not None
        if self.values:
            fits = value in self.values
        if self.least is not None and self.most is not None:
            fits = re.fullmatch("[0-9]{1,9}", value) is not None
            fits = fits and self.least <= int(value) <= self.most
        if not fits:
            return self.constraint
        return page_problem(value)


def page_problem(value: str) -> str | None:
    """Say that a URL is that of a web page, with the raw form of the same file."""
    page = PAGE.match(value)
    if page is None:
        return None
    host, repository, project, rest = page.groups()
    form = f"https://{host}/{project}/-/raw/{rest}"
    if project is None:
        form = f"https://{host}/{repository}/raw/{rest}"
    if host == "github.com":
        form = f"https://raw.githubusercontent.com/{repository}/{rest}"
    return f"is the URL of a web page that shows the file; the raw file is at {form}"


def read_template(text: str) -> dict[str, Parameter]:
    """Read the parameters that the template declares, in its order."""
    section = re.split(r"(?m)^(?=\S)", text.partition("\nParameters:\n")[2], maxsplit=1)[0]
    parameters = {}
    for name, body in re.findall(r"(?m)^  (\w+):\n((?:    .*\n)+)", section):
        lines = dict(re.findall(r"(?m)^    (\w+): ((?:>-\n(?:      .*\n)+|.*))", body))
        parameters[name] = read_parameter(lines)
    return parameters


def read_parameter(lines: dict[str, str]) -> Parameter:
    """Read one parameter's lines, by their keys."""
    listed = lines.get("AllowedValues", "[]").strip("[]")
    return Parameter(
        description=" ".join(lines["Description"].removeprefix(">-").split()),
        constraint=lines["ConstraintDescription"],
        default=lines.get("Default", "").strip('"'),
        is_required="Default" not in lines,
        pattern=lines.get("AllowedPattern", ".*"),
        values=tuple(value.strip() for value in listed.split(",") if value.strip()),
        least=json.loads(lines.get("MinValue", "null")),
        most=json.loads(lines.get("MaxValue", "null")),
    )


def read_parameters(text: str, declared: dict[str, Parameter]) -> dict[str, str]:
    """Read the words of PARAMETERS. Raises StopError for the first that is wrong."""
    given: dict[str, str] = {}
    for number, word in enumerate(text.split(), 1):
        name, equals, value = word.partition("=")
        if not equals:
            raise StopError(f"PARAMETERS: word {number} must be Name=value; put all into ' '")
        if name not in declared:
            raise StopError(f"PARAMETERS: word {number} {unknown(name, declared)}")
        if name in given:
            raise StopError(f"PARAMETERS: {name} appears twice")
        if problem := declared[name].problem(value):
            raise StopError(f"PARAMETERS: {name} {problem}")
        given[name] = value
    return given


def unknown(name: str, declared: dict[str, Parameter]) -> str:
    """Say that there is no such parameter, with the one that was probably meant."""
    near = difflib.get_close_matches(name, declared, 1)
    meant = f"; did you mean {near[0]}?" if near else f", such as {', '.join(declared)}"
    return f"is not the name of a parameter of the template{meant}"
