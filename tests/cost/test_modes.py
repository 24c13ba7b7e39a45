"""Costs and modes of all operators, computed once; how many cores one may hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.cost import CostLibrary, hbm_capacity, splits_for
from accmine.errors import InputError
from accmine.hardware import Calibration
from tests.cost.test_mode_table import library
from tests.samples.search_sample import design, graph_of, technology


@pytest.mark.parametrize(("cores", "splits"), [(1, (1,)), (2, (1, 2)), (3, (1, 2)), (64, (1, 2, 4, 8, 16, 32, 64))])
def test_powers_of_two(cores: int, splits: tuple[int, ...]) -> None:
    assert splits_for([cores], "powers") == splits
    assert splits_for([cores], "none") == (1,)


@pytest.mark.parametrize(
    ("counts", "splits"),
    [([], (1,)), ([1], (1,)), ([7], (1, 2, 3, 4, 5, 6, 7)), ([4, 3], (1, 2, 3, 4))],
)
def test_any_number_of_cores(counts: list[int], splits: tuple[int, ...]) -> None:
    assert splits_for(counts, "even") == splits


def test_what_was_measured_is_there_as_well() -> None:
    assert splits_for([9], "powers", (3, 9, 12)) == (1, 2, 3, 4, 8, 9)
    assert splits_for([9], "none", (6, 12)) == (1,)


def test_tables_are_computed_once() -> None:
    lib = library([("fused", 16, ())])
    assert lib.modes(design(8, 3)) is lib.modes(design(8, 3))
    assert lib.costs(design(1, 1)) is lib.costs(design(8, 3)), "whatever the core counts"
    assert lib.modes(design(gbps=70)) is not lib.modes(design(gbps=7))
    two = graph_of([("fused", 16, ()), ("fused", 16, (0,)), ("gemm", 5, (1,))])
    both = CostLibrary([two, graph_of([("gemm", 5, ())])], (1,), "tpu-like", technology())
    assert len(both.works) == 2
    assert both.index(two).tolist() == [0, 1]


def test_one_operator_one_core() -> None:
    for table in library([("fused", 300, ()), ("gemm", 300, ())], rule="none").modes(design()):
        assert table.uses[:, :2].max() == 1


def test_the_shortest_is_that_on_all_cores_of_the_table() -> None:
    lib = library([("fused", 300, ()), ("gemm", 300, ()), ("vector", 64, ())], (2, 9))
    assert lib.shortest(design(1, 1)).tolist() == [t.duration[0] for t in lib.modes(design(9, 9))]


def test_a_calibration_reaches_the_modes() -> None:
    lib, plain = library([("fused", 64, ()), ("vector", 64, (0,))]), design(gbps=7)
    assert lib.modes(plain) is not lib.modes(replace(plain, calibration=Calibration(launch_s=1e-6)))
    launched = replace(plain, calibration=Calibration(launch_s=1e-6))
    for before, after in zip(lib.modes(plain), lib.modes(launched), strict=True):
        assert after.duration[0] == before.duration[0] + launched.launch_cycles
        assert after.uses[0, 2] < before.uses[0, 2], "the same bytes in more time"
    slow = replace(plain, calibration=Calibration(hbm_efficiency=0.5))
    assert hbm_capacity(slow) == hbm_capacity(plain) // 2
    assert all(table.uses[:, 2].max() <= hbm_capacity(slow) for table in lib.modes(slow))


def test_less_than_a_byte_per_cycle_is_refused() -> None:
    slow = replace(design(), hbm_bytes_per_s=10**8)
    with pytest.raises(InputError, match="less than one byte"):
        library([("gemm", 5, ())]).modes(slow)
