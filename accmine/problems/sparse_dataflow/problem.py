"""Sparse dataflow: sparsity level, engine and folding of every layer, so that the slowest layer is fastest.

Layers are stages of a pipeline on one device. The score is the *interval*, the cycles between two images: those of the
slowest layer, or those that the off-chip weights of an image take. All layers share the device, and the loss budget.
Turned round (``Least``), the score is what a design takes of one resource, or its loss, at an interval that is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar

from accmine.errors import InputError
from accmine.sparse.folding import ENGINES, MEMORIES, SLACKS, Folding
from accmine.sparse.layer import Layer
from accmine.sparse.resources import DEFAULT_MODEL, RESOURCES, EngineModel

__all__ = ["KIND", "MOST", "Budget", "Choice", "Least", "Problem", "Solution", "needs_interval", "place_of", "within"]

KIND = "sparse-dataflow"
MOST = 1 << 60
"""A limit above it is as good as none: products of a layer are fewer, and arrays hold it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a design may take; ``None``: no limit.

    Attributes
    ----------
    bits_per_cycle
        Off-chip weights; an interval of T cycles has ⌊T · bits_per_cycle⌋ of them, so it is at least as long as they
        take.
    loss
        Sum over layers, in parts of ``accmine.sparse.layer.POINT``.
    """

    dsp: int | None = None
    lut: int | None = None
    ff: int | None = None
    bram18: int | None = None
    uram: int | None = None
    bits_per_cycle: Fraction | None = None
    loss: int | None = None


@dataclass(frozen=True, slots=True)
class Least:
    """What is minimised in place of the interval.

    Attributes
    ----------
    of
        One of ``RESOURCES``, or ``loss`` in parts of ``POINT``.
    interval
        That no design may exceed, in cycles.
    """

    of: str
    interval: int


def place_of(least: Least) -> int:
    """Of what is minimised among ``RESOURCES`` and, after them, the loss."""
    return (*RESOURCES, "loss").index(least.of)


def needs_interval(problem: Problem, solver: str) -> None:
    """Refuse a problem that minimises something else than the interval, for solvers that know no other score."""
    if problem.least is not None:
        raise InputError(f"{solver}: minimises the interval only; take bisection, cp-sat or brute-force", field="least")


def within(problem: Problem, most: int) -> Problem:
    """The same problem with a budget of what it minimises in place of the interval."""
    assert problem.least is not None
    of, interval = problem.least.of, problem.least.interval
    changed: dict[str, Any] = {of: most} if of != "bits" else {"bits_per_cycle": Fraction(most, interval)}
    return replace(problem, budget=replace(problem.budget, **changed))


@dataclass(frozen=True)
class Problem:
    """What to lay out, on what.

    Attributes
    ----------
    edges
        (from, to) indices of layers between which data flow: unequal streams take an adapter.
    engines, memories, slacks
        What foldings may choose from; all layers alike.
    least
        What is minimised in place of the interval; ``None``: the interval.
    """

    layers: tuple[Layer, ...]
    edges: tuple[tuple[int, int], ...] = ()
    budget: Budget = Budget()
    model: EngineModel = DEFAULT_MODEL
    engines: tuple[str, ...] = ENGINES
    memories: tuple[str, ...] = MEMORIES
    slacks: tuple[int, ...] = SLACKS
    name: str = "network"
    least: Least | None = None

    kind: ClassVar[str] = KIND


@dataclass(frozen=True, slots=True)
class Choice:
    """Of a layer: index of its level, and its folding."""

    level: int
    folding: Folding


@dataclass(frozen=True, slots=True)
class Solution:
    """A choice for every layer, in their order."""

    choices: tuple[Choice, ...]

    def __iter__(self) -> Iterator[Choice]:
        return iter(self.choices)
