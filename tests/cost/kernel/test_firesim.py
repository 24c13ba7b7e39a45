"""Layers under DOSA's notation: arrays, calls, traffic and loops of their kernels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accmine.cost.kernel.firesim import Layer, array_of, calls_of, layer_kernel, tile_of
from accmine.errors import InputError
from accmine.kernel.architecture import Instruction, Kernel, Loop
from accmine.kernel.described.architecture_file import load_architecture
from accmine.kernel.described.resolve import resolve
from accmine.kernel.latency import bounds, latency
from accmine.kernel.recurrence import run


def layer(mapping: str, stride: int = 1, **sizes: int) -> Layer:
    return Layer({**dict.fromkeys("CKNPQRS", 1), **sizes}, stride, mapping)


CONV = layer("L3[WIO] K2 C3 P2 - L2[WI] K4X - L1[O] R3 S3 Q4 C2X - L0[W] P2", C=6, K=8, P=4, Q=4, R=3, S=3)


def counted(kernel: Kernel) -> dict[str, int]:
    """How often each instruction is executed, by label or mnemonic."""

    def walk(body: tuple[Instruction | Loop, ...], times: int) -> Iterator[tuple[str, int]]:
        for item in body:
            if isinstance(item, Loop):
                yield from walk(item.body, times * item.trips)
            else:
                yield item.label or item.mnemonic, times

    found: dict[str, int] = {}
    for name, times in walk(kernel.body, 1):
        found[name] = found.get(name, 0) + times
    return found


def of(kernel: Kernel, name: str) -> dict[str, int]:
    """Values of the first instruction of a name."""

    def walk(body: tuple[Instruction | Loop, ...]) -> Iterator[Instruction]:
        for item in body:
            yield from walk(item.body) if isinstance(item, Loop) else (item,)

    return dict(next(i.values for i in walk(kernel.body) if name in (i.label, i.mnemonic)))


def test_every_tile_is_moved_in_and_outputs_leave_once() -> None:
    kernel = layer_kernel(CONV)
    calls = counted(kernel)
    assert calls.pop("begin") == 1
    assert calls.pop("mvout") == 2 * 2  # K and P; sums over C stay
    assert set(calls.values()) == {2 * 3 * 2} == {calls_of(CONV)}
    assert of(kernel, "mvin inputs")["requests"] == (2 + 2) * (4 + 2)
    assert of(kernel, "mvin inputs")["bytes"] == 4 * 6 * 2
    assert of(kernel, "mvin weights")["bytes"] == 3 * 3 * 2 * 4
    assert of(kernel, "compute") == {"blocks": 9 * 4, "rows": 9 * 4 * 4}  # 2 rows take as long as 4
    assert of(kernel, "mvout") == {"requests": 2 * 4, "bytes": 2 * 4 * 4}


def test_the_array_holds_both_spatial_factors() -> None:
    assert array_of(CONV) == 4
    assert array_of(layer("L3[WIO] N1 - L2[WI] K12X - L1[O] C48X - L0[W] N1", C=48, K=12)) == 64
    assert array_of(layer("L3[WIO] N1 - L2[WI] N1 - L1[O] N1 - L0[W] N1")) == 2


def test_a_product_runs_in_blocks_of_the_array() -> None:
    # a tile of 64 deep is 4 blocks of 4, one of 8 wide a single block
    one = layer("L3[WIO] K2 C4 - L2[WI] K4X - L1[O] K2 C16 C4X - L0[W] N1", C=256, K=16)
    assert calls_of(one) == (256 // (4 * 4)) * (16 // 4)
    assert of(layer_kernel(one), "compute") == {"blocks": 4, "rows": 16}


def test_blocks_are_as_large_as_the_array_whatever_part_of_it_is_named() -> None:
    """12 channels of an array of 16: 48 and 24 channels are 3 and 2 blocks, not 4 and 2."""
    mapping = "L3[WIO] Q21 - L2[WI] K12X - L1[O] K2 C4 R3 C12X - L0[W] P21"
    one = layer(mapping, C=48, K=24, P=21, Q=21, R=3, S=1)
    # 21 rows: a block of 16, and one of 5
    assert of(layer_kernel(one), "compute") == {"blocks": 3 * 2 * 3 * 2, "rows": 3 * 2 * 3 * 21}


def test_pages_of_weights_are_looked_up_each_time_and_walked_once_while_they_fit() -> None:
    """A row of 1024 weights, of which a tile takes 16: 64 rows lie in 16 pages."""
    mapping = "L3[WIO] K64 P4 Q4 - L2[WI] K16X - L1[O] C64X - L0[W] N1"
    one = layer(mapping, C=64, K=1024, P=4, Q=4)
    kernel = layer_kernel(one)
    pages, walks = (of(kernel, "mvin weights")[name] for name in ("pages", "walks"))
    assert pages == 16_000
    assert walks == round(1000 * 16 / calls_of(one))
    assert of(kernel, "mvin inputs")["pages"] == of(kernel, "mvin inputs")["walks"] == 0


def test_the_tile_is_what_the_kernel_repeats() -> None:
    tile, counts = tile_of(CONV), counted(layer_kernel(CONV))
    assert tile.calls == counts["compute"]
    assert tile.finished == counts["mvout"]


def test_a_filter_of_even_size_makes_one_more_row_and_column() -> None:
    even = layer("L3[WIO] P4 Q4 - L2[WI] K4X - L1[O] R2 S2 C4X - L0[W] N1", C=4, K=4, P=4, Q=4, R=2, S=2)
    assert calls_of(even) == 5 * 5


def test_images_are_square() -> None:
    tall = layer("L3[WIO] P8 Q2 - L2[WI] K4X - L1[O] C4X - L0[W] N1", C=4, K=4, P=8, Q=2)
    assert calls_of(tall) == 8 * 8


def test_what_fits_the_cache_is_missed_once() -> None:
    """Inputs of 64 KiB are read 4 times and missed once; with images of 4 MiB, every time."""
    for rows, times in ((32, 1), (256, 4)):
        mapping = f"L3[WIO] K4 Q{rows} - L2[WI] K16X - L1[O] C64X - L0[W] P{rows}"
        one = layer(mapping, C=64, K=64, P=rows, Q=rows)
        lines = of(layer_kernel(one), "mvin inputs")["lines"] * calls_of(one) / 1000
        assert lines == pytest.approx(times * rows * rows)


def test_the_latency_is_that_of_every_instruction_in_turn_and_within_bounds() -> None:
    program = resolve(load_architecture("gemmini-like", parameters={"dim": 4}), layer_kernel(CONV))
    busy, serial = bounds(program)
    assert busy <= latency(program) == run(program).latency <= serial


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("L3[WIO] K2", "levels L3, L2, L1 and L0"),
        ("L3[WIO] K2 - L2[WI] Z4 - L1[O] N1 - L0[W] N1", "factor that is none"),
        ("L3[WIO] K0 - L2[WI] N1 - L1[O] N1 - L0[W] N1", "factor that is none"),
        ("L3 K2 - L2[WI] N1 - L1[O] N1 - L0[W] N1", "no level"),
        ("L3[WIO] K2 - L2[WI] N1 - L1[O] N1 - L0[W] N1", "2 tiles of 1 are not 8"),
    ],
)
def test_a_mapping_that_is_none_is_named(mapping: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        layer_kernel(layer(mapping, K=8))
