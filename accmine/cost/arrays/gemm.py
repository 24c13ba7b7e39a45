"""One matrix product on one systolic array: cycles, utilization and HBM bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import index

import numpy as np

from accmine.cost.arrays.grid_search import GridSearch
from accmine.cost.arrays.precision import pace
from accmine.cost.arrays.products import GEMM_DTYPES, LEAST_SRAM_BYTES, products_of
from accmine.cost.arrays.split import grids_of
from accmine.cost.arrays.timing import Timing, array_cycles, array_folds, resolve_timing
from accmine.cost.memory import NOMINAL
from accmine.errors import InputError
from accmine.hardware import DATAFLOW_CHOICES, DATAFLOWS, FLEXIBLE, TensorCore
from accmine.workload import BYTES
from accmine.workload.graph import Gemm, Work

__all__ = ["GEMM_DTYPES", "GemmCost", "gemm"]

_LIMIT = float(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class GemmCost:
    """Cost of C[m,n] = A[m,k] · B[k,n], ``batch`` times, on one array.

    Attributes
    ----------
    cycles
        Cycles as the timing counts them (with ``scalesim3``: the tool's "Total Cycles", the index of the
        last cycle, one less than their number).
    utilization
        Multiply-accumulates / (cycles · R · C), a fraction 0 to 1 (times 100 it is SCALE-Sim's percentage).
        An fp32 product made of several bf16 passes counts each multiply-accumulate once.
    bytes
        HBM traffic: both operands as often as the SRAM demands, and the output written once.
    macs
        Multiply-accumulates.
    folds
        Tiles that pass through the array, over the whole batch (and all passes of an fp32 product), before
        small products of a batch are packed together.
    compulsory_bytes
        Each operand read and the output written once; ``bytes`` is never less.
    """

    cycles: int
    utilization: float
    bytes: int
    macs: int
    folds: int
    compulsory_bytes: int


def gemm(
    m: int,
    k: int,
    n: int,
    array: tuple[int, int],
    dataflow: str = "ws",
    timing: str | Timing = "scalesim3",
    batch: int = 1,
    sram_bytes: int | None = None,
    dtype: str = "bf16",
) -> GemmCost:
    """Cost of ``batch`` products C[m,n] = A[m,k] · B[k,n] on one systolic array.

    Parameters
    ----------
    m, k, n
        Sizes of the product, in elements. A convolution is its im2col product: m = images·OH·OW,
        k = Cin·kh·kw, n = Cout.
    array
        (rows, cols) of the array.
    dataflow
        ``"ws"`` weight-, ``"os"`` output- or ``"is"`` input-stationary; ``"flexible"``: the best of them.
    timing
        Name of a preset of ``accmine.cost.PRESETS`` or a ``Timing``.
    batch
        Independent products, one after the other.
    sram_bytes
        SRAM of the core, which bounds reuse (see ``accmine.cost.arrays.orders``); tiles are chosen for the bandwidth of
        ``accmine.cost.NOMINAL``, and what they cost the array is in the cycles. ``None``: every operand is read once.
    dtype
        Type of the operands and the output: ``"bf16"``, ``"fp16"``, ``"fp32"``, ``"fp8"`` or ``"int8"``.

    Raises
    ------
    InputError
        If a size is not a positive integer or a name is unknown; the message lists what is allowed.
    """
    rows, cols = _array(array)
    m, k, n, batch = (_positive(name, size) for name, size in (("m", m), ("k", k), ("n", n), ("batch", batch)))
    sram = None if sram_bytes is None else _positive("sram_bytes", sram_bytes)
    if sram is not None and sram < LEAST_SRAM_BYTES:
        raise InputError(f"sram_bytes of {sram} hold no tile; at least {LEAST_SRAM_BYTES} are needed")
    if dataflow not in DATAFLOW_CHOICES:
        raise InputError(f"unknown dataflow {dataflow!r}; allowed: {', '.join(DATAFLOW_CHOICES)}")
    if dtype not in GEMM_DTYPES:
        raise InputError(f"unknown dtype {dtype!r} of a product; allowed: {', '.join(GEMM_DTYPES)}")
    size = BYTES[dtype]
    # Worst of all int64 intermediates: one multiply-accumulate at a time on the array, no reuse in the SRAM.
    worst = 4.0 * size * batch * m * k * n + 8.0 * batch * (m + rows) * (k + rows) * (n + cols + rows)
    if worst > _LIMIT:
        raise InputError(f"product of {batch} × {m} × {k} × {n} is too large for 64-bit cycle counts")
    return _cost(m, k, n, batch, rows, cols, dataflow, resolve_timing(timing), sram, dtype)


def _cost(
    m: int,
    k: int,
    n: int,
    batch: int,
    rows: int,
    cols: int,
    dataflow: str,
    timing: Timing,
    sram_bytes: int | None,
    dtype: str,
) -> GemmCost:
    macs, size = batch * m * k * n, BYTES[dtype]
    products = batch * pace(dtype, (), timing)[0]
    cycles = int(array_cycles(m, k, n, products, rows, cols, dataflow, timing))
    flow = min(DATAFLOWS, key=lambda f: int(array_cycles(m, k, n, products, rows, cols, f, timing)))
    folds, _ = array_folds(m, k, n, rows, cols, flow if dataflow == FLEXIBLE else dataflow)
    compulsory = batch * (m * k + k * n + m * n) * size
    extra = 0
    if sram_bytes is not None:
        whole = Gemm(m, k, n, batch, batch * m * k, batch * k * n, batch * m * n)
        table = products_of([Work(whole, (), 0, 0, dtype)], timing)
        search = GridSearch(table, grids_of((1,)), np.array([compulsory]), replace(timing, last_index=False), NOMINAL)
        found = search.best(TensorCore(rows, cols, sram_bytes, dataflow))
        cycles, extra = int(found.cycles[0, 0]) - timing.last_index, int(found.hbm_bytes[0, 0]) - compulsory
    return GemmCost(
        cycles=cycles,
        # The last-cycle index of a 1 × 1 array can be one below the multiply-accumulates: never above 1.
        utilization=min(1.0, macs / (max(cycles, 1) * rows * cols)),
        bytes=compulsory + extra,
        macs=macs,
        folds=int(folds) * products,
        compulsory_bytes=compulsory,
    )


def _positive(name: str, value: int) -> int:
    """``value`` as a Python int; sizes of numpy integer types are fine, fractions and truth values are not."""
    try:
        if isinstance(value, bool):
            raise TypeError
        size = index(value)
    except TypeError:
        raise InputError(f"{name} must be a positive integer, got {value!r}") from None
    if size <= 0:
        raise InputError(f"{name} must be a positive integer, got {size}")
    return size


def _array(array: tuple[int, int]) -> tuple[int, int]:
    try:
        rows, cols = array
    except (TypeError, ValueError):
        raise InputError(f"array must be (rows, cols), two positive integers; got {array!r}") from None
    return _positive("array rows", rows), _positive("array cols", cols)
