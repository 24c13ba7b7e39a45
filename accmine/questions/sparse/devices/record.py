"""Devices in a row, and what is known of layers over them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf

from accmine.problems.sparse_dataflow import Budget, Problem, Solution

__all__ = ["Placed", "Site", "Spread"]


@dataclass(frozen=True, slots=True)
class Site:
    """A device in the row.

    Attributes
    ----------
    budget
        What a design may take there; its loss is not used.
    """

    name: str
    budget: Budget
    frequency_hz: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A device with its layers.

    Attributes
    ----------
    first, last
        Indices of its layers, both included.
    interval
        In cycles of the device.
    loss
        In parts of ``POINT``.
    words
        Of an image that leave it for later devices.
    """

    name: str
    first: int
    last: int
    problem: Problem
    solution: Solution
    interval: int
    loss: int
    words: int


@dataclass(frozen=True, slots=True)
class Spread:
    """The best answer, and what is known of all.

    Attributes
    ----------
    placed
        One for each device; empty: none was found.
    exact_s, exact_bound_s
        Seconds between two images, and what no answer is below; ``None``: there is none.
    cuts, looked
        How many there are, and at how many designs were looked for.
    interrupted
        Whether Ctrl-C ended it; what is said holds all the same.
    """

    placed: tuple[Placed, ...]
    exact_s: Fraction | None
    exact_bound_s: Fraction | None
    cuts: int
    looked: int
    interrupted: bool = False

    @property
    def proven(self) -> bool:
        """Whether no answer is faster; without one, whether there is none."""
        return self.exact_s == self.exact_bound_s

    @property
    def seconds(self) -> float:
        """Between two images; infinite without an answer."""
        return inf if self.exact_s is None else float(self.exact_s)

    @property
    def bound_s(self) -> float:
        """What no answer is below; infinite where there is none."""
        return inf if self.exact_bound_s is None else float(self.exact_bound_s)
