"""Kernels of products: equal to the closed form, nests equal to what they unroll to, edges in order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from accmine.cost.arrays.timing import PRESETS, Timing, array_cycles
from accmine.cost.kernel.generate import product_kernel
from accmine.cost.kernel.mapping import Level, ProductMapping
from accmine.errors import InputError
from accmine.kernel.architecture import Architecture, Instruction, Kernel, Loop
from accmine.kernel.described.architecture_file import load_architecture
from accmine.kernel.described.product import ProductRule
from accmine.kernel.described.resolve import resolve
from accmine.kernel.latency import bounds, latency
from accmine.kernel.program import Issue, Program, Repeat
from accmine.kernel.recurrence import run

SHIPPED = ("systolic-ws", "systolic-os", "ultratrail-like", "plasticine-like")


def cycles(architecture: Architecture, m: int, n: int, k: int, **options: Any) -> int:
    return latency(resolve(architecture, product_kernel(architecture, m, n, k, **options)))


def sizes(draw: random.Random, count: int) -> Iterator[Any]:
    """Products around the sides of an array: less, equal, one more, multiples, and others; batches too."""
    for _ in range(count):
        rows, cols = draw.randint(1, 9), draw.randint(1, 9)
        near = [1, rows, cols, rows + 1, cols + 1, 2 * rows, 3 * cols, 3 * rows - 1]
        m, n, k = (draw.choice([*near, draw.randint(1, 60)]) or 1 for _ in range(3))
        yield rows, cols, m, n, k, draw.choice([1, 1, 1, 2, 5])


@pytest.mark.parametrize("flow", ["ws", "os"])
def test_systolic_arrays_take_the_cycles_of_the_closed_form(flow: str) -> None:
    for rows, cols, m, n, k, batch in sizes(random.Random(7), 250):
        architecture = load_architecture(f"systolic-{flow}", parameters={"rows": rows, "cols": cols})
        expected = int(array_cycles(m, k, n, batch, rows, cols, flow, "rtl-simple"))
        assert cycles(architecture, m, n, k, batch=batch) == expected, (rows, cols, m, n, k, batch)


def test_second_weights_are_loaded_behind_the_first() -> None:
    overlapped = replace(PRESETS["rtl-simple"], weight_load_overlap=True)
    for rows, cols, m, n, k, _ in sizes(random.Random(8), 60):
        changed = {"rows": rows, "cols": cols, "weight_buffers": 2}
        architecture = load_architecture("systolic-ws", parameters=changed)
        assert cycles(architecture, m, n, k) == int(array_cycles(m, k, n, 1, rows, cols, "ws", overlapped))


def test_second_sums_drain_behind_the_next_fold() -> None:
    overlapped = Timing(row_latency=2, output_latency=1, os_drain="overlapped")
    for rows, cols, m, n, k, _ in sizes(random.Random(9), 60):
        architecture = load_architecture("systolic-os", parameters={"rows": rows, "cols": cols, "sum_buffers": 2})
        assert cycles(architecture, m, n, k) == int(array_cycles(m, k, n, 1, rows, cols, "os", overlapped))


def unrolled(program: Program) -> Program:
    def flat(body: tuple[Issue | Repeat, ...]) -> tuple[Issue, ...]:
        return tuple(
            issue for item in body for issue in (flat(item.body) * item.trips if isinstance(item, Repeat) else (item,))
        )

    return replace(program, body=flat(program.body))


@pytest.mark.parametrize("name", SHIPPED)
def test_nests_take_as_long_as_unrolled_and_stay_within_the_bounds(name: str) -> None:
    draw = random.Random(name)
    parameters = {"tile": 3} if name == "plasticine-like" else {}
    for _ in range(10):
        architecture = load_architecture(name, parameters=parameters)
        m, n, k = (draw.randint(1, 40) for _ in range(3))
        program = resolve(architecture, product_kernel(architecture, m, n, k, batch=draw.choice([1, 2])))
        found = latency(program)
        assert found == latency(unrolled(program)) == run(program).latency
        busy, serial = bounds(program)
        assert busy <= found <= serial


def loops(body: Sequence[Issue | Repeat]) -> Iterator[Repeat]:
    for item in body:
        if isinstance(item, Repeat):
            yield item
            yield from loops(item.body)


@pytest.mark.parametrize("name", [*SHIPPED, "gemmini-like"])
def test_powers_of_every_loop_equal_its_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every number of iterations up to 25, of every loop of a product with edges in all sides."""
    monkeypatch.setattr("accmine.kernel.latency._Evaluation.leaps", lambda *_: True)
    architecture = load_architecture(name)
    side = 4000 if name == "gemmini-like" else 300
    program = resolve(architecture, product_kernel(architecture, side, side - 10, side + 10))
    found = list(loops(program.body))
    assert found
    for loop in found:
        inner = tuple(replace(item, trips=2) if isinstance(item, Repeat) else item for item in loop.body)
        for count in range(1, 26):
            alone = replace(program, body=(replace(loop, trips=count, body=inner),))
            assert latency(alone) == run(alone).latency, (loop.name, count)


@pytest.mark.parametrize("name", SHIPPED)
def test_larger_products_take_no_less(name: str) -> None:
    architecture = load_architecture(name)
    for axis in range(3):
        last = 0
        for size in (1, 7, 8, 9, 16, 17, 63, 64, 65, 200):
            shape = [20, 20, 20]
            shape[axis] = size
            now = cycles(architecture, *shape)
            assert now >= last
            last = now


RULE = {
    "levels": {"block": {"n": 4, "m": 3, "k": 5}, "array": {"k": 2}},
    "instructions": [
        {"load": {"per": ["m", "k"], "level": "block", "writes": ["spad.A:m * k * e"]}},
        {"work": {"m": "m", "k": "k", "n": "n", "sums": ["acc.C"]}},
        {"store": {"per": ["m", "n"], "level": "block", "after": True, "reads": ["acc.C:m * n"], "part": "m * n"}},
    ],
}
PLAIN = Architecture("plain", {}, {}, {}, product=ProductRule.model_validate(RULE))


def flat(body: Sequence[Instruction | Loop]) -> list[Instruction]:
    out: list[Instruction] = []
    for item in body:
        out += flat(item.body) * item.trips if isinstance(item, Loop) else [item]
    return out


def test_every_multiplication_is_done_once_and_every_result_begun_and_stored_once() -> None:
    draw = random.Random(3)
    for _ in range(50):
        m, n, k = (draw.randint(1, 14) for _ in range(3))
        done = flat(product_kernel(PLAIN, m, n, k, batch=2, element_bytes=2).body)
        works = [item for item in done if item.mnemonic == "work"]
        assert sum(item.values["m"] * item.values["k"] * item.values["n"] for item in works) == 2 * m * n * k
        assert sum(item.values["m"] * item.values["n"] for item in works if item.writes) == 2 * m * n
        assert all(bool(item.writes) != bool(item.updates) for item in works)
        stores = [item for item in done if item.mnemonic == "store"]
        assert sum(item.values["part"] for item in stores) == 2 * m * n
        blocks = -(-n // 4)
        loads = [item for item in done if item.mnemonic == "load"]
        assert sum(item.writes[0].size_bytes for item in loads) == 2 * 2 * m * k * blocks


def test_a_store_stands_behind_the_last_sum_of_its_block() -> None:
    order = [item.mnemonic for item in flat(product_kernel(PLAIN, 3, 4, 10).body)]
    assert order == ["load", "work", "work", "work", "load", "work", "work", "work", "store"]


def test_another_mapping_moves_other_loads() -> None:
    def loads(order: Any) -> Any:
        mapping = ProductMapping((Level("block", order), Level("array", (("k", 2),))))
        return Counter(item.mnemonic for item in flat(product_kernel(PLAIN, 8, 8, 10, mapping=mapping).body))["load"]

    assert loads((("m", 4), ("k", 5), ("n", 4))) == 4  # A block stays while columns of B pass
    assert loads((("n", 4), ("m", 4), ("k", 5))) == 8


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        (ProductMapping((Level("array", (("k", 2),)),)), "levels of a mapping must be block, array, got array"),
        (ProductMapping((Level("block", ()), Level("array", (("k", 3),)))), "covers at most 2 of k"),
        (ProductMapping((Level("block", ()), Level("array", ()))), "covers at most 2 of k; the mapping gives it 9"),
    ],
)
def test_mappings_that_do_not_fit_are_refused(mapping: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        product_kernel(PLAIN, 4, 4, 9, mapping=mapping)


def test_wrong_products_and_descriptions_are_refused() -> None:
    with pytest.raises(InputError, match="sizes of a product must be positive"):
        product_kernel(PLAIN, 0, 4, 9)
    with pytest.raises(InputError, match="no key `product`"):
        product_kernel(replace(PLAIN, product=None), 1, 4, 9)
    with pytest.raises(InputError, match="must not be called m"):
        product_kernel(replace(PLAIN, parameters={"m": 1}), 1, 4, 9)
    with pytest.raises(InputError, match="unknown dimension 'z'"):
        Level("block", (("z", 1),))
    with pytest.raises(InputError, match="at least 1, got 0"):
        Level("block", (("m", 0),))


def test_loops_of_huge_products_stay_small() -> None:
    kernel = product_kernel(PLAIN, 10**9 + 1, 10**9 + 1, 10**9 + 1)
    assert isinstance(kernel, Kernel)

    def text(body: Sequence[Instruction | Loop]) -> int:
        return sum(text(item.body) if isinstance(item, Loop) else 1 for item in body)

    assert text(kernel.body) < 200
