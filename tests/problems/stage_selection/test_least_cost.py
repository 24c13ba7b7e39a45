"""The knapsack of two costs: exact against every choice, and never wrong where it is not exact."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accmine.problems.stage_selection.least_cost as module
from accmine.problems.stage_selection.least_cost import least_cost

SLOTS = st.lists(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=4), min_size=1, max_size=5
)


def brute(slots: list[list[tuple[int, int]]], limit: int) -> int | None:
    sums = [(sum(c for c, _ in row), sum(o for _, o in row)) for row in itertools.product(*slots)]
    return min((cost for cost, other in sums if other <= limit), default=None)


def found(slots: list[list[tuple[int, int]]], limit: int, scale: int = 1) -> module.LeastCost | None:
    costs, others = ([np.array([scale * pair[i] for pair in slot], dtype=np.int64) for slot in slots] for i in range(2))
    return least_cost(costs, others, scale * limit)


@settings(max_examples=300, deadline=None)
@given(SLOTS, st.integers(0, 120), st.sampled_from((1, 7, 10**12)))
def test_against_every_choice(slots: list[list[tuple[int, int]]], limit: int, scale: int) -> None:
    answer = found(slots, limit, scale)
    best = brute(slots, limit)
    if best is None:
        assert answer is None
        return
    assert answer is not None
    assert answer.exact
    assert answer.works == scale * best


@settings(max_examples=100, deadline=None)
@given(SLOTS, st.integers(0, 120), st.permutations(range(5)))
def test_the_order_of_slots_does_not_matter_and_more_room_never_costs_more(
    slots: list[list[tuple[int, int]]], limit: int, order: list[int]
) -> None:
    renamed = [slots[i] for i in order if i < len(slots)]
    assert found(renamed, limit) == found(slots, limit)
    here, roomier = found(slots, limit), found(slots, limit + 5)
    if here is not None:
        assert roomier is not None
        assert roomier.works <= here.works


def instance(slots: int, options: int, seed: int) -> tuple[list[Any], list[Any], int]:
    rng = np.random.default_rng(seed)
    cost = rng.lognormal(0, 0.5, (slots, options)) * 300
    other = cost**0.7 * rng.lognormal(0, 0.3, cost.shape) * 3
    rows = [(table * 1e9).astype(np.int64) for table in (cost, other)]
    least = int(rows[1].min(axis=1).sum())
    most = int(rows[1][np.arange(slots), rows[0].argmin(axis=1)].sum())
    return list(rows[0]), list(rows[1]), (least + most) // 2


@pytest.mark.parametrize("seed", range(3))
def test_without_room_for_sums_the_answer_is_an_interval(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    costs, others, limit = instance(40, 20, seed)
    exact = least_cost(costs, others, limit)
    assert exact is not None
    assert exact.exact
    monkeypatch.setattr(module, "MOST_STATES", 1)
    rough = least_cost(costs, others, limit)
    assert rough is not None
    assert rough.needed <= exact.works <= rough.works
    assert rough.works - rough.needed < 0.05 * rough.works


def test_thirteen_thousand_options_are_decided_exactly() -> None:
    answer = least_cost(*instance(256, 50, 1))
    assert answer is not None
    assert answer.exact


def test_no_option_and_no_room() -> None:
    empty = np.zeros(0, dtype=np.int64)
    assert least_cost([empty], [empty], 5) is None
    assert found([[(1, 9)]], 8) is None
    assert found([[(1, 9)]], 9) == module.LeastCost(1, 1)
