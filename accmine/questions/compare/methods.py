"""The methods of a comparison: who is who, whether a seed changes anything, and what they count as an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from accmine.errors import InputError
from accmine.files import did_you_mean
from accmine.problems.design_search import KIND
from accmine.registry import solvers_of

__all__ = ["BLACK_BOXES", "OURS", "SPOTLIGHT", "checked", "schedules_counted", "seeds_of"]

OURS = ("wham-like", "best-first")
"""Searches that see bounds and critical operators."""

SPOTLIGHT = "gp-features"
"""The one in the manner of Spotlight."""

BLACK_BOXES = (SPOTLIGHT, "tpe", "ga", "random")
"""Searches that see the value of a design alone."""

_WITHOUT_SEED = ("wham-like", "best-first", "largest", "tpu-scaled", "given")
"""No design is drawn in them (of ``best-first`` a seed changes schedules alone): one run stands for every seed."""

_SINGLY = {"best-first": 3}
"""List schedules of a phase that a method counts singly where the common evaluator counts three as one."""


def checked(methods: Sequence[str]) -> tuple[str, ...]:
    """The methods, which are all registered.

    Raises
    ------
    InputError
        For one that is not; names what is.
    """
    known = solvers_of(KIND)
    for name in methods:
        if name not in known:
            raise InputError(f"unknown method {name!r}; {did_you_mean(name, known)}known: {', '.join(known)}")
    return tuple(dict.fromkeys(methods))


def seeds_of(method: str, seeds: Sequence[int]) -> tuple[int, ...]:
    """The seeds that a method is run with."""
    return tuple(seeds[:1] if method in _WITHOUT_SEED else seeds)


def schedules_counted(method: str) -> int:
    """What a method adds to its work for what the common evaluator does to one phase."""
    return _SINGLY.get(method, 1)
