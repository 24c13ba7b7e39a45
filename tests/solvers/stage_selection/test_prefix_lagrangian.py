"""The Lagrangian bound: below every choice, above what needs no search, and never a claim where it does not apply."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems import stage_selection as problems
from accmine.problems.stage_selection.integers import integers
from accmine.result import Status
from accmine.solvers.stage_selection.prefix_lagrangian import applies
from accmine.solving import solve
from tests.samples.selection_sample import COMBINATIONS, best_score, line, tiny


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([c for c in COMBINATIONS if c[1] != "throughput-per-tdp"]))
def test_bound_and_choice_surround_the_best(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    best = best_score(problem)
    if not applies(integers(problem)):
        with pytest.raises(InputError, match="is no sum over pipelines"):
            solve(problem, "lagrangian")
        return
    result = solve(problem, "lagrangian")
    if best is None:
        assert result.solution is None
        assert result.status in (Status.INFEASIBLE, Status.UNKNOWN)
        return
    assert result.status is not Status.INFEASIBLE
    assert result.bound is not None
    assert result.bound <= problems.shown(problem, best)
    if result.solution is not None:
        assert problems.check(problem, result.solution) == ()
        assert problems.score(problem, result.solution) >= best


def test_it_applies_to_sums_of_pipelines_with_slots_of_their_own() -> None:
    for words in COMBINATIONS:
        for seed in range(12):
            problem = tiny(seed, *words)
            several = len(problem.pipelines) > 1
            expected = problem.objective != "throughput-per-tdp" and not (
                several and (problem.aggregate == "worst" or problem.mode == "common")
            )
            assert applies(integers(problem)) == expected


@pytest.mark.parametrize("schedule", ["1f1b", "gpipe"])
def test_prices_prove_more_than_the_bound_without_search(schedule: str) -> None:
    problem = line(2, 6, 8, schedule=schedule)
    least, _ = problems.bound(problem)
    assert least is not None
    result = solve(problem, "lagrangian", stop=Stop(work=40))
    assert result.bound is not None
    assert result.objective is not None
    assert problems.shown_bound(problem, least) < result.bound <= result.objective
    assert result.bound > 0.9 * result.objective


def test_more_work_never_lowers_the_bound_and_work_repeats() -> None:
    problem = line(2, 6, 8)
    found = [solve(problem, "lagrangian", stop=Stop(work=work)) for work in (1, 5, 20)]
    bounds = [r.bound or 0.0 for r in found]
    assert bounds == sorted(bounds)
    again = solve(problem, "lagrangian", stop=Stop(work=5), seed=9)
    assert (again.bound, again.solution) == (found[1].bound, found[1].solution)
