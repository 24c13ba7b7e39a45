"""Designs layer by layer, with what the rest costs at least at several prices: exact while all of them are kept.

``streams`` eliminates the variables of a network one after the other. Taken backwards, each has its value given those
that are still joined to it, and its *regret*: by how much that is dearer than the best value, at some prices. What a
design costs at these prices is the least of all designs and the sum of its regrets. So a partial design is dropped
where its regrets pass what a budget leaves above the least, at any of the prices; with those of one resource alone what
is left in the end fits. Of partial designs with the same rests of all budgets and the same streams ahead one is kept,
which saves most of them where layers are alike, and in all at most so many, those with most room, spread over what they
have taken: where none was dropped for that, no design is a proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from accmine.ports import Clock
from accmine.problems.sparse_dataflow import Candidates, Problem

from .relaxation import whole_prices
from .streams import Network

__all__ = ["Partial", "beam"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_BLOCK = 1 << 17
"""Partial designs that are made together."""
_CELLS = 100
"""Parts of a budget within which what is left of it counts as the same, where not all are kept."""
_TILTS = (0.1, -0.1)
"""How far towards each budget alone, and away from it, further prices are."""


@dataclass(frozen=True)
class Partial:
    """What the search found.

    Attributes
    ----------
    possible
        Whether there is a design; ``None``: not known.
    picks
        Its candidate of each layer.
    made
        Partial designs that were looked at.
    """

    possible: bool | None
    picks: tuple[int, ...] = ()
    made: int = 0


def beam(
    problem: Problem,
    candidates: Sequence[Candidates],
    limits: Sequence[int | None],
    prices: Ints,
    width: int,
    clock: Clock,
) -> Partial:
    """Refute limits, or find a design with the adapters that ``streams`` counts.

    Parameters
    ----------
    limits
        In the order of ``RESOURCES``, and of the loss; at least one.
    prices
        Those of ``joint``, in whole numbers.
    width
        Partial designs that are kept.
    """
    network = Network(problem, candidates)
    limited = [i for i, most in enumerate(limits) if most is not None]
    shares = prices[limited] * np.maximum(1.0, np.array([limits[i] for i in limited], dtype=float))
    shares /= max(float(shares.sum()), 1e-300)
    alone = np.eye(len(limits), dtype=np.int64)[limited]
    every = [prices]
    for tilt, own in product(_TILTS, np.eye(len(limited))):
        every.append(whole_prices(np.maximum(0.0, (1 - tilt) * shares + tilt * own), limits))
    budgets = [sum(int(p) * (most or 0) for p, most in zip(own, limits, strict=True)) for own in [*every, *alone]]
    return _kept(network, [*every, *alone], np.array(budgets, dtype=np.int64), len(alone), width, clock)


def _kept(network: Network, prices: Sequence[Ints], budgets: Ints, alone: int, width: int, clock: Clock) -> Partial:
    """The search; one of ``budgets`` for each of ``prices``, of which the last so many are of one resource each."""
    rooms, steps = _steps(network, prices, budgets)
    if rooms.min() < 0:
        return Partial(False)
    cell = np.maximum(1, budgets[-alone:] // _CELLS)
    at: dict[int, Ints] = {}
    taken: list[tuple[Ints, Ints]] = []
    left, whole, made = rooms[None, :], True, 0
    for step in steps:
        if clock.over():
            return Partial(None, made=made)
        parent, option, left = _longer(step, left, at)
        made += len(parent)
        ahead = {v: own[parent] for v, own in at.items() if v in step.ahead}
        if step.variable in step.ahead:
            ahead[step.variable] = step.value[option]
        if len(parent) > width // 2:
            which = _distinct(np.column_stack([left, *ahead.values()]))
            if len(which) > width:
                whole = False
                cells = np.column_stack([left[which, -alone:] // cell, *(own[which] for own in ahead.values())])
                which = which[_apart(left[which, 0], cells, width)]
            parent, option, left = parent[which], option[which], left[which]
            ahead = {v: own[which] for v, own in ahead.items()}
        if not len(parent):
            return Partial(False if whole else None, made=made)
        at = ahead
        taken.append((parent, option))
    row, picks = 0, [0] * len(network.candidates)
    for step, (parent, option) in zip(reversed(steps), reversed(taken), strict=True):
        if step.variable % 2 == 0:
            picks[step.variable // 2] = int(option[row])
        row = int(parent[row])
    return Partial(True, tuple(picks), made)


@dataclass(frozen=True)
class _Step:
    """A step of the elimination, backwards.

    Attributes
    ----------
    others, shape
        The variables that its own is joined to, and their numbers of values.
    value
        Of each option, that of the variable; options of an ``in`` are candidates.
    regrets
        Shape (combinations of values of the others, options, prices).
    ahead
        Variables that later steps are joined to.
    """

    variable: int
    others: tuple[int, ...]
    shape: tuple[int, ...]
    value: Ints
    regrets: Ints
    ahead: frozenset[int]


def _steps(network: Network, prices: Sequence[Ints], budgets: Ints) -> tuple[Ints, list[_Step]]:
    """(what each budget leaves above the cheapest design, the steps backwards)."""
    least, regrets = network.regrets(np.array(prices))
    found, ahead = [], set[int]()
    for step, own in zip(network.steps, regrets, strict=True):
        others = tuple(v for v in step.variables if v != step.variable)
        value = np.arange(network.size[step.variable])
        if step.variable % 2 == 0:
            value = network.group[step.variable // 2] // network.size[step.variable + 1]
        found.append(_Step(step.variable, others, tuple(network.size[v] for v in others), value, own, frozenset(ahead)))
        ahead |= set(others)
    return budgets - least, found[::-1]


def _longer(step: _Step, left: Ints, at: dict[int, Ints]) -> tuple[Ints, Ints, Ints]:
    """(which partial design, which option, what is left of the budgets) of all that pass none."""
    key = np.zeros(len(left), dtype=np.int64)
    if step.others:
        key = np.ravel_multi_index([at[v] for v in step.others], step.shape)
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    none = np.zeros(0, dtype=np.int64)
    found = [(none, none, left[:0])]
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        regrets = step.regrets[key[order[start]]]
        options = np.flatnonzero((regrets <= left[order[start:end]].max(axis=0)).all(axis=1))
        size = max(1, _BLOCK // max(1, len(options)))
        for begin in range(start, end, size):
            own = order[begin : min(begin + size, end)]
            row, column = np.nonzero(left[own, :1] >= regrets[options, 0])
            rest = left[own[row]] - regrets[options[column]]
            fits = (rest >= 0).all(axis=1)
            found.append((own[row[fits]], options[column[fits]], rest[fits]))
    parent, option, rest = (np.concatenate(part) for part in zip(*found, strict=True))
    return parent, option, rest


def _codes(rows: Ints) -> Ints:
    """A number of each row, the same for equal ones, and for others hardly ever."""
    odd = np.random.default_rng(0).integers(1, 1 << 62, rows.shape[1], dtype=np.int64) * 2 + 1
    code: Ints = rows @ odd
    return code ^ (code >> 29)


def _distinct(rows: Ints) -> Ints:
    """Indices of different rows: of equal ones one, unless others with the same code lie between."""
    order = np.argsort(_codes(rows), kind="stable")
    own = rows[order]
    found: Ints = order[~np.append(False, (own[1:] == own[:-1]).all(axis=1))]
    return found


def _apart(room: Ints, cells: Ints, width: int) -> Ints:
    """Indices of those with the most room, the best of each cell first: else nearly the same ones are kept."""
    order = np.argsort(-room, kind="stable")
    _, first = np.unique(_codes(cells[order]), return_index=True)
    again = np.ones(len(order), dtype=bool)
    again[first] = False
    return order[np.argsort(again, kind="stable")[:width]]
