"""The cost table: equal to gemm() on one core, bounded, independent of its company, INVALID where it must be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import (
    INVALID,
    LEVELS,
    MemorySystem,
    OperatorCosts,
    binding,
    combine,
    durations,
    gemm,
    no_corrections,
    tensor_costs,
    vector_costs,
)
from accmine.cost.arrays.ladder import WINDOW
from accmine.cost.vector import vector_cycles
from accmine.errors import InputError
from accmine.hardware import DATAFLOWS, TensorCore, VectorCore
from accmine.workload import Vector
from accmine.workload.graph import Gemm, Work

MIB = 1 << 20
SPLITS = (1, 2, 4, 8, 16)
TPU = TensorCore(128, 128, 8 * MIB)
VPU = VectorCore(128, 16, 4 * MIB)


def product(m: int, k: int, n: int, batch: int = 1, *vector: Vector, dtype: str = "bf16") -> Work:
    a, b, c = batch * m * k, batch * k * n, batch * m * n
    return Work(Gemm(m, k, n, batch, a, b, c), vector, 2 * (a + b), 2 * c, dtype)


def elementwise(kind: str, elements: int, row: int = 1) -> Work:
    return Work(None, (Vector(kind, elements, row),), 2 * elements, 2 * elements, "bf16")


def costs(work: Work, tensor: TensorCore = TPU, vector: VectorCore = VPU) -> OperatorCosts:
    return combine(tensor_costs([work], [tensor], SPLITS), vector_costs([work], [vector], SPLITS))


SIZES = st.integers(1, 900)
PRODUCTS = st.builds(product, SIZES, SIZES, SIZES, st.integers(1, 20), dtype=st.sampled_from(["bf16", "fp32"]))
VECTORS = st.builds(elementwise, st.sampled_from(["gelu", "softmax", "layer-norm-backward", "add"]), SIZES, SIZES)
FUSED = st.builds(
    lambda m, k, n, b: product(m, k, n, b, Vector("bias", b * m * n), Vector("gelu", b * m * n)),
    SIZES,
    SIZES,
    SIZES,
    st.integers(1, 3),
)
WORKS = st.one_of(PRODUCTS, VECTORS, FUSED)
SIDES = st.sampled_from([8, 16, 128])
TENSORS = st.builds(TensorCore, SIDES, SIDES, st.sampled_from([1 << 10, 1 << 16, MIB]), st.sampled_from(DATAFLOWS))
VECTOR_CORES = st.builds(VectorCore, st.sampled_from([16, 128]), st.sampled_from([1, 16]), st.sampled_from([256, MIB]))


@given(work=PRODUCTS, core=TENSORS, timing=st.sampled_from(["tpu-like", "scalesim-paper", "rtl-simple"]))
def test_one_core_is_gemm(work: Work, core: TensorCore, timing: str) -> None:
    g = work.gemm
    assert g is not None
    table = tensor_costs([work], [core], (1,), timing=timing)
    cost = gemm(g.m, g.k, g.n, (core.rows, core.cols), core.dataflow, timing, g.batch, core.sram_bytes, work.dtype)
    assert table.cycles[0, 0, 0] == cost.cycles
    extra = int(table.hbm_bytes[0, 0, 0] - table.compulsory_bytes[0])
    assert extra == cost.bytes - cost.compulsory_bytes


def test_cycles_are_their_number_also_for_scalesim() -> None:
    table = tensor_costs([product(64, 64, 64)], [TensorCore(16, 16, MIB)], (1,), timing="scalesim3")
    assert table.cycles[0, 0, 0] == gemm(64, 64, 64, (16, 16)).cycles + 1


@given(work=WORKS, tensor=TENSORS, vector=VECTOR_CORES)
def test_never_below_the_bounds(work: Work, tensor: TensorCore, vector: VectorCore) -> None:
    found = costs(work, tensor, vector)
    valid = found.cycles[0] != INVALID
    splits = np.array(SPLITS)
    assert valid[0]
    assert (found.cycles[0][valid] * tensor.macs * splits[valid] >= work.macs).all()
    assert (found.cycles[0] >= found.ideal_cycles[0]).all()
    assert (found.ideal_cycles[0] >= found.mac_cycles[0]).all()
    assert (found.hbm_bytes[0] >= work.bytes_in + work.bytes_out).all()
    assert found.uses_tensor[0] == (work.gemm is not None)
    assert found.uses_vector[0] == bool(work.vector)
    assert found.mac_cycles[0].tolist() == [-(-work.macs // (tensor.macs * s)) for s in SPLITS]


@given(work=WORKS)
def test_invalid_exactly_beyond_the_parallel_work(work: Work) -> None:
    found = costs(work)
    for j, split in enumerate(SPLITS):
        fits = True  # a product takes fewer cores where it has not enough to cut
        for part in work.vector:
            rows = part.elements
            if part.kind in {"softmax", "layer-norm-backward"}:
                rows = -(-part.elements // min(part.row, part.elements))
            fits = fits and rows >= split
        assert (found.cycles[0, j] != INVALID) == fits


@given(works=st.lists(WORKS, min_size=1, max_size=4), tensors=st.lists(TENSORS, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_costs_do_not_depend_on_company(works: list[Work], tensors: list[TensorCore]) -> None:
    together = tensor_costs(works, tensors, SPLITS)
    for i, work in enumerate(works):
        for t, core in enumerate(tensors):
            alone = tensor_costs([work], [core], SPLITS)
            assert (alone.cycles[0, 0] == together.cycles[i, t]).all()
            assert (alone.hbm_bytes[0, 0] == together.hbm_bytes[i, t]).all()
            fewer = tensor_costs([work], [core], SPLITS[:3])
            assert (fewer.cycles[0, 0] == together.cycles[i, t, :3]).all()
            turned = tensor_costs([work], [core], SPLITS[2::-1])
            assert (turned.cycles[0, 0] == together.cycles[i, t, 2::-1]).all()
            assert turned.splits == SPLITS[2::-1]


@given(work=PRODUCTS, core=TENSORS)
def test_splits_conserve_the_macs(work: Work, core: TensorCore) -> None:
    g = work.gemm
    assert g is not None
    table = tensor_costs([work], [core], SPLITS)
    for j, split in enumerate(SPLITS):
        cut = table.cut(0, 0, j)
        assert cut is not None
        assert np.prod(cut) <= split
        share = [-(-size // factor) for size, factor in zip((g.batch, g.m, g.k, g.n), cut, strict=True)]
        assert np.prod(share) * np.prod(cut) >= g.macs
        assert table.cycles[0, 0, j] * core.macs >= np.prod(share)


@given(work=st.one_of(PRODUCTS, FUSED), core=TENSORS, factor=st.integers(2, 64))
def test_more_sram_is_never_slower(work: Work, core: TensorCore, factor: int) -> None:
    larger = TensorCore(core.rows, core.cols, core.sram_bytes * factor, core.dataflow)
    less, more = (tensor_costs([work], [c], SPLITS, memory=MemorySystem(10.0)) for c in (core, larger))
    # Traffic alone may grow: a larger SRAM may offer a tile that is faster and moves more.
    for j in range(len(SPLITS)):
        if less.cycles[0, 0, j] != INVALID:
            time = [max(float(c.cycles[0, 0, j]), float(c.hbm_bytes[0, 0, j]) / 10.0) for c in (less, more)]
            # Of tiles within WINDOW of the least time the one is taken that moves least.
            assert time[1] <= time[0] * WINDOW + 1


def test_vector_sram_saves_re_reads() -> None:
    work = elementwise("softmax", 1 << 20, 1 << 12)  # rows of 8 KiB
    small, large = (vector_costs([work], [VectorCore(128, 16, s)], (1,)) for s in (1 << 12, 1 << 13))
    assert int(small.hbm_bytes[0, 0, 0] - large.hbm_bytes[0, 0, 0]) == 2 << 20
    assert int(large.hbm_bytes[0, 0, 0]) == work.bytes_in + work.bytes_out


def test_split_of_k_is_paid_and_used_only_where_it_helps() -> None:
    # A weight gradient with a small result: only k is long enough for 16 cores of 128 × 128.
    work = product(128, 1 << 16, 128)
    table = tensor_costs([work], [TPU], (1, 16), memory=MemorySystem(1e9))
    assert table.cut(0, 0, 1) == (1, 1, 16, 1)
    reduction = 2 * 4 * 15 * 128 * 128
    assert int(table.hbm_bytes[0, 0, 1]) == work.bytes_in + work.bytes_out + reduction
    share = gemm(128, 1 << 12, 128, (128, 128), "ws", "tpu-like").cycles
    assert int(table.cycles[0, 0, 1]) == share + 128 * 128 * 15 // (16 * 128)
    # With many rows there is no reason to cut k.
    cut = tensor_costs([product(1 << 16, 128, 128)], [TPU], (16,)).cut(0, 0, 0)
    assert cut == (1, 16, 1, 1)


def test_multicast_reads_shared_operands_once() -> None:
    work = product(4096, 512, 512)
    table = tensor_costs([work], [TPU], SPLITS)
    assert (table.hbm_bytes[0, 0] == work.bytes_in + work.bytes_out).all()


def test_convolution_is_charged_for_its_image() -> None:
    image, weight, out = 32 * 64 * 56 * 56, 9 * 64 * 512, 32 * 56 * 56 * 512
    conv = Work(Gemm(32 * 56 * 56, 576, 512, 1, image, weight, out), (), 2 * (image + weight), 2 * out, "bf16")
    # With bandwidth to spare it would be read more often, to load weights less often: see accmine.cost.arrays.orders.
    slow = MemorySystem(1.0)
    small = tensor_costs([conv], [TensorCore(128, 128, 1 << 17)], (1,), memory=slow)
    passes = (int(small.hbm_bytes[0, 0, 0]) - conv.bytes_in - conv.bytes_out) / (2 * image)
    assert 0 < passes < 20
    large = tensor_costs([conv], [TensorCore(128, 128, 32 * MIB)], (1,), memory=slow)
    assert int(large.hbm_bytes[0, 0, 0]) == conv.bytes_in + conv.bytes_out


def test_fused_operator_takes_its_slower_side() -> None:
    part = Vector("gelu", 512 * 512)
    work = product(512, 512, 512, 1, part)
    found = costs(work)
    tensor = gemm(512, 512, 512, (128, 128), "ws", "tpu-like").cycles
    vector = int(vector_cycles(19, 0, 512 * 512, 1, 2048))
    assert found.tensor_cycles[0, 0] == tensor
    assert found.vector_cycles[0, 0] == vector
    assert found.cycles[0, 0] == max(tensor, vector)
    slow = costs(work, vector=VectorCore(16, 1, MIB))
    assert slow.cycles[0, 0] == slow.vector_cycles[0, 0] > tensor


def test_works_without_a_side_cost_nothing_there() -> None:
    works = [product(64, 64, 64), elementwise("add", 64), Work(None, (), 128, 128, "bf16")]
    found = combine(tensor_costs(works, [TPU], SPLITS), vector_costs(works, [VPU], SPLITS))
    assert (found.vector_cycles[0] == 0).all()
    assert (found.tensor_cycles[1] == 0).all()
    assert (found.cycles[2] == 0).all()
    assert found.uses_tensor.tolist() == [True, False, False]
    assert found.uses_vector.tolist() == [False, True, False]
    assert (found.hbm_bytes[2] == 256).all()


def test_a_product_that_no_listed_split_can_cut_is_invalid() -> None:
    assert tensor_costs([product(1, 1, 1)], [TPU], (16,)).cycles[0, 0, 0] == INVALID
    assert tensor_costs([product(1, 1, 1)], [TPU], (1, 16)).cut(0, 0, 1) == (1, 1, 1, 1)


def test_empty_tables() -> None:
    found = combine(tensor_costs([], [TPU], SPLITS), vector_costs([], [VPU], SPLITS))
    assert found.cycles.shape == found.hbm_bytes.shape == (0, len(SPLITS))
    assert durations(found, 1.0).shape == (0, len(SPLITS))
    assert tensor_costs([product(1, 1, 1)], [], SPLITS).cycles.shape == (1, 0, len(SPLITS))


@given(work=WORKS, bandwidth=st.floats(0.5, 5000))
def test_durations_respect_cycles_and_bandwidth(work: Work, bandwidth: float) -> None:
    found = costs(work)
    duration = durations(found, bandwidth)
    valid = found.cycles != INVALID
    assert (duration[~valid] == INVALID).all()
    assert (duration >= found.cycles).all()
    assert (duration[valid] * bandwidth >= found.hbm_bytes[valid]).all()
    tight = (duration > found.cycles) & valid
    assert ((duration[tight] - 1) * bandwidth <= found.hbm_bytes[tight] * (1 + 1e-9)).all()


@given(
    work=WORKS,
    tensor=TENSORS,
    vector=VECTOR_CORES,
    bandwidth=st.sampled_from([0.5, 20.0, 5000.0]),
    pool=st.sampled_from([0, 1 << 14, 1 << 30]),
    port=st.sampled_from([0.5, 50.0]),
)
def test_the_binding_level_is_the_slowest(
    work: Work, tensor: TensorCore, vector: VectorCore, bandwidth: float, pool: int, port: float
) -> None:
    memory = MemorySystem(bandwidth, pool, port) if pool else MemorySystem(bandwidth)
    sides = (
        tensor_costs([work], [tensor], SPLITS, memory=memory),
        vector_costs([work], [vector], SPLITS, memory=memory),
    )
    found = combine(*sides)
    levels, duration = binding(found, bandwidth), durations(found, bandwidth)
    assert LEVELS == ("array", "vector", "port", "hbm")
    for j in range(len(SPLITS)):
        if found.cycles[0, j] == INVALID:
            assert levels[0, j] == -1
            continue
        times = [x[0, j] for x in (found.tensor_cycles, found.vector_cycles, found.port_cycles)]
        times = [*map(float, times), found.hbm_bytes[0, j] / bandwidth]
        assert times[levels[0, j]] == max(times)
        assert times.index(max(times)) == levels[0, j], "of equally slow ones the first"
        assert duration[0, j] == pytest.approx(max(times), abs=1)
        assert bool(pool) or found.port_cycles[0, j] == 0


@given(work=WORKS, launch=st.integers(0, 10**6), bandwidth=st.floats(0.5, 5000))
def test_a_launch_stands_before_every_operator(work: Work, launch: int, bandwidth: float) -> None:
    sides = tensor_costs([work], [TPU], SPLITS), vector_costs([work], [VPU], SPLITS)
    slow = replace(no_corrections(1), launch_cycles=np.array([launch]))
    plain, launched = combine(*sides), combine(*sides, slow)
    before, after = durations(plain, bandwidth), durations(launched, bandwidth)
    valid = plain.cycles != INVALID
    assert (after[valid] == before[valid] + launch).all()
    assert (after[~valid] == INVALID).all()
    assert (launched.cycles == plain.cycles).all()


def test_rows_that_fit_the_shared_sram_are_read_again_from_there() -> None:
    work = elementwise("softmax", 1 << 20, 1 << 12)  # rows of 8 KiB, read once more
    core = VectorCore(128, 16, 1 << 12)
    without, small, large = (
        vector_costs([work], [core], (1, 2), memory=m)
        for m in (MemorySystem(10.0), MemorySystem(10.0, 1 << 12, 64.0), MemorySystem(10.0, 1 << 13, 64.0))
    )
    moved = work.bytes_in + work.bytes_out
    assert without.hbm_bytes[0, 0, 0] == small.hbm_bytes[0, 0, 0] == moved + (2 << 20)
    assert large.hbm_bytes[0, 0, 0] == moved
    assert without.port_cycles[0, 0, 0] == 0
    for pooled in (small, large):
        assert pooled.port_cycles[0, 0].tolist() == [(moved + (2 << 20)) // 64, (moved + (2 << 20)) // 128]


def test_types_are_chosen_from_a_table() -> None:
    works = [product(300, 200, 100)]
    cores = [TPU, TensorCore(16, 16, MIB)]
    table, vector = tensor_costs(works, cores, SPLITS), vector_costs(works, [VPU], SPLITS)
    for t, core in enumerate(cores):
        assert (combine(table.of_type(t), vector).cycles == costs(works[0], core).cycles).all()
    with pytest.raises(InputError, match="of_type"):
        combine(table, vector)


def test_wrong_input_is_refused() -> None:
    work = product(8, 8, 8)
    with pytest.raises(InputError, match="positive rows"):
        tensor_costs([work], [TensorCore(0, 8, 8)], SPLITS)
    with pytest.raises(InputError, match="ws, os, is"):
        tensor_costs([work], [TensorCore(8, 8, 8, "rs")], SPLITS)
    with pytest.raises(InputError, match="holds no tile; at least 20 B"):
        tensor_costs([work], [TensorCore(8, 8, 19)], SPLITS)
    with pytest.raises(InputError, match="positive lanes"):
        vector_costs([work], [VectorCore(0, 8, 8)], SPLITS)
    with pytest.raises(InputError, match="positive integers"):
        tensor_costs([work], [TPU], (0,))
    with pytest.raises(InputError, match="allowed: scalesim3"):
        tensor_costs([work], [TPU], SPLITS, timing="exact")
    with pytest.raises(InputError, match="unknown dtype"):
        tensor_costs([product(8, 8, 8, dtype="bool")], [TPU], SPLITS)
    with pytest.raises(InputError, match="sizes of a product"):
        tensor_costs([Work(Gemm(0, 8, 8, 1, 1, 1, 1), (), 1, 1, "bf16")], [TPU], SPLITS)
    with pytest.raises(InputError, match="hbm_bytes_per_cycle"):
        tensor_costs([work], [TPU], SPLITS, memory=MemorySystem(0.0))
    for wrong in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match="positive and finite"):
            durations(costs(work), wrong)
    one, two = tensor_costs([work], [TPU], (1,)), vector_costs([work], [VPU], (1, 2))
    with pytest.raises(InputError, match="same works and the same split"):
        combine(one, two)
    with pytest.raises(InputError, match="different works"):
        combine(one, vector_costs([product(9, 9, 9)], [VPU], (1,)))
