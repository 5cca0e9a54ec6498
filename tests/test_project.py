"""The repository: its layout and its dependencies."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from athena_schedule_manager import __version__

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "athena_schedule_manager"
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
DESIGN_CARD = {
    "athena_schedule_manager",
    "tests",
    "template.yaml",
    "requirements.txt",
    "requirements-dev.txt",
    "README.md",
    "Makefile",
}


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """Return the files that git tracks: what else lies about is the newcomer's own."""
    try:
        top = subprocess.check_output(["git", "rev-parse", "--show-toplevel"], cwd=ROOT, text=True)
        listed = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git, or no repository")
    if Path(top.strip()).resolve() != ROOT.resolve():
        pytest.skip("a copy inside another repository, which tracks other files")
    return [Path(line) for line in listed.splitlines()]


def test_the_top_level_is_the_design_cards(tracked: list[Path]) -> None:
    """Nothing else is visible; what tools insist on is in dot files."""
    assert {path.parts[0] for path in tracked if path.parts[0][0] != "."} <= DESIGN_CARD


def test_the_package_has_its_modules(tracked: list[Path]) -> None:
    """And nothing that would have to be deployed beside them."""
    ours = [path for path in tracked if path.parts[0] == PACKAGE.name and len(path.parts) == 2]
    assert {path.name for path in ours} == {"__init__.py", *(f"{module}.py" for module in FLOORS)}


def test_the_package_needs_boto3_and_the_standard_library_alone() -> None:
    """That is what the Lambda runtime has; types are imported for the type checker only."""
    for path in PACKAGE.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        checking = [
            n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE" in ast.dump(n.test)
        ]
        typed = {id(n) for block in checking for n in ast.walk(block)}
        modules = set()
        for node in ast.walk(tree):
            if id(node) in typed:
                continue
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module or "")
        top = {module.partition(".")[0] for module in modules}
        assert top - set(sys.stdlib_module_names) <= {"boto3", "botocore"}, path


FLOORS = {
    "_crons": set(),
    "_dialects": {"_crons"},
    "_expressions": {"_crons", "_dialects"},
    "_urls": set(),
    "_calls": set(),
    "_words": {"_calls"},
    "_schedules": {"_expressions", "_words"},
    "schedule_manager": {"_schedules", "_calls", "_words"},
    "_git": {"_urls", "_calls", "_words"},
    "index": {"_git", "schedule_manager", "_schedules", "_calls", "_words"},
}


@pytest.mark.parametrize("module", FLOORS)
def test_a_module_imports_only_from_the_floors_below(module: str) -> None:
    """No circles; settings, client and clock are handed to the core."""
    found, others = set(), set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            found |= {node.module or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            others |= {alias.name.partition(".")[0] for alias in node.names}
    assert found <= FLOORS[module]
    if module == "schedule_manager":
        assert not {"os", "boto3", "urllib"} & others
    if module == "_urls":
        assert others <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("module", FLOORS)
def test_no_module_is_long(module: str) -> None:
    """None over 500 lines of code, without blank ones, comments and docstrings."""
    text = (PACKAGE / f"{module}.py").read_text("utf-8")
    without = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in without | {tokenize.ENDMARKER}:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            lines.difference_update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    assert 20 < len(lines) <= 500


def test_no_function_is_long() -> None:
    """None over 25 lines, its docstring aside; those of the tools neither."""
    lengths = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                begin = body[0].lineno if body else node.end_lineno
                lengths[path.name, node.name] = (node.end_lineno or 0) - (begin or 0) + 1
    assert [name for name, length in lengths.items() if length > 25] == []


def test_the_changes_begin_with_this_version() -> None:
    """What a user of the version before must know is there; the template has it, too."""
    changes = (PACKAGE / "docs" / "changes.md").read_text("utf-8")
    assert re.findall(r"(?m)^## ([0-9.]+)", changes)[0] == __version__


def test_nothing_is_required_at_run_time() -> None:
    """The file is there for tools that look for it."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == []


def test_development_tools_are_pinned_exactly_each_with_its_reason() -> None:
    """A check that was green stays green, and a newcomer sees what each is for."""
    lines = (ROOT / "requirements-dev.txt").read_text("utf-8").splitlines()
    pinned = re.compile(r"[a-z0-9-]+(\[[a-z,]+\])?==[0-9.]+(; \S+ == \"\w+\")?  +# \w.+")
    packages = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in packages if not pinned.fullmatch(line)] == []


def test_make_alone_lists_every_target() -> None:
    """With a line each."""
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    [phony] = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert re.findall(r"^make ([\w-]+) +\S", listed, re.MULTILINE) == phony.split()
