"""Jobs on executors of any kind: every one is answered, workers that hold another accmine do none."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import ProcessPoolExecutor
from importlib.metadata import EntryPoint
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from accmine import registry
from accmine.errors import InputError, WorkerLostError, WorkersGoneError
from accmine.questions.sweep import executors
from accmine.questions.sweep.executors import Checked, differences, identity, opened
from accmine.version import __version__
from tests.samples.dask_sample import deadly, done, jobs, noted, squares, starts


class Odd(Executor):
    """Does jobs at once, in this process, as ``how`` says."""

    def __init__(
        self, how: Callable[[Callable[..., Any], tuple[Any, ...]], Any] = lambda function, given: function(*given)
    ) -> None:
        self.how, self.shut = how, False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        del kwargs
        future: Future[Any] = Future()
        try:
            future.set_result(self.how(fn, args))
        except Exception as error:  # noqa: BLE001 - as executors do
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        del wait, cancel_futures
        self.shut = True


@pytest.mark.parametrize("make", [Odd, lambda: ThreadPoolExecutor(3)], ids=["at once", "threads"])
def test_every_job_is_done_once_and_answered(make: Callable[[], Executor], tmp_path: Path) -> None:
    with Checked(make()) as executor:
        assert dict(done(executor, noted, jobs(tmp_path / "log", 9))) == squares(9)
    assert sorted(key for key, _ in starts(tmp_path / "log")) == list(range(9))


def test_what_a_job_raises_is_raised(tmp_path: Path) -> None:
    wrong = jobs(tmp_path / "log", 2)
    wrong["p0"]["raises"] = "no such thing"
    found = dict(done(Checked(Odd()), noted, wrong))
    assert repr(found["p0"]) == "ValueError('no such thing')"
    assert found["p1"] == {"key": 1, "square": 1}


def test_a_worker_that_differs_is_told_by_name() -> None:
    ours = identity()
    assert ours["accmine"] == __version__
    assert {"ortools", "highspy", "python", "code"} <= ours.keys()
    assert differences(identity(), ours) == ""
    assert differences(ours | {"accmine": "9.9", "code": "f"}, ours) == f"accmine 9.9 (here {__version__})"
    assert differences(ours | {"code": "f"}, ours) == f"accmine's code f (here {ours['code']})"
    assert "ortools missing (here" in differences({k: v for k, v in ours.items() if k != "ortools"}, ours)
    assert differences(None, ours) == "no accmine of this kind (None)"


def test_a_job_of_a_refused_worker_is_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, turns = identity(), [0]

    def sometimes_another() -> dict[str, str]:
        turns[0] += 1  # the first is this process; then every second one is a worker of another version
        return ours | {"ortools": "1.2"} if turns[0] % 2 == 0 else ours

    monkeypatch.setattr(executors, "identity", sometimes_another)
    said: list[str] = []
    assert dict(done(Checked(Odd(), said.append), noted, jobs(tmp_path / "log", 4))) == squares(4)
    assert len(starts(tmp_path / "log")) == 4
    assert len(said) == 1
    assert said[0].startswith(f"refused a worker: process {os.getpid()} on ")
    assert said[0].endswith(f" has ortools 1.2 (here {ours['ortools']})")


def test_when_every_worker_is_refused_the_jobs_are_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "perform", lambda *_: {"refused": "process 1 on there has accmine 9.9"})
    with pytest.raises(WorkersGoneError, match=r"^every worker that took .*has accmine 9\.9; install the same there"):
        Checked(Odd()).submit(noted, None).result()


def broken(function: Any, given: tuple[Any, ...]) -> Any:
    del function, given
    raise BrokenExecutor("a child ended")


def lost(function: Any, given: tuple[Any, ...]) -> Any:
    if given[1]["key"] == 1:
        raise WorkerLostError("noted", -9)
    return function(*given)


def test_a_lost_worker_is_one_job_and_a_broken_executor_the_end(tmp_path: Path) -> None:
    found = dict(done(Checked(Odd(lost)), noted, jobs(tmp_path / "log", 3)))
    assert str(found.pop("p1")).startswith("the worker process of noted was ended by SIGKILL")
    assert found.items() <= squares(3).items()
    with pytest.raises(WorkersGoneError, match=r"^the executor cannot go on: BrokenExecutor: a child ended"):
        Checked(Odd(broken)).submit(noted, None).result()
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(WorkersGoneError, match=r"^the executor cannot go on: RuntimeError: cannot schedule new"):
        Checked(pool).submit(noted, None).result()


@pytest.mark.full
def test_a_process_pool_whose_child_is_killed_is_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[3])  # a spawned process imports what it is to do
    with Checked(ProcessPoolExecutor(1, mp_context=get_context("spawn"))) as pool:
        assert dict(done(pool, noted, jobs(tmp_path / "log", 1))) == squares(1)
        with pytest.raises(WorkersGoneError, match="BrokenProcessPool"):
            pool.submit(deadly, jobs(tmp_path / "log", 1)["p0"]).result()


def test_what_waits_at_the_end_is_cancelled() -> None:
    gate = threading.Event()
    pool = ThreadPoolExecutor(1)
    blocked = pool.submit(gate.wait)
    waits = Checked(pool).submit(noted, None)
    Checked(pool).shutdown(wait=False, cancel_futures=True)
    with pytest.raises(WorkersGoneError, match="CancelledError"):
        waits.result(timeout=5)
    gate.set()
    assert blocked.result(timeout=5)


def test_how_many_jobs_an_executor_is_worth() -> None:
    class Two(Odd):
        width = 2

    assert Checked(Two()).width == 2
    assert Checked(Odd()).width == executors.MANY


def test_an_executor_comes_from_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"accmine.executors": [EntryPoint("odd", f"{__name__}:Odd", "accmine.executors")]}
    points["accmine.executors"] += [
        EntryPoint("number", "builtins:int", "accmine.executors"),
        EntryPoint("away", "no_such_module:Pool", "accmine.executors"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points.get(group, []))
    registry._rows.cache_clear()
    try:
        assert registry.executors() == ["away", "dask", "number", "odd"]
        with opened("odd") as executor:
            assert type(executor._inner).__name__ == "Odd"
        assert executor._inner.shut  # type: ignore[attr-defined]
        with pytest.raises(InputError, match=r"^the executor 'number' is a builtins\.int; it must be a concurrent"):
            opened("number").__enter__()
        with pytest.raises(InputError, match=r"'away' cannot be loaded from no_such_module:Pool: No module"):
            opened("away").__enter__()
        with pytest.raises(InputError, match=r"^unknown executor 'od'; known: away, dask, number, odd"):
            opened("od").__enter__()
    finally:
        registry._rows.cache_clear()


def test_errors_of_executors_come_back_from_other_processes() -> None:
    error = pickle.loads(pickle.dumps(WorkersGoneError("the cluster went away")))
    assert (str(error), error.exit_code) == ("the cluster went away", 4)
