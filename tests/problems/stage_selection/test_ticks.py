"""The integer problem beside the exact one: no bound above it, no objective away from it, for any microbatches."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from accmine.ports import Stop
from accmine.problems.stage_selection import (
    Candidate,
    Limits,
    Pipeline,
    Problem,
    Solution,
    Stage,
    check,
    objective,
)
from accmine.problems.stage_selection.integers import integers
from accmine.result import Status
from accmine.solving import bound_of, solve
from accmine.system import step_time

SLACK = Fraction(1, 10**14)
"""A bound of a product is shown as its inverse, which is rounded to a float."""

MICROBATCHES = (1, 2, 7, 64, 1000, 16_384, 65_536)


def exact(value: float) -> Fraction:
    return Fraction(repr(float(value)))


def exact_step(problem: Problem, picks: tuple[int, ...]) -> Fraction:
    """Relative step of the only pipeline, in rational arithmetic from the decimals as they are written."""
    (pipeline,) = problem.pipelines
    chosen = [stage.candidates[c] for stage, c in zip(pipeline.stages, picks, strict=True)]
    rows = [[exact(getattr(c, name)) for c in chosen] for name in ("forward_s", "backward_s", "update_s")]
    links = [(exact(there), exact(back)) for there, back in pipeline.transfer_s]
    unit = math.lcm(*(v.denominator for row in (*rows, *links) for v in row))
    f, b, u = ([int(v * unit) for v in row] for row in rows)
    pairs: list[tuple[int, int]] = [(int(there * unit), int(back * unit)) for there, back in links]
    step = step_time(pipeline.schedule, f, b, u, pairs, pipeline.microbatches)
    return Fraction(step, unit) / exact(pipeline.reference_s or 1.0)


def drawn(seed: int) -> Problem:
    """One pipeline of up to four stages, which are equal or nearly so, with any number of microbatches."""
    rng = random.Random(f"real {seed}")
    stages, designs = rng.randint(1, 4), rng.randint(1, 3)
    equal = rng.random() < 0.5
    base = [rng.uniform(1e-4, 1e-2) for _ in range(designs)]
    areas = [rng.randint(50, 400) for _ in range(designs)]
    rows = []
    for s in range(stages):
        row = []
        for i in range(designs):
            f = base[i] * (1 if equal else rng.uniform(0.9, 1.1))
            b = f * (2 if equal else rng.uniform(1.5, 2.5))
            row.append(Candidate(f"d{i}", f, b, rng.choice([0.0, f]), areas[i], 1.0))
        rows.append(Stage(f"s{s}", tuple(row)))
    links = tuple((rng.choice([0.0, rng.uniform(0, 1e-3)]), rng.choice([0.0, 1e-4])) for _ in range(stages - 1))
    limit = stages * (min(areas) + (max(areas) - min(areas)) * rng.uniform(0, 0.8))
    pipeline = Pipeline(
        "p",
        tuple(rows),
        MICROBATCHES[seed % len(MICROBATCHES)],
        rng.choice(["gpipe", "1f1b"]),
        links,
        reference_s=rng.choice([None, 0.7, 1.3]),
    )
    return Problem((pipeline,), Limits(limit), rng.choice(["heterogeneous", "homogeneous"]))


def per_tdp(problem: Problem, seed: int) -> Problem:
    """The same pipeline with TDPs of many digits, valued per TDP."""
    rng = random.Random(f"power {seed}")
    (pipeline,) = problem.pipelines
    tdps = [rng.uniform(0.5, 300) for _ in range(3)]
    stages = tuple(
        replace(stage, candidates=tuple(replace(c, tdp_w=tdps[int(c.design[1:])]) for c in stage.candidates))
        for stage in pipeline.stages
    )
    power = replace(pipeline, stages=stages)
    return replace(problem, pipelines=(power,), objective="throughput-per-tdp", floor=0.0)


def exact_value(problem: Problem, picks: tuple[int, ...]) -> Fraction:
    """What is minimised, in rational arithmetic."""
    (pipeline,) = problem.pipelines
    power = sum(exact(stage.candidates[c].tdp_w) for stage, c in zip(pipeline.stages, picks, strict=True))
    return exact_step(problem, picks) * (power if problem.value.power else 1)


def judged(seed: int, problem: Problem) -> None:
    (pipeline,) = problem.pipelines
    power = problem.value.power
    choices = product(*(range(len(stage.candidates)) for stage in pipeline.stages))
    values = [exact_value(problem, picks) for picks in choices if not check(problem, Solution((picks,)))]
    best = min(values)

    def minimised(shown: float) -> Fraction:
        return 1 / Fraction(shown) if power else Fraction(shown)

    low, _ = bound_of(problem)
    assert low is not None
    assert minimised(low) <= best * (1 + SLACK * power)
    for solver in ("auto", "highs", "brute-force", *(("cp-sat",) if pipeline.microbatches <= 64 else ())):
        heard: list[float | int | None] = []

        def hear(_: float, __: float | int | None, found: float | int | None, own: Any = heard) -> None:
            own.append(found)

        result = solve(problem, solver, stop=Stop(seconds=60), on_progress=hear)
        if solver != "cp-sat" or not power:  # that has only the leading bits of a product
            assert result.status is Status.OPTIMAL, (seed, solver)
        assert result.solution is not None
        assert result.bound is not None
        assert result.objective is not None
        assert minimised(result.bound) <= best * (1 + SLACK * power), (seed, solver)
        assert all(not found or minimised(found) <= best * (1 + SLACK * power) for found in heard), (seed, solver)
        assert best <= minimised(result.objective) * (1 + Fraction(1, 10**7)), (seed, solver)
        assert float(minimised(result.bound) / best) == pytest.approx(1, abs=1e-7 if power else 1e-9)
        own = exact_value(problem, result.solution.choice[0])
        assert float(minimised(result.objective) / own) == pytest.approx(1, abs=1e-8 if power else 1e-9)
        assert objective(problem, result.solution) == result.objective


def test_bounds_of_the_exact_step() -> None:
    for seed in range(21):
        judged(seed, drawn(seed))


@pytest.mark.parametrize("seed", range(14))
def test_bounds_of_the_exact_step_times_tdp(seed: int) -> None:
    judged(seed, per_tdp(drawn(seed), seed))


@pytest.mark.full
@pytest.mark.parametrize("chunk", range(10))
def test_many_bounds_of_the_exact_step(chunk: int) -> None:
    for seed in range(1000 + 50 * chunk, 1050 + 50 * chunk):
        judged(seed, drawn(seed))
        judged(seed, per_tdp(drawn(seed), seed))


@pytest.mark.parametrize("microbatches", MICROBATCHES)
def test_equal_stages_are_not_above_their_closed_form(microbatches: int) -> None:
    f, b = 0.1 / 3, 0.1 / 7
    stages = tuple(Stage(f"s{i}", (Candidate("d", f, b, 0.0, 1.0, 1.0),)) for i in range(4))
    problem = Problem((Pipeline("p", stages, microbatches, "1f1b", ((0.0, 0.0),) * 3),))
    step = (microbatches + 3) * (exact(f) + exact(b))
    result = solve(problem, "highs")
    assert result.status is Status.OPTIMAL
    assert result.bound is not None
    assert Fraction(result.bound) <= step <= Fraction(result.objective or 0) * (1 + Fraction(1, 10**12))
    assert float(Fraction(result.objective or 0) / step) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("microbatches", [64, 16_384, 65_536])
def test_products_lose_nothing_at_many_microbatches(microbatches: int) -> None:
    f, b = 0.1 / 3, 0.1 / 7
    stages = tuple(Stage(f"s{i}", (Candidate("d", f, b, 0.0, 1.0, 10 / 3),)) for i in range(4))
    pipeline = Pipeline("p", stages, microbatches, "1f1b", ((0.0, 0.0),) * 3)
    problem = Problem((pipeline,), objective="throughput-per-tdp", floor=0)
    value = 4 * exact(10 / 3) * (microbatches + 3) * (exact(f) + exact(b))
    result = solve(problem, "highs")
    assert result.status is Status.OPTIMAL
    assert result.bound is not None
    assert result.objective is not None
    assert Fraction(result.objective) <= 1 / value <= Fraction(result.bound) * (1 + SLACK)
    assert float(Fraction(result.bound) * value) == pytest.approx(1, abs=1e-8)


def test_exact_data_have_coarse_ticks_and_lose_nothing() -> None:
    stages = tuple(Stage(f"s{i}", (Candidate("d", 0.011, 0.023, 0.002, 1.0, 1.0),)) for i in range(2))
    problem = Problem((Pipeline("p", stages, 8, transfer_s=((0.001, 0.001),)),))
    assert (float(integers(problem).ticks), integers(problem).rounding) == (1000.0, 0)
    result = solve(problem)
    assert result.bound == result.objective
