"""When a value meets a limit: everywhere with the same allowance, so that nothing fits here and not there."""

from __future__ import annotations

from typing import Any

__all__ = ["ALLOWANCE", "widened", "within"]

ALLOWANCE = 1e-9
"""Relative excess that still meets a limit: a limit divided by the number of devices admits the design that it was
computed from, whatever the order of the floating-point operations."""


def widened(limit: Any) -> Any:
    """The largest value that meets a limit; ``inf`` where there is none. Numbers, or arrays of them."""
    return limit * (1 + ALLOWANCE)


def within(value: Any, limit: Any) -> Any:
    """Whether a value meets an upper limit, to a part in 10⁹. Numbers, or arrays over designs."""
    return value <= widened(limit)
