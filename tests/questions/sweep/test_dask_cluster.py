"""Jobs on a real Dask cluster on loopback: workers that are killed, refused, late, or all gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError, WorkersGoneError
from accmine.questions.sweep import dask_cluster
from accmine.questions.sweep.dask_cluster import DaskExecutor
from accmine.questions.sweep.executors import Checked, opened
from accmine.version import __version__
from tests.samples.dask_sample import Cluster, Nursery, cluster, deadly, done, jobs, noted, squares, starts


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("cluster"))
    yield made
    made.end()


@pytest.fixture(scope="module")
def shared(nursery: Nursery) -> Iterator[Cluster]:
    """A cluster of two workers; who kills some starts others."""
    with cluster(nursery) as made:
        yield made


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def executor(shared: Cluster, said: list[str]) -> Iterator[DaskExecutor]:
    while len(shared.workers) < 2:
        shared.worker()
    made = DaskExecutor(shared.address, say=said.append)
    yield made
    made.shutdown(cancel_futures=True)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "not so within 20 s"
        time.sleep(0.01)


def test_a_worker_killed_midway_loses_nothing(
    shared: Cluster, executor: DaskExecutor, said: list[str], tmp_path: Path
) -> None:
    log, victim, found = tmp_path / "log", shared.workers[0], []
    pid = shared.processes[victim]
    for answer in done(Checked(executor), noted, jobs(log, 8, seconds=0.2)):
        found.append(answer)
        if len(found) == 2:
            until(lambda: starts(log)[-1][1] == pid)  # it is in the midst of a job
            shared.kill(victim)
    assert dict(found) == squares(8)
    began = [key for key, _ in starts(log)]
    assert sorted({*began}) == list(range(8))
    last = [key for key, process in starts(log) if process == pid][-1]
    assert [key for key in range(8) if began.count(key) > 1] in ([], [last]), "nothing but what it was in the midst of"
    assert len(said) == 1
    assert said[0].startswith(f"lost the worker {victim}")


def test_a_worker_killed_between_its_end_and_the_arrival_of_its_value_loses_nothing(
    shared: Cluster, executor: DaskExecutor, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "LOOK_S", 20.0)  # nobody looks who is there in the meantime
    monkeypatch.setattr(dask_cluster, "CONNECT_S", 2.0)
    log, real, victims = tmp_path / "log", executor._ended, list[str]()

    def ended(address: str, answer: Any) -> None:
        if not victims and executor._workers[address].job is not None:
            victims.append(address)
            shared.kill(address)
        real(address, answer)

    monkeypatch.setattr(executor, "_ended", ended)
    assert dict(done(executor, noted, jobs(log, 6))) == squares(6)
    assert len(starts(log)) == 7, "the one whose value was lost was done again, and no other"
    assert said == [f"lost the worker {victims[0]} in the midst of a job"]


@pytest.mark.parametrize("asked", range(2))
def test_a_worker_killed_between_its_end_and_the_arrival_of_what_it_holds_is_done_without(
    asked: int, nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT_S", 2.0)
    real, questions = DaskExecutor._answered, list[str]()

    def answered(self: DaskExecutor, address: str, *more: Any) -> None:
        questions.append(address)
        if len(questions) - 1 == asked:
            made.kill(address)
        real(self, address, *more)

    monkeypatch.setattr(DaskExecutor, "_answered", answered)
    with cluster(nursery) as made:
        executor = DaskExecutor(made.address)
        assert dict(done(executor, noted, jobs(tmp_path / "log", 4, seconds=0.1))) == squares(4)
        executor.shutdown()


def test_a_worker_of_another_version_is_refused_by_name(shared: Cluster, said: list[str], tmp_path: Path) -> None:
    old = shared.worker("0.0.1")
    while len(shared.workers) < 3:
        shared.worker()
    with opened("dask", shared.address, said.append, say=said.append) as executor:
        found = dict(done(executor, noted, jobs(tmp_path / "log", 6, seconds=0.05)))
        assert executor.width == 4, "three workers, one of which is refused, and one job that is ready"
    assert found == squares(6)
    assert shared.processes[old] not in {pid for _, pid in starts(tmp_path / "log")}
    assert said == [f"refused a worker: {old} has accmine 0.0.1 (here {__version__})"]
    shared.kill(old)


def test_a_job_that_ends_two_workers_is_an_error_and_a_third_does_the_rest(
    shared: Cluster, executor: DaskExecutor, tmp_path: Path
) -> None:
    before = shared.workers
    one = {"key": 1, "log": str(tmp_path / "log")}
    fatal = executor.submit(deadly, one)
    with pytest.raises(Exception, match=r"^the worker tcp://.* was lost, as the one before it was$"):
        fatal.result(timeout=30)
    assert len(starts(tmp_path / "log")) == 2
    for address in before:
        del shared.processes[address]
    later = executor.submit(noted, one)
    for _ in before:
        shared.worker()  # joins while the job waits
    assert later.result(timeout=30) == {"key": 1, "square": 1}


def test_what_a_job_raises_is_raised(executor: DaskExecutor, tmp_path: Path) -> None:
    future = executor.submit(noted, {"key": 1, "log": str(tmp_path / "log"), "raises": "this"})
    with pytest.raises(ValueError, match=r"^this$"):
        future.result(timeout=30)
    with pytest.raises(ValueError, match=r"^this$"):
        Checked(executor).submit(noted, {"key": 1, "log": str(tmp_path / "log"), "raises": "this"}).result(timeout=30)


def test_jobs_that_wait_are_cancelled_at_the_end(shared: Cluster, tmp_path: Path) -> None:
    executor = DaskExecutor(shared.address)
    futures = [executor.submit(noted, job) for job in jobs(tmp_path / "log", 6, seconds=0.5).values()]
    until(lambda: len(starts(tmp_path / "log")) == 2)
    start = time.monotonic()
    executor.shutdown(cancel_futures=True)
    assert time.monotonic() - start < 5
    assert all(future.done() for future in futures)
    assert sum(future.cancelled() for future in futures) == 4
    time.sleep(0.6)
    assert len(starts(tmp_path / "log")) == 2, "what had not begun never does"
    with pytest.raises(RuntimeError, match="is shut down"):
        executor.submit(noted, {})


def test_a_scheduler_that_goes_away_is_told(nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "GONE_S", 0.5)
    with cluster(nursery, workers=1) as made:
        executor = DaskExecutor(made.address)
        futures = [executor.submit(noted, job) for job in jobs(tmp_path / "log", 50, seconds=0.05).values()]
        assert futures[1].result(timeout=30) == {"key": 1, "square": 1}
        made.kill(made.address)
        with pytest.raises(WorkersGoneError, match=f"^the Dask scheduler at {made.address} went away, with jobs left"):
            futures[-1].result(timeout=30)
        assert all(future.done() for future in futures)
        executor.shutdown()
        monkeypatch.setattr(dask_cluster, "CONNECT_S", 0.2)
        with pytest.raises(InputError, match=f"^--cluster: no Dask scheduler answers at {made.address}: "):
            DaskExecutor(made.address)


def test_all_workers_refused_or_none_at_all(nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster(nursery, workers=0) as made:
        monkeypatch.setattr(dask_cluster, "LONELY_S", 0.5)
        executor = DaskExecutor(made.address)
        with pytest.raises(WorkersGoneError, match="has had no worker for"):
            executor.submit(noted, {}).result(timeout=30)
        executor.shutdown()
        monkeypatch.setattr(dask_cluster, "LONELY_S", 60.0)
        old = made.worker("0.0.1")
        executor = DaskExecutor(made.address, say=lambda _: None)
        with pytest.raises(WorkersGoneError, match=f"^no worker at .* may take jobs: {old} has accmine 0.0.1 "):
            list(map(Future.result, [executor.submit(noted, job) for job in jobs(tmp_path / "log", 2).values()]))
        executor.shutdown()
    assert starts(tmp_path / "log") == []


@pytest.mark.parametrize("address", ["", "tcp://127.0.0.1:1", "nonsense", "ftp://x:1", "127.0.0.1:port"])
def test_what_is_no_cluster_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT_S", 0.2)
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with pytest.raises(InputError, match=r"^--cluster: no "):
        DaskExecutor(address)


def test_no_thread_is_left(executor: DaskExecutor) -> None:
    executor.shutdown()
    assert "accmine-dask" not in {thread.name for thread in threading.enumerate()}
