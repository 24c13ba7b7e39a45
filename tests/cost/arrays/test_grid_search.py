"""The search over grids: equal to trying every grid, first of equal ones, whatever is asked beside."""

from __future__ import annotations

from math import gcd, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost import PRESETS, MemorySystem
from accmine.cost.arrays.grid_search import GridSearch, product_pj, products_of
from accmine.cost.arrays.split import grids_of
from accmine.cost.arrays.tiles import SUM_BYTES, Shares, shared_tiles
from accmine.cost.arrays.tiling import best_tiles
from accmine.errors import InputError
from accmine.hardware import DATAFLOWS, TensorCore
from accmine.hardware.technology import load_technology
from accmine.workload.graph import Gemm, Work
from tests.samples.cost_sample import CORES, convolution, product

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


def share_of(work: Work, cut: tuple[int, ...]) -> Shares | None:
    """The busiest core's share of a work cut along (batch, m, k, n), in plain integers; ``None``: too fine."""
    g = work.gemm
    assert g is not None
    sizes = (g.batch, g.m, g.k, g.n)
    if any(size < factor for size, factor in zip(sizes, cut, strict=True)):
        return None
    batch, m, k, n = (-(-size // factor) for size, factor in zip(sizes, cut, strict=True))
    by_batch, by_m, by_k, by_n = cut
    e, passes = (4, TPU.fp32_passes) if work.dtype == "fp32" else (2, 1)
    a, b, c = g.a_elements, g.b_elements, g.c_elements
    pieces = by_k if g.halo_axis == "k" else by_m
    halo = g.halo_elements * (pieces - gcd(pieces, g.images))
    values = (
        *(m, k, n, batch * passes, a, b, c),
        *(-(-a // (by_batch * by_m * by_k)), -(-b // (by_batch * by_k * by_n)), -(-c // prod(cut))),
        *(e, batch * m * n * (by_k - 1), by_k),
        work.bytes_in + work.bytes_out + 2 * SUM_BYTES * (by_k - 1) * c + e * halo,
        *(by_m, g.halo_elements if g.halo_axis == "m" else 0, g.images, 0),
    )
    return Shares(*(np.array([value], dtype=np.int64) for value in values))


@settings(max_examples=60, deadline=None)
@given(work=WORKS, core=CORES, memory=MEMORIES)
def test_equals_trying_every_grid(work: Work, core: TensorCore, memory: MemorySystem) -> None:
    grids, compulsory = grids_of((1, 4, 6)), np.array([work.bytes_in + work.bytes_out])
    products = products_of([work], TPU)
    search = GridSearch(products, grids, compulsory, TPU, memory)
    found = search.best(core)
    whole = (products.m, products.k, products.n, products.batch, products.a, products.b, products.element_bytes)
    for split in range(3):
        best: tuple[float, int, int, int, int] | None = None
        for index in range(grids.starts[split], grids.starts[split + 1]):
            share = share_of(work, tuple(grids.factors[index].tolist()))
            if share is None:
                continue
            # products of a batch on different cores have the shared SRAM among them
            size = memory.tiles_bytes // int(grids.factors[index, 0])
            shared = shared_tiles(*whole, size) if memory.shared_sram_bytes else None
            tile = best_tiles(share, core, TPU, memory, shared)
            fixed = int(share.fixed_bytes[0] - compulsory[0])
            values = (int(tile.cycles[0]), fixed + int(tile.extra_bytes[0]), int(tile.port_bytes[0]))
            if best is None or tile.score[0] < best[0]:
                best = (float(tile.score[0]), index, *values)
        assert found.usable[0, split] == (best is not None)
        if best is not None:
            chosen = (found.grid, found.cycles, found.extra_bytes, found.port_bytes)
            assert tuple(int(x[0, split]) for x in chosen) == best[1:]


def test_of_equal_grids_the_first() -> None:
    # Cutting a square product along m or n is the same to a square os array, also where a later grid is visited first.
    core, memory, grids = TensorCore(16, 16, 1 << 30, "os"), MemorySystem(1e9), grids_of((2, 4, 8))
    work = product(256, 64, 256)
    search = GridSearch(products_of([work], TPU), grids, np.array([0]), TPU, memory)
    found = search.best(core)
    for split in range(3):
        scores = {}
        for index in range(grids.starts[split], grids.starts[split + 1]):
            share = share_of(work, tuple(grids.factors[index].tolist()))
            if share is not None:
                scores[index] = float(best_tiles(share, core, TPU, memory).score[0])
        best = [index for index, value in scores.items() if value == min(scores.values())]
        assert len(best) > 1
        assert found.grid[0, split] == best[0]


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
