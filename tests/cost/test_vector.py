"""Vector kinds: a total table, sane counts, and laws of the cycle form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.cost import VECTOR_TABLE
from accmine.cost.vector import vector_cycles, vector_parts
from accmine.errors import InputError
from accmine.workload import VECTOR_KINDS, Vector

COUNTS = st.integers(1, 1 << 20)
ROWS = st.integers(1, 1 << 12)
WIDTHS = st.sampled_from([1, 16, 100, 2048])


def test_table_is_total_over_the_kinds() -> None:
    assert set(VECTOR_TABLE) == set(VECTOR_KINDS)
    for name, kind in VECTOR_TABLE.items():
        assert kind.operations >= 1, name
        assert kind.has_row or kind.reductions == kind.rereads == 0, name


def test_counts_stand_in_the_right_order() -> None:
    ops = {name: kind.operations for name, kind in VECTOR_TABLE.items()}
    assert ops["add"] < ops["layer-norm"] < ops["sigmoid"] < ops["tanh"] < ops["gelu"]
    assert ops["sgd-update"] < ops["adam-update"]
    assert ops["softmax-backward"] < ops["softmax"]
    assert ops["layer-norm"] < ops["layer-norm-backward"]
    # Phaze counts 12 for sigmoid and 15 for exp (27 for tanh): the same order of magnitude.
    assert 6 <= ops["sigmoid"] <= 24
    assert 6 <= ops["tanh"] <= 54


def test_elementwise_form() -> None:
    assert int(vector_cycles(3, 0, 10_000, 1, 128)) == math.ceil(10_000 / 128) * 3
    assert int(vector_cycles(3, 0, 10_000, 1, 128, 4)) == math.ceil(2_500 / 128) * 3


def test_row_form() -> None:
    # 100 rows of 64 on 128 units: 2 rows a set, 50 sets, trees of depth 6, two of them.
    assert int(vector_cycles(8, 2, 6400, 64, 128)) == 50 * 8 + 2 * (50 + 6)
    # Rows longer than the unit: one set a row, depth log2(128).
    assert int(vector_cycles(8, 2, 4 * 1000, 1000, 128)) == math.ceil(4000 / 128) * 8 + 2 * (4 + 7)
    # Whole rows go to a core: 5 rows on 4 cores leave 2 on the busiest.
    assert int(vector_cycles(1, 0, 5 * 128, 128, 128, 4)) == 2


@given(elements=COUNTS, row=ROWS, width=WIDTHS, split=st.integers(1, 64), kind=st.sampled_from(VECTOR_KINDS))
def test_bounds_and_monotone(elements: int, row: int, width: int, split: int, kind: str) -> None:
    parts = vector_parts([[Vector(kind, elements, row)]], ["bf16"])
    ops, trees = int(parts.operations[0]), int(parts.reductions[0])

    def cycles(elements: int, row: int, width: int, split: int) -> int:
        return int(vector_cycles(ops, trees, elements, row, width, split))

    row = int(parts.row[0])
    here = cycles(elements, row, width, split)
    assert here * width * split >= ops * elements
    assert cycles(elements + row, row, width, split) >= here
    assert cycles(elements, row, width, split + 1) <= here
    if not trees:
        assert cycles(elements, row, width + 1, split) <= here


def test_parts_know_rows_and_rereads() -> None:
    parts = vector_parts(
        [[Vector("softmax", 4096, 512), Vector("gelu", 4096, 512)], [], [Vector("layer-norm-backward", 600, 300)]],
        ["bf16", "bf16", "fp32"],
    )
    assert parts.work.tolist() == [0, 0, 2]
    assert parts.row.tolist() == [512, 1, 300]  # gelu has no rows, whatever the part says
    assert parts.rows.tolist() == [8, 4096, 2]
    assert parts.row_bytes.tolist() == [1024, 2, 1200]
    assert parts.reread_bytes.tolist() == [8192, 0, 2 * 2400]
    assert parts.element_bytes.tolist() == [2, 2, 4]


def test_no_parts() -> None:
    parts = vector_parts([[], []], ["bf16", "fp32"])
    assert parts.work.shape == parts.elements.shape == (0,)
    assert parts.work.dtype == np.int64


def test_wrong_parts_are_refused() -> None:
    with pytest.raises(InputError, match=r"unknown vector kind 'erf'.*softmax"):
        vector_parts([[Vector("erf", 1)]], ["bf16"])
    with pytest.raises(InputError, match="positive"):
        vector_parts([[Vector("add", 0)]], ["bf16"])
    with pytest.raises(InputError, match="positive"):
        vector_parts([[Vector("softmax", 1, 0)]], ["bf16"])
    with pytest.raises(InputError, match=r"unknown dtype 'fp7'.*bf16"):
        vector_parts([[Vector("add", 1)]], ["fp7"])
