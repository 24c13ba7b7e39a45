"""Least squares of positive constants."""

from __future__ import annotations

import numpy as np
import pytest

from accmine.questions.accuracy.fit import least_squares


def test_constants_of_a_line_are_found_whatever_a_few_rows_say() -> None:
    x = np.linspace(1, 50, 40)
    measured = 3.0 + 0.5 * x
    measured[::10] *= 3.0
    found, _ = least_squares(lambda v: v[0] + v[1] * x, (1.0, 1.0), ((1e-3, 1e3),) * 2, measured, (False, False))
    assert found == pytest.approx([3.0, 0.5], rel=0.15)
    exact, loss = least_squares(lambda v: v[0] + v[1] * x, (1.0, 1.0), ((1e-3, 1e3),) * 2, 3 + 0.5 * x, (False, False))
    assert exact == pytest.approx([3.0, 0.5], rel=1e-3)
    assert loss < 1e-8


def test_bounds_hold_and_a_pull_decides_where_the_rows_do_not() -> None:
    x = np.linspace(1, 5, 9)
    found, _ = least_squares(lambda v: v[0] * x, (0.5,), ((0.2, 1.0),), 7.0 * x, (True,))
    assert found.tolist() == [1.0]
    free, _ = least_squares(lambda v: x + 0.0 * v[0], (0.5,), ((0.2, 1.0),), x, (True,))
    assert free == pytest.approx([1.0], abs=1e-3)
