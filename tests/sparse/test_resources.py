"""Resources: blocks against every way to lay them out, buffers against a stream, logic against its structures."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import product
from math import ceil

import pytest

from accmine.sparse.engine import DEFAULT_MODEL, EngineModel
from accmine.sparse.folding import DENSE, MEMORIES, SLACKS, SPARSE, Folding, divisors, fines
from accmine.sparse.layer import Layer, Level, binomial
from accmine.sparse.resources import BRAM18, RESOURCES, SMALLEST_BLOCK, URAM, adapter, blocks, lut_ram, used

DSP, LUT, FF, BRAM, _, BITS = range(len(RESOURCES))


def layer(channels_in: int = 64, channels_out: int = 64, kernel: tuple[int, int] = (3, 3), cluster: int = 1) -> Layer:
    none = (Level("0", (binomial(kernel[0] * kernel[1] * cluster, Fraction(1)),)),)
    return Layer("l", channels_in, channels_out, kernel, (56, 56), (56, 56), cluster=cluster, levels=none)


@cache
def mixed(depth: int, width: int) -> int:
    """Least blocks when columns of different shapes may stand side by side."""
    if width <= 0:
        return 0
    return min(ceil(depth / words) + mixed(depth, width - bits) for bits, words in BRAM18)


def next_shape(depth: int, width: int) -> int:
    """As fpgaConvNet counts: columns of 36 bits, and the next wider shape for what is narrower."""
    bits = next((bits for bits, _ in BRAM18 if bits >= width), 36)
    return ceil(width / 36) * ceil(depth / dict(BRAM18)[bits])


def test_shapes_are_those_of_the_blocks() -> None:
    """18 Kbit, of which every ninth is parity and in shapes from 9 bits on; 288 Kbit."""
    assert {bits * words for bits, words in BRAM18} == {16 * 1024, 18 * 1024}
    assert [bits * words for bits, words in URAM] == [288 * 1024]


def test_blocks_by_brute_force() -> None:
    for depth, width in product([1, 31, 511, 512, 513, 1024, 1025, 2048, 3000, 4096, 9000, 16385], range(1, 75)):
        found = blocks(depth, width, BRAM18)
        assert mixed(depth, width) <= found <= next_shape(depth, width)
        assert found * 18 * 1024 >= depth * width
        assert blocks(depth, width, URAM) == ceil(depth / 4096) * ceil(width / 72)


def test_more_words_or_bits_never_need_fewer_blocks() -> None:
    for depth in range(1, 5000, 97):
        row = [blocks(depth, width, BRAM18) for width in range(1, 150)]
        assert row == sorted(row)
    for width in (1, 8, 9, 16, 27, 144):
        for column in zip(*((blocks(d, width, BRAM18), lut_ram(d, width)) for d in range(1, 5000, 13)), strict=True):
            assert list(column) == sorted(column)


def test_small_memories_hold_what_they_should() -> None:
    """A LUT holds 64 words of a bit, or 32 of two."""
    assert [lut_ram(depth, 16) for depth in (1, 32, 33, 64, 65, 128)] == [8, 8, 16, 16, 32, 32]
    assert lut_ram(32, 3) == 2


@pytest.mark.parametrize("memory", MEMORIES)
def test_memories_hold_all_weights(memory: str) -> None:
    for own, engine in product([layer(), layer(512, 512), layer(12, 10, (1, 1), cluster=4)], (DENSE, SPARSE)):
        for ci, co, fine in product((1, 2), (1, 2, 5), fines(own, engine)):
            if own.channels_out % co:
                continue
            chosen = Folding(engine, ci, co, 1, fine, memory)
            streamed = replace(chosen, memory="stream")
            without, found = used(own, streamed, DEFAULT_MODEL), used(own, chosen, DEFAULT_MODEL)
            weights = own.parameters * 16
            assert without[BITS] == weights * 56 * 56, "all of them for each position"
            if memory == "stream":
                continue
            lut, bram, uram = (found[i] - without[i] for i in (LUT, BRAM, 4))
            assert lut * 64 + bram * 18 * 1024 + uram * 288 * 1024 >= weights
            assert sum(extra > 0 for extra in (lut, bram, uram)) == 1
            assert (lut > 0) == (ceil(own.parameters / chosen.multipliers) * fine * 16 < SMALLEST_BLOCK)
            assert found[BITS] == 0


@pytest.mark.parametrize("seed", range(20))
def test_buffers_hold_a_stream_until_its_window_is_there(seed: int) -> None:
    """A map that comes word by word, channels innermost: how far back the oldest word of a window is."""
    draw = random.Random(seed)
    (rows, columns), channels, across = draw.choice([(3, 3), (1, 3), (3, 1), (2, 2), (5, 5)]), draw.randint(1, 6), 7
    held: deque[tuple[int, int, int]] = deque()
    longest = 0
    for position in product(range(rows), range(across), range(channels)):
        held.append(position)
        row, column, channel = position
        if row == rows - 1 and column >= columns - 1:
            longest = max(longest, len(held) - held.index((0, column - columns + 1, channel)) - 1)
    window = rows * columns
    none = (Level("0", (binomial(window, Fraction(1)),)),)
    own = Layer("l", channels, 1, (rows, columns), (9, across), (9, across), levels=none)
    alone = used(own, Folding(DENSE, 1, 1, 1, window, "stream"), DEFAULT_MODEL)
    control = DEFAULT_MODEL.engine_lut + (window - 1) * 32 + 32 + (lut_ram(1, 32) if channels > 1 else 0)
    assert (alone[LUT] - control) * 64 + alone[BRAM] * 18 * 1024 >= longest * 16
    assert longest == ((rows - 1) * across + columns - 1) * channels


def test_lines_of_a_wide_map_are_blocks() -> None:
    """Two lines of 56·64 words of 16 bits, four blocks of 9 bits by 2048 each, and six positions of 64 words."""
    assert used(layer(), Folding(DENSE, 1, 1, 1, 9, "stream"), DEFAULT_MODEL)[BRAM] == 2 * 4 + 6 * 1
    split = used(layer(), Folding(DENSE, 2, 1, 1, 9, "stream"), DEFAULT_MODEL)
    assert split[BRAM] == 2 * 2 * 2, "positions of 32 words are in LUTs"
    assert used(layer(64, 64, (1, 1), cluster=4), Folding(DENSE, 1, 1, 1, 4, "stream"), DEFAULT_MODEL)[BRAM] == 0


@pytest.mark.parametrize(
    ("data", "weight", "dense", "sparse"),
    [(16, 16, 9, 9), (8, 8, 5, 9), (4, 4, 3, 9), (8, 4, 5, 9), (18, 27, 9, 9), (19, 16, 18, 18), (16, 28, 18, 18)],
)
def test_multipliers(data: int, weight: int, dense: int, sparse: int) -> None:
    """⌈data/18⌉·⌈weight/27⌉ for each; products of 8 and of 4 bits share one, but not what a crossbar picks."""
    model = EngineModel(data, weight)
    assert used(layer(), Folding(DENSE, 1, 1, 1, 9), model)[DSP] == dense
    assert used(layer(), Folding(SPARSE, 1, 1, 1, 9), model)[DSP] == sparse
    assert used(layer(), Folding(SPARSE, 2, 4, 1, 9), model)[DSP] == 8 * sparse


@pytest.mark.parametrize("engine", [DENSE, SPARSE])
def test_more_parallel_never_takes_fewer_multipliers_or_registers(engine: str) -> None:
    own = layer(8, 8, (3, 3))
    every = [
        Folding(engine, ci, co, 1, fine, "stream", slack)
        for ci, co, fine in product(divisors(8), divisors(8), fines(own, engine))
        for slack in ((1,) if engine == DENSE else SLACKS)
    ]
    use = {fold: used(own, fold, DEFAULT_MODEL) for fold in every}
    for fold, larger in product(every, every):
        pairs = [(fold.coarse_in, larger.coarse_in), (fold.coarse_out, larger.coarse_out), (fold.fine, larger.fine)]
        if all(a <= b for a, b in pairs) and fold.slack <= larger.slack:
            assert use[fold][DSP] <= use[larger][DSP]
            assert use[fold][FF] <= use[larger][FF]
            if engine == SPARSE and fold.coarse_in == larger.coarse_in and fold.coarse_out == larger.coarse_out:
                assert use[fold][LUT] <= use[larger][LUT]


def test_an_engine_that_skips_costs_more_logic_and_no_more_multipliers() -> None:
    for fine in divisors(9):
        dense = used(layer(), Folding(DENSE, 4, 4, 1, fine), DEFAULT_MODEL)
        sparse = used(layer(), Folding(SPARSE, 4, 4, 1, fine), DEFAULT_MODEL)
        deep = used(layer(), Folding(SPARSE, 4, 4, 1, fine, slack=64), DEFAULT_MODEL)
        assert sparse[DSP] == dense[DSP]
        assert dense[LUT] < sparse[LUT] < deep[LUT]


def test_a_chooser_of_any_width_is_a_tree_of_four_to_one() -> None:
    """(n - 1)/3 LUTs for a bit: count the trees."""

    def tree(inputs: int) -> int:
        return 0 if inputs == 1 else 1 if inputs <= 4 else inputs // 4 + tree(inputs // 4 + inputs % 4)

    for inputs in range(2, 145):
        exact = ceil((inputs - 1) / 3)
        assert tree(inputs) in (exact, exact + 1)
        assert abs(DEFAULT_MODEL.crossbar_lut_per_bit * (inputs - 1) - exact) < 2
        assert DEFAULT_MODEL.squeeze_lut_per_bit == DEFAULT_MODEL.crossbar_lut_per_bit
    for bits in range(1, 33):
        assert abs(DEFAULT_MODEL.zero_lut_per_bit * bits - ceil(bits / 6)) < 1


def by_hand(control: float, crossbar: float, select: float, tree: float, total: float) -> float:
    """LUTs of three multipliers on 3x3 windows, 64 sums, with factors for the parts."""
    chosen = 0.34 * 32 * 3 * 8 * crossbar + (9 * 0.17 * 32 + 9 * 2 * 3) * select
    return 60 * control + chosen + 2 * 32 * tree + 32 * total + 32


def test_the_band_is_that_of_the_structures() -> None:
    """As the comments of configs/engines/fixed16.yaml say."""
    alone = replace(DEFAULT_MODEL, window_lut_per_bit=0.0, buffer_lut=0)
    own = used(layer(kernel=(3, 3)), Folding(SPARSE, 1, 1, 1, 3, "stream"), alone)[LUT]
    assert own == ceil(by_hand(1, 1, 1, 1, 1)) == 553
    assert round(by_hand(0.5, 1, 0.5, 0.5, 0) / own, 2) == 0.74
    assert round(by_hand(2, 1.5, 1.5, 1.5, 1.5) / own, 2) == 1.52
    least, most = DEFAULT_MODEL.band
    assert least < 0.74 < 1.52 < most


def test_turns_of_a_dense_engine_are_taken_once_per_stream() -> None:
    model = replace(DEFAULT_MODEL, squeeze_lut_per_bit=1.0)
    none = replace(DEFAULT_MODEL, squeeze_lut_per_bit=0.0)
    for fine, co in product((1, 3, 9), (1, 4)):
        chosen = Folding(DENSE, 2, co, 1, fine, "stream")
        assert used(layer(), chosen, model)[LUT] - used(layer(), chosen, none)[LUT] == 2 * 16 * (9 - fine)


def test_a_sliding_window_is_paid_once_per_stream() -> None:
    """Nine positions of 16 bits, two lines and six positions that wait; none for a kernel of one position."""
    none = replace(DEFAULT_MODEL, window_lut_per_bit=0.0, buffer_lut=0, buffer_ff=0)
    for engine, ci, co in product((DENSE, SPARSE), (1, 2), (1, 4)):
        chosen = Folding(engine, ci, co, 1, 3, "stream")
        more, less = used(layer(), chosen, DEFAULT_MODEL), used(layer(), chosen, none)
        assert more[LUT] - less[LUT] == ci * (9 * 16 + 8 * 20)
        assert more[FF] - less[FF] == ci * 8 * 24
        point = layer(kernel=(1, 1), cluster=4)
        assert used(point, replace(chosen, fine=2), DEFAULT_MODEL) == used(point, replace(chosen, fine=2), none)


def test_partial_sums_are_kept_where_channels_are_added() -> None:
    none = replace(DEFAULT_MODEL, engine_lut=0, sum_lut_per_bit=0.0)
    for ci, co, words in ((1, 1, 64), (1, 2, 32), (4, 1, 0), (4, 4, 0)):
        own = layer(4, 64, (1, 1))
        found = used(own, Folding(DENSE, ci, co, 1, 1, "stream"), none)[LUT]
        assert found == (ci * co * lut_ram(words, 32) if words else 0)


def test_adapters() -> None:
    assert adapter(4, 4, DEFAULT_MODEL) == (0, 0)
    assert adapter(1, 3, DEFAULT_MODEL) == (16 * 4, 16 * 4 * 2)
    assert adapter(3, 1, DEFAULT_MODEL) == adapter(1, 3, DEFAULT_MODEL)
