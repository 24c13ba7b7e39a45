"""The cheapest design at given prices with its adapters, exactly, and what each option costs at least in any design.

Prices make one number of everything that an option or an adapter takes. What is left of a layer is then the streams
that it takes and gives: two variables, joined by what the cheapest option with both costs, and to other layers by
adapters. They are eliminated one after the other (bucket elimination): in_l with all that is joined to it, then an
out_l behind its last reader, so tables stay as small as the few shortcuts that pass a place. An edge that makes one
too large costs nothing here, which only lowers the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from accmine.problems.sparse_dataflow import Candidates, Problem
from accmine.sparse.resources import adapter

__all__ = ["Network"]

Ints = npt.NDArray[np.int64]

_NEVER = 1 << 58
_LARGEST = 1 << 20
"""Entries of a table."""


@dataclass
class _Step:
    """Elimination of a variable: the factors that hold it, and what becomes of them.

    Attributes
    ----------
    variables
        Of all factors, ascending.
    """

    variable: int
    factors: list[int]
    variables: tuple[int, ...]
    made: int


class Network:
    """Layers with some candidates each, of at least one.

    Attributes
    ----------
    edges
        Those that are counted.
    """

    def __init__(self, problem: Problem, candidates: Sequence[Candidates]) -> None:
        self.candidates, self.edges = candidates, list(dict.fromkeys(problem.edges))
        self.model = problem.model
        read, written = {j for _, j in self.edges}, {i for i, _ in self.edges}
        self.values: list[Ints] = []  # streams of the variables in_0, out_0, in_1, …
        self.group: list[Ints] = []  # of each candidate of a layer: its place in the table of (in, out)
        for i, own in enumerate(candidates):
            places = []
            for side, joined in ((0, i in read), (1, i in written)):
                values, place = np.unique(own.streams[:, side] * joined, return_inverse=True)
                self.values.append(values)
                places.append(place.reshape(-1))
            self.group.append(places[0] * len(self.values[-1]) + places[1])
        self.size = [len(own) for own in self.values]
        while (edge := self._plan()) is not None:
            self.edges.remove(edge)
        self.paid = [self._adapters(i, j) for i, j in self.edges]

    def _plan(self) -> tuple[int, int] | None:
        """The steps; the edge to leave out where a table would be too large."""
        layers = len(self.candidates)
        last = [max([i, *(j for s, j in self.edges if s == i)]) for i in range(layers)]
        order = []
        for at in range(layers):
            order += [2 * at, *(2 * i + 1 for i in range(layers) if last[i] == at)]
        held: list[tuple[int, ...]] = [(2 * i, 2 * i + 1) for i in range(layers)]
        held += [tuple(sorted((2 * i + 1, 2 * j))) for i, j in self.edges]
        alive = dict(enumerate(held))
        self.steps: list[_Step] = []
        for variable in order:
            factors = [f for f, own in alive.items() if variable in own]
            every = tuple(sorted({own for f in factors for own in alive[f]}))
            if prod(self.size[own] for own in every) > _LARGEST:
                near = [e for e in self.edges if {2 * e[0] + 1, 2 * e[1]} & set(every)]
                return max(near, key=lambda e: (abs(e[1] - e[0]), e))
            for f in factors:
                del alive[f]
            made = len(held)
            held.append(tuple(own for own in every if own != variable))
            alive[made] = held[made]
            self.steps.append(_Step(variable, factors, every, made))
        self.held, self.rest = held, list(alive)
        return None

    def _adapters(self, i: int, j: int) -> tuple[Ints, Ints]:
        """LUTs and FFs, in the order of the two variables."""
        given, taken = self.values[2 * i + 1].tolist(), self.values[2 * j].tolist()
        pairs = np.array([[adapter(a, b, self.model) for b in taken] for a in given], dtype=np.int64)
        lut, ff = pairs[:, :, 0], pairs[:, :, 1]
        return (lut, ff) if 2 * i + 1 < 2 * j else (lut.T, ff.T)

    def _tables(self, prices: Ints) -> list[Ints]:
        """Of layers and edges."""
        found = []
        self.costs = []
        for i, own in enumerate(self.candidates):
            cost = own.use @ prices[:6] + own.loss * prices[6]
            table = np.full(self.size[2 * i] * self.size[2 * i + 1], _NEVER, dtype=np.int64)
            np.minimum.at(table, self.group[i], cost)
            self.costs.append(cost)
            found.append(table.reshape(self.size[2 * i], self.size[2 * i + 1]))
        for lut, ff in self.paid:
            found.append(np.minimum(lut * prices[1] + ff * prices[2], _NEVER >> 6))
        return found

    def _wide(self, table: Ints, own: tuple[int, ...], every: tuple[int, ...]) -> Ints:
        return table.reshape([self.size[v] if v in own else 1 for v in every])

    def cheapest(self, prices: Ints) -> tuple[int, list[int]]:
        """(price of the cheapest design, its candidate of each layer).

        Parameters
        ----------
        prices
            Of a unit of each resource and of the loss, so that no option costs more than 2^48.
        """
        tables = self._tables(prices)
        self.sums: list[Ints] = []
        for step in self.steps:
            total = sum((self._wide(tables[f], self.held[f], step.variables) for f in step.factors), np.int64(0))
            self.sums.append(np.asarray(total))
            axis = step.variables.index(step.variable)
            tables.append(np.minimum(self.sums[-1].min(axis=axis), _NEVER))
        self.tables = tables
        chosen: dict[int, int] = {}
        for step, total in zip(reversed(self.steps), reversed(self.sums), strict=True):
            at = tuple(slice(None) if v == step.variable else chosen[v] for v in step.variables)
            chosen[step.variable] = int(total[at].argmin())
        picks = []
        for i, (group, cost) in enumerate(zip(self.group, self.costs, strict=True)):
            own = np.flatnonzero(group == chosen[2 * i] * self.size[2 * i + 1] + chosen[2 * i + 1])
            picks.append(int(own[cost[own].argmin()]))
        return sum(int(tables[f]) for f in self.rest), picks

    def marginals(self) -> list[Ints]:
        """Price of the cheapest design with each candidate of each layer, at the prices last asked for."""
        total = sum(int(self.tables[f]) for f in self.rest)
        outside: dict[int, Ints] = {f: np.array(total - int(self.tables[f])) for f in self.rest}
        for step, sums in zip(reversed(self.steps), reversed(self.sums), strict=True):
            whole = sums + self._wide(outside.pop(step.made), self.held[step.made], step.variables)
            for f in step.factors:
                others = tuple(axis for axis, v in enumerate(step.variables) if v not in self.held[f])
                least = whole.min(axis=others)
                outside[f] = np.where(self.tables[f] < _NEVER, least - self.tables[f], _NEVER)
        found = []
        for i, (group, cost) in enumerate(zip(self.group, self.costs, strict=True)):
            found.append(outside[i].reshape(-1)[group] + cost)
        return found

    def regrets(self) -> list[Ints]:
        """Of each step: by how much an option is dearer than the cheapest, at the prices last asked for.

        Options are the values of the variable that a step eliminates, of an ``in`` the candidates of the layer. Shape
        (combinations of the other variables, options).
        """
        found = []
        for step, sums in zip(self.steps, self.sums, strict=True):
            axis = step.variables.index(step.variable)
            own = np.moveaxis(sums - np.expand_dims(self.tables[step.made], axis), axis, -1)
            if step.variable % 2:
                found.append(own.reshape(-1, own.shape[-1]))
                continue
            layer = step.variable // 2
            values, given = np.divmod(self.group[layer], self.size[step.variable + 1])
            dearer = self.costs[layer] - self.tables[layer].reshape(-1)[self.group[layer]]
            others = [v for v in step.variables if v != step.variable]
            place = others.index(step.variable + 1)
            every = own[..., values] + dearer
            shape = [1] * place + [-1] + [1] * (len(others) - place - 1) + [1]
            fits = np.arange(self.size[step.variable + 1]).reshape(shape) == given
            found.append(np.where(fits, every, _NEVER).reshape(-1, len(values)))
        return found
