"""Prices in whole numbers, for the limits they are made for and for others."""

from __future__ import annotations

import numpy as np
import pytest

from accmine.solvers.sparse_dataflow.relaxation import fitted_prices, whole_prices

SCALE = 1 << 46


@pytest.mark.parametrize("limits", [(5, None, 0), (1, 1 << 59, None), (10**6, 3, 7)])
def test_prices_of_their_own_limits_stay_as_they_are(limits: tuple[int | None, ...]) -> None:
    shares = np.full(sum(most is not None for most in limits), 1 / 3)
    prices = whole_prices(shares, limits)
    assert (fitted_prices(prices, limits) == prices).all()


@pytest.mark.parametrize("now", [(1 << 40, 9, 2), (None, 1 << 58, 0), (1, 1, 1)])
def test_no_limit_costs_more_than_all_of_one_does(now: tuple[int | None, ...]) -> None:
    prices = whole_prices(np.array([0.2, 0.5, 0.3]), (1, 3, 10))
    found = fitted_prices(prices, now)
    assert all(int(price) * (most or 0) <= SCALE for price, most in zip(found, now, strict=True))
    assert all(price == 0 for price, most in zip(found, now, strict=True) if most is None)
    assert (found <= prices).all()
