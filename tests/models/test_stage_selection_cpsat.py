"""Selections with very many microbatches: refused where the timeline is declared, decided everywhere else."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from accmine.errors import InputError
from accmine.models.stage_selection_cpsat import MOST_PASSES
from accmine.ports import Stop
from accmine.problems.stage_selection import Candidate, Limits, Pipeline, Problem, Stage
from accmine.registry import make_model
from accmine.result import Status
from accmine.solving import solve


def two_stages(microbatches: int, schedule: str = "1f1b", objective: str = "throughput", floor: float = 0.0) -> Problem:
    """Two equal stages with a fast large and a slow small design, of which the area allows one large one."""
    rows = (Candidate("z", 1, 1, 0, 5, 5), Candidate("q", 2, 2, 0, 1, 1))
    stages = (Stage("s0", rows), Stage("s1", rows))
    pipeline = Pipeline("p", stages, microbatches, schedule, ((0.0, 0.0),), reference_s=3.0 * microbatches)
    own = floor if objective == "throughput-per-tdp" else None
    return Problem((pipeline,), Limits(area_mm2=7), objective=objective, floor=own)


@pytest.mark.parametrize("schedule", ["1f1b", "gpipe"])
def test_declared_timelines_are_refused_when_they_are_long(schedule: str) -> None:
    model = make_model("stage-selection", "cp-sat")
    model.build(two_stages(64, schedule))
    most = MOST_PASSES // 4
    with pytest.raises(InputError, match=f"{4 * (most + 1)}, at most {MOST_PASSES}; take auto or highs"):
        model.build(two_stages(most + 1, schedule))
    model.build(two_stages(10**6, schedule, "bottleneck"))  # has no timeline


@pytest.mark.parametrize("schedule", ["1f1b", "gpipe"])
@pytest.mark.parametrize("solver", ["auto", "highs", "brute-force"])
def test_a_million_microbatches_are_decided(solver: str, schedule: str) -> None:
    problem = two_stages(10**6, schedule)
    solve(two_stages(2), "highs")  # what is imported is no part of it
    tracemalloc.start()
    begin = time.perf_counter()
    result = solve(problem, solver, stop=Stop(seconds=60))
    assert time.perf_counter() - begin < 10
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()
    # the slow stage works all the time; with gpipe it begins after, or ends before, a pass of the fast one
    step = 4 * 10**6 if schedule == "1f1b" else 4 * 10**6 + 2
    assert result.status is Status.OPTIMAL
    assert result.objective == pytest.approx(step / 3e6, rel=1e-12)


def test_why_not_answers_without_a_declared_timeline() -> None:
    result = solve(two_stages(10**6, objective="throughput-per-tdp", floor=1.0), stop=Stop(seconds=60))
    assert result.status is Status.INFEASIBLE
    assert result.conflict == ("floor", "limits.area_mm2")
    assert result.remedy[0] == "floor: 0.75 is the most that works while limits.area_mm2 stays"
    assert "what works was not found in time" in result.remedy[1]
