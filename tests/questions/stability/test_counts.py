"""Shares of draws with their intervals, against the definition of Wilson's interval."""

from __future__ import annotations

from math import comb, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.questions.stability.counts import _wilson


@given(st.integers(1, 3000), st.floats(0, 1))
def test_the_ends_are_the_shares_whose_draw_this_could_just_be(count: int, part: float) -> None:
    within = round(count * part)
    low, high = _wilson(within, count)
    share = within / count
    assert 0.0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1.0
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9:  # else cut to what a share can be
            assert abs(share - end) == pytest.approx(1.96 * sqrt(end * (1 - end) / count), rel=1e-6, abs=1e-9)


@given(st.integers(1, 500), st.integers(0, 500))
def test_turned_round_it_is_the_interval_of_the_others(count: int, some: int) -> None:
    within = some % (count + 1)
    low, high = _wilson(within, count)
    other = _wilson(count - within, count)
    assert (1 - high, 1 - low) == pytest.approx(other, abs=1e-12)


@pytest.mark.parametrize(("count", "share"), [(40, 0.5), (100, 0.9), (200, 0.03)])
def test_it_covers_the_true_share_about_as_often_as_it_says(count: int, share: float) -> None:
    covered = 0.0
    for within in range(count + 1):
        low, high = _wilson(within, count)
        if low <= share <= high:
            covered += comb(count, within) * share**within * (1 - share) ** (count - within)
    assert 0.91 < covered < 0.99
