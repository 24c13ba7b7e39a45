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
from accmine.sparse.engine import MICRO, micro
from accmine.sparse.resources import EngineModel

__all__ = ["Network", "adapters"]

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
        self.order = []  # of the candidates of a layer by these places, and where each place begins
        for own_group in self.group:
            order = np.argsort(own_group, kind="stable")
            self.order.append((order, np.flatnonzero(np.diff(own_group[order], prepend=-1))))
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

    def _adapters(self, i: int, j: int) -> Ints:
        """LUTs and FFs, in the order of the two variables."""
        found = adapters(self.values[2 * i + 1][:, None], self.values[2 * j], self.model)
        return found if 2 * i + 1 < 2 * j else found.transpose(1, 0, 2)

    def _tables(self, prices: Ints) -> list[Ints]:
        """Of layers and edges, at each of some prices, which are the last axis."""
        found = []
        self.costs = []
        for i, own in enumerate(self.candidates):
            cost = own.use @ prices[:, :6].T + own.loss[:, None] * prices[:, 6]
            table = np.full((self.size[2 * i] * self.size[2 * i + 1], len(prices)), _NEVER, dtype=np.int64)
            order, starts = self.order[i]
            table[self.group[i][order[starts]]] = np.minimum.reduceat(cost[order], starts, axis=0)
            self.costs.append(cost)
            found.append(table.reshape(self.size[2 * i], self.size[2 * i + 1], len(prices)))
        dear = _NEVER >> 6  # too dear for any budget
        for own_paid in self.paid:
            paid = np.zeros((), dtype=np.int64)
            for words, price in zip(np.moveaxis(own_paid, -1, 0), prices[:, 1:3].T, strict=True):
                paid = paid + np.minimum(words[..., None], dear // np.maximum(1, price)) * price
            found.append(np.minimum(paid, dear))
        return found

    def _wide(self, table: Ints, own: tuple[int, ...], every: tuple[int, ...]) -> Ints:
        return table.reshape([*(self.size[v] if v in own else 1 for v in every), table.shape[-1]])

    def _eliminated(self, prices: Ints) -> Ints:
        """Price of the cheapest design at each of some prices."""
        tables = self._tables(prices)
        self.sums: list[Ints] = []
        for step in self.steps:
            total = np.zeros(1, dtype=np.int64)
            for f in step.factors:
                total = total + self._wide(tables[f], self.held[f], step.variables)
            self.sums.append(total)
            tables.append(np.minimum(total.min(axis=step.variables.index(step.variable)), _NEVER))
        self.tables = tables
        found: Ints = np.sum([tables[f] for f in self.rest], axis=0)
        return found

    def cheapest(self, prices: Ints) -> tuple[int, list[int]]:
        """(price of the cheapest design, its candidate of each layer).

        Parameters
        ----------
        prices
            Of a unit of each resource and of the loss, so that no option costs more than 2^48.
        """
        value = int(self._eliminated(prices[None, :])[0])
        chosen: dict[int, int] = {}
        for step, total in zip(reversed(self.steps), reversed(self.sums), strict=True):
            at = tuple(slice(None) if v == step.variable else chosen[v] for v in step.variables)
            chosen[step.variable] = int(total[at].argmin())
        picks = []
        for i, (group, cost) in enumerate(zip(self.group, self.costs, strict=True)):
            own = np.flatnonzero(group == chosen[2 * i] * self.size[2 * i + 1] + chosen[2 * i + 1])
            picks.append(int(own[cost[own, 0].argmin()]))
        return value, picks

    def regrets(self, prices: Ints) -> tuple[Ints, list[Ints]]:
        """(price of the cheapest design, of each step by how much an option is dearer than the cheapest).

        Options are the values of the variable that a step eliminates, of an ``in`` the candidates of the layer.

        Parameters
        ----------
        prices
            Several; shape (prices, 7).

        Returns
        -------
        Of shape (prices,) and each (combinations of the other variables, options, prices).
        """
        value, found = self._eliminated(prices), []
        for step, sums in zip(self.steps, self.sums, strict=True):
            axis = step.variables.index(step.variable)
            own = np.moveaxis(sums - np.expand_dims(self.tables[step.made], axis), axis, -2)
            if step.variable % 2 == 0:
                own = self._of_candidates(step, own)
            found.append(own.reshape(-1, *own.shape[-2:]))
        return value, found

    def _of_candidates(self, step: _Step, regrets: Ints) -> Ints:
        """Of the values of an ``in``, those of the candidates of the layer."""
        layer = step.variable // 2
        values, given = np.divmod(self.group[layer], self.size[step.variable + 1])
        dearer = self.costs[layer] - self.tables[layer].reshape(-1, regrets.shape[-1])[self.group[layer]]
        others = [v for v in step.variables if v != step.variable]
        place = others.index(step.variable + 1)
        shape = [1] * place + [-1] + [1] * (len(others) - place - 1) + [1]
        fits = np.arange(self.size[step.variable + 1]).reshape(shape) == given
        return np.where(fits[..., None], regrets[..., values, :] + dearer, _NEVER)

    def marginals(self) -> list[Ints]:
        """Price of the cheapest design with each candidate of each layer, at the prices last asked for: one."""
        total = sum(int(self.tables[f][0]) for f in self.rest)
        outside: dict[int, Ints] = {f: total - self.tables[f] for f in self.rest}
        for step, sums in zip(reversed(self.steps), reversed(self.sums), strict=True):
            whole = sums + self._wide(outside.pop(step.made), self.held[step.made], step.variables)
            for f in step.factors:
                others = tuple(axis for axis, v in enumerate(step.variables) if v not in self.held[f])
                least = whole.min(axis=others)
                outside[f] = np.where(self.tables[f] < _NEVER, least - self.tables[f], _NEVER)
        found = []
        for i, (group, cost) in enumerate(zip(self.group, self.costs, strict=True)):
            found.append(outside[i].reshape(-1)[group] + cost[:, 0])
        return found


def adapters(given: Ints, taken: Ints, model: EngineModel) -> Ints:
    """``accmine.sparse.resources.adapter`` of arrays; LUTs and FFs are the last axis."""
    bits = np.where(given == taken, 0, given + taken) * model.data_bits
    rates = np.array([micro(model.adapter_lut_per_bit), micro(model.adapter_ff_per_bit)], dtype=np.int64)
    found: Ints = -(-bits[..., None] * rates // MICRO)
    return found
