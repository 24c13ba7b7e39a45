"""For kinds of problems whose score is what is shown: less is better, and nothing was rounded to make it."""

from __future__ import annotations

from typing import Any, TypeVar

from accmine.result import Sense

__all__ = ["sense", "shown", "shown_bound"]

S = TypeVar("S", int, float)


def sense(problem: Any) -> Sense:
    """The score is minimised."""
    del problem
    return Sense.MINIMIZE


def shown(problem: Any, score: S) -> S:
    """A score is shown as it is."""
    del problem
    return score


shown_bound = shown
"""Nothing was rounded, so bounds are shown likewise."""
