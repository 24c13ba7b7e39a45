"""One search with HiGHS: limits on the safe side of every choice, and the ways it ends."""

from __future__ import annotations

import io
import math
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyomo.common import tee

from accmine.ports import Stop
from accmine.problems.stage_selection import AGGREGATES, MODES, Problem, Solution
from accmine.record import Record
from accmine.registry import make_model
from accmine.result import StopReason
from accmine.solvers.engines.highs_search import Search, _quiet
from tests.samples.selection_sample import best_score, every_choice, line, tiny


def searched(problem: Problem, stop: Stop | None = None) -> tuple[Search, Record[Solution], Any]:
    record: Record[Solution] = Record(problem, stop or Stop(), solver="highs")
    model: Any = make_model("stage-selection", "highs")
    return Search(record, model, model.build(problem)), record, model


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(MODES),
    st.sampled_from(("throughput", "bottleneck")),
    st.sampled_from(list(AGGREGATES)),
)
def test_limits_are_below_the_best_and_the_last_answer_reaches_them(
    seed: int, mode: str, objective: str, aggregate: str
) -> None:
    problem = tiny(seed, mode, objective, aggregate, most=3)
    best = best_score(problem)
    search, record, model = searched(problem)
    limits: list[float] = []
    limit, found = search.settle(limits.append)
    assert limit is not None
    if best is None:
        assert limit == math.inf
        assert found is None
        search.none_left()
        assert record.infeasible
        return
    assert math.isfinite(limit)
    assert limits == sorted(limits)
    assert math.ceil(max(limits) * model.unit) <= best
    assert record.best == found or record.score <= best * (1 + 1e-6)
    search.raise_bound(math.ceil(max(limits) * model.unit))
    assert record.bound <= best <= record.score
    if search.near():
        search.close(model.closing())
        assert record.score == record.bound == best


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_another_aim_is_another_minimum(seed: int) -> None:
    problem = tiny(seed, "heterogeneous", "throughput-per-tdp", "worst", most=3)
    search, record, model = searched(problem)
    best = best_score(problem)
    factors = model.factors()
    if factors is None:  # a slot without option that can be afforded
        assert best is None
        return
    (a, a_unit), (p, p_unit) = factors
    for expression, unit, of in ((a, a_unit, "steps"), (p, p_unit, "power")):
        search.aim(expression)
        limit, _ = search.settle()
        assert limit is not None
        if best is None:
            assert limit == math.inf
            continue
        numbers = model.numbers
        fitting = [s for s in every_choice(problem) if not record.kind.check(problem, s)]
        assert math.ceil(limit * unit) <= min(getattr(numbers, of)(s.choice) for s in fitting)


def test_a_bound_never_passes_the_best() -> None:
    problem = line(1, 2, 3)
    search, record, _ = searched(problem)
    search.settle()
    score = record.score
    search.raise_bound(10 * score)
    assert record.bound == score
    assert search.finished()


@pytest.mark.parametrize("stop", [Stop(seconds=0), Stop(work=0)])
def test_no_time_and_no_nodes_end_it(stop: Stop) -> None:
    search, record, _ = searched(line(1, 12, 20), stop)
    limit, _ = search.settle()
    if stop.seconds == 0:
        assert (limit, record.best) == (None, None), "HiGHS is not asked"
    else:
        assert search.ended in (StopReason.TIME, None)
    assert search.finished() or record.best is not None
    assert not search.near()


@pytest.mark.parametrize("method", ["__enter__", "__exit__"])
def test_an_interrupt_does_not_break_the_capture_of_the_output(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It used to leave a pipe open, whose readers were waited for: 100 s, and then another error."""
    stream = getattr(tee.TeeStream, method)

    def interrupted(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        answer = stream(*arguments)
        passed.append(method)
        return answer

    passed: list[str] = []
    monkeypatch.setattr(interrupted, "__code__", interrupted.__code__.replace(co_filename=tee.__file__))
    monkeypatch.setattr(tee.TeeStream, method, interrupted)
    written = []
    with pytest.raises(KeyboardInterrupt), _quiet(), tee.capture_output(io.StringIO(), capture_fd=True):
        written.append(os.write(1, b"captured"))
    assert passed
    assert written == [8]
    with pytest.raises(KeyboardInterrupt), _quiet():
        signal.raise_signal(signal.SIGINT)  # elsewhere it is heard at once


KILLED = """
import multiprocessing, os, signal, sys
from pyomo.common import dependencies
import accmine.solvers.engines.highs_search
dependencies.capture_output_lock = multiprocessing.Lock()  # as Pyomo does once that is imported

def child(work):
    if (pid := os.fork()) == 0:
        work(dependencies.capture_output_lock)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def killed(lock):
    lock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)

print(child(killed), child(lambda lock: os._exit(0 if lock.acquire(timeout=5) else 1)))
"""


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_a_forked_process_that_is_killed_in_a_capture_stops_no_other() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", KILLED], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["-9", "0"], "")
