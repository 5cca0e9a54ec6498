"""Lambda's init phase: what can be made before the first event is made there, and only there."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import NoRegionError

from athena_schedule_manager import _calls, index
from tests.world import QUERIES, messages

if TYPE_CHECKING:
    from tests.world import GitHost

INIT_PHASE = {"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}
LOOK = "from athena_schedule_manager import index; print(index.environment._client is not None)"


@pytest.mark.parametrize(
    ("environ", "is_made"),
    [
        pytest.param(INIT_PHASE, "True", id="in Lambda"),
        pytest.param({}, "False", id="elsewhere"),
        pytest.param(INIT_PHASE | {"AWS_DEFAULT_REGION": ""}, "False", id="not possible"),
    ],
)
def test_importing_makes_the_client_in_lambdas_init_phase_only(
    environ: dict[str, str], is_made: str
) -> None:
    """There a whole core is free for it; where it cannot be made, importing works all the same."""
    command = [sys.executable, "-c", LOOK]
    output = subprocess.check_output(command, env=os.environ | environ, text=True)  # noqa: S603 - ours
    assert output.strip() == is_made


def test_an_invocation_takes_the_client_and_the_opener_of_the_init_phase(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are not made twice."""
    index.environment.initialise(INIT_PHASE)
    made = index.environment._client
    assert made is not None
    assert index.environment.scheduler_client() is made
    monkeypatch.setattr(urllib.request, "install_opener", pytest.fail)
    index.environment.source.install_opener()


@pytest.mark.usefixtures("manager_environment", "pauses")
def test_a_failure_of_the_init_phase_is_the_invocations(
    git_host: GitHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One ERROR line and an exception, as if there were no init phase; not a crash at import."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    git_host.publish({"queries": QUERIES})
    index.environment.initialise(INIT_PHASE)
    with pytest.raises(NoRegionError):
        index.handler({}, None)
    [line] = messages(caplog, logging.ERROR)
    assert line.startswith("Unexpected error: NoRegionError")


@pytest.mark.parametrize("written", [1_700_000_000.125, "2023-11-14T22:13:20.125Z"])
def test_a_date_is_read_as_a_number_and_as_a_text(written: float | str) -> None:
    """The service writes numbers; a text is left to the SDK's own parser."""
    date = _calls.read_date(written)
    assert date == datetime(2023, 11, 14, 22, 13, 20, 125_000, UTC)
