"""What the user may have meant: the nearest of a set of allowed words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """``"did you mean 'x'? "`` for the allowed word nearest to ``word``; empty when none is near."""
    candidates = sorted(allowed)
    by_lower = {candidate.lower(): candidate for candidate in reversed(candidates)}
    near = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return f"did you mean {by_lower[near[0]]!r}? " if near else ""
