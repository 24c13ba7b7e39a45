from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from accmine.workload.work import Gemm, Vector, Work

SIZES = st.integers(1, 10**6)


@given(SIZES, SIZES, SIZES, st.integers(1, 64), st.integers(0, 10**6))
def test_inserted_zeros_are_no_multiply_accumulates(m: int, k: int, n: int, batch: int, inserted: int) -> None:
    gemm = Gemm(m, k, n, batch, batch * m * k, batch * k * n, batch * m * n, inserted=inserted)
    assert gemm.macs == batch * m * k * n
    assert Work(gemm, (), 1, 1, "bf16").macs == gemm.macs


def test_a_vector_operator_has_no_multiply_accumulates() -> None:
    assert Work(None, (Vector("relu", 5),), 10, 10, "bf16").macs == 0


def test_equal_works_are_one_key() -> None:
    work = Work(Gemm(2, 3, 4, 1, 6, 12, 8), (Vector("relu", 8),), 36, 16, "bf16")
    assert len({work, replace(work), replace(work, dtype="fp32")}) == 2
