"""Dynamic energy of operators, in picojoules: arithmetic, SRAM and HBM.

Energy = MACs · pJ/MAC + vector operations · pJ/operation + SRAM bytes · pJ/B(size) + HBM bytes · pJ/B. Leakage
and idle power belong to the design and the step time, not to an operator. The constants come from a
technology; there are no defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from accmine.cost.arrays.precision import pace
from accmine.cost.arrays.products import SUM_BYTES
from accmine.cost.arrays.timing import IntArray, Timing, ceil_div
from accmine.cost.vector import VectorParts
from accmine.hardware import Rates

__all__ = ["EnergyConstants", "FloatArray", "gemm_sram_bytes", "mac_pj", "sram_pj_per_byte", "vector_part_pj"]

FloatArray = npt.NDArray[np.float64]


class EnergyConstants(Protocol):
    """What a technology has to say for the energy of operators; all in picojoules."""

    def mac_pj(self, dtype: str) -> float:
        """A multiply-accumulate of this type, with wide accumulation."""
        ...

    @property
    def vector_op_fp32_pj(self) -> float:
        """An fp32 operation of a vector lane."""
        ...

    @property
    def hbm_pj_per_byte(self) -> float:
        """A byte to or from HBM."""
        ...

    def sram_pj_per_byte(self, size_bytes: int) -> float:
        """A byte to or from an SRAM of ``size_bytes``."""
        ...


def sram_pj_per_byte(technology: EnergyConstants, sizes: Sequence[int]) -> FloatArray:
    """Energy per byte of SRAMs of these sizes (bytes); shape (sizes,)."""
    return np.array([technology.sram_pj_per_byte(int(size)) for size in sizes], dtype=np.float64)


def mac_pj(dtype: str, timing: Timing, technology: EnergyConstants, rates: Rates = ()) -> float:
    """Energy of one multiply-accumulate of ``dtype``.

    An fp32 product made of several bf16 passes costs that many bf16 MACs; one at a stated rate an fp32 MAC.

    Raises
    ------
    InputError
        If arrays with these rates do not multiply this type, or the technology has no energy for it.
    """
    passes, _ = pace(dtype, rates, timing)
    return passes * technology.mac_pj("bf16") if passes > 1 else technology.mac_pj(dtype)


def gemm_sram_bytes(
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    batch: npt.ArrayLike,
    rows: npt.ArrayLike,
    cols: npt.ArrayLike,
    dataflow: str,
    element_bytes: npt.ArrayLike,
) -> IntArray:
    """Bytes between a core's SRAM and its array for ``batch`` products, reads and writes together.

    The stationary operand crosses once, the streamed one once per fold along the other dimension; fp32 sums
    are written once per fold along k and read back for all but the first (``ws``, ``is``) or leave once (``os``).
    All arguments broadcast.
    """
    arrays = (np.asarray(x, dtype=np.int64) for x in (m, k, n, batch, rows, cols, element_bytes))
    M, K, N, b, R, C, e = arrays
    if dataflow == "os":
        a_reads, b_reads, sums = ceil_div(N, C), ceil_div(M, R), np.ones_like(K)
    else:
        a_reads = ceil_div(N, C) if dataflow == "ws" else np.ones_like(K)
        b_reads = ceil_div(M, C) if dataflow == "is" else np.ones_like(K)
        sums = 2 * ceil_div(K, R) - 1
    return np.asarray(b * (e * (M * K * a_reads + K * N * b_reads) + SUM_BYTES * M * N * sums), dtype=np.int64)


def vector_part_pj(parts: VectorParts, sram_bytes: Sequence[int], technology: EnergyConstants) -> FloatArray:
    """Energy of vector parts on cores with these SRAMs, without HBM traffic; shape (parts, sizes).

    Every element is read from and written to the SRAM once; where a row does not fit, the re-read bytes cross
    the SRAM once more.
    """
    sizes = np.asarray(sram_bytes, dtype=np.int64)
    per_byte = sram_pj_per_byte(technology, sram_bytes)
    again = np.where(parts.row_bytes[:, None] > sizes, parts.reread_bytes[:, None], 0)
    moved = 2 * (parts.elements * parts.element_bytes)[:, None] + again
    arithmetic = (parts.operations * parts.elements)[:, None] * technology.vector_op_fp32_pj
    return np.asarray(arithmetic + moved * per_byte, dtype=np.float64)
