"""Cutting planes through the centre of gravity find the maximum of concave functions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from accmine.solvers.stage_selection.dual_ascent import maximise

FloatArray = npt.NDArray[np.float64]


@pytest.mark.parametrize("dimensions", [1, 2])
def test_maximum_of_the_least_of_random_planes(dimensions: int) -> None:
    random = np.random.default_rng(dimensions)
    for _ in range(8):
        slopes = random.normal(size=(12, dimensions))
        offsets = random.uniform(0, 5, 12)

        def evaluate(x: FloatArray, a: FloatArray = slopes, b: FloatArray = offsets) -> tuple[float, FloatArray]:
            values = a @ x + b
            row = int(values.argmin())
            return float(values[row]), a[row]

        found = maximise(evaluate, np.zeros(dimensions), np.ones(dimensions), 60, 1e-9, lambda: False)
        assert found is not None
        grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 101)] * dimensions), axis=-1).reshape(-1, dimensions)
        best = (slopes @ grid.T + offsets[:, None]).min(axis=0).max()
        assert found.value >= best - 1e-6 * abs(best) - 1e-6
        assert evaluate(found.point)[0] == found.value


def test_no_dimension_and_no_time() -> None:
    flat = maximise(lambda x: (3.0, np.zeros(0)), np.zeros(0), np.zeros(0), 9, 1e-6, lambda: False)
    assert flat is not None
    assert flat.value == 3.0
    assert maximise(lambda x: (3.0, np.ones(1)), np.zeros(1), np.ones(1), 9, 1e-6, lambda: True) is None
