"""The quick choice: within all limits, never below the best, and the best itself where nothing is scarce."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.problems.stage_selection import AGGREGATES, MODES, OBJECTIVES, Limits, check, score
from accmine.problems.stage_selection.greedy import greedy
from tests.samples.selection_sample import COMBINATIONS, best_score, tiny

SEEDS = st.integers(0, 10**6)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from(COMBINATIONS))
def test_a_choice_is_within_the_limits_and_above_the_best(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    found, best = greedy(problem), best_score(problem)
    assert greedy(replace(problem)) == found, "the same for an equal problem"
    if found is None:
        return
    assert check(problem, found) == ()
    assert best is not None
    assert score(problem, found) >= best


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from(MODES), st.sampled_from(list(AGGREGATES)))
def test_without_limits_the_fastest_of_every_slot_is_the_best_bottleneck(seed: int, mode: str, aggregate: str) -> None:
    if mode == "common":
        aggregate = "worst"  # the design that is best for a sum of pipelines need not be fastest in the slowest one
    problem = tiny(seed, mode, "bottleneck", aggregate, most=3)
    pipelines = []
    for pipeline in problem.pipelines:
        rows = [tuple(replace(c, update_s=0.0) for c in stage.candidates) for stage in pipeline.stages]
        stages = tuple(replace(s, candidates=row) for s, row in zip(pipeline.stages, rows, strict=True))
        pipelines.append(replace(pipeline, stages=stages))
    problem = replace(problem, pipelines=tuple(pipelines), limits=Limits())
    found = greedy(problem)
    assert found is not None
    assert score(problem, found) == best_score(problem)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_most_instances_that_have_a_choice_get_one_and_a_good_one(objective: str) -> None:
    ratios, possible = [], 0
    for seed in range(24):
        problem = tiny(seed, "heterogeneous", objective, "worst", most=3)
        best, found = best_score(problem), greedy(problem)
        assert found is None or best is not None, "nothing is found where nothing is"
        possible += best is not None
        if best is not None and found is not None:
            ratios.append(score(problem, found) / best)
    assert len(ratios) >= 0.8 * possible > 5
    assert sorted(ratios)[len(ratios) // 2] < 1.1
