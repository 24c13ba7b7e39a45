"""The integer problem: it is that of the data, rounded to the safe side, and its two forms of a choice agree."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.problems.limits import COSTS, TDP
from accmine.problems.stage_selection import Candidate, Limits, Pipeline, Problem, Stage
from accmine.problems.stage_selection.integers import cost_limit, cost_up, exact_value, integers, shares_of
from accmine.problems.stage_selection.rounding import UNIT
from accmine.problems.stage_selection.ticks import WIDER
from tests.samples.selection_sample import COMBINATIONS, every_choice, line, tiny

INSTANCES = (st.integers(0, 10**6), st.sampled_from(COMBINATIONS))


@settings(max_examples=60, deadline=None)
@given(*INSTANCES)
def test_options_and_choices_are_two_words_for_one_thing(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    numbers = integers(problem)
    members = sorted(m for slot in numbers.slots for m in slot.members)
    assert members == [(w, s) for w, p in enumerate(problem.pipelines) for s in range(len(p.stages))]
    for solution in every_choice(problem)[::5]:
        assert numbers.choice(numbers.picked(solution.choice)) == solution.choice
    sizes = {"heterogeneous": len(members), "homogeneous": len(problem.pipelines), "common": 1}
    assert len(numbers.slots) == sizes[problem.mode]
    for slot, array in zip(numbers.slots, numbers.arrays, strict=True):
        assert array.picks.tolist() == [list(o.picks) for o in slot.options]
        assert array.costs.T.tolist() == [list(o.costs) for o in slot.options]


@settings(max_examples=60, deadline=None)
@given(*INSTANCES)
def test_costs_are_rounded_up_once_per_candidate(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    numbers = integers(problem)
    longest = max(range(len(problem.pipelines)), key=lambda w: len(problem.pipelines[w].stages))
    for slot in numbers.slots:
        for option in slot.options:
            chosen = [
                problem.pipelines[w].stages[s].candidates[c]
                for (w, s), c in zip(slot.members, option.picks, strict=True)
                if not problem.time_shared or w == longest
            ]
            assert option.costs == tuple(sum(cost_up(getattr(c, cost.name)) for c in chosen) for cost in COSTS)
            exact = option.costs[TDP.index] * UNIT * numbers.powers
            assert exact <= option.power < exact + 1


@settings(max_examples=60, deadline=None)
@given(*INSTANCES)
def test_ticks_are_the_times_rounded_up(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    numbers = integers(problem)
    for pipeline, own, share in zip(problem.pipelines, numbers.pipelines, shares_of(problem), strict=True):
        for s, stage in enumerate(pipeline.stages):
            for c, candidate in enumerate(stage.candidates):
                for phase in ("forward", "backward", "update"):
                    exact = exact_value(getattr(candidate, f"{phase}_s")) * numbers.ticks * share
                    assert exact <= getattr(own, phase)[s][c] < exact + 1
        assert own.link == max((t for pair in own.transfer for t in pair), default=0)


@given(st.floats(0, 1e9))
def test_limits_are_rounded_down_and_costs_up(value: float) -> None:
    exact = exact_value(value)
    assert cost_up(value) * UNIT >= exact
    assert cost_limit(value) * UNIT <= exact * WIDER
    assert cost_up(value) * UNIT - exact < UNIT
    assert exact * WIDER - cost_limit(value) * UNIT < UNIT


def test_weights_and_references_are_in_the_shares() -> None:
    problem = tiny(3, "heterogeneous", "throughput", "mean")
    total = sum(Fraction(str(p.weight)) for p in problem.pipelines)
    for share, pipeline in zip(shares_of(problem), problem.pipelines, strict=True):
        expected = Fraction(str(pipeline.weight)) / total / exact_value(pipeline.reference_s or 1.0)
        assert share == expected
    worst = replace(problem, aggregate="worst", pipelines=tuple(replace(p, weight=2.0) for p in problem.pipelines))
    assert shares_of(worst) == [1 / exact_value(p.reference_s or 1.0) for p in worst.pipelines]


def test_pipelines_of_one_shape_are_simulated_together_alike() -> None:
    problem = line(3, 12, 4)  # long enough that the levels are computed at once
    numbers = integers(problem)
    choice = tuple(tuple((w + s) % 4 for s in range(12)) for w in range(3))
    together = numbers.pipeline_steps(choice)
    alone = tuple(
        int(numbers.pipeline_step(p, *numbers._phases(w, choice[w]))) for w, p in enumerate(numbers.pipelines)
    )
    assert together == alone
    assert numbers.steps(choice) == sum(alone)


def test_what_does_not_fit_64_bits_is_refused() -> None:
    huge = Candidate("d", 1.0, 1.0, 0.0, 1e11, 1.0)
    with pytest.raises(InputError, match="do not fit 64 bits; leave such designs out"):
        integers(Problem((Pipeline("p", (Stage("s", (huge,)),), 1),), Limits(1.0)))
