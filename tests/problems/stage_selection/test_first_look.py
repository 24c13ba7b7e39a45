"""The first look: what it reports of a choice is what the definition says of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.problems.limits import COSTS
from accmine.problems.stage_selection import (
    AGGREGATES,
    MODES,
    Candidate,
    Limits,
    Pipeline,
    Problem,
    Solution,
    Stage,
    check,
    objective,
)
from accmine.problems.stage_selection.first_look import FirstLook, SlotArrays, first_look
from accmine.problems.stage_selection.integers import integers, shares_of
from accmine.problems.stage_selection.rules import totals
from accmine.system import LONG
from tests.samples.selection_sample import COMBINATIONS, tiny


def looked(problem: Problem) -> FirstLook:
    own = integers(problem)
    groups = [slot.members for slot in own.slots]
    return first_look(problem, groups, own.arrays, own.limits, shares_of(problem))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(COMBINATIONS))
def test_step_and_power_are_those_of_the_choice(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    found = looked(problem)
    assert found.steps > 0
    assert found.power_w > 0
    if found.picked is None:
        return
    solution = Solution(integers(problem).choice(found.picked))
    assert check(problem, solution) == ()
    assert totals(problem, solution)[1] == pytest.approx(found.power_w, rel=1e-6)
    value = objective(problem, solution)
    steps = 1 / (value * found.power_w) if problem.objective == "throughput-per-tdp" else value
    assert steps == pytest.approx(found.steps, rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(MODES), st.sampled_from(list(AGGREGATES)))
def test_without_limits_it_is_no_slower_than_the_fastest_of_every_slot(seed: int, mode: str, aggregate: str) -> None:
    problem = replace(tiny(seed, mode, "throughput", aggregate, most=3), limits=Limits())
    numbers = integers(problem)
    fastest = []
    for slot in numbers.slots:
        loads = []
        for option in slot.options:
            rows = zip(slot.members, option.picks, strict=True)
            loads.append(max(load(problem, w, s, c) for (w, s), c in rows))
        fastest.append(loads.index(min(loads)))
    value = objective(problem, Solution(numbers.choice(fastest)))
    assert looked(problem).steps <= value * (1 + 1e-6)


def load(problem: Problem, w: int, s: int, c: int) -> float:
    """Busy time of a stage with one of its candidates, relative to the reference."""
    pipeline = problem.pipelines[w]
    chip = pipeline.stages[s].candidates[c]
    weight = pipeline.weight if problem.aggregate == "mean" else 1.0
    busy = pipeline.microbatches * (chip.forward_s + chip.backward_s) + chip.update_s
    return busy * weight / (pipeline.reference_s or 1.0)


def chain(microbatches: int) -> Problem:
    """Two stages with a slow small and a fast large design, of which the area allows one large one."""
    rows = (Candidate("large", 1, 1, 0, 5, 5), Candidate("small", 2, 2, 0, 1, 1))
    stages = (Stage("s0", rows), Stage("s1", rows))
    return Problem((Pipeline("p", stages, microbatches, "1f1b", ((0.0, 0.0),), reference_s=1.0),), Limits(7.0))


@pytest.mark.parametrize("microbatches", [1, 8, LONG, 10**6])
def test_long_pipelines_are_looked_at_like_short_ones(microbatches: int) -> None:
    found = looked(chain(microbatches))
    assert found.picked is not None
    assert sorted(found.picked) in ([0, 1], [1, 1])
    slow = 4 * (microbatches + 1)  # both slow: fill and drain of a pipeline of two equal stages
    assert 0.5 * slow <= found.steps <= slow


def test_a_slot_without_option_has_no_choice() -> None:
    empty = SlotArrays(np.zeros((0, 1), dtype=np.int64), np.zeros((len(COSTS), 0), dtype=np.int64))
    problem = chain(4)
    own = integers(problem)
    groups = [slot.members for slot in own.slots]
    found = first_look(problem, groups, [own.arrays[0], empty], [None] * len(COSTS), shares_of(problem))
    assert found.picked is None
    assert math.isfinite(found.steps)


def test_nothing_that_fits_leaves_the_scale_of_the_fastest() -> None:
    problem = replace(chain(4), limits=Limits(1.0, 1.0))
    found = looked(problem)
    assert found.picked is None
    assert found.steps == pytest.approx(2 * (4 + 1))
    assert found.power_w == pytest.approx(10.0)
