"""The least longest chain over all cuts, of many pairs of a design and a plan at once, nearly.

Within a limit B every stage takes the most layers that its chains and its memory allow: the longer it is, the more
stands before the next one, but that one ends no earlier for it, since a layer counts m times in its own stage and once
before the others. So whether any cut has all chains

    Σ_{k<s} (f_k + b_k + 2c) + m t_s + u_0  and  Σ_{k<s} (f_k + c) + m t_s + u_s

within B is one walk through the stages, and B is bisected. With ``1f1b`` stage s holds W = p - s microbatches: it
begins pass j + W when j is back, and stage e ≥ s of a window of n = e - s + 1 stages sends back j + n when j + W
arrives. The first microbatch goes to the end and back (R_s), then each turn through the window brings n, and the last
goes again:

    Σ_{k<s} (t_k + 2c) + 2 R_s + ⌊(m - 1 - W) / n⌋ (Σ_{s≤k≤e} t_k + 2c (n - 1)) + u_0,
    R_s = Σ_{k≥s} t_k + 2c (p - 1 - s)

where messages count that other chains do not see; it bounds the end of stage e by the beginning of stage s, and the
walk stays the same. Of u_0 only the first layer counts, chains that return to a stage between the first and the last
are left out, and a stage has the least working memory of any class: all make the bound lower, never higher.
``accmine.problems.device_placement.chain_bound`` has the exact chains, a pair at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

__all__ = ["Pairs", "cut_bounds", "joined", "reached"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_STEPS = 10
"""Halvings of the interval between the bounds: a thousandth of it is left, and ``least_chain`` is exact."""

_WINDOWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
"""Stages of the windows that are looked at."""

_MORE = 1e-9
"""Layers that rounding may not take away."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of a design and a plan whose chains have the same runs; arrays over pairs unless said.

    Attributes
    ----------
    runs
        (class, layers) along the chain.
    stages, microbatches
        Of the plan.
    forward_s, backward_s, update_s
        Seconds of one layer with its collectives, and of its update with its gradient sum; shape (classes, pairs).
    transfer_s
        Of a message to the next stage, and back; shape (2, pairs).
    memory_bytes
        HBM without what every stage has.
    static_bytes, stash_bytes
        Of one layer: what is there once, and for each microbatch in flight; shape (classes, pairs).
    held
        Microbatches in flight by stage; shape (most stages, pairs).
    windows
        Whether the schedule is one forward, one backward.
    """

    runs: tuple[tuple[int, int], ...]
    stages: IntArray
    microbatches: IntArray
    forward_s: FloatArray
    backward_s: FloatArray
    update_s: FloatArray
    transfer_s: FloatArray
    memory_bytes: FloatArray
    static_bytes: FloatArray
    stash_bytes: FloatArray
    held: IntArray
    windows: BoolArray

    @property
    def layers(self) -> int:
        """Length of the chain."""
        return sum(n for _, n in self.runs)

    def take(self, which: BoolArray | IntArray) -> Pairs:
        """Some of the pairs."""
        names = [f.name for f in fields(self) if f.name != "runs"]
        return Pairs(self.runs, **{n: getattr(self, n)[..., which] for n in names})


def joined(several: Sequence[Pairs]) -> Pairs:
    """Pairs with the same runs side by side."""
    most = max(len(pairs.held) for pairs in several)
    held = [np.pad(pairs.held, ((0, most - len(pairs.held)), (0, 0))) for pairs in several]
    names = [f.name for f in fields(Pairs) if f.name not in ("runs", "held")]
    rows = {name: np.concatenate([getattr(pairs, name) for pairs in several], axis=-1) for name in names}
    return Pairs(several[0].runs, held=np.concatenate(held, axis=1), **rows)


def cut_bounds(pairs: Pairs, low: FloatArray, high: float) -> FloatArray:
    """A bound of the step over all cuts of each pair, at least ``low``; ``inf`` where no cut stays below ``high``.

    Parameters
    ----------
    low
        Bounds that are known; shape (pairs,).
    high
        What is at least this is of no interest.
    """
    low, top = low.copy(), np.full(len(low), high)
    possible = reached(pairs, top)[0] == pairs.layers
    found = np.full(len(low), np.inf)
    at = np.flatnonzero(possible & (low < high))
    if len(at):
        some, under, over = pairs.take(at), low[at], top[at]
        for _ in range(_STEPS):
            middle = 0.5 * (under + over)
            fits = reached(some, middle)[0] == pairs.layers
            over, under = np.where(fits, middle, over), np.where(fits, under, middle)
        found[at] = under
    return found


def reached(pairs: Pairs, limit: FloatArray, *, cuts: bool = False) -> tuple[IntArray, IntArray]:
    """Layers of the chain that stages within a limit hold, (pairs,), and where each stage ends, (stages, pairs)."""
    total, m = pairs.layers, pairs.microbatches.astype(np.float64)
    both = pairs.forward_s + pairs.backward_s
    ends = np.cumsum([n for _, n in pairs.runs])
    first = pairs.runs[0][0]
    position = np.zeros(len(limit), dtype=np.int64)
    back, ahead = limit - pairs.update_s[first], limit.copy()
    most = int(pairs.stages.max(initial=0))
    rows = np.zeros((most if cuts else 0, len(limit)), dtype=np.int64)
    alive = np.ones(len(limit), dtype=bool)
    windows = _Windows(pairs, limit)
    for stage in range(most):
        live = alive & (stage < pairs.stages)
        budgets = [back, ahead, pairs.memory_bytes, windows.room(stage)]
        go, here = live, position
        last = total - (pairs.stages - 1 - stage)
        spent, sent = np.zeros(len(limit)), np.zeros(len(limit))
        for (kind, n), end in zip(pairs.runs, ends.tolist(), strict=True):
            left = np.where(go, np.clip(np.minimum(end, last) - here, 0, n), 0)
            if not left.any():
                continue
            costs = (
                m * both[kind],
                m * both[kind] + pairs.update_s[kind],
                pairs.static_bytes[kind] + pairs.held[stage] * pairs.stash_bytes[kind],
                both[kind],
            )
            room = np.min([b / np.maximum(c, 1e-300) for b, c in zip(budgets, costs, strict=True)], axis=0)
            taken = np.minimum(left, np.maximum(np.floor(room + _MORE), 0.0)).astype(np.int64)
            budgets = [b - taken * c for b, c in zip(budgets, costs, strict=True)]
            spent += taken * both[kind]
            sent += taken * pairs.forward_s[kind]
            here = here + taken
            go = go & (here >= np.minimum(end, last))
        alive &= ~live | (here > position)
        position = np.where(live, here, position)
        windows.add(spent)
        back, ahead = back - spent - pairs.transfer_s.sum(axis=0), ahead - sent - pairs.transfer_s[0]
        if cuts:
            rows[stage] = position
    return np.where(alive, position, 0), rows


class _Windows:
    """How far stages may reach by the chains through windows; what stands before each stage comes stage by stage."""

    def __init__(self, pairs: Pairs, limit: FloatArray) -> None:
        self.pairs, self.message = pairs, pairs.transfer_s.sum(axis=0)
        layers = sum(n * (pairs.forward_s[kind] + pairs.backward_s[kind]) for kind, n in pairs.runs)
        self.free = limit - pairs.update_s[pairs.runs[0][0]] - 2 * layers
        self.before = [np.zeros(len(limit))]

    def add(self, spent: FloatArray) -> None:
        """Take over the time of the next stage."""
        self.before.append(self.before[-1] + spent)

    def room(self, stage: int) -> FloatArray:
        """Longest time of a stage that keeps all windows that end with it within the limit."""
        found = np.full(len(self.free), np.inf)
        p, m = self.pairs.stages, self.pairs.microbatches
        for n in _WINDOWS:
            first = stage - n + 1
            if first < 0:
                break
            turns = np.where(self.pairs.windows, (m - 1 - p + first) // n, 0)
            if not (turns > 0).any():
                continue
            start = self.before[first]
            rest = self.free + start - self.message * (first + 2 * (p - 1 - first))
            end = start + rest / np.maximum(turns, 1) - self.message * (n - 1)
            found = np.where(turns > 0, np.minimum(found, end - self.before[stage]), found)
        return found
