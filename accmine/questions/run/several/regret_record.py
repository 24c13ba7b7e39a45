"""What a design loses over mixes of workloads, as plain records."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MixRow", "Regret"]


@dataclass(frozen=True)
class MixRow:
    """A mix of the workloads; step times are weighted sums of those relative to the baseline's.

    Attributes
    ----------
    shares
        Of the workloads, in their order; they sum to 1.
    best, bound
        Of the best known design for this mix alone, and what no design is below.
    answer
        Of the answer.
    regret, regret_at_most
        What the answer loses: to the best known design, and to any that there can be.
    """

    name: str
    shares: tuple[float, ...]
    best: float
    bound: float
    answer: float
    regret: float
    regret_at_most: float


@dataclass(frozen=True)
class Regret:
    """The worst over mixes.

    Attributes
    ----------
    at_least
        No design loses less than this in its worst mix.
    value, at_most
        Of the answer: against the best known designs, and against any that there can be.
    """

    at_least: float
    value: float
    at_most: float
    mixes: tuple[MixRow, ...]
