"""The Gaussian process: its features by hand, and its expected improvement."""

from __future__ import annotations

import numpy as np
import pytest

from accmine.hardware.technology import area_mm2, tdp_w
from accmine.solvers.design_search.gaussian_process import FEATURES, _improvement, features
from tests.samples.search_sample import design, graph_of, search, task_of, template


def test_features_by_hand() -> None:
    graph = graph_of([("gemm", 64, ()), ("vector", 300, (0,))])
    problem = search([task_of(graph, repeats=(3,))], template())
    chip = design(tensor_cores=4, vector_cores=2)
    (row,) = np.exp(features(problem, [chip]))
    named = dict(zip(FEATURES, row.tolist(), strict=True))
    assert named["MACs of the chip"] == pytest.approx(4 * 64)
    assert named["aspect ratio of an array"] == pytest.approx(1)
    assert named["SRAM per MAC"] == pytest.approx((4 * 2**16 + 2 * 2**15) / 256)
    assert named["bandwidth per MAC"] == pytest.approx(70e9 / 256)
    assert named["vector operations per MAC"] == pytest.approx(2 * 8 * 2 / 256)
    assert named["area"] == pytest.approx(area_mm2(chip, problem.technology))
    assert named["TDP"] == pytest.approx(tdp_w(chip, problem.technology))
    macs, elements, moved = 64 * 24 * 16, 16 * 300, 96 * (64 + 300)
    slowest = 3 * max(macs / (256 * 700e6), elements / (32 * 700e6), moved / 70e9)
    assert named["roofline time"] == pytest.approx(slowest / 1e-5)


def test_the_improvement_that_is_expected() -> None:
    sure = _improvement(5.0, np.array([3.0, 5.0, 7.0]), np.zeros(3))
    assert sure == pytest.approx([2.0, 0.0, 0.0], abs=1e-9)
    doubt = _improvement(5.0, np.array([5.0, 5.0]), np.array([1.0, 2.0]))
    assert doubt == pytest.approx([0.398942, 0.797885], rel=1e-5)
