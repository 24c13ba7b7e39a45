"""The best tile and grid: within the bounds of all levels, never worse with more of anything, halos and ports paid."""

from __future__ import annotations

from dataclasses import replace
from math import gcd

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import INVALID, PRESETS, MemorySystem, TensorCosts, array_cycles, gemm, tensor_costs
from accmine.cost.arrays.ladder import WINDOW
from accmine.cost.arrays.products import SLAB_ELEMENTS, SUM_BYTES
from accmine.hardware import DATAFLOWS, FLEXIBLE, TensorCore
from accmine.workload.graph import Work
from tests.samples.cost_sample import CONVOLUTIONS, CORES, PRODUCTS, alone, convolution, product, score

MIB = 1 << 20


def table(work: Work, core: TensorCore, memory: MemorySystem, splits: tuple[int, ...] = (1, 4)) -> TensorCosts:
    """Costs of one work on one core type."""
    return tensor_costs([work], [core], splits, memory=memory)


def not_slower(before: float, after: float) -> bool:
    """Of what is within a percent of the least time bytes decide, and times are rounded up."""
    return after <= before * WINDOW + 1


LAWS = st.one_of(PRODUCTS, CONVOLUTIONS)
BANDWIDTHS = st.sampled_from([0.5, 7.0, 300.0])
POOLS = st.sampled_from([0, 1, 5000, 1 << 17, 1 << 22])


def system(hbm: float, pool: int, port: float) -> MemorySystem:
    return MemorySystem(hbm, pool, port) if pool else MemorySystem(hbm)


@settings(max_examples=50, deadline=None)
@given(work=LAWS, core=CORES, hbm=BANDWIDTHS, pool=POOLS, port=BANDWIDTHS, more=st.integers(2, 64))
def test_more_of_anything_is_never_slower(
    work: Work, core: TensorCore, hbm: float, pool: int, port: float, more: int
) -> None:
    memory = system(hbm, pool, port)
    larger = replace(core, sram_bytes=core.sram_bytes * more)
    others = [(larger, memory), (core, system(hbm * more, pool, port))]
    if pool:
        others += [(core, system(hbm, pool * more, port)), (core, system(hbm, pool, port * more))]
    here = table(work, core, memory)
    for other, with_more in others:
        there = table(work, other, with_more)
        for j in range(2):
            if here.cycles[0, 0, j] != INVALID:
                assert not_slower(score(here, memory, j)[0], score(there, with_more, j)[0])


@given(work=LAWS, core=CORES, hbm=BANDWIDTHS, pool=POOLS, port=BANDWIDTHS)
def test_never_below_the_bound_of_any_level(work: Work, core: TensorCore, hbm: float, pool: int, port: float) -> None:
    g = work.gemm
    assert g is not None
    memory = system(hbm, pool, port)
    found = table(work, core, memory)
    size = {"bf16": 2, "fp32": 4}[work.dtype]
    for j, split in enumerate((1, 4)):
        if found.cycles[0, 0, j] == INVALID:
            continue
        assert found.cycles[0, 0, j] * core.macs * split >= work.macs
        assert found.hbm_bytes[0, 0, j] >= work.bytes_in + work.bytes_out
        # Through all ports at least what the operator has: what is multicast passes each port it is needed at.
        if pool:
            operands = size * (g.a_elements + g.b_elements + g.c_elements)
            assert found.port_cycles[0, 0, j] * port * split >= operands
        else:
            assert found.port_cycles[0, 0, j] == 0


@settings(max_examples=50, deadline=None)
@given(work=LAWS, core=CORES, hbm=BANDWIDTHS, pool=POOLS, port=BANDWIDTHS)
def test_flexible_is_the_best_of_the_three(work: Work, core: TensorCore, hbm: float, pool: int, port: float) -> None:
    memory = system(hbm, pool, port)
    free = score(table(work, replace(core, dataflow=FLEXIBLE), memory, (1,)), memory)[0]
    fixed = [score(table(work, replace(core, dataflow=flow), memory, (1,)), memory)[0] for flow in DATAFLOWS]
    assert not_slower(min(fixed), free)
    assert not_slower(free, min(fixed))


@settings(max_examples=50, deadline=None)
@given(work=LAWS, core=CORES, hbm=BANDWIDTHS, pool=st.sampled_from([1, 5000, 1 << 17, 1 << 22]))
def test_a_shared_sram_behind_fast_ports_never_hurts(work: Work, core: TensorCore, hbm: float, pool: int) -> None:
    without, beside = MemorySystem(hbm), MemorySystem(hbm, pool, 1e15)
    for j in range(2):
        before, after = table(work, core, without), table(work, core, beside)
        if before.cycles[0, 0, j] != INVALID:
            assert not_slower(score(before, without, j)[0], score(after, beside, j)[0])


@given(work=LAWS, core=CORES, hbm=BANDWIDTHS, port=BANDWIDTHS)
def test_a_shared_sram_that_holds_everything_leaves_compulsory_traffic(
    work: Work, core: TensorCore, hbm: float, port: float
) -> None:
    found = table(work, core, MemorySystem(hbm, 1 << 40, port), (1,))
    assert found.hbm_bytes[0, 0, 0] == work.bytes_in + work.bytes_out


@settings(max_examples=50, deadline=None)
@given(work=PRODUCTS, sram=st.integers(20, 1 << 21), more=st.tuples(*[st.integers(0, 99)] * 3))
def test_larger_products_are_never_faster(work: Work, sram: int, more: tuple[int, int, int]) -> None:
    g = work.gemm
    assert g is not None
    for flow in DATAFLOWS:
        core, memory = TensorCore(16, 32, sram, flow), MemorySystem(20.0)
        larger = product(g.m + more[0], g.k + more[1], g.n + more[2], g.batch, work.dtype)
        small, large = (score(table(w, core, memory, (1,)), memory)[0] for w in (work, larger))
        assert not_slower(large, small)


def test_blocked_form_where_tiles_divide() -> None:
    # k too long for panels: the classic m·n·k·(1/Tm + 1/Tn) and the output.
    m = n = 4096
    k, sram = 1 << 20, 1 << 20
    work = product(m, k, n)
    moved = int(alone(work, TensorCore(16, 16, sram), MemorySystem(1e-3)).hbm_bytes[0, 0])
    slab = 2 * 2 * SLAB_ELEMENTS
    side = next(t for t in range(1, m) if slab * (t + 16) + SUM_BYTES * t * t > sram) - 1
    ideal = 2 * m * n * k * 2 / side + 2 * m * n
    assert ideal < moved < 1.25 * ideal


def test_small_k_keeps_a_panel() -> None:
    # Attention scores: all of B (2048 × 64, 256 KiB) stays, A streams, although the 16 MiB output does not fit.
    work, core = product(2048, 64, 2048), TensorCore(128, 128, MIB)
    moved = work.bytes_in + work.bytes_out
    slow = alone(work, core, MemorySystem(1.0))
    assert slow.hbm_bytes[0, 0] == moved
    # Whole rows of A beside it, with the sums of 128 columns, are enough not to wait for the next weights.
    assert alone(work, core, MemorySystem(1000.0)).hbm_bytes[0, 0] == moved


def test_no_reuse_without_room() -> None:
    cost = gemm(8, 64, 16, (16, 16), sram_bytes=100)
    assert cost.bytes == 2 * (8 * 64 * 16 + 64 * 16 * 8 + 8 * 16)


def test_narrow_tiles_slow_the_array() -> None:
    # 4 KiB hold a few columns of fp32 sums: a 128 × 128 array of which few columns work takes that much longer.
    roomy, narrow = (gemm(4096, 4096, 4096, (128, 128), "ws", "tpu-like", sram_bytes=s) for s in (8 * MIB, 1 << 12))
    assert roomy.cycles == gemm(4096, 4096, 4096, (128, 128), "ws", "tpu-like").cycles
    assert narrow.cycles > 8 * roomy.cycles


def test_sums_of_an_os_array_leave_it_once_per_slab() -> None:
    # Beside one fold there is no room for k whole, and slabs of 64 are drained row by row.
    timing = replace(PRESETS["scalesim-paper"], fold_overlap=True, weight_load_overlap=True)
    work, core = product(64, 4096, 64), TensorCore(16, 16, 1 << 15, "os")
    tile = alone(work, core, MemorySystem(1e-3), timing=timing)
    plain = int(array_cycles(64, 4096, 64, 1, 16, 16, "os", timing))
    assert int(tile.cycles[0, 0]) - plain >= 4 * 4 * 63 * 16 - 64 * 16
    # With bandwidth to spare, tiles of one fold keep their sums in the array.
    assert int(alone(work, core, MemorySystem(1e9), timing=timing).cycles[0, 0]) == plain


def test_convolution_counts_the_image_not_its_im2col_matrix() -> None:
    conv = convolution(1, 56, 64, 512)
    g = conv.gemm
    assert g is not None
    for sram in (1 << 16, 1 << 18):
        core = TensorCore(128, 128, sram)
        real = table(conv, core, MemorySystem(1.0), (1,))
        matrix = table(product(g.m, g.k, g.n), core, MemorySystem(1.0), (1,))
        assert conv.bytes_in + conv.bytes_out < real.hbm_bytes[0, 0, 0] < matrix.hbm_bytes[0, 0, 0]


def test_each_cut_within_an_image_reads_its_halo_once() -> None:
    # Outputs of 6477 rows stay: B is read again for the second tile, and so is what the two share.
    conv = convolution(1, 100, 4, 8)
    g = conv.gemm
    assert g is not None
    core = TensorCore(1, 1, 2 * 36 * 8 + 1000 * (4 * 36 + 64))
    tile = alone(conv, core, MemorySystem(1e-6))
    assert (core.sram_bytes - 4 * 36 * (8 + 1)) // (SUM_BYTES * 8) == 6477
    assert tile.hbm_bytes[0, 0] - conv.bytes_in - conv.bytes_out == 2 * (g.halo_elements + g.b_elements)
    # More images than panels: they share nothing, and all weights stay beside blocks of whole images.
    many = convolution(100, 10, 4, 8)
    assert alone(many, core, MemorySystem(1e-6)).hbm_bytes[0, 0] == many.bytes_in + many.bytes_out


@given(
    images=st.integers(1, 6), side=st.integers(4, 20), channels=st.integers(1, 30), split=st.sampled_from([2, 3, 4, 8])
)
def test_cores_pay_the_halo_of_their_cuts(images: int, side: int, channels: int, split: int) -> None:
    conv = convolution(images, side, channels, 1)
    g = conv.gemm
    assert g is not None
    found = tensor_costs([conv], [TensorCore(8, 8, 1 << 30)], (split,), memory=MemorySystem(1e6))
    cut = found.cut(0, 0, 0)
    assert cut is not None
    sums = 2 * SUM_BYTES * (cut[2] - 1) * g.c_elements
    halos = 2 * g.halo_elements * (cut[1] - gcd(cut[1], images))
    assert found.hbm_bytes[0, 0, 0] - found.compulsory_bytes[0] == halos + sums


def test_port_carries_operands_sums_and_halos() -> None:
    # One core: everything passes its port once.
    memory = MemorySystem(1e9, 1 << 30, 16.0)
    found = table(product(256, 512, 128), TensorCore(16, 16, 1 << 30), memory, (1,))
    assert found.port_cycles[0, 0, 0] == 2 * (256 * 512 + 512 * 128 + 256 * 128) // 16
    # A cut k: each core sends and receives 15/16 of its fp32 sums and finishes a 16th of the outputs.
    work, core = product(128, 1 << 16, 128), TensorCore(128, 128, 1 << 30)
    found = table(work, core, memory, (16,))
    assert found.cut(0, 0, 0) == (1, 1, 16, 1)
    own = 2 * (2 * 128 * (1 << 12) + 128 * 128 // 16) + 2 * SUM_BYTES * 128 * 128 * 15 // 16
    assert found.port_cycles[0, 0, 0] == own // 16
    # With less SRAM than one panel, operands pass as often as the tiles of the core ask for.
    less = table(product(512, 4096, 512), TensorCore(16, 16, 1 << 16), memory, (1,))
    more = table(product(512, 4096, 512), TensorCore(16, 16, 1 << 24), memory, (1,))
    assert less.port_cycles[0, 0, 0] > 2 * more.port_cycles[0, 0, 0]
    assert less.hbm_bytes[0, 0, 0] == more.hbm_bytes[0, 0, 0] == less.compulsory_bytes[0]


def test_vectorised_equals_one_by_one() -> None:
    rng = np.random.default_rng(1)
    works = [product(m, k, n, batch) for m, k, n, batch in (rng.integers(1, (3000, 3000, 3000, 4), (30, 4))).tolist()]
    works += [convolution(i, s, c, f) for i, s, c, f in rng.integers(1, 40, (10, 4)).tolist()]
    for memory in (MemorySystem(5.0), MemorySystem(50.0, 1 << 18, 20.0)):
        for core in (TensorCore(16, 48, 1 << 16), TensorCore(128, 128, 1 << 20, FLEXIBLE)):
            together = tensor_costs(works, [core], (1, 8), memory=memory)
            for i, work in enumerate(works):
                single = tensor_costs([work], [core], (1, 8), memory=memory)
                for name in ("cycles", "hbm_bytes", "port_cycles", "grid", "dataflow"):
                    assert (getattr(single, name)[0] == getattr(together, name)[i]).all(), name
