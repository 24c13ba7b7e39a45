"""Kernels of products: equal to the closed form, nests equal to what they unroll to, edges in order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accmine.cost.arrays.timing import PRESETS, Timing, array_cycles
from accmine.cost.kernel.generate import convolution_kernel, product_kernel
from accmine.cost.kernel.mapping import Level, ProductMapping, convolution_product
from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.kernel.architecture import Architecture, Instruction, Kernel, Loop
from accmine.kernel.described.architecture_file import load_architecture, read_architecture
from accmine.kernel.described.product import ProductRule
from accmine.kernel.described.resolve import resolve
from accmine.kernel.latency import bounds, latency
from accmine.kernel.program import Issue, Program, Repeat
from accmine.kernel.recurrence import run
from accmine.workload.forward.convolution import Axis, Convolution

ROOT = Path(__file__).resolve().parents[3]

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


def convolutions(draw: random.Random, count: int, taps: tuple[int, ...] = (1, 2, 3, 5)) -> Iterator[Convolution]:
    """Convolutions with edges in all sides: strides, dilations, borders, groups down to depthwise ones."""
    while count:
        groups = draw.choice([1, 1, 2, 7])
        axes = [
            Axis(
                draw.randint(1, 11),
                draw.choice(taps),
                draw.randint(1, 3),
                draw.randint(1, 2),
                draw.randint(0, 2),
                draw.randint(0, 2),
            )
            for _ in range(2)
        ]
        if min(axis.outputs for axis in axes) > 0:
            count -= 1
            channels, out = (groups * draw.choice([1, 3, 4, 5, 9]) for _ in range(2))
            yield Convolution(draw.randint(1, 3), channels, out, groups, *axes)


def taps_machine(loops: str, rows: int, cols: int) -> Architecture:
    """The shipped weight-stationary array, with other loops in its folds."""
    text = (ROOT / "configs/kernels/systolic-ws.yaml").read_text(encoding="utf-8")
    assert "{n: cols, k: rows}" in text
    changed = load_yaml(text=text.replace("{n: cols, k: rows}", loops), name="taps.yaml")
    return read_architecture(changed, {"rows": rows, "cols": cols})


def test_a_convolution_of_one_tap_takes_the_cycles_of_its_product() -> None:
    draw = random.Random(11)
    for each in convolutions(draw, 80, taps=(1,)):
        rows, cols = draw.randint(1, 6), draw.randint(1, 6)
        taps = taps_machine("{n: cols, c: rows, r: 1, s: 1}", rows, cols)
        plain = load_architecture("systolic-ws", parameters={"rows": rows, "cols": cols})
        p = each.product()
        found = latency(resolve(taps, convolution_kernel(taps, each)))
        assert found == latency(resolve(plain, convolution_kernel(plain, each)))
        assert found == int(array_cycles(p.m, p.k, p.n, p.batch, rows, cols, "ws", "rtl-simple"))


def test_taps_one_after_the_other_take_as_many_folds_each() -> None:
    """A tap is a product of the channels alone; folds of rtl-simple follow each other."""
    draw = random.Random(12)
    for each in convolutions(draw, 80):
        rows, cols = draw.randint(1, 6), draw.randint(1, 6)
        p, taps = each.product(), each.taps
        for loops in ("{n: cols, c: rows, r: 1, s: 1}", "{r: 1, s: 1, c: rows, n: cols}"):
            machine = taps_machine(loops, rows, cols)
            found = latency(resolve(machine, convolution_kernel(machine, each)))
            one = int(array_cycles(p.m, p.k // taps, p.n, p.batch, rows, cols, "ws", "rtl-simple"))
            assert found == taps * one, each
            if (p.k // taps) % rows == 0:
                assert found == int(array_cycles(p.m, p.k, p.n, p.batch, rows, cols, "ws", "rtl-simple"))


TAPS = {
    "levels": {"strip": {"i": 1, "n": 5, "p": 2, "q": 3}, "array": {"c": 4, "r": 1, "s": 2}},
    "instructions": [
        {"load": {"per": ["m", "c"], "reads": ["dram.x:h * w * c * e"], "h": "h", "w": "w", "p": "p", "q": "q"}},
        {"work": {"m": "m", "k": "k", "n": "n", "part": "i * p * q * c * r * s * n", "sums": ["acc.C"]}},
        {"store": {"per": ["m", "n"], "after": True, "part": "b * m * n"}},
    ],
}
STRIPS = Architecture("strips", {}, {}, {}, product=ProductRule.model_validate(TAPS))


def tiles(size: int, tile: int) -> list[int]:
    return [min(tile, size - at) for at in range(0, size, tile)]


def rows_read(axis: Axis, tile: int) -> list[int]:
    """Of each tile of outputs, the positions of the padded image from the first to the last that it reads."""
    found, first = [], 0
    for size in tiles(axis.outputs, tile):
        read = [
            output * axis.stride + tap * axis.dilation
            for output in range(first, first + size)
            for tap in range(axis.kernel)
        ]
        found.append(max(read) - min(read) + 1)
        first += size
    return found


def test_loops_of_a_convolution_do_every_multiplication_once_and_load_their_windows() -> None:
    for each in convolutions(random.Random(13), 60):
        done = flat(convolution_kernel(STRIPS, each, element_bytes=2).body)
        p = each.product()
        works = [item for item in done if item.mnemonic == "work"]
        assert sum(item.values["part"] for item in works) == p.macs
        assert all(item.values["m"] * item.values["k"] * item.values["n"] == item.values["part"] for item in works)
        assert sum(item.values["m"] * item.values["n"] for item in works if item.writes) == each.output_elements
        assert all(bool(item.writes) != bool(item.updates) for item in works)
        assert sum(item.values["part"] for item in done if item.mnemonic == "store") == each.output_elements
        loads = [item for item in done if item.mnemonic == "load"]
        high, wide = rows_read(each.height, 2), rows_read(each.width, 3)
        channels = each.channels // each.groups
        again = each.images * each.groups * len(tiles(p.n, 5))
        expected = [2 * h * w * c for h in high for w in wide for c in tiles(channels, 4)] * again
        assert sorted(item.reads[0].size_bytes for item in loads) == sorted(expected)


def test_a_product_is_one_row_of_outputs_with_one_tap() -> None:
    done = flat(product_kernel(STRIPS, 7, 4, 6).body)
    loads = [item.values for item in done if item.mnemonic == "load"]
    assert [(v["h"], v["w"], v["p"], v["q"]) for v in loads] == [(1, w, 1, w) for w in (3, 3, 3, 3, 1, 1)]
    assert sum(item.values["part"] for item in done if item.mnemonic == "work") == 7 * 4 * 6


def test_a_mapping_of_taps_fits_a_description_of_products_and_its_array() -> None:
    each = Convolution(1, 4, 8, 1, Axis(6, 3), Axis(6, 3))
    machine = load_architecture("systolic-ws", parameters={"rows": 4, "cols": 4})

    def mapping(*fold: tuple[str, int]) -> ProductMapping:
        return ProductMapping((Level("block", ()), Level("fold", fold)))

    taps = mapping(("n", 4), ("r", 1), ("s", 1), ("c", 4))
    found = latency(resolve(machine, convolution_kernel(machine, each, mapping=taps)))
    assert found == latency(resolve(machine, convolution_kernel(machine, each)))
    with pytest.raises(InputError, match="at most 4 of k; the mapping gives it 12"):
        convolution_kernel(machine, each, mapping=mapping(("n", 4), ("r", 1), ("c", 4)))
    with pytest.raises(InputError, match="over k or over its parts, got k and r"):
        convolution_kernel(machine, each, mapping=mapping(("n", 4), ("k", 4), ("r", 1)))
    strips = replace(STRIPS, product=ProductRule.model_validate({**TAPS, "levels": {"array": {"c": 2, "p": 1}}}))
    whole = ProductMapping((Level("array", (("k", 4), ("p", 1))),))
    with pytest.raises(InputError, match="at most 2 of c; the mapping gives it 4"):
        convolution_kernel(strips, each, mapping=whole)


def test_nests_of_convolutions_take_as_long_as_unrolled_and_stay_within_the_bounds() -> None:
    for each in convolutions(random.Random(14), 15):
        parameters = {"rows": 4, "cols": 3, "strip": 2}
        machine = load_architecture(ROOT / "examples/kernel-convolution.yaml", parameters=parameters)
        program = resolve(machine, convolution_kernel(machine, each))
        found = latency(program)
        assert found == latency(unrolled(program)) == run(program).latency
        busy, serial = bounds(program)
        assert busy <= found <= serial


def test_more_instructions_than_int64_are_told_with_the_loop() -> None:
    machine = load_architecture("systolic-os", parameters={"rows": 1, "cols": 1})
    with pytest.raises(InputError, match=r"systolic-os.yaml:29:15: product.levels.fold.m.loop: 10000000000 trips of 2"):
        resolve(machine, product_kernel(machine, 10**10, 10**10, 5))


@pytest.mark.parametrize(
    ("bytes_", "says"),
    [("c // (6 - h)", "divides by 0"), ("(4 - h) * c", "must be at least 0, is -8")],
)
def test_expressions_without_a_value_are_told_with_their_place(bytes_: str, says: str) -> None:
    """A strip of 4 rows of outputs and 3 taps are 6 rows of an image."""
    old, new = '"dram.x:c * h * w * e"', f'"dram.x:{bytes_}"'
    text = (ROOT / "examples/kernel-convolution.yaml").read_text(encoding="utf-8")
    assert old in text
    machine = read_architecture(load_yaml(text=text.replace(old, new), name="taps.yaml"))
    each = Convolution(1, 4, 8, 1, Axis(6, 3), Axis(6, 3))
    line = next(number for number, own in enumerate(text.splitlines(), 1) if old in own)
    column = text.splitlines()[line - 1].index(old) + 1
    with pytest.raises(InputError, match=says) as caught:
        convolution_kernel(machine, each)
    assert f"taps.yaml:{line}:{column}: product.instructions.0.load_strip.reads.0: " in str(caught.value)


def test_sizes_of_a_convolution_fit_its_product() -> None:
    product = convolution_product(Convolution(2, 6, 4, 2, Axis(7, 3, 2), Axis(9, 5)))
    assert product.sizes == dict(zip("bmknipqcrs", (2, 30, 45, 2, 2, 3, 5, 3, 3, 5), strict=True))
    with pytest.raises(InputError, match="m must be images"):
        replace(product, m=31)
    with pytest.raises(InputError, match="channels · taps"):
        replace(product, k=46)
