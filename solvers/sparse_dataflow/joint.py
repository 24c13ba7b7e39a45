"""Designs with their adapters at one interval: prices by column generation, what they refute, and designs on the way.

The program of ``relaxation`` over whole designs instead of options: each is one that ``streams`` finds cheapest at some
prices, adapters included, so the prices that it ends with know of them. Every one of these designs is repaired by
exchanging the option of one layer at a time, for as long as that takes less too much of a budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accmine.ports import Clock
from accmine.problems.sparse_dataflow import Candidates, Problem

from .relaxation import shares_of, whole_prices
from .streams import Network, adapters

__all__ = ["Joined", "Repair", "joined"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_ROUNDS = 40
_NEAR = 1e-3
"""Distance of the program's share to the one that its prices prove, at which they are good enough."""

_FEW = 1000
"""Candidates that designs are quickly found of."""


@dataclass(frozen=True)
class Joined:
    """What is known of the designs with adapters at an interval; see ``relaxation.Relaxed``.

    Attributes
    ----------
    promising
        Of the candidates, where there are more than ``_FEW``, those in the cheapest designs.
    """

    possible: bool
    candidates: tuple[Candidates, ...]
    picks: tuple[int, ...] | None = None
    prices: Ints | None = None
    promising: tuple[Candidates, ...] | None = None


def joined(
    problem: Problem,
    candidates: Sequence[Candidates],
    limits: Sequence[int | None],
    prices: Ints | None,
    clock: Clock,
) -> Joined:
    """Refute limits, or tell which candidates are left, and perhaps a design.

    Parameters
    ----------
    limits
        In the order of ``RESOURCES``, and of the loss.
    prices
        To begin with.
    """
    if any(not len(own) for own in candidates):
        return Joined(False, tuple(candidates))
    limited = [i for i, most in enumerate(limits) if most is not None]
    if not limited:
        return Joined(True, tuple(candidates), (0,) * len(candidates))
    most = np.array([limits[i] for i in limited], dtype=np.int64)
    network, repair = Network(problem, candidates), Repair(problem, candidates, limits)
    best = np.full(len(limited), 1 / len(limited)) if prices is None else prices[limited] * np.maximum(1.0, most)
    best = trial = best / max(best.sum(), 1e-300)
    proven, columns = -1.0, np.zeros((0, len(limited)), dtype=np.int64)
    for turn in range(_ROUNDS):
        whole = whole_prices(trial, limits)
        value, picks = network.cheapest(whole)
        budget = sum(int(whole[i]) * (limits[i] or 0) for i in limited)
        if value > budget:
            return Joined(False, tuple(candidates), None, whole)
        if turn == 0 and (found := repair.repaired(picks, whole)) is not None:
            return Joined(True, tuple(candidates), found, whole_prices(best, limits))
        share = value / max(1, budget)
        if share > proven:
            proven, best = share, trial
        columns = np.vstack([columns, repair.total(picks)[limited]])
        program = shares_of([columns], most)
        if program is None or clock.over():
            break
        shares, parts = program
        if float((parts[0] @ (columns / np.maximum(1, most))).max()) - proven < min(_NEAR, (1 - proven) / 4):
            break
        trial = (best + shares / max(shares.sum(), 1e-300)) / 2
    prices = whole_prices(best, limits)
    return _left(network, candidates, prices, limits)


def _left(network: Network, candidates: Sequence[Candidates], prices: Ints, limits: Sequence[int | None]) -> Joined:
    """The candidates that some design affords at these prices."""
    network.cheapest(prices)
    budget = sum(int(price) * (most or 0) for price, most in zip(prices, limits, strict=True))
    costs = network.marginals()
    left = tuple(own.take(np.flatnonzero(cost <= budget)) for own, cost in zip(candidates, costs, strict=True))
    every, few = np.sort(np.concatenate(costs)), None
    if sum(map(len, left)) > _FEW:
        few = tuple(own.take(np.flatnonzero(cost <= every[_FEW])) for own, cost in zip(candidates, costs, strict=True))
    return Joined(True, left, None, prices, few)


class Repair:
    """Local search: one layer after the other takes what leaves the least too much."""

    def __init__(self, problem: Problem, candidates: Sequence[Candidates], limits: Sequence[int | None]) -> None:
        self.model, self.candidates = problem.model, candidates
        self.edges = list(problem.edges)
        self.near: list[list[tuple[int, int]]] = [[] for _ in candidates]  # (neighbour, own side)
        for i, j in self.edges:
            self.near[i].append((j, 1))
            self.near[j].append((i, 0))
        self.takes = [np.column_stack([own.use, own.loss]) for own in candidates]
        self.most = np.array([np.inf if most is None else float(most) for most in limits])
        self.scale = 1 / np.maximum(1.0, np.where(np.isinf(self.most), 1.0, self.most))

    def total(self, picks: Sequence[int]) -> Ints:
        """What a design takes, adapters included."""
        found: Ints = np.sum([own[o] for own, o in zip(self.takes, picks, strict=True)], axis=0)
        for i, j in self.edges:
            given, taken = self.candidates[i].streams[picks[i], 1], self.candidates[j].streams[picks[j], 0]
            found[1:3] += adapters(given, taken, self.model)
        return found

    def repaired(self, picks: Sequence[int], prices: Ints, sweeps: int = 8) -> tuple[int, ...] | None:
        """A design that fits, near another one."""
        now, total = list(picks), self.total(picks)
        for _ in range(sweeps):
            if (total <= self.most).all():
                return tuple(now)
            before = list(now)
            for layer in range(len(now)):
                ways = self._ways(layer, now)
                ways = ways + (total - ways[now[layer]])
                over = np.where(np.isinf(self.most), 0.0, np.maximum(0.0, ways - self.most) * self.scale).sum(axis=1)
                least = np.flatnonzero(over <= over.min())
                chosen = int(least[(ways[least] @ prices).argmin()])
                if over[chosen] < over[now[layer]]:
                    now[layer], total = chosen, ways[chosen]
            if now == before:
                break
        return tuple(now) if (total <= self.most).all() else None

    def _ways(self, layer: int, picks: Sequence[int]) -> Ints:
        """What each option of a layer takes with its adapters."""
        found = self.takes[layer].copy()
        for other, side in self.near[layer]:
            if other != layer:
                words = self.candidates[other].streams[picks[other], 1 - side]
                found[:, 1:3] += adapters(self.candidates[layer].streams[:, side], words, self.model)
        return found
