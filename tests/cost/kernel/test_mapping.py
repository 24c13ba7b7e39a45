"""Mappings by the tile search: a kernel takes the cycles that the search counted for its tiles."""

from __future__ import annotations

import random

import numpy as np
import pytest

from accmine.cost.arrays.gemm import gemm
from accmine.cost.kernel.generate import product_kernel
from accmine.cost.kernel.mapping import Product, default_mapping, searched_loops
from accmine.errors import InputError
from accmine.hardware import TensorCore
from accmine.kernel.described.architecture_file import load_architecture
from accmine.kernel.described.resolve import resolve
from accmine.kernel.latency import latency


@pytest.mark.parametrize("flow", ["ws", "os"])
def test_a_kernel_takes_the_cycles_that_the_tile_search_counted(flow: str) -> None:
    draw = random.Random(5)
    for _ in range(60):
        rows, cols = draw.choice([4, 8, 16]), draw.choice([4, 8, 16])
        m, n, k = (draw.choice([draw.randint(1, 30), draw.randint(1, 400)]) for _ in range(3))
        sram = draw.choice([4096, 20_000, 100_000])
        changed = {"rows": rows, "cols": cols, "sram_bytes": sram}
        architecture = load_architecture(f"systolic-{flow}", parameters=changed)
        kernel = product_kernel(architecture, m, n, k, element_bytes=2)
        counted = gemm(m, k, n, (rows, cols), flow, "rtl-simple", sram_bytes=sram)
        assert latency(resolve(architecture, kernel)) == counted.cycles, (rows, cols, m, n, k, sram)


def read_elements(loops: tuple[tuple[str, int], ...], sizes: dict[str, int]) -> int:
    """Elements of A and B that pass if each is read whenever one of its own loops moves on."""
    total = 0
    for own in (("m", "k"), ("k", "n")):
        reads, moved = sizes[own[0]] * sizes[own[1]], False
        for dimension, tile in reversed(loops):
            moved = moved or dimension in own
            if moved and dimension not in own:
                reads *= -(-sizes[dimension] // tile)
        total += reads
    return total


def test_loops_read_what_the_tile_search_counted() -> None:
    draw, core = random.Random(6), TensorCore(16, 16, 30_000, "ws")
    for _ in range(60):
        m, n, k = (draw.randint(1, 500) for _ in range(3))
        loops = searched_loops(Product(m, n, k, element_bytes=2), core, "rtl-simple")
        counted = gemm(m, k, n, (16, 16), "ws", "rtl-simple", sram_bytes=30_000)
        own = read_elements(loops, {"m": m, "k": k, "n": n})
        assert 2 * (own + m * n) == counted.bytes, (m, n, k, loops)


def test_without_a_limit_there_is_no_block() -> None:
    mapping = default_mapping(load_architecture("systolic-ws"), Product(100, 100, 100))
    assert [level.loops for level in mapping.levels] == [(), (("n", 16), ("k", 16))]


def test_what_the_search_does_not_know_is_refused() -> None:
    with pytest.raises(InputError, match="1, 2 and 4 bytes, got 3"):
        searched_loops(Product(1, 1, 1, element_bytes=3), TensorCore(4, 4, 4096, "ws"), "rtl-simple")
    small = load_architecture("systolic-ws", parameters={"sram_bytes": 4})
    with pytest.raises(InputError, match="20 bytes"):
        product_kernel(small, 4, 4, 4)


def test_tiles_of_the_search_are_whole_numbers() -> None:
    loops = searched_loops(Product(300, 300, 300, element_bytes=1), TensorCore(8, 8, 4096, "ws"), "rtl-simple")
    assert all(type(tile) is int and not isinstance(tile, np.integer) for _, tile in loops)
