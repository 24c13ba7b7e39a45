"""Pools of worker processes: what they hold, and that they end, whatever happens to whom."""

from __future__ import annotations

import operator
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, wait
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError, WorkerLostError
from accmine.workers import stop_workers, workers

PATIENCE_S = 30.0


def within(seconds: float, work: Callable[[], Any]) -> bool:
    """Whether ``work`` ends in time; what it raises is raised here."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    for error in raised:
        raise error
    return not thread.is_alive()


def gone(pids: list[int]) -> bool:
    """Whether all processes end in time."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_stopping_one_pool_leaves_the_others() -> None:
    with workers(2, []) as outer:
        assert outer is not None
        assert outer.submit(abs, -1).result() == 1
        with workers(2, []) as inner:
            assert inner is not None
            running = inner.submit(time.sleep, 60)
            while not running.running():
                time.sleep(0.01)
            stop_workers(inner)
            with pytest.raises(CancelledError):
                running.result(timeout=0)
            with pytest.raises(RuntimeError, match="closed"):
                inner.submit(abs, -1)
        assert outer.submit(abs, -2).result() == 2


def test_a_pool_inside_another_one_works_with_its_processes() -> None:
    with workers(2, ["of the outer"]) as outer:
        assert outer is not None
        wait(ready := [outer.submit(time.sleep, 0.2) for _ in range(2)])
        assert all(future.result() is None for future in ready)
        pids = {future.result() for future in [outer.submit(os.getpid) for _ in range(20)]}
        items = ["of the inner"]
        with workers(2, [items]) as inner:
            assert inner is not None
            assert {future.result() for future in [inner.submit(os.getpid) for _ in range(20)]} <= pids
            assert inner.submit(list, items).result() == items
    assert gone(list(pids))


def test_inherited_objects_keep_their_identity_in_a_worker_and_back() -> None:
    items = [object()]
    with workers(2, [items]) as pool:
        assert pool is not None
        assert pool.submit(operator.is_, items, items).result()
        assert pool.submit(dict, [("deep", (items,))]).result()["deep"][0] is items
        assert not pool.submit(operator.is_, [1], [1]).result()


def test_one_worker_is_this_process() -> None:
    with workers(1, []) as pool:
        assert pool is None


def test_jobs_are_mapped_in_order_and_errors_come_back() -> None:
    with workers(2, []) as pool:
        assert pool is not None
        assert list(pool.map(abs, range(-50, 0))) == list(range(50, 0, -1))
        with pytest.raises(ZeroDivisionError) as caught:
            pool.submit(operator.truediv, 1, 0).result()
        assert "In a worker process" in caught.value.__notes__[0]
        for code, kind in (("f'{lost}'", NameError), ("exec('raise KeyboardInterrupt')", KeyboardInterrupt)):
            with pytest.raises(kind):
                pool.submit(eval, code).result()
        with pytest.raises(Exception, match="lambda"):  # a result that cannot be sent
            pool.submit(eval, "lambda: 0").result()
        assert pool.submit(abs, -3).result() == 3


def test_a_worker_that_is_killed_is_replaced_and_its_job_begun_again(tmp_path: Path) -> None:
    flag = tmp_path / "killed"
    once = f"import os, pathlib; f = pathlib.Path({str(flag)!r}); f.exists() or (f.touch(), os.kill(os.getpid(), 9))"
    with workers(2, []) as pool:
        assert pool is not None
        assert pool.submit(exec, once).result(timeout=PATIENCE_S) is None
        assert flag.exists()
        assert list(pool.map(abs, range(-9, 0))) == list(range(9, 0, -1))


def test_a_job_that_loses_two_workers_is_a_named_error() -> None:
    with workers(2, []) as pool:
        assert pool is not None
        with pytest.raises(WorkerLostError, match=r"builtins\.eval was ended by SIGKILL \(memory may be short"):
            pool.submit(eval, "__import__('os').kill(__import__('os').getpid(), 9)").result(timeout=PATIENCE_S)
        with pytest.raises(WorkerLostError, match="by itself with exit code 3"):
            pool.submit(os._exit, 3).result(timeout=PATIENCE_S)
        assert pool.submit(abs, -3).result() == 3


def test_a_killed_idle_worker_costs_no_job() -> None:
    with workers(2, []) as pool:
        assert pool is not None
        pids = {future.result() for future in [pool.submit(os.getpid) for _ in range(20)]}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert pool.submit(os.getpid).result(timeout=PATIENCE_S) not in pids


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupts_are_the_parents(number: signal.Signals) -> None:
    with workers(2, []) as pool:
        assert pool is not None
        pid = pool.submit(os.getpid).result()
        assert os.getpgid(pid) != os.getpgid(0)
        os.kill(pid, number)
        assert pid in {future.result() for future in [pool.submit(os.getpid) for _ in range(20)]}


PARENT = """
import os, sys, threading, time
from accmine.workers import workers

BUSY = "__import__('time').sleep(600)"

with workers(2, [list(range(1000))]) as pool:
    wait = [pool.submit(time.sleep, 0.3) for _ in range(2)]
    [future.result() for future in wait]
    pids = {future.result() for future in [pool.submit(os.getpid) for _ in range(50)]}
    busy = [pool.submit(eval, BUSY)] + [pool.submit(bytes, 1 << 22) for _ in range(50)]
    print(*pids, flush=True)
    busy[0].result()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_no_worker_outlives_its_parent(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert pids
        parent.send_signal(number)
        assert parent.wait(PATIENCE_S) != 0
        assert gone(pids)


def test_a_script_needs_no_main_guard_and_its_own_functions_are_refused(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from accmine.workers import workers\n"
        "def own(x): return x\n"
        "print('once')\n"
        "with workers(2, []) as pool:\n"
        "    print(pool.submit(abs, -4).result())\n"
        "    pool.submit(own, 1).result()\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["once", "4"]
    assert f"{InputError.__name__}: own is defined in the script that was started" in done.stderr


def test_a_pool_in_a_worker_is_safe() -> None:
    nested = (
        "with __import__('accmine.workers').workers.workers(2, []) as pool:\n"
        "    assert list(pool.map(abs, [-1, 2, -3])) == [1, 2, 3]"
    )
    with workers(2, []) as pool:
        assert pool is not None
        assert pool.submit(exec, nested).result(timeout=PATIENCE_S) is None


@pytest.mark.parametrize("end", ["result", "stop"])
def test_workers_end_with_their_pool(end: str) -> None:
    with workers(2, []) as pool:
        assert pool is not None
        pids = [pool.submit(os.getpid).result() for _ in range(10)]
        if end == "stop":
            sleeping = [pool.submit(time.sleep, 600) for _ in range(4)]
            assert within(PATIENCE_S, lambda: stop_workers(pool))
            assert all(future.done() for future in sleeping)
    assert gone(pids)


SIZES = (1 << 10, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22)
STOPS, KILLS = 168, 60
"""Of every size, and in all."""


def stops_of(size: int, count: int, rng: random.Random) -> int:
    """How many of ``count`` stops of a pool whose workers send results of ``size`` bytes hang."""
    hangs = 0
    with workers(2, []):  # every pool inside has processes to begin with
        for _ in range(count):

            def once() -> None:
                with workers(2, []) as pool:
                    assert pool is not None
                    began = time.monotonic()
                    pool.submit(bytes, size).result()  # how long it takes, with the start of a worker in the beginning
                    lasts = min(time.monotonic() - began, 5e-3)
                    jobs = [pool.submit(bytes, size) for _ in range(rng.choice((1, 1, 1, 20)))]
                    time.sleep(rng.random() * 1.2 * lasts)
                    stop_workers(pool)
                    assert all(job.done() for job in jobs)

            hangs += not within(PATIENCE_S, once)
    return hangs


@pytest.mark.full
@pytest.mark.parametrize("size", SIZES)
def test_stops_while_results_are_sent(size: int) -> None:
    began = time.monotonic()
    hangs = stops_of(size, STOPS, random.Random(size))
    figures = f"results of {size} bytes: {hangs} of {STOPS} stops hang, {time.monotonic() - began:.1f} s"
    print(figures)
    assert hangs == 0, figures


@pytest.mark.full
def test_kills_at_any_moment() -> None:
    """Every job ends with its result or, where two workers in a row were hit, with the named error."""
    rng, began = random.Random(0), time.monotonic()
    lost = wrong = 0
    with workers(2, []) as pool:
        assert pool is not None
        for _ in range(KILLS):
            pid = pool.submit(os.getpid).result(timeout=PATIENCE_S)
            sizes = [rng.choice(SIZES) for _ in range(6)]
            jobs = [pool.submit(bytes, size) for size in sizes]
            time.sleep(rng.random() * 4e-3)
            os.kill(pid, signal.SIGKILL)
            for size, job in zip(sizes, jobs, strict=True):
                try:
                    wrong += len(job.result(timeout=PATIENCE_S)) != size
                except WorkerLostError:
                    lost += 1
    figures = f"{KILLS} kills: {lost} jobs lost twice, {wrong} wrong results, {time.monotonic() - began:.1f} s"
    print(figures)
    assert (lost, wrong) == (0, 0), figures
