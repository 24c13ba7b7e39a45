"""The area law of Phaze on a table of its own, and what it does not cover."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware import TensorCore, VectorCore
from accmine.hardware.technology.area import Chip
from accmine.hardware.technology.phaze import PhazeArea, phaze_l2_bytes

LAW = PhazeArea(2.0, 3.0, {1024: 10.0, 4096: 40.0}, {2 << 20: 500.0, 4 << 20: 900.0})


@given(st.integers(1, 10**6))
def test_a_private_buffer_has_sixteen_bytes_per_element(elements: int) -> None:
    assert phaze_l2_bytes(elements) == (16 * elements if elements > 64 else 1024)


@pytest.mark.parametrize(("width", "depth", "buffer"), [(8, 8, 10.0), (16, 16, 40.0), (1, 1, 10.0)])
def test_areas_by_hand(width: int, depth: int, buffer: float) -> None:
    core = width * depth * 2.0 + buffer
    assert LAW.core_um2(width, depth, 2.0) == core
    chip = Chip(0, 0, 0, 2 << 20)
    tensor = TensorCore(width, depth, phaze_l2_bytes(width * depth))
    assert LAW.tensor_mm2(tensor, chip) == {"tensor_core": core * 1e-6}
    lanes = VectorCore(width, 1, 1024)
    assert LAW.vector_mm2(lanes, chip) == {"vector_core": (width * 3.0 + 10.0) * 1e-6}
    assert LAW.stacks(chip) == 0


def test_what_has_no_table_is_refused() -> None:
    chip = Chip(0, 0, 0, 3 << 20)
    for call, message in (
        (lambda: LAW.core_um2(16, 15, 2.0), "has no 16x15 core: its private buffer must be 1, 4 KiB"),
        (lambda: LAW.fixed_mm2(chip), "no global buffer .shared_sram. of 3145728 bytes; allowed: 2, 4 MiB"),
        (lambda: LAW.tensor_mm2(TensorCore(8, 8, 2048), chip), "64 elements as 1024 bytes; tensor_sram is 2048 bytes"),
        (lambda: LAW.vector_mm2(VectorCore(8, 2, 1024), chip), "do 1 operation per cycle, not vector_ops_per_lane 2"),
    ):
        with pytest.raises(InputError, match=message):
            call()
