"""Options that can be left out: an optimum is never among them."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.problems.stage_selection.integers import integers
from accmine.problems.stage_selection.options import affordable, lower_bound, undominated, useful_options
from tests.samples.selection_sample import COMBINATIONS, best_score, tiny

INSTANCES = (st.integers(0, 10**6), st.sampled_from(COMBINATIONS))


@settings(max_examples=60, deadline=None)
@given(*INSTANCES)
def test_affordable_is_what_some_choice_within_the_limits_can_hold(seed: int, words: tuple[str, str, str]) -> None:
    numbers = integers(tiny(seed, *words, most=3))
    kept = affordable(numbers)
    cheapest = np.array([array.costs.min(axis=1) for array in numbers.arrays])
    for i, slot in enumerate(numbers.slots):
        for o, option in enumerate(slot.options):
            least = np.array(option.costs) + cheapest.sum(axis=0) - cheapest[i]
            fits = [least[cost.index] <= limit for cost, limit in numbers.limited]
            assert all(fits) == (o in kept[i]), "gone is what no choice can hold within a limit, and nothing else"


@settings(max_examples=60, deadline=None)
@given(*INSTANCES)
def test_an_optimum_uses_only_useful_options(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    numbers, best = integers(problem), best_score(problem)
    kept = useful_options(numbers)
    found = [
        numbers.score(numbers.choice(picked))
        for picked in product(*kept)
        if numbers.fits(picked)
        and (numbers.step_limit is None or numbers.steps(numbers.choice(picked)) <= numbers.step_limit)
    ]
    assert min(found, default=None) == best


@settings(max_examples=60, deadline=None)
@given(*INSTANCES)
def test_the_bound_holds_for_steps_power_and_score_of_all_that_is_kept(seed: int, words: tuple[str, str, str]) -> None:
    numbers = integers(tiny(seed, *words, most=3))
    kept = useful_options(numbers)
    floor = lower_bound(numbers, kept)
    assert (floor is None) == (not all(kept))
    if floor is None:
        return
    for picked in list(product(*kept))[::5]:
        choice = numbers.choice(picked)
        assert floor.steps <= numbers.steps(choice)
        assert floor.power <= numbers.power(choice)
        assert floor.score <= numbers.score(choice)


def test_a_slot_with_one_option_each_meets_its_bound() -> None:
    for words in COMBINATIONS:
        numbers = integers(tiny(3, *words))
        single = [[0] for _ in numbers.slots]
        floor = lower_bound(numbers, single)
        assert floor is not None
        choice = numbers.choice([0] * len(single))
        assert (floor.steps, floor.power) == (numbers.steps(choice), numbers.power(choice))
        assert floor.score == numbers.score(choice)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 700), st.integers(1, 3))
def test_the_filter_in_blocks_is_the_filter_row_by_row(seed: int, rows: int, columns: int) -> None:
    table = np.random.default_rng(seed).integers(0, 12, (rows, columns))
    kept = undominated(table)
    beats = (table[:, None, :] <= table[None, :, :]).all(axis=2)
    equal = (table[:, None, :] == table[None, :, :]).all(axis=2)
    earlier = np.arange(rows)[:, None] < np.arange(rows)[None, :]
    beaten = (beats & (~equal | earlier)).any(axis=0)
    assert kept == np.flatnonzero(~beaten).tolist()


def test_without_columns_the_first_row_stands_for_all() -> None:
    assert undominated(np.zeros((4, 0), dtype=np.int64)) == [0]
