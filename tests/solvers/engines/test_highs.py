"""The HiGHS driver: every way it ends, and its bounds."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.ports import Solver, Stop
from accmine.problems import stage_selection as problems
from accmine.problems.stage_selection import Candidate, Limits, Pipeline, Problem, Solution, Stage
from accmine.registry import make_solver
from accmine.result import Sense, Status, StopReason
from accmine.solvers.engines.highs import Highs
from accmine.solving import solve


def selection(
    stages: int, designs: int, objective: str = "throughput", microbatches: int = 16, **values: Any
) -> Problem:
    """One pipeline over the same designs, with limits that force a choice between them."""
    rng = random.Random(5)
    chips = []
    for i in range(designs):
        area = rng.uniform(60, 700)
        chips.append((f"d{i}", area, area * rng.uniform(0.4, 0.8), area ** rng.uniform(0.6, 0.95)))
    row = []
    for s in range(stages):
        work = rng.uniform(0.5, 1.5)
        candidates = []
        for name, area, tdp, speed in chips:
            forward = work / speed * rng.uniform(0.9, 1.1)
            candidates.append(Candidate(name, forward, 2 * forward, 0.3 * forward, area, tdp))
        row.append(Stage(f"s{s}", tuple(candidates)))
    pipeline = Pipeline("p", tuple(row), microbatches, transfer_s=((2e-4, 2e-4),) * (stages - 1), reference_s=1.0)
    limits = values.pop("limits", Limits(stages * 160.0, stages * 95.0))
    return Problem((pipeline,), limits, objective=objective, **values)


HARD = selection(24, 40, microbatches=48)


def test_proves_and_reports() -> None:
    seen: list[tuple[float, Any, Any]] = []
    problem = selection(4, 20)
    result = solve(problem, "highs", on_progress=lambda *row: seen.append(row))
    assert (result.status, result.stop) == (Status.OPTIMAL, StopReason.PROVED)
    assert result.bound == pytest.approx(result.objective, rel=1e-9)  # less what rounding of the times may add
    assert result.verified
    assert result.gap == pytest.approx(0, abs=1e-9)
    assert tuple(seen) == result.trace
    assert "HiGHS" in result.bound_method
    bounds = [row[2] for row in result.trace if row[2] is not None]
    assert bounds == sorted(bounds)
    objectives = [row[1] for row in result.trace if row[1] is not None]
    assert objectives == sorted(objectives, reverse=True)


def test_same_seed_same_answer_and_workers_do_not_matter() -> None:
    problem = selection(4, 20)
    results = [solve(problem, "highs", stop=Stop(workers=w), seed=s) for w, s in ((1, 0), (2, 0), (1, 0), (1, 7))]
    assert len({(r.objective, r.bound) for r in results}) == 1
    assert results[0].solution == results[2].solution


def test_no_time_keeps_the_warm_start_and_the_bound() -> None:
    result = solve(HARD, "highs", stop=Stop(seconds=0))
    assert (result.status, result.stop) == (Status.FEASIBLE, StopReason.TIME)
    assert result.objective is not None
    assert result.bound is not None
    assert result.bound <= result.objective


def test_no_time_and_no_warm_start_keeps_the_bound() -> None:
    # both limits just above what one combination needs: the greedy start does not find it
    a, b = Candidate("a", 1, 1, 0, 10, 31), Candidate("b", 1, 1, 0, 31, 10)
    c = Candidate("c", 2, 2, 0, 20, 20.5)
    stages = tuple(Stage(f"s{i}", (a, b, c)) for i in range(3))
    pipeline = Pipeline("p", stages, 2, transfer_s=((0.0, 0.0),) * 2)
    problem = Problem((pipeline,), Limits(area_mm2=61, tdp_w=61.5))
    result = solve(problem, "highs", stop=Stop(seconds=0))
    assert result.bound is not None
    decided = solve(problem, "highs")
    assert decided.status is Status.OPTIMAL
    assert decided.objective == solve(problem, "brute-force").objective
    assert result.bound <= (decided.objective or 0)


def test_gap_is_good_enough() -> None:
    result = solve(HARD, "highs", stop=Stop(seconds=20, gap=0.5))
    assert result.stop is StopReason.GAP
    assert result.status is Status.FEASIBLE
    assert result.gap is not None
    assert 0 < result.gap <= 0.5


def test_work_limits_the_nodes() -> None:
    result = solve(HARD, "highs", stop=Stop(work=0))
    assert result.status in (Status.FEASIBLE, Status.OPTIMAL)
    assert result.stop in (StopReason.TIME, StopReason.PROVED)
    assert result.bound is not None


def test_hint_is_taken_over_or_refused() -> None:
    problem = selection(4, 20)
    best = solve(problem, "highs").solution
    assert best is not None
    result = solve(problem, "highs", stop=Stop(seconds=0), hint=best)
    assert result.solution == best
    dearest = max(range(20), key=lambda c: problem.pipelines[0].stages[0].candidates[c].area_mm2)
    for name in ("highs", "brute-force"):
        small = selection(2, 20)
        with pytest.raises(InputError, match="the hint is not a solution: limits"):
            solve(small, name, hint=Solution(((dearest,) * 2,)))


def test_infeasible_names_the_limit_and_what_works() -> None:
    problem = selection(4, 20, limits=Limits(area_mm2=100.0))
    result = solve(problem, "highs")
    assert (result.status, result.stop, result.bound) == (Status.INFEASIBLE, StopReason.PROVED, None)
    assert result.conflict == ("limits.area_mm2",)
    least = float(result.remedy[0].split()[1])
    assert solve(selection(4, 20, limits=Limits(area_mm2=least)), "highs").status is Status.OPTIMAL
    assert solve(selection(4, 20, limits=Limits(area_mm2=least - 1e-6)), "highs").status is Status.INFEASIBLE


@pytest.fixture
def answered() -> Iterator[threading.Event]:
    """Presses Ctrl-C every second until it is set: Python loses one that comes in a callback of a weak reference."""
    event = threading.Event()

    def press() -> None:
        while not event.wait(1.0):
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    yield event
    event.set()
    thread.join()


def test_interrupt_keeps_the_best(answered: threading.Event) -> None:
    result = solve(HARD, "highs", stop=Stop(seconds=60))
    answered.set()
    assert result.stop is StopReason.INTERRUPTED
    assert result.seconds < 20
    assert result.verified
    assert result.bound is not None


def test_perf_per_watt_is_the_best_point_of_the_whole_front() -> None:
    problem = selection(3, 12, "throughput-per-tdp", floor=0.0)
    result = solve(problem, "highs")
    assert result.sense is Sense.MAXIMIZE
    assert result.status is Status.OPTIMAL
    assert result.objective == solve(problem, "brute-force").objective
    assert result.objective == pytest.approx(result.bound, rel=1e-8)  # that of the exact times
    bounds = [row[2] for row in result.trace if row[2] is not None]
    assert bounds == sorted(bounds, reverse=True)
    stopped = solve(selection(10, 30, "throughput-per-tdp", floor=0.0), "highs", stop=Stop(seconds=0.3))
    assert stopped.bound is not None
    assert stopped.objective is not None
    assert stopped.bound >= stopped.objective


def test_floor_moves_the_choice() -> None:
    free = solve(selection(3, 12, "throughput-per-tdp", floor=0.0), "highs")
    assert free.solution is not None
    slow = problems.step_seconds(selection(3, 12), free.solution)[0]
    bound = selection(3, 12, "throughput-per-tdp", floor=1.05 / slow)
    result = solve(bound, "highs")
    assert result.status is Status.OPTIMAL
    assert result.objective == solve(bound, "cp-sat").objective
    assert (result.objective or 0) < (free.objective or 0)


def test_solvers_satisfy_the_port() -> None:
    for name in ("highs", "brute-force"):
        assert isinstance(make_solver("stage-selection", name), Solver)
    assert Highs.name == "highs"
