"""The search over grids: near trying every grid on at most so many cores, and never slower with more of them."""

from __future__ import annotations

from itertools import permutations
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import PRESETS, MemorySystem
from accmine.cost.arrays.grid_search import Found, GridSearch, product_pj
from accmine.cost.arrays.ladder import WINDOW
from accmine.cost.arrays.products import products_of
from accmine.cost.arrays.split import grids_of
from accmine.errors import InputError
from accmine.hardware import DATAFLOWS, TensorCore
from accmine.hardware.technology import load_technology
from accmine.workload.graph import Gemm, Work
from tests.samples.cost_sample import CORES, alone, convolution, product

TPU = PRESETS["tpu-like"]
SIZES = st.integers(1, 300)
CONVOLUTIONS = st.builds(
    convolution, st.integers(1, 6), st.integers(1, 12), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3])
)


def weight_gradient(images: int, side: int, channels: int, filters: int) -> Work:
    """Its halo lies along k: the image is operand B."""
    forward = convolution(images, side, channels, filters)
    g = forward.gemm
    assert g is not None
    turned = Gemm(filters, g.m, g.k, 1, g.c_elements, g.a_elements, g.b_elements, 0, g.halo_elements, "k", images)
    return Work(turned, (), 2 * (g.c_elements + g.a_elements), 2 * g.b_elements, "bf16")


WORKS = st.one_of(
    st.builds(product, SIZES, SIZES, SIZES, st.sampled_from([1, 2, 9]), st.sampled_from(["bf16", "fp32"])),
    CONVOLUTIONS,
    st.builds(weight_gradient, st.integers(1, 6), st.integers(1, 9), st.integers(1, 20), st.integers(1, 20)),
)
MEMORIES = st.sampled_from([MemorySystem(2.0), MemorySystem(1e4), MemorySystem(9.0, 1 << 15, 5.0)])


def time_of(found: Found, memory: MemorySystem, column: int = 0) -> float:
    hbm = found.hbm_bytes[0, column] / memory.hbm_bytes_per_cycle
    return float(max(found.cycles[0, column], hbm, found.port_bytes[0, column] / memory.port_bytes_per_cycle))


def best_of_all_grids(work: Work, core: TensorCore, memory: MemorySystem, split: int) -> float:
    """The least time over all grids on so many cores, any two dimensions cut, each grid on its own."""
    best, g = inf, work.gemm
    assert g is not None
    for first in (f for f in range(1, split + 1) if split % f == 0):
        for i, j in permutations(range(4), 2):
            cut = [1, 1, 1, 1]
            cut[i], cut[j] = first, split // first
            if all(size >= factor for size, factor in zip((g.batch, g.m, g.k, g.n), cut, strict=True)):
                best = min(best, time_of(alone(work, core, memory, (cut[0], cut[1], cut[2], cut[3])), memory))
    return best


@settings(max_examples=40, deadline=None)
@given(work=WORKS, core=CORES, memory=MEMORIES)
def test_near_the_best_of_all_grids_on_at_most_so_many_cores(
    work: Work, core: TensorCore, memory: MemorySystem
) -> None:
    splits = tuple(range(1, 13))
    search = GridSearch(
        products_of([work], TPU), grids_of(splits), np.array([work.bytes_in + work.bytes_out]), TPU, memory
    )
    found, best, last = search.best(core), inf, inf
    for column, split in enumerate(splits):
        best = min(best, best_of_all_grids(work, core, memory, split))
        here = time_of(found, memory, column)
        # One percent for bytes among equal tiles, one for cores that are not worth it, one for cuts of k left out.
        assert here <= WINDOW**3 * best + 1
        assert here <= last, "more cores are never slower"
        assert np.prod(search.grids.factors[found.grid[0, column]]) <= split
        last = here
        cut = tuple(search.grids.factors[found.grid[0, column]].tolist())
        assert here >= time_of(alone(work, core, memory, cut), memory) / WINDOW**2


def test_repeats_the_smaller_split_where_more_cores_are_no_use() -> None:
    # Bound by the HBM from the first core on, in time and in cycles: one output on arrays that hold all of it.
    search = GridSearch(
        products_of([product(1, 1, 1)], TPU), grids_of((1, 2, 3)), np.array([6]), TPU, MemorySystem(1.0)
    )
    found = search.best(TensorCore(16, 16, 1 << 20))
    assert found.grid[0].tolist() == [0, 0, 0]
    assert len(set(found.cycles[0].tolist())) == 1


def test_any_number_of_cores() -> None:
    # 7 cores take a seventh of the rows each, not a quarter.
    work, core, memory = product(7 * 4096, 1024, 1024), TensorCore(128, 128, 1 << 23), MemorySystem(1e9)
    splits = (1, 4, 7, 108)
    search = GridSearch(products_of([work], TPU), grids_of(splits), np.array([0]), TPU, memory)
    cycles = search.best(core).cycles[0]
    assert cycles[0] / cycles[2] == pytest.approx(7, rel=0.01)
    assert cycles[0] / cycles[1] == pytest.approx(4, rel=0.01)
    assert cycles[0] / cycles[3] > 100


def test_dataflow_of_a_flexible_array_is_named() -> None:
    # What does not fill the array stands still at a loss: k of 17 for weights, m of 65,537 for outputs.
    works = [product(64, 17, 64), product(65_537, 16, 16)]
    search = GridSearch(products_of(works, TPU), grids_of((1,)), np.zeros(2, dtype=np.int64), TPU, MemorySystem(1e9))
    flows = search.best(TensorCore(16, 16, 1 << 30, "flexible")).dataflow[:, 0]
    assert [DATAFLOWS[flow] for flow in flows] == ["os", "ws"]


def test_energy_of_a_product() -> None:
    technology = load_technology("tpu-16nm")
    work, core = product(256, 512, 128), TensorCore(16, 16, 1 << 24)
    products = products_of([work], TPU)
    for memory in (MemorySystem(1e9), MemorySystem(1e9, 1 << 24, 16.0)):
        search = GridSearch(products, grids_of((1,)), np.array([work.bytes_in + work.bytes_out]), TPU, memory)
        energy = product_pj(products, search, search.best(core), core, technology)[0, 0]
        operands = 2 * (256 * 512 + 512 * 128 + 256 * 128)
        streamed = 2 * (256 * 512 * 8 + 512 * 128) + 4 * 256 * 128 * (2 * 32 - 1)
        expected = work.macs * technology.mac_pj("bf16") + (streamed + operands) * technology.sram_pj_per_byte(1 << 24)
        if memory.shared_sram_bytes:
            expected += 2 * operands * technology.sram_pj_per_byte(1 << 24)
        assert energy == pytest.approx(expected, rel=1e-12)


def test_wrong_products_are_refused() -> None:
    with pytest.raises(InputError, match="sizes of a product must be positive"):
        products_of([Work(Gemm(8, 8, 8, 0, 1, 1, 1), (), 1, 1, "bf16")], TPU)
    with pytest.raises(InputError, match="allowed: bf16, fp16, fp32, fp8, int8, tf32"):
        products_of([Work(Gemm(8, 8, 8, 1, 64, 64, 64), (), 1, 1, "bool")], TPU)


def test_no_products() -> None:
    none = np.zeros(0, dtype=np.int64)
    search = GridSearch(products_of([], TPU), grids_of((1, 2)), none, TPU, MemorySystem(1.0))
    assert search.best(TensorCore(8, 8, 1024)).cycles.shape == (0, 2)
