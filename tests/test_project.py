"""The repository: its layout, its dependencies, and the README held against the code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from athena_schedule_manager.schedule_manager import Settings
from tests.world import scheduler_actions

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "athena_schedule_manager"
README = (ROOT / "README.md").read_text("utf-8")
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
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git, or no repository")
    return [Path(line) for line in listed.stdout.splitlines()]


def test_the_top_level_is_the_design_cards(tracked: list[Path]) -> None:
    """Nothing else is visible; what tools insist on is in dot files."""
    assert {path.parts[0] for path in tracked if path.parts[0][0] != "."} <= DESIGN_CARD


def test_the_package_has_its_three_modules(tracked: list[Path]) -> None:
    """And nothing that would have to be deployed beside them."""
    ours = [path for path in tracked if path.parts[0] == PACKAGE.name]
    names = {path.name for path in ours if path.suffix != ".json"}  # the schema is not deployed
    assert names == {"__init__.py", "index.py", "schedule_manager.py"}


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


def test_the_core_reads_no_environment_and_makes_no_client() -> None:
    """Settings, client and clock are handed to it."""
    imports = re.findall(
        r"^ *(?:import|from) (\w+)",
        (PACKAGE / "schedule_manager.py").read_text("utf-8"),
        re.MULTILINE,
    )
    assert not {"os", "boto3", "urllib"} & set(imports)


def test_no_function_is_long() -> None:
    """None over 30 lines, its docstring aside; half of them have 8 at most."""
    lengths = {}
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lengths[node.name] = (node.end_lineno or 0) - body[0].lineno + 1
    assert [name for name, length in lengths.items() if length > 30] == []
    assert sorted(lengths.values())[len(lengths) // 2] <= 8


def test_nothing_is_required_at_run_time() -> None:
    """The file is there for tools that look for it."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == []


def test_development_tools_are_pinned_exactly_each_with_its_reason() -> None:
    """A check that was green stays green, and a newcomer sees what each is for."""
    lines = (ROOT / "requirements-dev.txt").read_text("utf-8").splitlines()
    pinned = re.compile(r"[a-z0-9-]+(\[[a-z,]+\])?==[0-9.]+(; \S+ == \"\w+\")?  +# \w.+")
    assert [line for line in lines if not line.startswith("#") and not pinned.fullmatch(line)] == []


def test_make_alone_lists_every_target() -> None:
    """With a line each."""
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    [phony] = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert re.findall(r"^make ([\w-]+) +\S", listed, re.MULTILINE) == phony.split()


def test_the_readme_uses_only_targets_that_there_are() -> None:
    """Each command can be typed as written."""
    [phony] = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    used = set(re.findall(r"`make ([a-z-]+)", README)) | set(
        re.findall(r"^make ([a-z-]+)", README, re.MULTILINE)
    )
    assert used <= set(phony.split())
    assert {"run", "test", "lint", "check"} <= used


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: setting.name)
def test_the_readme_has_every_variable_with_its_default(setting: object) -> None:
    """As the code has it."""
    name, default = getattr(setting, "name", ""), getattr(setting, "default", None)
    expected = "required" if default is MISSING else f"`{default}`" if default else "none"
    assert re.search(rf"^\| `{name.upper()}` \|[^|]*\| {expected} \|$", README, re.MULTILINE)


def test_the_readme_has_the_exact_messages() -> None:
    """Every message that is logged stands in the README, word for word."""
    sources = "".join(path.read_text("utf-8") for path in PACKAGE.glob("*.py"))
    for message in (
        "Fetching config from Git: ",
        "Found %d existing schedules",
        "CREATE: ",
        "UPDATE: ",
        "DELETE: ",
        "(removed from config)",
        "Reconciliation complete: ",
        "Failed to fetch config from Git: ",
        "Invalid config from Git: ",
        "Failed to list schedules of group ",
        "Failed to read schedule ",
        "Failed to {change.action} schedule ",
        "Missing required environment variables: ",
        "Out of time before ",
        "exists already: another run created it",
        "is unusable (its live schedule, if any, is kept): ",
        "using the copy fetched before",
        "holds no 40-digit commit SHA",
        "cannot be created: ",
        "Unexpected error: ",
        "Refused to delete ",
        "MAX_DELETIONS must be a whole number, ",
    ):
        assert message in sources, message
        for action in ("create", "update", "delete"):
            written = message.replace("%d", "{N}").replace("{change.action}", action)
            assert written.strip() in README, written


def test_the_readme_grants_exactly_the_calls_that_the_code_makes() -> None:
    """And handing the execution role on."""
    policy = README.partition("## Permissions")[2].partition("## ")[0].partition("```yaml")[2]
    granted = set(re.findall(r"(?:scheduler|iam):[A-Z]\w+", policy.partition("```")[0]))
    assert granted == scheduler_actions() | {"iam:PassRole", "iam:PassedToService"}


def test_the_readme_names_every_file_of_the_package() -> None:
    """In its section on the file structure."""
    for path in PACKAGE.glob("*.py"):
        assert path.name in README
