"""Tiles: the search finds the best of its family, and that is near the best of all integer tiles."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import ceil, inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import PRESETS, MemorySystem, Timing, array_cycles, tensor_costs
from accmine.cost.arrays.tiles import SLAB_ELEMENTS, SUM_BYTES, SharedTiles, least_extra_elements, shared_tiles
from accmine.cost.arrays.tiling import best_tiles, score_of
from accmine.cost.arrays.timing import fold_cycles
from accmine.hardware import DATAFLOWS, TensorCore
from accmine.workload.graph import Work
from tests.samples.cost_sample import convolution, product, whole_shares

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


@cache
def whole_cycles(m: int, k: int, n: int, batch: int, core: TensorCore, timing: Timing) -> int:
    """Cycles of the array when no tile constrains it."""
    return int(array_cycles(m, k, n, batch, core.rows, core.cols, core.dataflow, timing))


@cache
def ways_of(work: Work, size_bytes: int) -> SharedTiles:
    """How a work fits a shared SRAM; see ``test_what_the_hbm_delivers_again_passes_the_port_again``."""
    s = whole_shares(work)
    return shared_tiles(s.m, s.k, s.n, s.products, s.a, s.b, s.element_bytes, size_bytes)


def cost_of(work: Work, core: TensorCore, timing: Timing, order: str, tm: int, tn: int) -> tuple[int, int, int] | None:
    """Cycles and passes over A and B of one tile in one order, in plain integers; ``None`` where it does not fit."""
    g = work.gemm
    assert g is not None
    m, k, n, e, S = g.m, g.k, g.n, {"bf16": 2, "fp32": 4, "int8": 1}[work.dtype], core.sram_bytes
    R, C, flow = core.rows, core.cols, core.dataflow
    length = R * ceil(SLAB_ELEMENTS / R)
    needed = {
        "outputs": 2 * e * min(k, length) * (tm + tn) + SUM_BYTES * tm * tn,
        "b": e * k * tn + 2 * (e * k * tm + SUM_BYTES * tm * tn),
        "a": e * k * tm + 2 * (e * k * tn + SUM_BYTES * tm * tn),
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


def scored(work: Work, cycles: int, a_passes: int, b_passes: int, tm: int, memory: MemorySystem) -> float:
    """The least score of one tile over all ways to hold the product in the shared SRAM."""
    g = work.gemm
    assert g is not None
    a, b, c = g.a_elements, g.b_elements, g.c_elements
    e = {"bf16": 2, "fp32": 4, "int8": 1}[work.dtype]
    halo = g.halo_elements * max(0, -(-g.m // tm) - g.images) * a_passes
    asked = (a_passes - 1) * a + (b_passes - 1) * b + halo
    if not memory.shared_sram_bytes:
        return float(score_of(cycles, e * (a + b + c + asked), 0.0, memory))
    port = e * (a * a_passes + b * b_passes + c + halo)
    ways = ways_of(work, memory.tiles_bytes)
    found = [float(score_of(cycles, e * (a + b + c + asked), port, memory))]
    for j in range(ways.extra_elements.shape[1]):
        again = e * (a * ways.a_again[0, j] + b * ways.b_again[0, j]) + SUM_BYTES * ways.spilled_elements[0, j]
        hbm = e * (a + b + c + ways.extra_elements[0, j])
        found.append(float(score_of(cycles, hbm, ceil(port + again), memory)))
    return min(found)


def candidates(work: Work, core: TensorCore) -> list[tuple[str, int, int]]:
    """The tiles that the search offers, found by counting up: powers of two of one side, the other as long as fits."""
    g = work.gemm
    assert g is not None
    row_side, col_side = {"ws": (1, core.cols), "is": (core.cols, 1), "os": (core.rows, core.cols)}[core.dataflow]
    timing = PRESETS["tpu-like"]

    def longest(order: str, tm: int | None, tn: int | None) -> int:
        side, size = 0, g.m if tm is None else g.n
        while side < size and cost_of(work, core, timing, order, tm or side + 1, tn or side + 1) is not None:
            side += 1
        return side

    def whole(tile: int, size: int, side: int) -> int:
        return tile // side * side if side <= tile < size else tile

    found = [("one by one", 1, 1)]
    # The longest blocks beside a whole operand.
    found += [("b", whole(longest("b", None, g.n), g.m, row_side), g.n)] if longest("b", None, g.n) else []
    found += [("a", g.m, whole(longest("a", g.m, None), g.n, col_side))] if longest("a", g.m, None) else []
    powers = [1 << i for i in range(11)]
    for rows in {min(g.m, p) for p in powers}:
        for order in ("outputs", "b"):
            cols = longest(order, rows, None)
            if cols:
                found.append((order, whole(rows, g.m, row_side), whole(cols, g.n, col_side)))
                if order == "outputs" and core.dataflow == "os":
                    found.append((order, min(rows, core.rows), min(cols, core.cols)))
    for cols in {min(g.n, p) for p in powers}:
        rows = longest("a", None, cols)
        if rows:
            found.append(("a", whole(rows, g.m, row_side), whole(cols, g.n, col_side)))
    return found


def least(
    work: Work, core: TensorCore, timing: Timing, memory: MemorySystem, tiles: list[tuple[str, int, int]]
) -> float:
    """Least score of the tiles that fit."""
    best = inf
    for order, tm, tn in tiles:
        cost = cost_of(work, core, timing, order, tm, tn)
        if cost is not None:
            best = min(best, scored(work, *cost, tm, memory))
    return best


def search(work: Work, core: TensorCore, timing: Timing, memory: MemorySystem) -> float:
    shared = ways_of(work, memory.tiles_bytes) if memory.shared_sram_bytes else None
    return float(best_tiles(whole_shares(work), core, timing, memory, shared=shared).score[0])


WORKS = st.one_of(
    st.builds(product, SMALL, st.integers(1, 12) | st.integers(60, 300), SMALL, st.sampled_from([1, 3])),
    st.builds(convolution, st.integers(1, 2), st.integers(1, 3), st.integers(1, 9), SMALL, st.sampled_from([1, 3])),
)


@settings(max_examples=100, deadline=None)
@given(work=WORKS, core=ARRAYS, timing=TIMINGS, memory=MEMORIES | SHARED)
def test_the_best_of_the_family(work: Work, core: TensorCore, timing: Timing, memory: MemorySystem) -> None:
    assert search(work, core, timing, memory) == least(work, core, timing, memory, candidates(work, core))


@settings(max_examples=40, deadline=None)
@given(work=WORKS, core=ARRAYS, timing=TIMINGS, memory=MEMORIES | SHARED)
def test_near_the_best_of_all_integer_tiles_and_never_below(
    work: Work, core: TensorCore, timing: Timing, memory: MemorySystem
) -> None:
    g = work.gemm
    assert g is not None
    every = [(o, tm, tn) for o in ("outputs", "a", "b") for tm in range(1, g.m + 1) for tn in range(1, g.n + 1)]
    best = least(work, core, timing, memory, [("one by one", 1, 1), *every])
    found = search(work, core, timing, memory)
    assert found >= best
    # A power of two is more than half of any side, and whole arrays are more than half of what is longer than one.
    powers = all(side & (side - 1) == 0 for side in (core.rows, core.cols))
    assert found <= (2 if powers else 4) * best


@given(
    m=st.integers(1, 3000),
    k=st.integers(1, 3000),
    n=st.integers(1, 3000),
    e=st.sampled_from([1, 2, 4]),
    sram=st.integers(20, 1 << 22),
    more=st.integers(0, 1 << 22),
)
def test_the_lower_bound_falls_with_the_sram_and_reaches_zero(
    m: int, k: int, n: int, e: int, sram: int, more: int
) -> None:
    less, enough, all_of_it = (
        int(least_extra_elements(m, k, n, m * k, k * n, e, s)) for s in (sram, sram + more, 1 << 50)
    )
    assert less >= enough >= all_of_it == 0
    core = TensorCore(1, 1, sram, "os")
    work = replace(product(m, k, n), dtype={1: "int8", 2: "bf16", 4: "fp32"}[e])
    tile = best_tiles(whole_shares(work), core, PRESETS["tpu-like"], MemorySystem(1e-6))
    assert tile.extra_bytes[0] >= e * less


def test_what_the_hbm_delivers_again_passes_the_port_again() -> None:
    # Panels of A of 256 rows fit the shared SRAM: B comes four times, and four times through the port.
    m, k, n = 1024, 1024, 1024
    pool = 2 * k * 256 + 4 * k * 256
    memory = MemorySystem(1.0, pool, 1.0)
    found = tensor_costs([product(m, k, n)], [TensorCore(16, 16, 1 << 30)], (1,), memory=memory)
    assert found.hbm_bytes[0, 0, 0] == found.compulsory_bytes[0]  # a large private SRAM needs no help
    ways = ways_of(product(m, k, n), pool)
    assert ways.extra_elements[0, 0] == 3 * k * n
    assert (ways.a_again[0, 0], ways.b_again[0, 0]) == (0, 3)
    assert ways.spilled_elements[0].tolist() == [0, 0, 2 * m * n * 3, 0, 0]


@pytest.mark.full
@settings(max_examples=1500, deadline=None)
@given(work=WORKS, core=ARRAYS, timing=TIMINGS, memory=MEMORIES | SHARED)
def test_the_best_of_the_family_at_length(work: Work, core: TensorCore, timing: Timing, memory: MemorySystem) -> None:
    assert search(work, core, timing, memory) == least(work, core, timing, memory, candidates(work, core))
