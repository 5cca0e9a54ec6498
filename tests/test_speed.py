"""What `make bench` stands on: the model over TLS, an outage, the calls of each case."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import SSLError

from athena_schedule_manager import index
from athena_schedule_manager._calls import Clock
from athena_schedule_manager.schedule_manager import ScheduleGroup
from tests.tools.bench import Case, measure
from tests.tools.cases import schedule
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


@pytest.mark.parametrize("case", ["serial", "raw", "listing", "warm"])
def test_a_case_makes_the_calls_that_its_row_is_about(remote: RemoteScheduler, case: str) -> None:
    """A reference that made fewer would compare nothing: one page, and each schedule once."""
    measured = measure(remote, Case(case, 3, latency=0.0))
    assert measured.calls == (1 if case in {"listing", "warm"} else 4)


@pytest.mark.parametrize("case", ["large"])
def test_a_case_of_our_own_work_makes_no_call(remote: RemoteScheduler, case: str) -> None:
    """What it takes is then ours alone."""
    assert measure(remote, Case(case, 3, latency=0.0)).calls == 0


def test_an_update_in_a_warm_environment_reads_again(remote: RemoteScheduler) -> None:
    """A listing, and for each schedule a read and a write."""
    assert measure(remote, Case("updates", 3, latency=0.0)).calls == 1 + 2 * 3
