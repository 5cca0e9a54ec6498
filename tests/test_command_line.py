"""How the tools are called: help, options, and one sentence for what is wrong."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING

import pytest

from athena_schedule_manager.tools import command_line
from athena_schedule_manager.tools.__main__ import TOOLS, find, main
from tests.world.account import Account
from tests.world.person import Checkout, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

OF_THE_STACK = [name for name in TOOLS if name != "check"]


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operator:
    """Return somebody with a deployed stack."""
    return Operator(Account.with_stack(), tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("name", TOOLS)
def test_the_help_of_a_tool_tells_usage_options_and_exit_codes(
    operator: Operator, name: str
) -> None:
    """And is no failure."""
    helped = operator.run(name, "--help")
    assert (helped.code, helped.complaint) == (0, "")
    assert f"usage: python -m athena_schedule_manager.tools {name}" in helped.output
    assert "options:" in helped.output
    assert "\n  2  it could not be asked or done" in helped.output
    assert operator.account.calls == []


def test_the_help_of_all_lists_each_tool(operator: Operator) -> None:
    """With what it does."""
    helped = operator.run("--help")
    assert helped.code == 0
    for name, (_, does) in TOOLS.items():
        assert f"  {name:<9} {does}\n" in helped.output


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_is_a_function_with_a_line_for_its_help(name: str) -> None:
    """As the docstring of the command line has it."""
    assert find(TOOLS[name][0]).__doc__


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "NAME"),
        (["depoly"], "the tools are check, "),
        (["check"], "FILE"),
        (["fire", "--query"], "--query: expected one argument"),
        (["fire", "daily-report"], "a word or an option that this tool does not take"),
        (["invoke", "--stack", ""], "STACK is empty"),
        (["invoke", "--stack", "a b"], "STACK is not the name of a stack"),
    ],
)
def test_what_is_typed_wrongly_is_told_in_one_sentence(
    operator: Operator, words: Sequence[str], sentence: str
) -> None:
    """With exit code 2, and nothing is called."""
    code = main(list(words))
    complaint = operator.complaint()
    assert code == 2
    assert sentence in complaint
    assert complaint.count("\n") == 1
    assert operator.account.calls == []


@pytest.mark.parametrize("name", OF_THE_STACK)
def test_an_empty_name_of_a_stack_is_told(operator: Operator, name: str) -> None:
    """It is what `make invoke STACK=` hands over."""
    refused = operator.run(name, STACK="")
    assert (refused.code, refused.output) == (2, "")
    assert refused.complaint.startswith("STACK is empty")


def test_what_is_refused_is_not_printed(operator: Operator) -> None:
    """It may hold a token."""
    for words in (["--payload-of", "s3cret"], ["s3cret"], ["--stack", "s3cret!"]):
        assert "s3cret" not in operator.run("invoke", *words).complaint


def test_the_example_in_the_code_is_true() -> None:
    """As a reader would try it."""
    tried = doctest.testmod(command_line)
    assert (tried.attempted, tried.failed) == (5, 0)


# --- Through make, since it and the shell have rules of their own for what is typed

PAYLOAD = """{"dry_run": true, "config_git_url": "https://h/it's/a%20?x=$1&y=$(id)&z=$$"}"""


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """Return a folder for make, with a deployed stack."""
    with Checkout(tmp_path, Account.with_stack()).running() as made:
        yield made


def test_make_hands_an_event_over_as_it_was_typed(checkout: Checkout) -> None:
    """Whatever characters it holds; no file is left."""
    before = {path.name for path in checkout.folder.iterdir()}
    invoked = checkout.make("invoke", f"PAYLOAD={PAYLOAD}")
    assert invoked.code == 0, invoked.complaint
    [event] = checkout.account.events
    assert event["config_git_url"].endswith("it's/a%20?x=$1&y=$(id)&z=$$")
    assert {path.name for path in checkout.folder.iterdir()} == before


def test_make_hands_parameters_over_as_they_were_typed(checkout: Checkout) -> None:
    """And SAM's parser takes them."""
    url = "https://git.example/(a)/it's/c.json?a=$$&b=$HOME&c=$(id)&d=`id`"
    deployed = checkout.make("deploy", f"PARAMETERS=ConfigGitUrl={url} MaxDeletions=")
    assert deployed.code == 0, deployed.complaint
    parameters = checkout.account.parameters
    assert parameters["ConfigGitUrl"] == url
    assert parameters["MaxDeletions"] == ""


@pytest.mark.parametrize(
    "variable", ["STACK", "CONFIRM", "QUERY", "SHA", "PAYLOAD", "GROUP", "PARAMETERS"]
)
def test_make_expands_nothing_in_a_variable(checkout: Checkout, variable: str) -> None:
    """A function of make in it would be run before anything could be checked."""
    trap = checkout.folder / "trap"
    checkout.make("fire", f"{variable}=$(shell touch {trap})`touch {trap}`$$(touch {trap})")
    assert not trap.exists()


def test_make_refuses_a_variable_that_there_is_not(checkout: Checkout) -> None:
    """PARAMETER= would be ignored in silence, and the deployment would change nothing."""
    refused = checkout.make("deploy", "PARAMETER=MaxDeletions=5")
    assert refused.code == 2
    assert "There is no variable PARAMETER; the variables are" in refused.complaint
    assert checkout.account.calls == []


def test_make_ends_as_the_tool_does(checkout: Checkout) -> None:
    """With a failure, and the sentence."""
    refused = checkout.make("invoke", "STACK=")
    assert refused.code == 2
    assert refused.complaint.startswith("STACK is empty")
    assert "Traceback" not in refused.complaint


def test_a_missing_aws_cli_is_told(checkout: Checkout) -> None:
    """With what to do."""
    (checkout.folder / "aws").unlink()
    refused = checkout.make("invoke")
    assert "install the AWS CLI, version 2: https://" in refused.complaint
