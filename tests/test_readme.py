"""README and pages, as one text, held against what they describe: commands, messages, figures."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shlex
import subprocess
from dataclasses import MISSING, fields
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
import yaml
from botocore import xform_name

from athena_schedule_manager import _calls, _git, _schedules, _words, index, schedule_manager
from athena_schedule_manager._expressions import expression_problem
from athena_schedule_manager._schedules import QUERY_KEYS, Settings
from athena_schedule_manager.schedule_manager import desired_state
from athena_schedule_manager.tools.parameters import read_parameters, read_template
from tests.tools.transformed import TEMPLATE, template
from tests.world import CRON, OTHER_CRON, SETTINGS, SHA, response, status
from tests.world.actions import scheduler_actions
from tests.world.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world import World
    from tests.world.faults import Rule

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "athena_schedule_manager" / "docs"
NAMES = ("reference", "deploying", "publishing", "operating", "measured", "changes")
README = (ROOT / "README.md").read_text("utf-8")
PAGES = {f"{name}.md": (DOCS / f"{name}.md").read_text("utf-8") for name in NAMES}
TEXT = "\n".join([README, *PAGES.values()])
PROSE = " ".join(TEXT.split())
FIRST_SCREEN = README.partition("**Contents:**")[0]
DENIED = ("AccessDeniedException", 403)

# what the AWS CLI adds to the service models: its own options, and commands
CLI_OPTIONS = {"--cli-binary-format", "--output", "--query", "--region"}
CLI_COMMANDS = {
    ("cloudformation", "deploy"): {
        "--stack-name",
        "--template-file",
        "--capabilities",
        "--parameter-overrides",
    },
    ("logs", "tail"): {"--since"},
}


def blocks(language: str) -> list[str]:
    """Return the contents of the code blocks in a language."""
    return re.findall(rf"(?ms)^ *```{language}\n(.*?)^ *```$", TEXT)


def spans() -> list[str]:
    """Return what is written between backticks, outside the blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^ *```.*?^ *```$", "", TEXT))


def table(heading: str) -> list[list[str]]:
    """Return the cells of the rows of the table whose first row begins with the heading."""
    written = TEXT.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in written.splitlines()[2:]]


@cache
def commands() -> list[list[str]]:
    """Return the words of every command, those within a sentence included."""
    programs = r"(make|aws|\.venv/bin/python) "
    found = [shlex.split(span) for span in spans() if re.match(programs, span)]
    for block in [*blocks("bash"), *blocks("console")]:
        typed = ""
        for line in re.findall(r"(?m)^\$ (.*)$", block) or block.splitlines():
            typed += line + "\n"
            with contextlib.suppress(ValueError):  # a quotation goes on
                found.append(shlex.split(typed))
                typed = ""
    return [list(takewhile(lambda word: word != ">", words)) for words in found if words]


def calls(program: str) -> list[list[str]]:
    """Return the words behind the program's name, of its every use."""
    return [words[1:] for words in commands() if words[0] == program]


# --- Its size, and its first screen


def test_the_first_screen_is_one() -> None:
    """Its first 40 lines say what it is, why to trust it and how to try it."""
    assert len(FIRST_SCREEN.splitlines()) <= 40
    [required] = re.findall(r"(?m)^fail_under = (\d+)$", (ROOT / ".coveragerc").read_text("utf-8"))
    assert f"Required test coverage of {required}.0% reached." in FIRST_SCREEN


def test_each_reason_to_trust_it_names_a_test_that_there_is() -> None:
    """The reader can look it up."""
    files = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    named = re.findall(r"`(test_\w+)` \|$", FIRST_SCREEN, re.MULTILINE)
    assert len(named) >= 5
    assert [name for name in named if f"\ndef {name}(" not in files] == []


def test_the_first_screen_shows_what_make_run_prints(story: str) -> None:
    """In this order; times differ, and `...` stands for the rest of a line."""
    printed = story.replace(r"\u2192", "→")
    [console, *_] = blocks("console")
    shown = console.partition("$ make run\n")[2].partition("$ make check")[0].splitlines()
    patterns = [re.escape(re.sub(r"^20\S+Z", "TIME", line)) for line in shown]
    pattern = ".*".join(p.replace(re.escape("..."), "[^\n]*") for p in patterns)
    assert len(shown) > 3
    assert re.search(pattern, re.sub(r"(?m)^20\S+Z", "TIME", printed), re.DOTALL)


# --- Its commands


@cache
def make_knows() -> tuple[set[str], set[str]]:
    """Return the targets and the variables of the Makefile, as make reads it."""
    alone = {"PATH": os.environ["PATH"]}  # a make that runs the tests exports its variables
    printed = subprocess.check_output(["make", "-pn", "help"], cwd=ROOT, env=alone, text=True)
    [phony] = re.findall(r"(?m)^\.PHONY: (.+)$", printed)
    variables = re.findall(r"(?m)^# (?:makefile|'override').*\n(\w+) :?= ", printed)
    return set(phony.split()), set(variables)


def test_every_make_command_names_targets_and_variables_that_there_are() -> None:
    """A misspelt variable would be ignored in silence."""
    targets, variables = make_knows()
    for words in calls("make"):
        assert {word for word in words if "=" not in word} <= targets
        assert {word.partition("=")[0] for word in words if "=" in word} <= variables
    assert len(calls("make")) > 20


def test_every_command_of_the_aws_cli_has_options_that_it_takes() -> None:
    """By the service models, from which the AWS CLI makes its commands."""
    session = botocore.session.get_session()
    for service, operation, *words in calls("aws"):
        known = CLI_COMMANDS.get((service, operation), set())
        if not known:
            model: Any = session.get_service_model(service)
            names = {xform_name(name, "-"): name for name in model.operation_names}
            members = model.operation_model(names[operation]).input_shape.members
            known = CLI_OPTIONS | {f"--{xform_name(member, '-')}" for member in members}
        assert {word for word in words if word.startswith("--")} <= known
    assert len(calls("aws")) >= 6


def test_parameters_are_given_as_make_deploy_takes_them() -> None:
    """With a SHA, an ARN and what is left out filled in, each value is one that is taken."""
    declared = read_template(TEMPLATE.read_text("utf-8"))
    given = [word for words in calls("make") for word in words if word.startswith("PARAMETERS=")]
    assert len(given) >= 6
    for word in given:
        text = re.sub(r"\S+=(\.\.\.|<that ARN>)(?=\s|$)", "", word.removeprefix("PARAMETERS="))
        names = re.findall(r"(\w+)=(?:\.\.\.|<that ARN>)", word)
        assert set(names) <= declared.keys()
        read_parameters(text.replace("<sha>", SHA), declared)


def test_events_are_given_as_the_function_takes_them() -> None:
    """By `make invoke`; none of them is refused."""
    given = [word for words in calls("make") for word in words if word.startswith("PAYLOAD=")]
    read = [index.read_options(json.loads(w.removeprefix("PAYLOAD="))) for w in given]
    assert {bool(o.config_git_url) for o in read} == {True, False}


def test_files_in_commands_are_there_and_the_tools_take_them() -> None:
    """So they can be typed in a fresh clone."""
    words = [word.rpartition("=")[2] for words in commands() for word in words]
    files = {word for word in words if word.startswith(("athena_schedule_manager/", "tests/"))}
    assert len(files) >= 2
    assert [name for name in files if not (ROOT / name).is_file()] == []
    [tool] = calls(".venv/bin/python")
    assert tool == ["-m", "athena_schedule_manager.tools", "check", "FILE"]


# --- Its links


def slugs(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ["README.md", *PAGES])
def test_every_link_leads_somewhere(name: str) -> None:
    """To a heading of the page, to a file, to a heading of another page, or by https elsewhere."""
    folder = ROOT if name == "README.md" else DOCS
    text = (folder / name).read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (folder / path) if path else (folder / name)
        assert there.is_file(), target
        assert not anchor or anchor in slugs(there.read_text("utf-8")), target


def test_the_contents_are_the_sections_and_the_pages() -> None:
    """All of them, the sections in their order."""
    contents = README.partition("**Contents:**")[2].partition("\n\n")[0]
    assert re.findall(r"\[([^\]]+)\]", contents) == re.findall(r"(?m)^## (.+)$", README)
    linked = README.partition("**Pages:**")[2].partition("\n\n")[0]
    assert sorted(PAGES) == sorted(path.name for path in DOCS.iterdir())
    assert set(re.findall(r"/docs/(\S+?)\)", linked)) == set(PAGES)


# --- Its tables


def test_the_variables_are_the_settings_with_their_defaults() -> None:
    """All of them, and no other."""
    shown = {name.strip("`"): default.strip("`") for name, _, default in table("variable")}
    assert shown == {
        setting.name.upper(): "required"
        if setting.default is MISSING
        else setting.default or "none"
        for setting in fields(Settings)
    }


def test_the_parameters_are_the_templates_with_their_defaults() -> None:
    """All of them, and no other."""
    shown = {cells[0].strip("`"): cells[1].strip("`") for cells in table("parameter")}
    declared = template()["Parameters"]
    defaults = {n: str(p.get("Default", "required")) for n, p in declared.items()}
    assert shown == {name: default or "empty" for name, default in defaults.items()}
    assert "$3 a month" in declared["Dashboard"]["Description"]


def test_alarms_keys_and_permissions_are_whole() -> None:
    """Those of the template, those that are read, and the calls that the code makes; no others."""
    alarms = {n for n, r in RESOURCES.items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    assert {cells[0].strip("`") + "Alarm" for cells in table("alarm")} == alarms
    keys = {key for cells in table("key") for key in re.findall(r"`(\w+)`", cells[0])}
    assert keys == set(QUERY_KEYS)
    granted = {action for cells in table("action") for action in re.findall(r"\w+:\w+", cells[0])}
    assert granted == scheduler_actions() | {"iam:PassRole"}


def test_the_benchmark_has_six_rows_at_most() -> None:
    """Between the comments that `make bench` is to fill."""
    bench = TEXT.partition("<!-- bench -->")[2].partition("<!-- /bench -->")[0]
    assert 1 <= len(bench.strip().splitlines()) - 2 <= 6


# --- Its examples and figures


def test_the_configurations_are_usable() -> None:
    """Each JSON example, and what the first screen says that one writes; names are as made."""
    written = re.search(r"(?m)^\| `(\{.+\})` \|", FIRST_SCREEN)
    assert written
    for text in [written[1], *blocks("json")]:
        desired, unusable = desired_state(json.loads(text)["queries"], SETTINGS)
        assert (len(desired), unusable) == (1, {})
    for query_id in ("daily-report", "high-volume-alert"):
        [name], _ = desired_state({query_id: {"schedule": CRON}}, SETTINGS)
        assert f"`{query_id}` becomes `{name}`" in PROSE


EXPRESSIONS = {  # as the README has it, and in full
    "`0 2 * * *`": ("0 2 * * *", False),
    "`cron(0 2 * * MON *)`": ("cron(0 2 * * MON *)", False),
    "`cron(0 2 ? * MON *)`": ("cron(0 2 ? * MON *)", True),
    "hour 24": ("cron(0 24 * * ? *)", False),
    "weekday 0": ("cron(0 2 ? * 0 *)", False),
    "a seventh field": ("cron(0 0 2 * * ? *)", False),
    "`rate(10 seconds)`": ("rate(10 seconds)", False),
    "`rate(1 week)`": ("rate(1 week)", False),
    "`at(2026-01-01T00:00:00Z)`": ("at(2026-01-01T00:00:00Z)", False),
    "`22-6`": ("cron(0 22-6 * * ? *)", True),
    "`LW`": ("cron(0 2 LW * ? *)", True),
    "`L-2`": ("cron(0 2 L-2 * ? *)", True),
    "`5L`": ("cron(0 2 ? * 5L *)", True),
    "`rate(1 minutes)`": ("rate(1 minutes)", True),
    "without its year": ("cron(0 2 * * ?)", True),
}


@pytest.mark.parametrize("written", EXPRESSIONS)
def test_an_expression_is_rejected_or_passed_on_as_the_readme_says(written: str) -> None:
    """By the rules of the manager."""
    expression, taken = EXPRESSIONS[written]
    assert written in PROSE
    assert (expression_problem(expression) is None) is taken


RESOURCES = template()["Resources"]
FUNCTION = RESOURCES["AthenaScheduleManager"]["Properties"]
DAYS = RESOURCES["DeadLetterQueue"]["Properties"]["MessageRetentionPeriod"] // 86_400
MISSED = RESOURCES["HeartbeatAlarm"]["Properties"]["EvaluationPeriods"]
NUMBERS = {3: "three"}
FIGURES = [
    f"Up to {_calls.THREADS} calls run at a time",
    f"less than {_calls.NO_NEW_CALL:g} s of the invocation left no new call starts",
    f"with {_calls.STOP_WAITING:g} s left the run stops waiting",
    f"retried for up to {_calls.PATIENCE:g} s",
    f"at most {_git.TRIES} tries, {_git.FETCH_SECONDS:g} s, and half",
    f"over {_git.MAX_CONFIG_BYTES // 1024**2} MiB",
    f"cut to {_schedules.MAX_DESCRIPTION} characters",
    f"at most {_schedules.MAX_NAME} characters",
    f"at most {schedule_manager.MAX_CHANGES:,}, then",
    f"`{_words.DRY_RUN}` before them",
    f"a timeout of {FUNCTION['Timeout']} s",
    f"what was dropped for {DAYS} days",
    f"no run has *completed* for {NUMBERS[MISSED]} intervals",
    f"the handler `{FUNCTION['Handler']}`",
    f"The template's runtime is {FUNCTION['Runtime']}.",
]


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_is_that_of_the_code_or_the_template(figure: str) -> None:
    """As the README words it."""
    assert figure in PROSE


def test_the_support_is_what_ci_runs() -> None:
    """The Pythons of the matrix, the boto3 that is pinned, and the oldest that is tested."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    *pythons, newest = workflow["jobs"]["check"]["strategy"]["matrix"]["python"]
    [pinned] = re.findall(r"(?m)^boto3==(\S+)", (ROOT / "requirements-dev.txt").read_text("utf-8"))
    made = subprocess.check_output(["make", "-Bn", "test-oldest"], cwd=ROOT, text=True)
    oldest, *_ = re.findall(r" boto3==(\S+)", made)
    support = f"CI runs Python {', '.join(pythons)} and {newest} with boto3 {pinned}"
    assert f"{support}, and the API's tests on {oldest}." in PROSE


def test_the_readme_names_every_module_of_the_package() -> None:
    """And each file that is to be copied."""
    files = [*(ROOT / "athena_schedule_manager").glob("*.*"), *(ROOT / ".github/actions").iterdir()]
    assert [path.name for path in files if f"{path.name}`" not in README] == []


# --- Its messages


def patterns(*texts: str) -> list[re.Pattern[str]]:
    """Return messages of the README as patterns: braces and dots may be anything."""
    parts = [re.split(r"\{\w+\}|\.\.\.", text) for text in texts]
    return [re.compile(".*".join(map(re.escape, part)), re.DOTALL) for part in parts]


def logged_on_bad_days(world: World, caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """Yield what runs log that meet every kind of trouble."""
    caplog.set_level(logging.INFO)
    gone = {
        "CreateScheduleGroup": response(b'{"ScheduleGroupArn": "arn"}')
    }  # no sooner made than gone
    rule: Rule = lambda asked, _: gone.get(asked)  # noqa: E731 - to be removed again
    world.faults.rule(rule)
    world.run({"a": {"schedule": CRON}})
    world.faults.remove(rule)
    world.faults.put("CreateScheduleGroup", Fault(DENIED, times=1))
    world.run({"a": {"schedule": CRON}})
    world.run({"a": {"schedule": CRON}, "b": {"schedule": CRON}, "broken": {}})
    world.run({"a": {"schedule": OTHER_CRON}})
    world.run({"c": {"schedule": CRON}}, left=world.left_for(1))
    here, moved = {"schedule": CRON}, {"schedule": OTHER_CRON}
    bad_days = {
        "GetSchedule": {"here": here},
        "CreateSchedule": {"here": here, "new": here},
        "UpdateSchedule": {"here": moved},
        "DeleteSchedule": {},
    }
    world.create("pn-here")
    for operation, queries in bad_days.items():
        world.faults.put(operation, Fault(DENIED, times=1))
        world.run(queries)
    world.faults.hook("CreateSchedule", lambda: world.create("pn-late"), times=1)
    world.run({"late": {"schedule": OTHER_CRON}})
    world.git_host.answer(status(503))
    world.run()
    variables = ("MAX_DELETIONS", "PROJECT_NAME", "SCHEDULE_GROUP_NAME", "SCHEDULE_ROLE_ARN")
    for trouble in (*variables, "[]", "listing", "limit", "unforeseen"):
        run_into(world, trouble)
    yield from caplog.messages


def run_into(world: World, trouble: str) -> None:
    """Run once with something wrong that ends the run, or its deletes."""
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Exception):
        world.git_host.publish([] if trouble == "[]" else {"queries": {}})
        if trouble.isupper():
            patch.setenv(trouble, " " if "ROLE" in trouble else "so many")
        if trouble == "limit":
            patch.setenv("MAX_DELETIONS", "0")
            patch.setenv("CONFIG_GIT_URL", world.git_host.url("main"))
        if trouble == "unforeseen":
            patch.setattr(schedule_manager, "make_plan", lambda *_: 1 / 0)
        world.faults.put("ListSchedules", Fault(DENIED, times=int(trouble == "listing")))
        world.run()


def test_the_messages_are_those_that_are_logged(
    strict_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Word for word, with a placeholder where the words differ from run to run; and no others."""
    written = [cells[1].strip("`") for cells in table("level")]
    written += [cells[0].strip("`") for cells in table("message")]
    found = set(logged_on_bad_days(strict_world, caplog))
    assert len(found) > 25
    assert [m for m in found if not any(p.fullmatch(m) for p in patterns(*written))] == []
    unseen = {p.pattern for p in patterns(*written) if not any(p.search(m) for m in found)}
    assert unseen == {p.pattern for p in patterns("Schedule {name} no longer differs: ...")}
