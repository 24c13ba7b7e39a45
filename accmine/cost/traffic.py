"""HBM traffic of a product from tiles that fit a core's SRAM.

Reuse is limited by what stays in the SRAM. Three loop orders are weighed, and the one with the least traffic
is taken; partial sums never leave the core in any of them (they stay fp32 in the SRAM).

``outputs stay``
    a Tm × Tn tile of fp32 sums stays while slabs of A (Tm × Tk) and B (Tk × Tn) pass through, each double
    buffered: 2e·Tk·(Tm + Tn) + 4·Tm·Tn ≤ SRAM (e bytes per element). A is read ⌈n/Tn⌉ times and B ⌈m/Tm⌉
    times: m·n·k·(1/Tm + 1/Tn) elements where tiles divide the sizes.
``B stays``
    a panel of Tn full columns of B stays while rows of A pass: A is read ⌈n/Tn⌉ times, B once.
``A stays``
    the mirror image: B is read ⌈m/Tm⌉ times, A once.

The first is the classic blocked product (Hong and Kung's bound has the same form); the other two win where
k is small, as in attention scores. Every candidate tile that fits one SRAM fits a larger one, so traffic
never grows with the SRAM; every pass count is at least 1, so it is never below the compulsory traffic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.cost.timing import IntArray, ceil_div

__all__ = ["SLAB_ELEMENTS", "STREAM_ROWS", "SUM_BYTES", "Passes", "operand_passes"]

SLAB_ELEMENTS = 64
"""Tk: elements of k in a slab. 64 bf16 elements are 128 bytes, two HBM bursts; our choice."""

STREAM_ROWS = 8
"""Rows (columns) in a streamed, double-buffered block beside a resident panel; our choice."""

SUM_BYTES = 4
"""Partial sums are fp32."""

_TILE_ROWS = tuple(2**i for i in range(21))
"""Candidates of Tm, cut to m. Independent of the SRAM, which keeps the traffic monotone in it; powers of two
are at most √2 from the best Tm, which costs at most 6 % of traffic."""


@dataclass(frozen=True)
class Passes:
    """How often each operand is read from HBM, and the elements that makes.

    Attributes
    ----------
    a, b
        Reads of the whole operand, at least 1.
    extra_elements
        Elements read beyond the first pass: (a − 1)·a_elements + (b − 1)·b_elements.
    """

    a: IntArray
    b: IntArray
    extra_elements: IntArray


def operand_passes(
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    a_elements: npt.ArrayLike,
    b_elements: npt.ArrayLike,
    element_bytes: npt.ArrayLike,
    sram_bytes: npt.ArrayLike,
) -> Passes:
    """Passes over both operands of C[m,n] = A[m,k] · B[k,n] with the least traffic for an SRAM.

    All arguments broadcast. ``a_elements`` and ``b_elements`` weigh a pass: the sizes of the real operand
    tensors (an image, not its im2col matrix; whole tensors also where m, k, n are one core's share, since
    cores that share an operand get it by multicast). The SRAM itself is charged for im2col tiles.
    """
    arrays = (np.asarray(x, dtype=np.int64) for x in (m, k, n, a_elements, b_elements, element_bytes, sram_bytes))
    M, K, N, A, B, e, S = np.broadcast_arrays(*arrays)
    worst = (N - 1) * A + (M - 1) * B
    best = (N, M, worst)  # nothing fits: no reuse at all, as with Tm = Tn = 1

    # A panel of one operand stays; STREAM_ROWS of the other, and their sums, pass double buffered.
    streamed = np.minimum(N, STREAM_ROWS)
    tm = (S - 2 * e * K * streamed) // (e * K + 2 * SUM_BYTES * streamed)
    pass_b = ceil_div(M, np.maximum(tm, 1))
    best = _better(best, (np.ones_like(M), pass_b, np.where(tm >= 1, (pass_b - 1) * B, worst)))
    streamed = np.minimum(M, STREAM_ROWS)
    tn = (S - 2 * e * K * streamed) // (e * K + 2 * SUM_BYTES * streamed)
    pass_a = ceil_div(N, np.maximum(tn, 1))
    best = _better(best, (pass_a, np.ones_like(M), np.where(tn >= 1, (pass_a - 1) * A, worst)))

    slab = 2 * e * np.minimum(K, SLAB_ELEMENTS)
    largest = int(M.max()) if M.size else 0
    for rows in _TILE_ROWS:
        tm = np.minimum(M, rows)
        tn = (S - slab * tm) // (slab + SUM_BYTES * tm)
        pass_a, pass_b = ceil_div(N, np.maximum(tn, 1)), ceil_div(M, tm)
        best = _better(best, (pass_a, pass_b, np.where(tn >= 1, (pass_a - 1) * A + (pass_b - 1) * B, worst)))
        if rows >= largest:
            break
    return Passes(*best)


_Option = tuple[IntArray, IntArray, IntArray]
"""Passes over A and B, and the extra elements they make."""


def _better(best: _Option, other: _Option) -> _Option:
    take = other[2] < best[2]
    return np.where(take, other[0], best[0]), np.where(take, other[1], best[1]), np.minimum(best[2], other[2])
