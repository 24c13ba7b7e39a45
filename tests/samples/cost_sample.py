"""Products, convolutions and cores for tests of the cost model, and the score they are chosen by."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from accmine.cost import PRESETS, MemorySystem, TensorCosts, Timing
from accmine.cost.arrays.grid_search import Found, GridSearch
from accmine.cost.arrays.products import products_of
from accmine.cost.arrays.split import GridSet
from accmine.hardware import DATAFLOW_CHOICES, TensorCore
from accmine.workload.graph import Gemm, Work

__all__ = ["CONVOLUTIONS", "CORES", "PRODUCTS", "alone", "convolution", "product", "score"]


def product(m: int, k: int, n: int, batch: int = 1, dtype: str = "bf16") -> Work:
    """A plain product with no vector part."""
    size = {"bf16": 2, "fp32": 4, "int8": 1}[dtype]
    a, b, c = batch * m * k, batch * k * n, batch * m * n
    return Work(Gemm(m, k, n, batch, a, b, c), (), size * (a + b), size * c, dtype)


def convolution(images: int, side: int, channels: int, filters: int, kernel: int = 3) -> Work:
    """A convolution of stride 1 with padding: ``kernel - 1`` rows are shared by neighbouring pieces of an image."""
    m, k = images * side * side, kernel * kernel * channels
    a, b, c = m * channels, k * filters, m * filters
    halo = (kernel - 1) * side * channels
    return Work(Gemm(m, k, filters, 1, a, b, c, 0, halo, "m", images), (), 2 * (a + b), 2 * c, "bf16")


SIZES = st.integers(1, 700)
PRODUCTS = st.builds(product, SIZES, SIZES, SIZES, st.sampled_from([1, 1, 3, 16]), st.sampled_from(["bf16", "fp32"]))
CONVOLUTIONS = st.builds(
    convolution, st.integers(1, 9), st.integers(2, 30), st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 3])
)
SIDES = st.sampled_from([1, 3, 8, 16, 48, 128])
SRAMS = st.sampled_from([20, 100, 1 << 10, 9000, 1 << 16, 1 << 20])
CORES = st.builds(TensorCore, SIDES, SIDES, SRAMS, st.sampled_from(DATAFLOW_CHOICES))


def score(table: TensorCosts, memory: MemorySystem, column: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """max(cycles, HBM time, port time) of all works of a table on its only core type; shape (works,)."""
    hbm = table.hbm_bytes[:, 0, column] / memory.hbm_bytes_per_cycle
    levels = [table.cycles[:, 0, column].astype(np.float64), hbm, table.port_cycles[:, 0, column].astype(np.float64)]
    return np.asarray(np.maximum.reduce(levels))


def alone(
    work: Work,
    core: TensorCore,
    memory: MemorySystem,
    cut: tuple[int, int, int, int] = (1, 1, 1, 1),
    timing: Timing = PRESETS["tpu-like"],
) -> Found:
    """The best tile of a work on one grid, and nothing else to choose; shapes (1, 1)."""
    grids = GridSet(np.array([cut], dtype=np.int64), (0, 1))
    compulsory = np.array([work.bytes_in + work.bytes_out])
    return GridSearch(products_of([work], timing), grids, compulsory, timing, memory).best(core)
