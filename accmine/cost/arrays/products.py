"""The products of works as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np

from accmine.cost.arrays.precision import pace
from accmine.cost.arrays.timing import IntArray, Timing
from accmine.errors import InputError
from accmine.hardware import DTYPES, Rates
from accmine.workload import BYTES
from accmine.workload.graph import Gemm, Work

__all__ = ["GEMM_DTYPES", "LEAST_SRAM_BYTES", "SLAB_ELEMENTS", "SUM_BYTES", "Products", "products_of"]

GEMM_DTYPES = DTYPES
"""Element types an array multiplies; ``fp8`` and ``tf32`` only where a chip states their rate."""

SLAB_ELEMENTS = 64
"""Least Tk: 64 bf16 elements are 128 bytes, two HBM bursts; our choice."""

SUM_BYTES = 4
"""Partial sums are fp32."""

LEAST_SRAM_BYTES = 20
"""One fp32 element of each operand, double buffered, and a sum: the least tile there is."""


@dataclass(frozen=True, eq=False)
class Products:
    """The products of works as arrays of shape (products,)."""

    dtypes: tuple[str, ...]
    work: IntArray
    m: IntArray
    k: IntArray
    n: IntArray
    batch: IntArray
    a: IntArray
    b: IntArray
    c: IntArray
    element_bytes: IntArray
    passes: IntArray
    macs: IntArray
    halo: IntArray
    halo_of_k: IntArray
    images: IntArray

    def take(self, keep: Any) -> Products:
        """The products ``keep``, a mask."""
        arrays = [getattr(self, name)[keep] for name in self.__dataclass_fields__ if name != "dtypes"]
        return Products(tuple(compress(self.dtypes, keep)), *arrays)


def products_of(works: Sequence[Work], timing: Timing, rates: Rates = ()) -> Products:
    """The products among ``works``, in order, with their passes on arrays that state these rates.

    Raises
    ------
    InputError
        If a size is not positive, or arrays do not multiply a dtype.
    """
    rows: list[tuple[int, ...]] = []
    dtypes: list[str] = []
    for i, work in enumerate(works):
        g = work.gemm
        if g is None:
            continue
        if min(g.m, g.k, g.n, g.batch, g.a_elements, g.b_elements, g.c_elements) < 1:
            raise InputError(f"sizes of a product must be positive, got {g}")
        if _largest(g) > np.iinfo(np.int64).max:
            raise InputError(f"a product of {g.batch} × {g.m} × {g.k} × {g.n} is too large for 64-bit counts")
        passes, _ = pace(work.dtype, rates, timing)
        operands = (g.a_elements, g.b_elements, g.c_elements)
        halos = (g.halo_elements, int(g.halo_axis == "k"), g.images)
        rows.append((i, g.m, g.k, g.n, g.batch, *operands, BYTES[work.dtype], passes, g.macs, *halos))
        dtypes.append(work.dtype)
    return Products(tuple(dtypes), *np.array(rows, dtype=np.int64).reshape(-1, 14).T)


def _largest(gemm: Gemm) -> float:
    """More than any count of a product can become: no reuse at all, on a single multiplier."""
    operands = float(gemm.n) * gemm.a_elements + float(gemm.m) * gemm.b_elements
    return 64.0 * (operands + gemm.c_elements + 3.0 * gemm.macs)
