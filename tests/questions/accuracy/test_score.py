"""Scores of a model beside measurements, and draws of rows to fit on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.questions.accuracy.score import covered, drawn, interval, score

TIMES = st.floats(1e-6, 1e6)


@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=20))
def test_scores_by_hand(rows: list[tuple[float, float]]) -> None:
    errors = [model / measured - 1 for model, measured in rows]
    found = score(*zip(*rows, strict=True))
    assert found.rows == len(rows)
    assert found.mape == pytest.approx(sum(map(abs, errors)) / len(rows))
    assert found.bias == pytest.approx(sum(errors) / len(rows), abs=1e-9 * found.mape)
    assert found.worst == max(map(abs, errors))
    assert abs(found.bias) <= found.mape * (1 + 1e-9) <= found.worst * (1 + 1e-8)


@given(st.lists(st.integers(1, 50), min_size=3, max_size=12))
def test_ranks_of_equal_orders_are_one_and_of_reversed_ones_minus_one(values: list[int]) -> None:
    rising = [float(v) ** 3 for v in values]
    falling = [1.0 / v for v in values]
    if len(set(values)) == 1:
        assert score(rising, values).rank is None
    else:
        assert score(rising, values).rank == 1.0
        assert score(falling, values).rank == -1.0


def test_rank_without_ties_is_the_formula_of_spearman() -> None:
    a, b = [1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 4.0, 3.0, 5.0]
    assert score(a, b).rank == pytest.approx(1 - 6 * 4 / (5 * 24))
    assert score(a[:2], b[:2]).rank is None


@pytest.mark.parametrize(
    ("model", "measured"), [([], []), ([1.0], [1.0, 2.0]), ([1.0], [0.0]), ([1.0], [-1.0]), ([[1.0]], [[1.0]])]
)
def test_what_cannot_be_compared_is_refused(model: list[float], measured: list[float]) -> None:
    with pytest.raises(InputError, match="as many modelled as positive measured values"):
        score(model, measured)


@given(st.lists(TIMES, max_size=40), st.floats(0.01, 0.99), st.integers(0, 99))
def test_every_row_is_on_one_side_and_both_sides_have_all_times(seconds: list[float], share: float, seed: int) -> None:
    fit, held = drawn(seconds, share, seed)
    assert sorted([*fit, *held]) == list(range(len(seconds)))
    assert len(held) == round(len(seconds) * share)
    for rows in (fit, held):
        assert rows.tolist() == sorted(rows.tolist())
    again = drawn(seconds, share, seed)
    assert (again[0].tolist(), again[1].tolist()) == (fit.tolist(), held.tolist())
    fewer = min((fit, held), key=len)
    place = np.argsort(np.argsort(seconds, kind="stable"))
    ranks = sorted(place[fewer].tolist())
    width = -(-len(seconds) // max(1, len(fewer)))
    assert all(b - a <= 2 * width for a, b in pairwise(ranks)), "one of each group of similar time"


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 2.0, float("nan")])
def test_a_share_is_between_none_and_all(share: float) -> None:
    with pytest.raises(InputError, match="above 0 and below 1"):
        drawn([1.0, 2.0], share, 0)


@pytest.mark.parametrize("seed", range(5))
def test_an_interval_holds_nine_of_ten_of_other_rows_like_these(seed: int) -> None:
    chance = np.random.default_rng(seed)
    model = np.exp(chance.normal(0, 3, 4000))
    measured = model * np.exp(chance.standard_t(4, 4000) * 0.1 + 0.05)
    bounds = interval(model[:400], measured[:400])
    assert bounds[0] < 1.05 < bounds[1]
    assert 0.85 <= covered(model[400:], measured[400:], bounds) <= 0.95


def test_few_rows_have_the_interval_of_their_extremes() -> None:
    assert interval([1.0, 1.0, 1.0], [0.9, 1.0, 1.2]) == (0.9, 1.2)
    assert interval([3.0], [1.0]) == (0.333, 0.334)
