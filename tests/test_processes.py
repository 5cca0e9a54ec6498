"""Runs beside each other, and runs that are killed: one state, no schedule lost."""

from __future__ import annotations

import multiprocessing
import random
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from athena_schedule_manager import index
from athena_schedule_manager.schedule_manager import Clock, ScheduleGroup, reconcile
from tests.conftest import TRIED
from tests.world import CRON, GROUP, NOTHING_DONE, OTHER_CRON, SETTINGS, bystander
from tests.world.model_server import RemoteScheduler, model_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world import World

KILLS = 30
NAMES = [f"q{number:02}" for number in range(40)]
OLD = {name: {"schedule": CRON} for name in NAMES[:30]}
# ten schedules are created, ten updated, ten deleted, and ten stay
NEW = {name: {"schedule": OTHER_CRON if name < "q20" else CRON} for name in NAMES[10:]}
WANTED = {f"pn-{query_id}": query["schedule"] for query_id, query in NEW.items()}


@pytest.fixture(scope="module")
def remote() -> Iterator[RemoteScheduler]:
    """Return a model of the Scheduler in a process of its own."""
    with model_server() as server:
        yield server


def fork_server() -> Any:
    """Return what makes processes quickly: forks of a server that has imported all it needs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.world.bystander"])
    return context


@pytest.fixture(scope="module")
def processes() -> Any:
    """Return what makes processes quickly."""
    return fork_server()


def expressions(remote: RemoteScheduler) -> dict[str, str]:
    """Return the expressions of the group's schedules by name."""
    group = remote.groups().get(GROUP, {})
    return {name: schedule["ScheduleExpression"] for name, schedule in group.items()}


def kill_somewhere(remote: RemoteScheduler, processes: Any, seconds: float) -> None:
    """Start a run and kill it after so many seconds."""
    process = processes.Process(target=bystander.run, args=(remote.url, NEW))
    process.start()
    time.sleep(seconds)
    process.kill()
    process.join()
    TRIED["kills"] += 1


def survive_a_kill(remote: RemoteScheduler, processes: Any, seconds: float) -> tuple[Any, ...]:
    """Check that the run after a killed one makes all as wanted; return what the kill had left."""
    remote.control(latency=0.002)
    bystander.run(remote.url, OLD)
    kill_somewhere(remote, processes, seconds)
    left = expressions(remote)
    assert left.keys() >= {f"pn-{name}" for name in NAMES[10:30]}
    bystander.run(remote.url, NEW)
    assert expressions(remote) == WANTED
    assert bystander.run(remote.url, NEW) == NOTHING_DONE
    return tuple(sorted(left.items()))


def test_after_a_kill_at_any_moment_the_next_run_ends_in_the_wanted_state(
    remote: RemoteScheduler, processes: Any
) -> None:
    """SIGKILL, many times: there is no state but the schedules themselves."""
    dice = random.Random(1)  # noqa: S311 - repeatable on purpose
    left = {survive_a_kill(remote, processes, dice.uniform(0.02, 0.2)) for _ in range(KILLS)}
    assert len(left) > 1


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

    def run(_: int) -> dict[str, int]:
        group = ScheduleGroup(index.scheduler_client(), SETTINGS, Clock(lambda: 60.0))
        return reconcile(group, SETTINGS, NEW, memory)

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(run, range(2)))
    assert expressions(remote) == WANTED
    assert sum(result["created"] for result in results) == 10
    assert bystander.run(remote.url, NEW) == NOTHING_DONE


def test_two_runs_against_the_mock_make_one_state(world: World, processes: Any) -> None:
    """Two processes and two threads against one moto server."""
    world.create_group()
    endpoint = str(world.client.meta.endpoint_url)
    with ProcessPoolExecutor(2, mp_context=processes) as pool:
        others = [pool.submit(bystander.run, endpoint, NEW) for _ in range(2)]
        world.git_host.publish({"queries": NEW})
        with ThreadPoolExecutor(2) as threads:
            ours = list(threads.map(lambda _: world.run(), range(2)))
        results = ours + [other.result() for other in others]
    assert sum(result["created"] for result in results) == len(WANTED)
    assert world.ours() == WANTED
    assert world.run() == NOTHING_DONE
