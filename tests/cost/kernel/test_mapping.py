"""Mappings by the tile search: a kernel takes the cycles that the search counted for its tiles."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from accmine.cost.arrays.gemm import gemm
from accmine.cost.kernel.generate import convolution_kernel, product_kernel
from accmine.cost.kernel.mapping import Product, Window, convolution_product, default_mapping, searched_loops
from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.hardware import TensorCore
from accmine.kernel.architecture import Architecture, Instruction, Kernel, Loop
from accmine.kernel.described.architecture_file import load_architecture, read_architecture
from accmine.kernel.described.resolve import resolve
from accmine.kernel.latency import latency
from accmine.workload.forward.convolution import Axis, Convolution


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


STRIPS = """name: strips
parameters: {sram_bytes: 4096}
stages:
  issue: {kind: fetch, to: [run]}
  run: {kind: execute, to: [array]}
units:
  array: {executes: [work], latency: m * c, reads: [regs], writes: [regs]}
registers:
  regs: {sums: 1}
product:
  search: {rows: 16, cols: 16, sram_bytes: sram_bytes}
  levels:
    block: search
    array: {n: 16, p: 1, q: 8, c: 16, r: 1, s: 1}
  instructions:
    - work: {m: m, c: c, part: m * n * k, sums: [regs.sums]}
"""


def strips(text: str = STRIPS, **parameters: int) -> Architecture:
    return read_architecture(load_yaml(text=text, name="strips.yaml"), parameters)


def test_tiles_of_the_search_are_whole_rows_and_images_of_a_convolution() -> None:
    draw = random.Random(8)
    for _ in range(60):
        height, width = (Axis(draw.randint(3, 30), draw.choice([1, 3])) for _ in range(2))
        each = Convolution(draw.randint(1, 4), draw.randint(1, 90), draw.randint(1, 90), 1, height, width)
        product = convolution_product(each, 2)
        sram = draw.choice([4096, 20_000, 100_000])
        machine = strips(sram_bytes=sram)
        core = TensorCore(16, 16, sram, "ws")
        searched = dict(searched_loops(replace(product, window=Window()), core, "rtl-simple"))
        block = dict(default_mapping(machine, product).levels[0].loops)
        assert set(block) <= {"i", "p", "q", "n", "c", "r", "s"}
        tile = {d: min(size, block.get(d, size)) for d, size in product.sizes.items()}
        for whole, (outer, middle, inner) in (("m", "ipq"), ("k", "crs")):
            most = min(searched.get(whole, product.sizes[whole]), product.sizes[whole])
            own = tile[outer] * tile[middle] * tile[inner]
            assert own <= most
            # No larger one holds whole rows and images.
            assert (tile[middle], tile[inner]) == (product.sizes[middle], product.sizes[inner]) or tile[outer] == 1
            assert tile[inner] == product.sizes[inner] or tile[middle] == 1
        assert tile["n"] == min(searched.get("n", product.n), product.n)
        works = issues_of(convolution_kernel(machine, each, element_bytes=2))
        assert sum(works) == each.product().macs


def issues_of(kernel: Kernel) -> list[int]:
    def walked(body: Sequence[Instruction | Loop]) -> list[int]:
        return [
            part
            for item in body
            for part in (walked(item.body) * item.trips if isinstance(item, Loop) else [item.values["part"]])
        ]

    return walked(kernel.body)


def test_a_search_alone_covers_its_tiles_with_one_instruction_each() -> None:
    last = (
        STRIPS.replace("    array: {n: 16, p: 1, q: 8, c: 16, r: 1, s: 1}\n", "")
        .replace("m * c", "m")
        .replace("c: c,", "")
    )
    machine, product = strips(last), Product(300, 100, 200, element_bytes=2)
    loops = dict(default_mapping(machine, product).levels[-1].loops)
    kernel = product_kernel(machine, 300, 100, 200, element_bytes=2)
    counts = [-(-size // loops.get(d, size)) for d, size in (("m", 300), ("n", 100), ("k", 200))]
    assert len(issues_of(kernel)) == counts[0] * counts[1] * counts[2] > 1
    assert sum(issues_of(kernel)) == 300 * 100 * 200
    assert len(issues_of(product_kernel(strips(last, sram_bytes=0), 300, 100, 200))) == 1


def test_what_is_wrong_with_a_search_is_told_with_its_place() -> None:
    with pytest.raises(InputError, match=r"strips.yaml:11:44: product.search.sram_bytes: .*20 bytes, or 0 .*; is 19"):
        product_kernel(strips(sram_bytes=19), 4, 4, 4)
    wrong = STRIPS.replace("sram_bytes: sram_bytes}", "sram_bytes: 4096, timing: rtl-simpel}")
    says = r"strips.yaml:11:58: product.search.timing: unknown timing 'rtl-simpel'; .*allowed: .*rtl-simple"
    with pytest.raises(InputError, match=says):
        product_kernel(strips(wrong), 4, 4, 4)
