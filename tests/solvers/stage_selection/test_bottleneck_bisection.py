"""Bisection over the slowest slot: exact wherever it applies, and it applies exactly where it says."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.stage_selection import Problem, score
from accmine.problems.stage_selection.integers import integers
from accmine.result import Status, StopReason
from accmine.solvers.stage_selection.bottleneck_bisection import decided_by_slowest, slot_scores
from accmine.solving import solve
from tests.samples.selection_sample import COMBINATIONS, best_score, line, tiny

INSTANCES = (st.integers(0, 10**6), st.sampled_from(COMBINATIONS))


@settings(max_examples=40, deadline=None)
@given(*INSTANCES)
def test_the_answer_is_the_best_of_all_choices(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    if not decided_by_slowest(integers(problem)):
        with pytest.raises(InputError, match="is not decided by its slowest slot"):
            solve(problem, "bisection")
        return
    best, result = best_score(problem), solve(problem, "bisection")
    assert result.stop is StopReason.PROVED
    assert (result.status is Status.INFEASIBLE) == (best is None)
    if result.solution is not None:
        assert result.status is Status.OPTIMAL
        assert score(problem, result.solution) == best


@settings(max_examples=40, deadline=None)
@given(*INSTANCES)
def test_the_score_is_the_largest_of_the_slots(seed: int, words: tuple[str, str, str]) -> None:
    numbers = integers(tiny(seed, *words, most=3))
    if len(numbers.slots) == 1 or not decided_by_slowest(numbers):
        return
    scores, least = slot_scores(numbers)
    for picked in list(product(*(range(len(slot.options)) for slot in numbers.slots)))[::3]:
        choice = numbers.choice(picked)
        if numbers.step_limit is not None and numbers.steps(choice) > numbers.step_limit:
            continue  # beyond the floor: the score says that there is none
        largest = max(int(own[o]) for own, o in zip(scores, picked, strict=True))
        assert max(least, largest) == numbers.score(choice)


def test_it_applies_where_the_module_says() -> None:
    seen = {words: decided_by_slowest(integers(tiny_of(words))) for words in COMBINATIONS}
    assert seen["heterogeneous", "bottleneck", "worst"]
    assert seen["homogeneous", "throughput", "worst"]
    assert all(seen["common", objective, aggregate] for _, objective, aggregate in COMBINATIONS), "one slot alone"
    assert not seen["heterogeneous", "throughput", "worst"]
    assert not seen["heterogeneous", "bottleneck", "mean"]
    assert not seen["homogeneous", "throughput-per-tdp", "worst"]


def tiny_of(words: tuple[str, str, str]) -> Problem:
    """An instance of two pipelines or more, one of them with two stages or more."""
    return next(
        p
        for p in (tiny(seed, *words) for seed in range(99))
        if len(p.pipelines) > 1 and max(len(x.stages) for x in p.pipelines) > 1
    )


def test_thresholds_are_few_and_a_limit_on_them_keeps_the_bound() -> None:
    problem = line(1, 8, 12, "bottleneck", "worst")
    best = solve(problem, "bisection")
    assert best.status is Status.OPTIMAL
    assert best.objective is not None
    for work in range(8):
        cut = solve(problem, "bisection", stop=Stop(work=work))
        assert cut.bound is not None
        assert cut.bound <= best.objective
        assert cut.objective is None or cut.objective >= best.objective
    assert solve(problem, "bisection", stop=Stop(work=12)).status is Status.OPTIMAL  # 2^7 > 96 options
