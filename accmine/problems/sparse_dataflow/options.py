"""Everything that a layer may be given, as arrays: what solvers search. Tests hold it equal to the scalar formulas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.problems.sparse_dataflow.problem import Choice, Problem
from accmine.sparse.folding import DENSE, Folding, divisors, fines
from accmine.sparse.layer import PARTS, Layer
from accmine.sparse.rate import window_cycles
from accmine.sparse.resources import RESOURCES, used

__all__ = ["MOST_FOLDINGS", "LayerOptions", "tabulate"]

Ints = npt.NDArray[np.int64]

MOST_FOLDINGS = 1_000_000
"""Foldings of a layer."""


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


def tabulate(problem: Problem) -> tuple[LayerOptions, ...]:
    """The options of every layer; equal layers share one table.

    Raises
    ------
    InputError
        For a layer with more than ``MOST_FOLDINGS``.
    """
    known: dict[Any, LayerOptions] = {}
    found = []
    for layer in problem.layers:
        key = _shape(layer)
        if key not in known:
            known[key] = _options(problem, layer)
        found.append(known[key])
    return tuple(found)


def _shape(layer: Layer) -> tuple[Any, ...]:
    """What decides the options of a layer: all but its name, and those of its levels."""
    levels = tuple((level.histograms, level.loss) for level in layer.levels)
    own = (layer.channels_in, layer.channels_out, layer.kernel, layer.size_in, layer.size_out)
    return (*own, layer.groups, layer.cluster, levels)


def _foldings(problem: Problem, layer: Layer) -> Iterator[Folding]:
    coarse = (
        divisors(layer.channels_in // (layer.groups * layer.cluster)),
        divisors(layer.channels_out // layer.groups),
        divisors(layer.groups),
    )
    for engine in problem.engines:
        slacks = (1,) if engine == DENSE else problem.slacks
        for (ci, co, cg), fine, memory, slack in product(
            product(*coarse), fines(layer, engine), problem.memories, slacks
        ):
            yield Folding(engine, ci, co, cg, fine, memory, slack)


def _options(problem: Problem, layer: Layer) -> LayerOptions:
    all_of = list(_foldings(problem, layer))
    if len(all_of) > MOST_FOLDINGS:
        raise InputError(f"{layer.name}: {len(all_of)} foldings, at most {MOST_FOLDINGS} are tabulated")
    engine = {name: i for i, name in enumerate(problem.engines)}
    memory = {name: i for i, name in enumerate(problem.memories)}
    rows = np.array(
        [
            (engine[f.engine], memory[f.memory], f.coarse_in, f.coarse_out, f.coarse_group, f.fine, f.slack)
            for f in all_of
        ],
        dtype=np.int64,
    )
    streams = np.array([(f.streams_in(layer), f.streams_out) for f in all_of], dtype=np.int64)
    words_in, words_out = layer.words
    limit = np.maximum(-(-words_in // streams[:, 0]), -(-words_out // streams[:, 1]))
    windows = layer.windows // rows[:, 2:5].prod(axis=1)
    cycles = np.array(
        [
            np.maximum(-(-windows * np.array([window_cycles(layer, level, f) for f in all_of]) // PARTS), limit)
            for level in layer.levels
        ],
        dtype=np.int64,
    )
    use = np.array([used(layer, f, problem.model) for f in all_of], dtype=np.int64).reshape(-1, len(RESOURCES))
    loss = np.array([level.loss for level in layer.levels], dtype=np.int64)
    return LayerOptions(rows, cycles, use, streams, loss, problem.engines, problem.memories)
