"""The decisions of the critical-path heuristic that its source leaves open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from math import inf
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.files import did_you_mean

__all__ = ["Options"]

_WORDS = {"start": ("bound", "one"), "growth": ("double", "one"), "order": ("bound", "best", "breadth")}


@dataclass(frozen=True, slots=True)
class Options:
    """The decisions that WHAM's paper leaves open.

    Attributes
    ----------
    top_k
        Designs to keep.
    hysteresis
        Levels a branch may go on without improving on its ancestors.
    start
        Cores a node starts with: ``bound`` (the counts of the least bound, from which growth goes on) or ``one``
        (the fewest, as in the paper; many more schedules).
    growth
        ``double`` (the next allowed count up to twice as many) or ``one`` (the next allowed count).
    min_gain
        Relative fall of the value that an added core has to bring; below 0, how much it may rise.
    order
        Which node is next: ``bound`` (the least bound), ``best`` (a child of the best node) or ``breadth``
        (level by level).
    bound_pruning
        Skip a node whose bound over all its core counts cannot enter the top k. None of its designs could
        have entered; its children are reached all the same, but it counts as a level that did not improve.
    polish
        Rounds of single-core steps around the best designs at the end.
    """

    top_k: int = 10
    hysteresis: int = 2
    start: str = "bound"
    growth: str = "double"
    min_gain: float = 1e-3
    order: str = "bound"
    bound_pruning: bool = True
    polish: int = 2

    def __post_init__(self) -> None:
        """Refuse every value that no search could follow, all at once."""
        wrong = [Complaint("", name, f"{message}, got {getattr(self, name)!r}") for name, message in self._wrong()]
        if wrong:
            raise InputError(wrong)

    def _wrong(self) -> Iterator[tuple[str, str]]:
        for name, least in (("top_k", 1), ("hysteresis", 0), ("polish", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                yield name, f"must be a whole number of at least {least}"
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                yield name, f"must be one of {', '.join(words)}"
        gain = self.min_gain
        if isinstance(gain, bool) or not isinstance(gain, int | float) or not -inf < gain < 1:
            yield "min_gain", "must be a number below 1"
        if not isinstance(self.bound_pruning, bool):
            yield "bound_pruning", "must be true or false"

    @classmethod
    def of(cls, given: Mapping[str, Any], solver: str) -> Options:
        """The options of ``given``; those it leaves out have their defaults.

        Raises
        ------
        InputError
            For unknown options of ``solver`` and values that are not allowed; names what is.
        """
        known = [option.name for option in fields(cls)]
        unknown = [name for name in given if name not in known]
        if unknown:
            raise InputError(
                [
                    Complaint(
                        "", name, f"unknown option of {solver}; {did_you_mean(name, known)}allowed: {', '.join(known)}"
                    )
                    for name in unknown
                ]
            )
        return cls(**given)
