"""What is said without search never excludes what a search finds."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from accmine.problems.kernel_sizing import Solution, bound, impossible, possible_counts, rate_of
from accmine.solving import load_problem, solve
from tests.samples.kernel_sizing_sample import every, least_cost, random_sizing


@pytest.mark.parametrize("seed", range(100, 160))
def test_bounds_hold(seed: int) -> None:
    problem = random_sizing(seed)
    best, (conflict, remedy) = least_cost(problem), impossible(problem)
    assert bool(conflict) == bool(remedy)
    if best is None:
        return
    assert not conflict
    low, _ = bound(problem)
    assert low is not None
    assert low <= best
    kept = [one for one in every(problem) if rate_of(problem, one)[0] <= problem.target]
    for i, counts in enumerate(possible_counts(problem)):
        assert {one.counts[i] for one in kept} <= set(counts)


def test_bounds_are_often_tight_and_conflicts_often_known() -> None:
    tight = known = feasible = 0
    for seed in range(200, 260):
        problem = random_sizing(seed)
        best = least_cost(problem)
        feasible += best is not None
        tight += best is not None and bound(problem)[0] == best
        known += bool(impossible(problem)[0])
    assert tight > 0.5 * feasible
    assert known > 0.5 * (60 - feasible)


def test_the_conflict_names_the_cycle_and_the_target_that_helps() -> None:
    problem = replace(load_problem("examples/kernel-sizing.json"), target=Fraction(29))
    result = solve(problem)
    assert result.conflict == ("target",)
    assert result.remedy == (
        "target: at least 30 cycles per iteration; "
        "multiply reads acc.C, which multiply 1 iteration earlier wrote, 30 cycles after its start",
    )
    largest = Solution(tuple(own.counts[-1] for own in problem.choices))
    assert rate_of(problem, largest)[0] == 30


def test_the_conflict_names_a_resource_of_which_no_count_is_enough() -> None:
    problem = load_problem("examples/kernel-sizing.json")
    choices = [replace(own, costs=own.costs[:1]) if own.name == "spad.A" else own for own in problem.choices]
    result = solve(replace(problem, choices=tuple(choices)))
    assert result.conflict == ("target", "locations[0].slots")
    assert result.remedy[0].startswith("target: at least ")
    assert "spad.A" in result.remedy[0]
