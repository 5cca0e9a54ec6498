"""What `make bench` stands on: the model over TLS, an outage, a bound that is missed and marked."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import SSLError

from athena_schedule_manager import index
from athena_schedule_manager._calls import Clock
from athena_schedule_manager.schedule_manager import ScheduleGroup
from tests.tools.bench import Bound, Case, Measured, measure
from tests.tools.cases import schedule
from tests.tools.share import limited
from tests.world import GROUP
from tests.world.bystander import reconcile
from tests.world.environment import SETTINGS
from tests.world.model_server import BEFORE_OUTAGE, RemoteScheduler, tls_model_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def remote() -> Iterator[RemoteScheduler]:
    """Return a model of the Scheduler over TLS."""
    with tls_model_server() as server:
        yield server


def test_the_model_over_tls_is_trusted_by_its_bundle_alone(
    remote: RemoteScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a benchmark pays for the bundle that the SDK loads, and for checking the certificate."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", remote.url)
    with pytest.raises(SSLError):
        boto3.client("scheduler").list_schedules()
    monkeypatch.setenv("AWS_CA_BUNDLE", remote.bundle)
    assert boto3.client("scheduler").list_schedules()["Schedules"] == []


def test_an_outage_of_the_model_begins_in_the_midst_and_costs_no_query(
    remote: RemoteScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the benchmark of it would measure nothing."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", remote.url)
    monkeypatch.setenv("AWS_CA_BUNDLE", remote.bundle)
    remote.control(outage=0.3)
    queries = {f"q{n}": {"schedule": "rate(1 day)"} for n in range(BEFORE_OUTAGE)}
    results = reconcile(index.environment.scheduler_client(), queries, {})
    assert results["created"] == BEFORE_OUTAGE
    assert remote.calls() > 3 + BEFORE_OUTAGE


def test_a_date_of_the_service_is_read_as_utc(
    remote: RemoteScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a parser of ours, on every page: the SDK's own takes half of a listing's time."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", remote.url)
    monkeypatch.setenv("AWS_CA_BUNDLE", remote.bundle)
    modified = {**schedule("pn-query-00000"), "LastModificationDate": 1_700_000_000.125}
    remote.control(groups={GROUP: {"pn-query-00000": modified}})
    there = ScheduleGroup(index.environment.scheduler_client(), SETTINGS, Clock(lambda: 60.0))
    date = there.list_dates()["pn-query-00000"]
    assert date == datetime(2023, 11, 14, 22, 13, 20, 125_000, UTC)
    assert date.tzinfo is UTC  # the SDK's own parser has a zone of another kind


@pytest.mark.parametrize("case", ["serial", "threads", "raw", "listing", "cold", "warm"])
def test_a_case_makes_the_calls_that_its_row_is_about(remote: RemoteScheduler, case: str) -> None:
    """A reference that made fewer would compare nothing: one page, and each schedule once."""
    measured = measure(remote, Case(case, 3, latency=0.0))
    assert measured.calls == (1 if case in {"listing", "warm"} else 4)


@pytest.mark.parametrize("case", ["log_lines", "unusable", "large", "tiny"])
def test_a_case_of_our_own_work_makes_no_call(remote: RemoteScheduler, case: str) -> None:
    """What it takes is then ours alone."""
    assert measure(remote, Case(case, 3, latency=0.0)).calls == 0


def test_an_update_in_a_warm_environment_reads_again(remote: RemoteScheduler) -> None:
    """A listing, and for each schedule a read and a write."""
    assert measure(remote, Case("updates", 3, latency=0.0)).calls == 1 + 2 * 3


@pytest.mark.parametrize("controllers", [None, ()], ids=["this kernel's", "no cgroup"])
def test_a_process_on_a_share_of_a_core_ends_as_any_other(
    monkeypatch: pytest.MonkeyPatch, controllers: tuple[()] | None
) -> None:
    """By cgroup where one can be made, by stops where not: that is known, and can be told."""
    if controllers is not None:
        monkeypatch.setattr("tests.tools.share.CONTROLLERS", controllers)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with limited(process.pid, 0.5) as how:
            process.communicate(b"\n")
        assert process.returncode == 0
    assert how in ({"stops"} if controllers == () else {"cgroup", "stops"})


def test_a_whole_core_is_no_limit() -> None:
    """Nothing is done to the process."""
    with limited(0, 1.0) as how:
        assert how == ""


@pytest.mark.parametrize(
    ("bound", "is_met"),
    [
        pytest.param(Bound("", 1.5, 1.5), True, id="kept"),
        pytest.param(Bound("", 1.5, 1.6), False, id="over"),
        pytest.param(Bound("", 12, 12.5, least=True), True, id="reached"),
        pytest.param(Bound("", 12, 11.9, least=True), False, id="not reached"),
    ],
)
def test_a_missed_bound_is_known(bound: Bound, *, is_met: bool) -> None:
    """It is printed as missed, and the benchmark fails."""
    assert bound.is_met == is_met
    assert bound.cells[-1] == ("met" if is_met else "MISSED")


def test_a_row_names_its_conditions() -> None:
    """The reader sees what a case had."""
    assert Case("log_lines", 1).title == "log lines"
    assert Case("cold", 1, quota=250, outage=2).title == "cold, at 250/s, 2 s of outage"
    assert Measured(1.0, 0.5, 60.0, 4, "").cells == ("1.00", "0.500", 4, "60")
