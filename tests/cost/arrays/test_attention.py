"""Blocks of fused attention against counts over every pair of a query and a key, and the laws of its costs."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accmine.cost import INVALID, PRESETS, MemorySystem, TensorCosts, array_cycles, tensor_costs
from accmine.cost.arrays.attention import blocks_of
from accmine.cost.arrays.ladder import WINDOW
from accmine.cost.corrections import family
from accmine.errors import InputError
from accmine.hardware import DATAFLOWS, TensorCore
from accmine.hardware.technology import load_technology
from accmine.workload import BYTES
from accmine.workload.work import Attention, Gemm, Work


def work_of(a: Attention, dtype: str = "bf16") -> Work:
    moved = a.bytes(BYTES[dtype])
    return Work(None, (), moved - 1, 1, dtype, attention=a)


@st.composite
def attentions(draw: st.DrawFn, most: int = 40) -> Attention:
    causal = draw(st.booleans())
    queries = draw(st.integers(1, most))
    keys = queries if causal else draw(st.integers(1, most))
    window = draw(st.integers(0, queries)) if causal else 0
    batch, group, width, values = (draw(st.integers(1, n)) for n in (5, 3, 20, 20))
    backward = draw(st.booleans())
    return Attention(batch, group, queries, keys, width, values, causal, window, backward=backward)


cores = st.builds(
    TensorCore,
    st.sampled_from((1, 4, 8, 16)),
    st.sampled_from((1, 3, 8, 16)),
    st.sampled_from((20, 300, 2_000, 20_000, 1 << 20)),
    st.sampled_from((*DATAFLOWS, "flexible")),
)
memories = st.one_of(
    st.builds(MemorySystem, st.sampled_from((0.5, 8.0, 1000.0))),
    st.builds(
        MemorySystem,
        st.sampled_from((0.5, 8.0, 1000.0)),
        st.sampled_from((100, 5_000, 1 << 20)),
        st.sampled_from((0.5, 16.0)),
    ),
)


def visible(a: Attention) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which keys each query sees, pair by pair."""
    query, key = np.indices((a.queries, a.keys))
    if not a.causal:
        return np.ones_like(query, dtype=np.bool_)
    return (key <= query) & (key > query - (a.window or a.keys))


def costs(a: Attention, core: TensorCore, splits: tuple[int, ...], memory: MemorySystem, dtype: str) -> TensorCosts:
    return tensor_costs([work_of(a, dtype)], [core], splits, memory=memory)


def durations(table: TensorCosts, memory: MemorySystem) -> list[float]:
    """Time of each split with all of the bandwidth; infinite where it is too many."""
    time = np.maximum(table.cycles, table.port_cycles)[0, 0]
    time = np.maximum(time, np.ceil(table.hbm_bytes[0, 0] / memory.hbm_bytes_per_cycle))
    return [inf if c == INVALID else float(t) for c, t in zip(table.cycles[0, 0], time, strict=True)]


@given(attentions())
def test_scores_and_macs_are_those_of_every_visible_pair(a: Attention) -> None:
    scores = a.batch * a.group * int(visible(a).sum())
    assert a.scores == scores
    per_score = 3 * a.width + 2 * a.value_width if a.backward else a.width + a.value_width
    assert a.macs == scores * per_score
    parts = {part.kind: part for part in a.parts}
    name = "attention-softmax-backward" if a.backward else "attention-softmax"
    assert parts[name].elements == scores
    assert parts[name].row == -(-scores // (a.batch * a.rows))


def test_a_causal_mask_halves_the_scores() -> None:
    whole = Attention(8, 1, 1024, 1024, 64, 64)
    half = replace(whole, causal=True)
    assert 2 * half.scores == whole.scores + 8 * 1024
    assert replace(half, window=1).scores == 8 * 1024
    assert replace(half, window=1024).scores == half.scores


@settings(deadline=None)
@given(attentions(), st.sampled_from((2, 4)))
def test_blocks_cover_what_is_visible(a: Attention, size: int) -> None:
    """Rectangles of what a block that stays reaches, added up one by one; sizes are no larger than asked."""
    seen = visible(a)
    ways = blocks_of(a, size)
    for i in range(len(ways.items)):
        items, reach = int(ways.items[i]), int(ways.reach[i])
        if a.backward:
            block, pairs = int(ways.keys[i]), seen.T
        else:
            block, pairs = -(-a.queries // items), seen
        rectangles = [pairs[j * block : (j + 1) * block].any(axis=0).sum() for j in range(items)]
        assert sum(rectangles) <= reach
        if len(pairs) == items * block:
            # the first and last blocks of a backward pass have their windows cut the other way round
            assert reach == sum(rectangles)
        past = ways.steps[i] * ways.step[i]
        assert past * items >= reach * (a.group if a.backward else 1)
        assert ways.longest_steps[i] * ways.longest_step[i] >= max(rectangles) * (a.group if a.backward else 1)


@settings(deadline=None)
@given(attentions(), cores, st.sampled_from((1, 2, 3, 7, 16)), memories, st.sampled_from(("bf16", "fp32")))
def test_bounds_hold(a: Attention, core: TensorCore, split: int, memory: MemorySystem, dtype: str) -> None:
    table = costs(a, core, (split,), memory, dtype)
    most = a.batch * (a.keys if a.backward else a.rows)
    assert (table.cycles[0, 0, 0] == INVALID) == (split > most)
    assert table.hbm_bytes[0, 0, 0] >= a.bytes(BYTES[dtype]) == table.compulsory_bytes[0]
    assert table.ideal_cycles[0, 0, 0] == -(-a.macs // (core.macs * split))
    assert table.ideal_cycles[0, 0, 0] <= table.cycles[0, 0, 0]
    assert bool(memory.shared_sram_bytes) >= bool(table.port_cycles[0, 0, 0])
    if memory.shared_sram_bytes and split <= most:
        # every operand crosses a port at least once
        assert table.port_cycles[0, 0, 0] * split * memory.port_bytes_per_cycle >= table.compulsory_bytes[0]


@settings(deadline=None)
@given(attentions(), cores, memories, st.sampled_from((2, 64)), st.sampled_from(("bf16", "fp32")))
def test_more_of_anything_is_no_slower(
    a: Attention, core: TensorCore, memory: MemorySystem, times: int, dtype: str
) -> None:
    splits = (1, 2, 3, 4, 5, 6, 7, 8)
    plain = durations(costs(a, core, splits, memory, dtype), memory)
    more = [(replace(core, sram_bytes=times * core.sram_bytes), memory)]
    more += [(core, replace(memory, hbm_bytes_per_cycle=times * memory.hbm_bytes_per_cycle))]
    if memory.shared_sram_bytes:
        more += [(core, replace(memory, shared_sram_bytes=times * memory.shared_sram_bytes))]
        more += [(core, replace(memory, port_bytes_per_cycle=times * memory.port_bytes_per_cycle))]
    for other, system in more:
        found = durations(costs(a, other, splits, system, dtype), system)
        for slow, fast in zip(plain, found, strict=True):
            assert fast <= WINDOW * slow + 1
    assert min(plain) <= plain[0]


def one_by_one(a: Attention, i: int, core: TensorCore, dtype: str) -> tuple[int, int]:
    """Cycles of one core and HBM bytes of a way to cut ``a``, block by block."""
    size, passes, ways = BYTES[dtype], 3 if dtype == "fp32" else 1, blocks_of(a, BYTES[dtype])
    rows, keys, items = (int(x[i]) for x in (ways.rows, ways.keys, ways.items))
    w, v = a.width, a.value_width
    unpacked = replace(PRESETS["tpu-like"], pack_products=False)

    def time(blocks: int, steps: int, step: int) -> int:
        if a.backward:
            sizes = [(step, w, keys), (step, v, keys), (keys, step, v), (keys, step, w), (step, keys, w)]
        else:
            sizes = [(rows, w, step), (rows, step, v)]
        times, total = passes * blocks * steps, 0
        for m, k, n in sizes:
            total += int(array_cycles(m, k, n, times, core.rows, core.cols, core.dataflow, unpacked))
        return total

    mean = time(a.batch * items, int(ways.steps[i]), int(ways.step[i]))
    longest = time(1, int(ways.longest_steps[i]), int(ways.longest_step[i]))
    row, reach = (w + v) * size, int(ways.reach[i])
    if a.backward:
        extra = a.batch * a.group * (reach - a.queries) * (row + 8 + 8 * w) + (4 * a.batch * a.rows if items > 1 else 0)
    else:
        extra = 0 if ways.held[i] else a.batch * (reach - a.keys) * row
    return max(mean, longest), a.bytes(size) + extra


@settings(deadline=None)
@given(attentions(24), cores, st.sampled_from(("bf16", "fp32")))
def test_the_best_way_is_taken_of_all_that_fit(a: Attention, core: TensorCore, dtype: str) -> None:
    """One core without a shared SRAM: the least bytes of those that take the least time."""
    assume(core.dataflow != "flexible")
    table = costs(a, core, (1,), MemorySystem(8.0), dtype)
    ways = blocks_of(a, BYTES[dtype])
    fits = ways.need_bytes <= core.sram_bytes
    fits |= (ways.rows == 1) & (ways.keys == 1) & ~ways.held
    every = {one_by_one(a, int(i), core, dtype) for i in np.flatnonzero(fits)}
    least = min(max(cycles, moved / 8) for cycles, moved in every)
    near = [(moved, cycles) for cycles, moved in every if max(cycles, moved / 8) <= WINDOW * least]
    found = int(table.hbm_bytes[0, 0, 0]), int(table.cycles[0, 0, 0])
    assert found in near
    assert found[0] == min(moved for moved, _ in near)


def test_keys_are_read_once_for_each_block_of_rows_or_once() -> None:
    """4 units of 512 rows of width 64 on a slow HBM: as many rows as fit, until the keys of a unit fit."""
    a = Attention(4, 1, 512, 512, 64, 64)
    keys = 4 * 512 * 128 * 2
    for sram, reads in ((40 << 10, 8), (64 << 10, 4), (100 << 10, 2), (1 << 20, 1)):
        table = costs(a, TensorCore(16, 16, sram, "ws"), (1,), MemorySystem(0.1), "bf16")
        assert table.hbm_bytes[0, 0, 0] - a.bytes(2) == (reads - 1) * keys
    shared = MemorySystem(0.1, 512 * 128 * 2, 1e6)  # the keys of one unit
    table = costs(a, TensorCore(16, 16, 40 << 10, "ws"), (1, 4), shared, "bf16")
    assert (table.hbm_bytes[0, 0] == a.bytes(2)).all()  # four cores work on one unit together


def test_a_backward_pass_adds_to_the_gradients_of_queries_once_for_each_block_of_keys() -> None:
    a = Attention(2, 3, 256, 256, 64, 32, backward=True)
    table = costs(a, TensorCore(16, 16, 64 << 10, "ws"), (1,), MemorySystem(0.1), "bf16")
    rows = 2 * 3 * 256
    blocks = {rows * ((n - 1) * ((64 + 32) * 2 + 8 + 8 * 64) + 4 * (n > 1)): n for n in range(1, 257)}
    assert blocks[int(table.hbm_bytes[0, 0, 0]) - a.bytes(2)] in (2, 4, 8)
    whole = costs(a, TensorCore(16, 16, 1 << 20, "ws"), (1,), MemorySystem(0.1), "bf16")
    assert whole.hbm_bytes[0, 0, 0] == a.bytes(2)


def test_types_are_independent_and_products_keep_their_places() -> None:
    a = Attention(6, 2, 64, 64, 32, 16, causal=True)
    works = [Work(Gemm(8, 9, 10, 1, 72, 90, 80), (), 324, 160, "bf16"), work_of(a), work_of(replace(a, backward=True))]
    types = [TensorCore(r, 8, s, f) for r in (8, 16) for s in (2_000, 1 << 20) for f in ("ws", "flexible")]
    technology, memory = load_technology("tpu-16nm"), MemorySystem(8.0, 4096, 16.0)
    table = tensor_costs(works, types, (1, 3), memory=memory, technology=technology)
    assert table.used.all()
    assert table.energy_pj is not None
    assert (table.energy_pj > 0).all()
    assert np.isfinite(table.energy_pj).all()
    for w, work in enumerate(works):
        for t, core in enumerate(types):
            alone = tensor_costs([work], [core], (1, 3), memory=memory, technology=technology)
            for name in ("cycles", "hbm_bytes", "port_cycles", "ideal_cycles", "energy_pj"):
                assert (getattr(alone, name)[0, 0] == getattr(table, name)[w, t]).all(), (name, w, t)


def test_constants_of_a_calibration_are_those_of_attention() -> None:
    assert family(work_of(Attention(6, 1, 128, 128, 32, 32))) == "attention"


def test_a_flexible_array_is_no_slower_than_any_dataflow() -> None:
    for backward in (False, True):
        a = Attention(6, 1, 128, 128, 32, 32, backward=backward)
        times = [costs(a, TensorCore(16, 8, 1 << 20, f), (1,), MemorySystem(1e6), "bf16") for f in DATAFLOWS]
        best = costs(a, TensorCore(16, 8, 1 << 20, "flexible"), (1,), MemorySystem(1e6), "bf16")
        assert best.cycles[0, 0, 0] <= WINDOW * min(t.cycles[0, 0, 0] for t in times)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "sizes of an attention must be positive"),
        ({"window": -1}, "sizes of an attention must be positive"),
        ({"keys": 9}, "a causal attention has as many queries as keys, got 8 and 9"),
        ({"batch": 1 << 50}, "is too large for 64-bit counts"),
    ],
)
def test_wrong_sizes(change: dict[str, int], message: str) -> None:
    a = replace(Attention(1, 1, 8, 8, 4, 4, causal=True), **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        costs(a, TensorCore(8, 8, 1 << 20, "ws"), (1,), MemorySystem(8.0), "bf16")
