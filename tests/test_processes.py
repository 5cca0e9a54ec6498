"""Runs beside each other, and runs that are killed: one state, no schedule lost."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager import index
from tests.world import CRON, NOTHING_DONE, bystander
from tests.world.kills import CALLS, NEW, OLD, WANTED, expressions, fork_server, survive_a_kill
from tests.world.model_server import RemoteScheduler, model_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world import World


@pytest.fixture(scope="module")
def remote() -> Iterator[RemoteScheduler]:
    """Return a model of the Scheduler in a process of its own."""
    with model_server() as server:
        yield server


@pytest.fixture(scope="module")
def processes() -> Any:
    """Return what makes processes quickly."""
    return fork_server()


def test_after_a_kill_at_any_call_the_next_run_ends_in_the_wanted_state(
    remote: RemoteScheduler, processes: Any
) -> None:
    """SIGKILL, many times: there is no state but the schedules themselves."""
    amid = [survive_a_kill(remote, processes, call) for call in range(1, CALLS + 2, 8)]
    assert sum(amid) >= 3


def test_the_model_in_a_process_of_its_own_has_a_quota(remote: RemoteScheduler) -> None:
    """Or the benchmark of it would measure nothing: a burst is throttled, and waited for."""
    remote.control(quota=50)
    results = bystander.run(remote.url, {f"q{n}": {"schedule": CRON} for n in range(20)})
    assert results == NOTHING_DONE | {"created": 20}
    assert remote.calls() > 3 + 20


def test_two_runs_from_two_processes_make_one_state(
    remote: RemoteScheduler, processes: Any
) -> None:
    """From nothing, the group included, and from another state."""
    with ProcessPoolExecutor(2, mp_context=processes) as pool:
        for old in ({}, OLD):
            remote.control(latency=0.002)
            bystander.run(remote.url, old)
            runs = [pool.submit(bystander.run, remote.url, NEW) for _ in range(2)]
            results = [run.result() for run in runs]
            assert expressions(remote) == WANTED
            assert sum(result["created"] for result in results) == len(WANTED.keys() - _names(old))
            assert bystander.run(remote.url, NEW) == NOTHING_DONE


def _names(queries: dict[str, Any]) -> set[str]:
    return {f"pn-{query_id}" for query_id in queries}


def test_two_runs_from_threads_make_one_state(remote: RemoteScheduler) -> None:
    """One client for both, as two invocations of one process would have."""
    remote.control(latency=0.002)
    bystander.run(remote.url, OLD)
    memory: dict[str, Any] = {}
    client = index.environment.scheduler_client()

    def run(_: int) -> dict[str, int]:
        return bystander.reconcile(client, NEW, memory)

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(run, range(2)))
    assert expressions(remote) == WANTED
    assert sum(result["created"] for result in results) == 10
    assert bystander.run(remote.url, NEW) == NOTHING_DONE


def test_two_runs_against_the_mock_make_one_state(world: World, processes: Any) -> None:
    """Two processes and two threads against one moto server.

    Its create is no atomic act, so that two runs may both count one: only the state is held here.
    """
    world.create_group()
    endpoint = str(world.client.meta.endpoint_url)
    with ProcessPoolExecutor(2, mp_context=processes) as pool:
        others = [pool.submit(bystander.run, endpoint, NEW) for _ in range(2)]
        world.git_host.publish({"queries": NEW})
        with ThreadPoolExecutor(2) as threads:
            ours = list(threads.map(lambda _: world.run(), range(2)))
        results = ours + [other.result() for other in others]
    assert [result["failed"] for result in results] == [0] * 4
    assert world.ours() == WANTED
    assert world.run() == NOTHING_DONE
