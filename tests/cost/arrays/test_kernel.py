"""Tiles: the search is never below the best of all integer tiles, and near it; compiled counts equal the plain ones."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import ceil, inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import PRESETS, MemorySystem, Timing, array_cycles
from accmine.cost.arrays.ladder import WINDOW
from accmine.cost.arrays.pool import hold
from accmine.cost.arrays.products import SLAB_ELEMENTS, SUM_BYTES
from accmine.cost.arrays.timing import fold_cycles
from accmine.hardware import DATAFLOWS, TensorCore
from accmine.workload.graph import Work
from tests.samples.cost_sample import alone, convolution, product

SIZE_OF = {"bf16": 2, "fp16": 2, "fp32": 4, "int8": 1}
SMALL = st.integers(1, 12)
TIMINGS = st.sampled_from([replace(timing, last_index=False) for timing in PRESETS.values()])
ARRAYS = st.builds(
    TensorCore,
    st.sampled_from([1, 2, 3, 8]),
    st.sampled_from([1, 2, 5, 8]),
    st.integers(20, 3000),
    st.sampled_from(DATAFLOWS),
)
MEMORIES = st.builds(MemorySystem, st.sampled_from([0.3, 4.0, 1e6]))
SHARED = st.builds(
    MemorySystem, st.sampled_from([0.3, 4.0, 1e6]), st.integers(1, 4000), st.sampled_from([0.3, 4.0, 1e6])
)
WORKS = st.one_of(
    st.builds(product, SMALL, st.integers(1, 12) | st.integers(60, 300), SMALL, st.sampled_from([1, 3])),
    st.builds(convolution, st.integers(1, 2), st.integers(1, 3), st.integers(1, 9), SMALL, st.sampled_from([1, 3])),
)


@cache
def whole_cycles(m: int, k: int, n: int, batch: int, core: TensorCore, timing: Timing) -> int:
    """Cycles of the array when no tile constrains it."""
    return int(array_cycles(m, k, n, batch, core.rows, core.cols, core.dataflow, timing))


def cost_of(work: Work, core: TensorCore, timing: Timing, order: str, tm: int, tn: int) -> tuple[int, int, int] | None:
    """Cycles and passes over A and B of one tile in one order, in plain integers; ``None`` where it does not fit."""
    g = work.gemm
    assert g is not None
    m, k, n, e, S = g.m, g.k, g.n, SIZE_OF[work.dtype], core.sram_bytes
    R, C, flow = core.rows, core.cols, core.dataflow
    length = R * ceil(SLAB_ELEMENTS / R)
    beside = k if flow == "os" else min(k, length)
    slabs_held = min(tm + min(tn, max(R, C)), min(tm, max(R, C)) + tn)  # one of them may stream past the other
    needed = {
        "outputs": 2 * e * min(k, length) * slabs_held + SUM_BYTES * tm * tn,
        "b": e * k * tn + 2 * tm * min(e * beside + SUM_BYTES * tn, e * k + SUM_BYTES * min(tn, max(R, C))),
        "a": e * k * tm + 2 * tn * min(e * beside + SUM_BYTES * tm, e * k + SUM_BYTES * min(tm, max(R, C))),
        "one by one": 0,
    }[order]
    if needed > S:
        return None
    a_passes, b_passes = -(-n // tn), -(-m // tm)
    slabs = -(-k // length) if order == "outputs" and (tm > R or tn > C) else 1
    folds, stream, pieces = {
        "ws": (-(-k // R) * -(-n // min(tn, C)), m, b_passes),
        "is": (-(-k // R) * -(-m // min(tm, C)), n, a_passes),
        "os": (-(-m // min(tm, R)) * -(-n // min(tn, C)), k, slabs),
    }[flow]
    plain = -(-m // R) * -(-n // C) if flow == "os" else -(-k // R) * -(-(n if flow == "ws" else m) // C)
    waits = fold_cycles(folds * g.batch, stream, R, C, flow, timing, pieces) - fold_cycles(
        plain * g.batch, stream, R, C, flow, timing
    )
    cycles = whole_cycles(m, k, n, g.batch, core, timing) + waits
    return cycles, 1 if order == "a" else a_passes, 1 if order == "b" else b_passes


@cache
def ways_of(work: Work, size_bytes: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """How a work fits a shared SRAM; see ``test_pool.py``."""
    g, held = work.gemm, np.zeros((5, 4))
    assert g is not None
    e = SIZE_OF[work.dtype]
    hold(g.m, g.k, g.n, g.batch * g.m * g.n, g.a_elements, g.b_elements, e, size_bytes, held)
    return held


def timed(work: Work, cost: tuple[int, int, int], tm: int, memory: MemorySystem) -> float:
    """The least time of one tile over all ways to hold the product in the shared SRAM."""
    g, (cycles, a_passes, b_passes) = work.gemm, cost
    assert g is not None
    a, b, c, e = g.a_elements, g.b_elements, g.c_elements, SIZE_OF[work.dtype]
    halo = g.halo_elements * max(0, -(-g.m // tm) - g.images) * a_passes
    asked = (a_passes - 1) * a + (b_passes - 1) * b + halo
    hbm = memory.hbm_bytes_per_cycle
    if not memory.shared_sram_bytes:
        return max(cycles, e * (a + b + c + asked) / hbm)
    port = e * (a * a_passes + b * b_passes + c + halo)
    found = [max(cycles, e * (a + b + c + asked) / hbm, port / memory.port_bytes_per_cycle)]
    for extra, a_again, b_again, spilled in ways_of(work, memory.tiles_bytes).tolist():
        again = e * (a * a_again + b * b_again) + SUM_BYTES * spilled
        found.append(max(cycles, e * (a + b + c + extra) / hbm, ceil(port + again) / memory.port_bytes_per_cycle))
    return min(found)


def least(work: Work, core: TensorCore, timing: Timing, memory: MemorySystem) -> float:
    """Least time over all integer tiles in all orders."""
    g, best = work.gemm, inf
    assert g is not None
    every = [(o, tm, tn) for o in ("outputs", "a", "b") for tm in range(1, g.m + 1) for tn in range(1, g.n + 1)]
    for order, tm, tn in [("one by one", 1, 1), *every]:
        cost = cost_of(work, core, timing, order, tm, tn)
        if cost is not None:
            best = min(best, timed(work, cost, tm, memory))
    return best


def search(work: Work, core: TensorCore, timing: Timing, memory: MemorySystem) -> float:
    found = alone(work, core, memory, timing=timing)
    hbm, port = found.hbm_bytes[0, 0] / memory.hbm_bytes_per_cycle, found.port_bytes[0, 0] / memory.port_bytes_per_cycle
    return float(max(found.cycles[0, 0], hbm, port))


def near(work: Work, core: TensorCore, timing: Timing, memory: MemorySystem) -> None:
    best, found = least(work, core, timing, memory), search(work, core, timing, memory)
    assert found >= best * (1 - 1e-12)
    # Whole arrays are more than half of what is longer than one; most often the two are equal.
    assert found <= 2 * WINDOW * best


@settings(max_examples=40, deadline=None)
@given(work=WORKS, core=ARRAYS, timing=TIMINGS, memory=MEMORIES | SHARED)
def test_near_the_best_of_all_integer_tiles_and_never_below(
    work: Work, core: TensorCore, timing: Timing, memory: MemorySystem
) -> None:
    near(work, core, timing, memory)


@pytest.mark.full
@settings(max_examples=1500, deadline=None)
@given(work=WORKS, core=ARRAYS, timing=TIMINGS, memory=MEMORIES | SHARED)
def test_near_the_best_of_all_integer_tiles_at_length(
    work: Work, core: TensorCore, timing: Timing, memory: MemorySystem
) -> None:
    near(work, core, timing, memory)


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(1, 300)] * 3),
    batch=st.integers(1, 40),
    core=ARRAYS,
    timing=TIMINGS,
)
def test_with_room_for_everything_cycles_are_those_of_the_array(
    sizes: tuple[int, int, int], batch: int, core: TensorCore, timing: Timing
) -> None:
    found = alone(product(*sizes, batch), replace(core, sram_bytes=1 << 40), MemorySystem(1e12), timing=timing)
    assert found.cycles[0, 0] == whole_cycles(*sizes, batch, core, timing)


def test_within_a_percent_bytes_decide() -> None:
    # Weights of 16 columns hide behind 16 rows, but nothing asks for so little: tiles of many rows move a fraction.
    work, core = product(4096, 4096, 4096), TensorCore(16, 16, 1 << 18)
    found = alone(work, core, MemorySystem(1e9))
    plain = int(array_cycles(4096, 4096, 4096, 1, 16, 16, "ws", "tpu-like"))
    assert found.cycles[0, 0] <= WINDOW * plain
    side = next(t for t in range(1, 4096) if 8 * SLAB_ELEMENTS * t + SUM_BYTES * t * t > core.sram_bytes) - 1
    assert found.hbm_bytes[0, 0] < 1.05 * 2 * (2 * 4096**3 / side + 4096**2)
