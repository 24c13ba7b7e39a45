"""Improve a choice by exchanging the options of one slot, or of two at once, within the limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .pipeline_programs import Prices, Program

__all__ = ["improve"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_MOVES = 160  # on each side of a pair


@dataclass(frozen=True, eq=False)
class _Moves:
    """All single exchanges of a pipeline: change of step and of costs; arrays of shape (moves,)."""

    stage: IntArray
    row: IntArray
    step: FloatArray
    area: IntArray
    tdp: IntArray


def _moves(program: Program, rows: IntArray) -> _Moves:
    steps = program.exchanged(rows)
    now = float(steps[0][rows[0]])
    sizes = [len(row) for row in steps]

    def change(name: str) -> IntArray:
        costs = [getattr(own, name) for own in program.stages]
        return np.concatenate([cost - cost[r] for cost, r in zip(costs, rows, strict=True)])

    return _Moves(
        np.repeat(np.arange(len(sizes)), sizes),
        np.concatenate([np.arange(size) for size in sizes]),
        np.concatenate(steps) - now,
        change("area"),
        change("tdp"),
    )


def improve(
    programs: Sequence[Program],
    rows: Sequence[IntArray],
    room: dict[str, int],
    prices: Prices,
    rounds: int,
    over: Callable[[], object],
) -> list[IntArray]:
    """Exchange while the sum of the relaxed steps falls.

    Parameters
    ----------
    rows
        Row of each stage of each pipeline, within the limits.
    room
        What is left of each limit (``area``, ``tdp``); a cost that is not named has none.
    prices
        By which moves are ranked before they are paired.
    """
    best = [own.copy() for own in rows]
    room = dict(room)
    moves = [_moves(p, r) for p, r in zip(programs, best, strict=True)]
    for _ in range(rounds):
        if over():
            break
        chosen = _best_moves(moves, room, prices)
        if not chosen:
            break
        before = sum(float(programs[w].exchanged(best[w])[0][best[w][0]]) for w in {w for w, _ in chosen})
        saved = {w: best[w].copy() for w, _ in chosen}
        for w, i in chosen:
            best[w][moves[w].stage[i]] = moves[w].row[i]
        after = sum(float(programs[w].exchanged(best[w])[0][best[w][0]]) for w in saved)
        if after >= before:  # two moves in one pipeline may bring less than each alone
            for w, own in saved.items():
                best[w] = own
            break
        for w, i in chosen:
            for name in room:
                room[name] -= int(getattr(moves[w], name)[i])
        for w in saved:
            moves[w] = _moves(programs[w], best[w])
    return best


def _best_moves(moves: Sequence[_Moves], room: dict[str, int], prices: Prices) -> list[tuple[int, int]]:
    """The single move or the pair that shortens the steps most, as (pipeline, move); empty if none does."""
    owner = np.concatenate([np.full(len(m.step), w) for w, m in enumerate(moves)])
    index = np.concatenate([np.arange(len(m.step)) for m in moves])
    stage = np.concatenate([m.stage for m in moves])
    step = np.concatenate([m.step for m in moves])
    costs = {name: np.concatenate([getattr(m, name) for m in moves]) for name in room}
    fits = np.ones(len(step), dtype=bool)
    for name, left in room.items():
        fits &= costs[name] <= left
    single = int(np.where(fits, step, np.inf).argmin())
    if fits[single] and step[single] < 0:
        return [(int(owner[single]), int(index[single]))]
    worth = step + sum(getattr(prices, name) * cost for name, cost in costs.items())
    freeing = np.zeros(len(step), dtype=bool)
    for cost in costs.values():
        freeing |= cost < 0
    first = _least(worth, step < 0)
    second = _least(worth, freeing & (step >= 0))
    if not len(first) or not len(second):
        return []
    total = step[first][:, None] + step[second][None, :]
    apart = (owner[first][:, None] != owner[second][None, :]) | (stage[first][:, None] != stage[second][None, :])
    total[~apart] = np.inf
    for name, left in room.items():
        total[costs[name][first][:, None] + costs[name][second][None, :] > left] = np.inf
    at = divmod(int(total.argmin()), len(second))
    if total[at] >= 0:
        return []
    pair = (first[at[0]], second[at[1]])
    return [(int(owner[i]), int(index[i])) for i in pair]


def _least(worth: FloatArray, allowed: npt.NDArray[np.bool_]) -> IntArray:
    """The allowed moves of least priced change."""
    found = np.flatnonzero(allowed)
    if len(found) > _MOVES:
        found = found[np.argpartition(worth[found], _MOVES)[:_MOVES]]
    return found
