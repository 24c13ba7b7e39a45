"""Everything that a layer may be given, as arrays: what solvers search. Tests hold it equal to the scalar formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems.sparse_dataflow.problem import Choice, Problem
from accmine.problems.sparse_dataflow.tables import use_table, window_table
from accmine.sparse.engine import MICRO
from accmine.sparse.folding import DENSE, MEMORIES, Folding, divisors, fines
from accmine.sparse.layer import PARTS, Layer
from accmine.sparse.resources import SMALLEST_BLOCK, adapter, lut_ram, used

__all__ = ["MOST_FOLDINGS", "Candidates", "LayerOptions", "tabulate", "tabulate_from"]

Ints = npt.NDArray[np.int64]

MOST_FOLDINGS = 1_000_000
"""Foldings of a layer."""

_MOST_LOGIC = 1 << 62


@dataclass(frozen=True, eq=False)
class LayerOptions:
    """Foldings of a layer, and their cycles at every level.

    Attributes
    ----------
    rows
        engine, memory (indices into those of the problem), coarse_in, coarse_out, coarse_group, fine, slack;
        shape (foldings, 7).
    cycles
        Shape (levels, foldings).
    use
        In the order of ``RESOURCES``, without adapters; shape (foldings, 6).
    streams
        Words per cycle that go in and out; shape (foldings, 2).
    loss
        Of each level, in parts of ``POINT``; shape (levels,).
    """

    rows: Ints
    cycles: Ints
    use: Ints
    streams: Ints
    loss: Ints
    engines: tuple[str, ...]
    memories: tuple[str, ...]

    def choice(self, level: int, folding: int) -> Choice:
        """A choice by its indices."""
        engine, memory, coarse_in, coarse_out, coarse_group, fine, slack = self.rows[folding].tolist()
        own = Folding(self.engines[engine], coarse_in, coarse_out, coarse_group, fine, self.memories[memory], slack)
        return Choice(level, own)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Some options of a layer, one a row.

    Attributes
    ----------
    level, folding
        Indices for ``LayerOptions.choice``; shape (options,).
    cycles, loss
        Shape (options,).
    use
        In the order of ``RESOURCES``, without adapters; shape (options, 6).
    streams
        Words per cycle that go in and out; shape (options, 2).
    """

    level: Ints
    folding: Ints
    cycles: Ints
    loss: Ints
    use: Ints
    streams: Ints

    def __len__(self) -> int:
        return len(self.level)

    def take(self, which: npt.NDArray[np.generic]) -> Candidates:
        """Some of them, by indices or a mask."""
        own = self.level, self.folding, self.cycles, self.loss, self.use, self.streams
        return Candidates(*(column[which] for column in own))


_KNOWN: WeakKeyDictionary[Problem, tuple[LayerOptions, ...]] = WeakKeyDictionary()


def tabulate(problem: Problem) -> tuple[LayerOptions, ...]:
    """The options of every layer; equal layers share one table, alike ones all of it but the losses.

    Budgets, edges and what is minimised do not matter: a problem has the tables of the one that it was made of.

    Raises
    ------
    InputError
        For a layer with more than ``MOST_FOLDINGS``, or one that may take so much logic that it passes 64 bits.
    """
    found = _KNOWN.get(problem)
    if found is None:
        found = _KNOWN[problem] = _of_the_same(problem) or _tables(problem)
    return found


def _of_the_same(problem: Problem) -> tuple[LayerOptions, ...] | None:
    """Tables of a problem that differs in nothing which they depend on."""
    for known in _KNOWN.keyrefs():  # a list: other threads may add to it
        other = known()
        if other is not None and other.layers is problem.layers and _what_counts(other) == _what_counts(problem):
            return _KNOWN.get(other)
    return None


def _what_counts(problem: Problem) -> tuple[Any, ...]:
    """What tables depend on, beside the layers."""
    return problem.model, problem.engines, problem.memories, problem.slacks


def tabulate_from(problem: Problem, other: Problem, levels: Sequence[Sequence[int]]) -> None:
    """Take the options of a problem from those of another one, of which it has some levels, with losses of their own.

    Cycles of a level are what takes long, and are the same there.

    Parameters
    ----------
    levels
        Of each layer, which levels of the other problem it has, in order.
    """
    known: dict[Any, LayerOptions] = {}
    found = []
    for layer, own, of in zip(problem.layers, tabulate(other), levels, strict=True):
        key = id(own), tuple(of), tuple(level.loss for level in layer.levels)
        if key not in known:
            known[key] = replace(own, cycles=own.cycles[list(of)], loss=np.array(key[2], dtype=np.int64))
        found.append(known[key])
    _KNOWN[problem] = tuple(found)


def _tables(problem: Problem) -> tuple[LayerOptions, ...]:
    known: dict[Any, LayerOptions] = {}
    alike: dict[Any, LayerOptions] = {}
    found = []
    for layer in problem.layers:
        shape = _shape(layer), tuple(level.histograms for level in layer.levels)
        loss = tuple(level.loss for level in layer.levels)
        if (shape, loss) not in known:
            if shape not in alike:
                alike[shape] = _options(problem, layer)
            known[shape, loss] = replace(alike[shape], loss=np.array(loss, dtype=np.int64))
        found.append(known[shape, loss])
    return tuple(found)


def _most_logic(problem: Problem, layer: Layer, rows: Ints) -> int:
    """Millionths of LUTs and registers that no folding passes, nor the adapters on each side of it."""
    ci, co, cg = (int(own) for own in rows[:, 2:5].max(axis=0))
    small = SMALLEST_BLOCK + lut_ram(layer.channels_out // layer.groups, problem.model.sum_bits)
    found = small * (ci * co * cg + layer.channels_in * layer.window)  # memories in LUTs, however they are shaped
    for engine in problem.engines:
        for fine in (1, layer.window):
            own = Folding(engine, ci, co, cg, fine, MEMORIES[0], max(problem.slacks) if engine != DENSE else 1)
            found += sum(used(layer, own, problem.model)[1:3])
    return MICRO * (found + sum(adapter(2 * (layer.channels_in + layer.channels_out), 0, problem.model)))


def _shape(layer: Layer) -> tuple[Any, ...]:
    own = (layer.channels_in, layer.channels_out, layer.kernel, layer.size_in, layer.size_out)
    return (*own, layer.groups, layer.cluster)


def _foldings(problem: Problem, layer: Layer) -> Ints:
    """Every folding, as rows of ``LayerOptions``."""
    numbers = layer.channels_in // (layer.groups * layer.cluster), layer.channels_out // layer.groups, layer.groups
    coarse = np.array(list(product(*map(divisors, numbers))), dtype=np.int64)
    own = [(fines(layer, name), (1,) if name == DENSE else problem.slacks) for name in problem.engines]
    shapes = [(len(coarse), len(fine), len(problem.memories), len(slacks)) for fine, slacks in own]
    if (count := sum(map(prod, shapes))) > MOST_FOLDINGS:
        message = f"{layer.name}: {count} foldings, at most {MOST_FOLDINGS} are tabulated"
        raise InputError(message, field=f"layers[{problem.layers.index(layer)}]")
    parts = []
    for engine, (shape, (fine, slacks)) in enumerate(zip(shapes, own, strict=True)):
        c, f, memory, s = np.indices(shape).reshape(4, -1)
        columns = np.full(len(c), engine), memory, *coarse[c].T, np.array(fine)[f], np.array(slacks)[s]
        parts.append(np.column_stack(columns))
    return np.concatenate(parts)


def _options(problem: Problem, layer: Layer) -> LayerOptions:
    rows = _foldings(problem, layer)
    if _most_logic(problem, layer, rows) >= _MOST_LOGIC:
        message = f"{layer.name}: takes more LUTs or registers than are exact, with the constants of the model"
        raise InputError(message, field=f"layers[{problem.layers.index(layer)}]")
    _, _, ci, co, cg, _, _ = rows.T
    streams = np.column_stack([ci * cg * layer.cluster, co * cg])
    words_in, words_out = layer.words
    limit = np.maximum(-(-words_in // streams[:, 0]), -(-words_out // streams[:, 1]))
    windows = layer.windows // (ci * co * cg)
    cycles = np.array([np.maximum(-(-windows * own // PARTS), limit) for own in window_table(problem, layer, rows)])
    loss = np.array([level.loss for level in layer.levels], dtype=np.int64)
    return LayerOptions(rows, cycles, use_table(problem, layer, rows), streams, loss, problem.engines, problem.memories)
