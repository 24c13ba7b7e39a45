"""Timing of a systolic array: cycles of a product on an R × C array, by dataflow, as explicit parameters.

A product is cut into *folds*, one per tile that stays in the array (weights ``ws``, inputs ``is``) or is
accumulated in it (outputs ``os``); the rest streams through. Partial folds are charged in full.

=========  =======================  ===========
dataflow   folds                    stream T
=========  =======================  ===========
``ws``     ceil(k/R) · ceil(n/C)    m
``is``     ceil(k/R) · ceil(m/C)    n
``os``     ceil(m/R) · ceil(n/C)    k
=========  =======================  ===========

A fold loads its stationary tile (P = R cycles; 0 for ``os``), streams T cycles, needs
``row_latency`` · R + C − 2 + ``output_latency`` cycles until the last value has crossed the array, and,
for ``os``, shifts its R rows of results out. What of this overlaps is what distinguishes the presets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.hardware import DATAFLOWS, FLEXIBLE

__all__ = [
    "PRESETS",
    "IntArray",
    "Timing",
    "array_cycles",
    "array_folds",
    "ceil_div",
    "fold_cycles",
    "resolve_timing",
]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Timing:
    """What of a fold's phases is counted, and what overlaps.

    Attributes
    ----------
    weight_load_overlap
        The next stationary tile is loaded while the current one is in use (double-buffered weights).
    row_latency
        Cycles a partial sum needs per array row (``ws``, ``is``): 1, or 2 where partial sums are registered
        twice.
    output_latency
        Cycles from the last processing element to the visible result.
    os_drain
        Shifting the R rows of results out of an output-stationary array: ``"none"`` (not counted),
        ``"rows"`` (R cycles a fold) or ``"overlapped"`` (behind the next fold; R cycles once at the end).
    fold_overlap
        Folds follow each other without waiting for the array to empty: fill and drain are paid once.
    last_index
        Report the 0-based index of the last cycle (count − 1), as SCALE-Sim does.
    pack_products
        Small products of a batch share the array: block-diagonally, or as one dense product of which the
        diagonal blocks are kept. That is how compilers run grouped and depthwise convolutions on an array.
    fp32_passes
        Products of bf16 pieces that make one fp32 product: 1 for an array of fp32 multipliers, 3 for a
        bf16 array that splits each operand in two and drops the smallest product.
    """

    weight_load_overlap: bool = False
    row_latency: int = 1
    output_latency: int = 0
    os_drain: Literal["none", "rows", "overlapped"] = "none"
    fold_overlap: bool = False
    last_index: bool = False
    pack_products: bool = False
    fp32_passes: int = 1

    def __post_init__(self) -> None:
        if self.row_latency < 1 or self.output_latency < 0 or self.fp32_passes < 1:
            raise InputError("timing: row_latency and fp32_passes must be at least 1, output_latency at least 0")
        if self.os_drain not in {"none", "rows", "overlapped"}:
            raise InputError(f"timing: unknown os_drain {self.os_drain!r}; allowed: none, rows, overlapped")


PRESETS: dict[str, Timing] = {
    # SCALE-Sim 3.0.0's own compute engine; reproduces the tool's "Total Cycles" exactly.
    "scalesim3": Timing(last_index=True),
    # Samajdar et al., ISPASS 2020: 2R + C + T − 2 for every dataflow, i.e. with the output drain of os
    # (equation quoted from memory).
    "scalesim-paper": Timing(os_drain="rows"),
    # The register structure of SCALE-Sim's example RTL, simulated: ws 3R + C + M − 1, os R + C + K − 1 until
    # the last sum is final, and then R cycles to shift the results out.
    "rtl-simple": Timing(row_latency=2, output_latency=1, os_drain="rows"),
    # Double-buffered weights, folds back to back, grouped convolutions packed; fp32 as three bf16 passes.
    "tpu-like": Timing(
        weight_load_overlap=True, os_drain="overlapped", fold_overlap=True, pack_products=True, fp32_passes=3
    ),
}
"""Name -> timing. ``tpu-like`` is used for mining, ``scalesim3`` for the comparison with the tool."""


def ceil_div(a: Any, b: Any) -> Any:
    """⌈a / b⌉ of integers or integer arrays."""
    return -(-a // b)


def resolve_timing(timing: str | Timing) -> Timing:
    """The timing of a preset's name, or ``timing`` itself.

    Raises
    ------
    InputError
        If no preset has this name.
    """
    if isinstance(timing, Timing):
        return timing
    if timing not in PRESETS:
        raise InputError(f"unknown timing {timing!r}; allowed: {', '.join(PRESETS)}")
    return PRESETS[timing]


def array_folds(
    m: npt.ArrayLike, k: npt.ArrayLike, n: npt.ArrayLike, rows: npt.ArrayLike, cols: npt.ArrayLike, dataflow: str
) -> tuple[IntArray, IntArray]:
    """Folds of one product and cycles each of them streams, as int64 arrays of the broadcast shape.

    Raises
    ------
    InputError
        If the dataflow is unknown.
    """
    m, k, n, rows, cols = (np.asarray(value, dtype=np.int64) for value in (m, k, n, rows, cols))
    if dataflow == "ws":
        return ceil_div(k, rows) * ceil_div(n, cols), m
    if dataflow == "is":
        return ceil_div(k, rows) * ceil_div(m, cols), n
    if dataflow == "os":
        return ceil_div(m, rows) * ceil_div(n, cols), k
    raise InputError(f"unknown dataflow {dataflow!r}; allowed: {', '.join(DATAFLOWS)}")


def array_cycles(
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    batch: npt.ArrayLike,
    rows: npt.ArrayLike,
    cols: npt.ArrayLike,
    dataflow: str,
    timing: str | Timing,
) -> IntArray:
    """Cycles of ``batch`` products C[m,n] = A[m,k] · B[k,n], one after the other, on one array.

    All sizes broadcast against each other. The products of a batch are further folds: where folds overlap,
    fill and drain are paid once for the whole batch. With ``pack_products`` small ones share folds. A
    ``flexible`` array takes the best of the three dataflows.

    Returns
    -------
    int64 array of the broadcast shape: P + (folds − 1) · interval + T + crossing + drain, where ``interval``
    is the time between two folds' starts under ``timing`` (count − 1 if ``timing.last_index``).

    Raises
    ------
    InputError
        If the dataflow or timing is unknown.
    """
    chosen = resolve_timing(timing)
    if dataflow == FLEXIBLE:
        each = [array_cycles(m, k, n, batch, rows, cols, flow, chosen) for flow in DATAFLOWS]
        return np.asarray(np.minimum.reduce(each), dtype=np.int64)
    folds, stream = array_folds(m, k, n, rows, cols, dataflow)
    R, C = np.asarray(rows, dtype=np.int64), np.asarray(cols, dtype=np.int64)
    batches = np.asarray(batch, dtype=np.int64)
    count = fold_cycles(folds * batches, stream, R, C, dataflow, chosen)
    if chosen.pack_products and batches.size and batches.max() > 1:
        x, y, z = (np.asarray(size) for size in {"ws": (k, n, m), "is": (k, m, n), "os": (m, n, k)}[dataflow])
        for packed, length in _packed_folds(x, y, z, batches, R, C):
            count = np.minimum(count, fold_cycles(packed, length, R, C, dataflow, chosen))
    return np.asarray(count - 1 if chosen.last_index else count, dtype=np.int64)


def _packed_folds(
    x: IntArray, y: IntArray, z: IntArray, batch: IntArray, R: IntArray, C: IntArray
) -> tuple[tuple[IntArray, IntArray], tuple[IntArray, IntArray]]:
    """Folds and stream of the two ways to pack g products into one, where g > 1 of them fit.

    x lies along the rows of the array, y along its columns and z streams. Products side by side in both rows and
    columns occupy diagonal blocks. Side by side in columns and one after the other in the stream (padded to R,
    the least time of an overlapped fold), they make g² blocks of which the diagonal is kept.
    """
    columns = C // np.minimum(y, C)
    diagonal = np.where(y <= C, np.minimum(columns, R // np.minimum(x, R)), 1)
    diagonal = np.where(x <= R, diagonal, 1)
    folds = ceil_div(x, R) * ceil_div(y, C)
    dense = np.where((y <= C) & (z <= R), np.minimum(columns, R // np.minimum(z, R)), 1)
    return (folds * ceil_div(batch, diagonal), z), (folds * ceil_div(batch, dense), np.where(dense > 1, R, z))


def fold_cycles(folds: Any, stream: Any, R: Any, C: Any, dataflow: str, timing: Timing, pieces: Any = 1) -> Any:
    """Cycles of ``folds`` folds that stream ``stream`` cycles each, one after the other; the number, not the index.

    Parameters
    ----------
    folds, stream, R, C
        Broadcast against each other; integers, or floats that hold integers.
    pieces
        Tiles into which the stream of every fold is cut. A tile visits all folds before the next one comes, so
        that the stationary operand is loaded once for each: the same as ``folds · pieces`` folds of
        ``stream / pieces`` cycles, with the stream itself charged exactly.
    """
    stationary_outputs = dataflow == "os"
    load = 0 * R if stationary_outputs else R
    # Operands move one processing element per cycle; only partial sums that travel down pay the row latency.
    crossing = (1 if stationary_outputs else timing.row_latency) * R + C - 2 + timing.output_latency
    drain = R if stationary_outputs and timing.os_drain != "none" else 0 * R

    body = stream if timing.fold_overlap else stream + pieces * crossing
    if timing.os_drain == "rows":
        body = body + pieces * drain
    every = np.maximum(body, pieces * load) if timing.weight_load_overlap else body + pieces * load
    if timing.os_drain == "overlapped":
        every = np.maximum(every, pieces * drain)
    # The last piece of the last fold is not followed by another one: its own stream counts instead of the interval.
    return load + folds * every - (every - stream) // pieces + crossing + drain
