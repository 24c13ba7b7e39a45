"""Objectives and aggregates as objects: scalars and arrays alike, bounds below values, a further one as one row."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from accmine.problems.stage_selection import (
    AGGREGATES,
    OBJECTIVES,
    Candidate,
    Limits,
    Pipeline,
    Problem,
    Solution,
    Stage,
    check,
    objective,
    sense,
)
from accmine.result import Sense, Status
from accmine.solving import solve


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_arrays_are_cases_and_bounds_are_below(name: str, schedule: str) -> None:
    rng = np.random.default_rng(4)
    f, b, u = (list(rng.integers(1, 50, (3, 20))) for _ in range(3))
    links = [(3, 60), (5, 1)]
    own = OBJECTIVES[name]
    steps, bounds = (own.step(schedule, (f, b, u), links, 6, exact=exact) for exact in (True, False))
    assert (bounds <= steps).all()
    for i in range(20):
        case = tuple([int(row[i]) for row in rows] for rows in (f, b, u))
        assert own.step(schedule, (case[0], case[1], case[2]), links, 6) == steps[i]
        assert own.step(schedule, (case[0], case[1], case[2]), links, 6, exact=False) == bounds[i]


@pytest.mark.parametrize("name", AGGREGATES)
def test_aggregates(name: str) -> None:
    own = AGGREGATES[name]
    assert own.joined([3, 1, 2]) == (6 if own.weighted else 3)
    assert own.joined([np.array([3, 1]), np.array([1, 2])]).tolist() == ([4, 3] if own.weighted else [3, 2])
    assert own.of_relative([3.0, 1.0], [1.0, 3.0]) == (1.5 if own.weighted else 3.0)
    assert own.of_relative([2.0, 2.0], [1.0, 3.0]) == own.of_relative([2.0], [0.5]) == 2.0


def small(name: str, aggregate: str, digits: int) -> Problem:
    rng = np.random.default_rng(8)
    pipelines = []
    for p in ("p", "q"):
        stages = []
        for s in range(2):
            row = []
            for i in range(3):
                f, b, u = (round(float(x), digits) for x in rng.uniform(0.01, 0.05, 3))
                row.append(Candidate(f"d{i}{p}{s}", f, b, u, 9.0 - i, 1.0 + i))
            stages.append(Stage(f"s{s}", tuple(row)))
        pipelines.append(Pipeline(p, tuple(stages), 5, transfer_s=((0.002, 0.09),), reference_s=0.7))
    return Problem(tuple(pipelines), Limits(tdp_w=8.0), objective=name, aggregate=aggregate, floor=0.0)


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("digits", [4, 16])
def test_a_further_objective_is_one_row(aggregate: str, digits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(OBJECTIVES["bottleneck"], name="bottleneck-per-tdp", power=True)
    monkeypatch.setitem(OBJECTIVES, row.name, row)
    problem = small(row.name, aggregate, digits)
    assert sense(problem) is Sense.MAXIMIZE
    choices = [Solution((c[:2], c[2:])) for c in product(range(3), repeat=4)]
    best = max(objective(problem, choice) for choice in choices if not check(problem, choice))
    by_hand = []
    for choice in choices:
        picked = [
            [stage.candidates[c] for stage, c in zip(pipeline.stages, own, strict=True)]
            for pipeline, own in zip(problem.pipelines, choice.choice, strict=True)
        ]
        steps = [5 * max(0.09, *(c.forward_s + c.backward_s for c in own)) / 0.7 for own in picked]
        power = sum(c.tdp_w for own in picked for c in own)
        if power <= 8:
            by_hand.append(1 / (max(steps) if aggregate == "worst" else sum(steps) / 2) / power)
    assert best == pytest.approx(max(by_hand), rel=1e-7)
    for solver in ("brute-force", "highs", "auto", "cp-sat"):
        result = solve(problem, solver)
        assert result.objective == pytest.approx(best, rel=1e-7 if solver == "cp-sat" else 1e-15)
        assert result.status is Status.OPTIMAL or solver == "cp-sat"
        assert result.bound is not None
        assert best <= result.bound <= best * (1 + 1e-7)
