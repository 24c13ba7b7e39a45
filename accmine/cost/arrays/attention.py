"""Fused attention on systolic arrays: blocks, cycles and traffic, after FlashAttention-2 (Dao 2023).

**Forward.** A core takes one block of ``block`` rows of queries of a unit (a sample and a key head; the rows of all
query heads that share it) at a time. Keys and values stream past in blocks: two products for each, S = Q·Kᵀ and P·V.
Its SRAM holds the rows of Q, the fp32 accumulator with maximum and sum, two blocks of keys and values, and a block of
scores. Keys and values are read once for each row block of a unit; once in all where the core's SRAM holds those of a
unit, or the shared SRAM those of all units in work.

**Backward.** A block of keys and values stays, with the fp32 sums of their gradients, and the rows of queries stream
past: five products for each, Q·Kᵀ again, dO·Vᵀ, Pᵀ·dO, dSᵀ·Q and dS·K. Gradients of queries are summed in fp32 through
the HBM (or the shared SRAM): each block of keys reads and writes them once. The other order, two passes that each make
the scores again, has seven products in the place of five and moves fewer bytes; arrays are what attention waits for.
D = rowsum(dO∘O) is made in the first pass over the rows, and written where there is a second one.

**Blocks.** Sizes are powers of two, made even over what they cut. Under a causal mask a block computes the rectangle
that its longest row reaches; blocks take their mean time, as heavy and light ones are paired, but never less than the
longest. A core's blocks follow each other without a gap; where folds overlap, fill and drain are paid once for each of
the products. Small products are not packed together: those of one row block wait for each other.

**Cores.** Blocks are dealt evenly, in the better of two orders: units are spread over the cores, or all cores work on
consecutive blocks, so that few units are in work at a time. Cores that work on one unit receive what streams by
multicast: it is read once for all of them.

Of all blocks that fit those of the least max(cycles, port time, HBM time) are taken, and of those within
``WINDOW`` of it the ones that move least. Blocks of one row and one key are taken where nothing fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from accmine.cost.arrays.ladder import WINDOW
from accmine.cost.arrays.precision import at_rate, pace
from accmine.cost.arrays.products import SUM_BYTES
from accmine.cost.arrays.timing import IntArray, Timing, array_cycles, ceil_div
from accmine.cost.energy import EnergyConstants, FloatArray, gemm_sram_bytes, mac_pj, sram_pj_per_byte
from accmine.cost.memory import MemorySystem
from accmine.cost.operator_costs import INVALID, BoolArray, TensorCosts
from accmine.errors import InputError
from accmine.hardware import DATAFLOWS, FLEXIBLE, Rates, TensorCore
from accmine.workload import BYTES
from accmine.workload.work import LSE_BYTES, Attention, Work, seen

__all__ = ["Blocks", "blocks_of", "fill_attention"]


_LONGEST_BLOCK = 4096
_STATISTICS = 2 * SUM_BYTES  # maximum and sum, or log-sum-exp and D, of a row


@dataclass(frozen=True, eq=False)
class Blocks:
    """Ways to cut an attention into blocks; arrays of shape (ways,).

    Attributes
    ----------
    rows, keys
        Rows of queries and keys of a block.
    held
        Whether the SRAM holds all keys and values of a unit (forward only).
    items
        Blocks that stay, of one unit: of rows forward, of keys backward.
    steps, step, longest_steps, longest_step
        Blocks that stream past one that stays, and their length: on average, and for the longest.
    reach
        Sum over the blocks that stay of what streams past: keys forward, query positions backward.
    need_bytes
        SRAM that they take.
    """

    rows: IntArray
    keys: IntArray
    held: BoolArray
    items: IntArray
    steps: IntArray
    step: IntArray
    longest_steps: IntArray
    longest_step: IntArray
    reach: IntArray
    need_bytes: IntArray

    def at(self, keep: Any) -> Blocks:
        """Those of ``keep``."""
        return Blocks(**{name: value[keep] for name, value in vars(self).items()})


def blocks_of(a: Attention, element_bytes: int) -> Blocks:
    """Every way to cut ``a`` into blocks."""
    ways = product(_powers(a.rows), _powers(a.keys), (False,) if a.backward else (False, True))
    rows, keys, held = np.array(list(ways), dtype=np.int64).T
    row_blocks, key_blocks = ceil_div(a.rows, rows), ceil_div(a.keys, keys)
    rows, keys = ceil_div(a.rows, row_blocks), ceil_div(a.keys, key_blocks)
    if a.backward:
        items, block, streamed, unit, size = key_blocks, keys, a.queries, a.group, rows
    else:
        items, block, streamed, unit, size = row_blocks, ceil_div(a.queries, row_blocks), a.keys, 1, keys
    reach = seen(items, block, streamed, a.reach) if a.causal else items * streamed
    longest = np.minimum(streamed, block + a.reach - 1) if a.causal else np.full_like(items, streamed)
    mean, longest = ceil_div(unit * reach, items), unit * longest
    steps, longest_steps = ceil_div(mean, size), ceil_div(longest, size)
    width, e = a.width + a.value_width, element_bytes
    if a.backward:
        need = keys * width * (e + SUM_BYTES) + 2 * rows * (width * e + _STATISTICS + SUM_BYTES * a.width)
        need = need + 2 * SUM_BYTES * rows * keys
    else:
        need = rows * (a.width * e + SUM_BYTES * a.value_width + _STATISTICS) + SUM_BYTES * rows * keys
        need = need + np.where(held, a.keys, 2 * keys) * width * e
    even, longest_even = ceil_div(mean, steps), ceil_div(longest, longest_steps)
    return Blocks(rows, keys, held > 0, items, steps, even, longest_steps, longest_even, reach, need)


def _powers(size: int) -> list[int]:
    """Powers of two up to the first that is no less than ``size``, and no longer than the longest block."""
    most = min(_LONGEST_BLOCK, 1 << (size - 1).bit_length())
    return [1 << i for i in range(most.bit_length())]


def fill_attention(
    table: TensorCosts,
    works: Sequence[Work],
    types: Sequence[TensorCore],
    timing: Timing,
    memory: MemorySystem,
    technology: EnergyConstants | None,
) -> None:
    """Put the costs of the fused attentions among ``works`` into their places of ``table``.

    Raises
    ------
    InputError
        If a size is not positive or too large for 64-bit counts.
    """
    groups: dict[tuple[Rates, int, int, str], list[int]] = {}
    for t, core in enumerate(types):
        groups.setdefault((core.rates, core.rows, core.cols, core.dataflow), []).append(t)
    for w, work in enumerate(works):
        if work.attention is None:
            continue
        _check(work.attention)
        compulsory = int(table.compulsory_bytes[w])
        search = _search(work.attention, work.dtype, table.splits, timing, memory, compulsory)
        for alike in groups.values():
            _fill(table, w, search, [types[t] for t in alike], alike, technology)


def _check(a: Attention) -> None:
    if min(a.batch, a.group, a.queries, a.keys, a.width, a.value_width) < 1 or a.window < 0:
        raise InputError(f"sizes of an attention must be positive, got {a}")
    if a.causal and a.queries != a.keys:
        raise InputError(f"a causal attention has as many queries as keys, got {a.queries} and {a.keys}")
    if 1024.0 * a.batch * a.rows * a.keys * (a.width + a.value_width) > np.iinfo(np.int64).max:
        raise InputError(f"an attention of {a.batch} × {a.rows} × {a.keys} is too large for 64-bit counts")


@lru_cache(maxsize=16)  # a library asks for one core type after the other
def _search(
    attention: Attention, dtype: str, splits: tuple[int, ...], timing: Timing, memory: MemorySystem, compulsory: int
) -> _Search:
    return _Search(attention, dtype, splits, timing, memory, compulsory)


class _Search:
    """The ways of one attention, with what does not depend on the core; arrays of shape (ways, splits)."""

    def __init__(
        self,
        attention: Attention,
        dtype: str,
        splits: Sequence[int],
        timing: Timing,
        memory: MemorySystem,
        compulsory: int,
    ) -> None:
        self.attention, self.dtype, self.memory, self.compulsory = attention, dtype, memory, compulsory
        self.timing, self.size = timing, BYTES[dtype]
        self.splits = np.array(splits, dtype=np.int64)
        ways = blocks_of(attention, self.size)
        self.ways = ways
        items = attention.batch * ways.items[:, None]
        self.own = ceil_div(items, self.splits)
        self.valid = items >= self.splits
        self.extra = np.minimum(*(self._extra_bytes(*order) for order in self._orders()))
        self.port = self._port_bytes() if memory.shared_sram_bytes else np.zeros_like(self.extra)
        hbm = (compulsory + self.extra) / memory.hbm_bytes_per_cycle
        self.waits = np.maximum(hbm, self.port / memory.port_bytes_per_cycle)
        self._known: dict[TensorCore, tuple[IntArray, list[Any]]] = {}

    def _orders(self) -> list[tuple[IntArray, IntArray]]:
        """(passes over what streams past a unit, units in work at a time) of the two orders of blocks."""
        batch, items, cores = self.attention.batch, self.ways.items[:, None], self.splits
        spread = ceil_div(items, np.clip(cores // batch, 1, items)), np.minimum(batch, cores)
        # Cores have consecutive blocks: where these do not begin with a unit, it is met once more.
        at_once = np.minimum(items, cores)
        aligned = np.where(cores < items, items % cores, cores % items) == 0
        passes = np.minimum(items, ceil_div(items, at_once) + ~aligned)
        return [spread, (passes, np.minimum(batch, ceil_div(cores, items) + ~aligned))]

    def _extra_bytes(self, passes: IntArray, units: IntArray) -> IntArray:
        """HBM bytes beyond those of operands that are touched once, in one of the orders."""
        a, ways = self.attention, self.ways
        row = (a.width + a.value_width) * self.size
        kept = a.rows * (row + _STATISTICS + SUM_BYTES * a.width) if a.backward else a.keys * row
        in_shared = units * kept <= self.memory.tiles_bytes
        length, streamed = (a.keys, a.queries) if a.backward else (a.queries, a.keys)
        read = seen(passes, ceil_div(length, passes), streamed, a.reach) if a.causal else passes * streamed
        again = read - streamed
        if not a.backward:
            return np.asarray(np.where(in_shared | ways.held[:, None], 0, a.batch * again * row), dtype=np.int64)
        rows = again * (row + _STATISTICS) + np.where(passes > 1, SUM_BYTES * streamed, 0)
        sums = 2 * SUM_BYTES * a.width * (ways.reach - streamed)[:, None]
        return np.asarray(np.where(in_shared, 0, a.batch * a.group * (rows + sums)), dtype=np.int64)

    def _port_bytes(self) -> IntArray:
        """Bytes through the port of the busiest core."""
        a, ways = self.attention, self.ways
        width = (a.width + a.value_width) * self.size
        past = (ways.steps * ways.step)[:, None]
        if a.backward:
            row = width + a.value_width * self.size + _STATISTICS + 2 * SUM_BYTES * a.width
            return np.asarray(self.own * (2 * ways.keys[:, None] * width + past * row), dtype=np.int64)
        units = ceil_div(self.own, ways.items[:, None])
        streamed = np.where(ways.held[:, None], units * a.keys, self.own * past) * width
        return np.asarray(streamed + self.own * ways.rows[:, None] * (width + LSE_BYTES), dtype=np.int64)

    def products(self, *, longest: bool = False) -> list[tuple[IntArray, IntArray, IntArray]]:
        """Sizes (m, k, n) of the products of one step of each way."""
        a, ways = self.attention, self.ways
        step, width, values = ways.longest_step if longest else ways.step, a.width, a.value_width
        if not a.backward:
            return [(ways.rows, _like(step, width), step), (ways.rows, step, _like(step, values))]
        wide, wide_values, keys = _like(step, width), _like(step, values), ways.keys
        forward = [(step, wide, keys), (step, wide_values, keys)]
        return [*forward, (keys, step, wide_values), (keys, step, wide), (step, keys, wide)]

    def cycles(self, core: TensorCore) -> tuple[IntArray, list[Any]]:
        """Cycles of the busiest core, and for each product the dataflow of each way, an index into ``DATAFLOWS``."""
        alike = replace(core, sram_bytes=1)
        if alike not in self._known:
            self._known[alike] = self._cycles(alike)
        return self._known[alike]

    def _cycles(self, core: TensorCore) -> tuple[IntArray, list[Any]]:
        mean, longest = np.zeros_like(self.own), np.zeros_like(self.own)
        passes, rate = pace(self.dtype, core.rates, self.timing)
        flows = []
        for sizes, far in zip(self.products(), self.products(longest=True), strict=True):
            once, more, flow = self._linear(sizes, passes * self.ways.steps, core)
            flows.append(flow)
            mean += once[:, None] + more[:, None] * self.own
            if self.attention.causal:
                once, more, _ = self._linear(far, passes * self.ways.longest_steps, core)
                longest += (once + more)[:, None]
        return at_rate(np.maximum(mean, longest), rate), flows

    def _linear(
        self, sizes: tuple[IntArray, IntArray, IntArray], steps: IntArray, core: TensorCore
    ) -> tuple[IntArray, IntArray, Any]:
        """Cycles of n blocks are once + n · more, by the best dataflow."""
        names = DATAFLOWS if core.dataflow == FLEXIBLE else (core.dataflow,)
        found = []
        for flow in names:
            one, two = (array_cycles(*sizes, steps * n, core.rows, core.cols, flow, self.timing) for n in (1, 2))
            found.append((2 * one - two, two - one))
        best = np.stack([more for _, more in found]).argmin(axis=0)
        once, more = (np.take_along_axis(np.stack(part), best[None], axis=0)[0] for part in zip(*found, strict=True))
        return once, more, np.array([DATAFLOWS.index(name) for name in names])[best]


def _like(shape: IntArray, value: int) -> IntArray:
    return np.full_like(shape, value)


def _fill(
    table: TensorCosts,
    work: int,
    search: _Search,
    cores: Sequence[TensorCore],
    at: Sequence[int],
    technology: EnergyConstants | None,
) -> None:
    """The costs on cores that differ in their SRAM only."""
    core, ways, split = cores[0], search.ways, np.arange(len(search.splits))
    cycles, flows = search.cycles(core)
    score = np.where(search.valid, np.maximum(cycles, search.waits), np.inf)
    streamed = None if technology is None else _array_bytes(search, core, flows)
    _, rate = pace(search.dtype, core.rates, search.timing)
    ideal = at_rate(ceil_div(search.attention.macs, core.macs * search.splits), rate)
    smallest = (ways.rows == 1) & (ways.keys == 1) & ~ways.held
    for t, own in zip(at, cores, strict=True):
        fits = np.flatnonzero((ways.need_bytes <= own.sram_bytes) | smallest)
        best = fits[_choice(score[fits], search.extra[fits])]
        usable = search.valid[best, split]
        table.cycles[work, t] = np.where(usable, cycles[best, split], INVALID)
        table.hbm_bytes[work, t] += np.where(usable, search.extra[best, split], 0)
        port = np.ceil(search.port[best, split] / search.memory.port_bytes_per_cycle).astype(np.int64)
        table.port_cycles[work, t] = np.where(usable, port, 0)
        table.ideal_cycles[work, t] = ideal
        if table.energy_pj is not None and technology is not None and streamed is not None:
            picojoules = _picojoules(search, own, streamed[best], best, technology)
            table.energy_pj[work, t] = np.where(usable, picojoules, np.inf)


def _choice(score: FloatArray, moved: IntArray) -> IntArray:
    """For each split the way that moves least of those that take the least time, within ``WINDOW``; shape (splits,)."""
    near = score <= WINDOW * score.min(axis=0)
    least = np.where(near, moved, INVALID).min(axis=0)
    return np.asarray(np.where(near & (moved == least), score, np.inf).argmin(axis=0), dtype=np.int64)


def _array_bytes(search: _Search, core: TensorCore, flows: Sequence[Any]) -> FloatArray:
    """Bytes between SRAM and array of all blocks, for each way."""
    total = np.zeros(len(search.ways.items))
    passes, _ = pace(search.dtype, core.rates, search.timing)
    times = passes * search.attention.batch * search.ways.items * search.ways.steps
    for sizes, chosen in zip(search.products(), flows, strict=True):
        for index, flow in enumerate(DATAFLOWS):
            moved = gemm_sram_bytes(*sizes, times, core.rows, core.cols, flow, search.size)
            total += np.where(chosen == index, moved, 0)
    return total


def _picojoules(
    search: _Search, core: TensorCore, streamed: FloatArray, best: IntArray, technology: EnergyConstants
) -> FloatArray:
    """Energy without compulsory HBM traffic, for each split."""
    split = np.arange(len(best))
    extra = search.extra[best, split]
    filled = search.attention.bytes(search.size) + extra
    each = mac_pj(search.dtype, search.timing, technology, core.rates)
    total = search.attention.macs * each + extra * technology.hbm_pj_per_byte
    total = total + (streamed + filled) * sram_pj_per_byte(technology, [core.sram_bytes])[0]
    if search.memory.shared_sram_bytes:
        crossing = search.port[best, split] * search.splits + filled
        total = total + crossing * technology.sram_pj_per_byte(search.memory.shared_sram_bytes)
    return np.asarray(total, dtype=np.float64)
