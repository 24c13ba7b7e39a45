"""Costs that limits cap, and when a value meets a limit: everywhere with the same allowance.

So nothing fits here and not there, and a further cost is a row of ``COSTS`` and a field of designs and candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["ALLOWANCE", "COSTS", "TDP", "Cost", "widened", "within"]

ALLOWANCE = 1e-9
"""Relative excess that still meets a limit: a limit divided by the number of devices admits the design that it was
computed from, whatever the order of the floating-point operations."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a design costs and a limit caps.

    Attributes
    ----------
    name
        Of the attribute that holds it, with its unit: ``area_mm2``.
    key
        Last part of the key of its limits: ``area``.
    unit, sign
        As a study writes it, and as tables show it.
    index
        In a vector over ``COSTS``.
    """

    name: str
    key: str
    unit: str
    sign: str
    index: int


COSTS = (Cost("area_mm2", "area", "mm^2", "mm²", 0), Cost("tdp_w", "tdp", "W", "W", 1))
"""Costs of a design that limits may cap, in the order of a vector of them."""

TDP = COSTS[1]
"""The cost that an objective may be relative to."""


def widened(limit: Any) -> Any:
    """The largest value that meets a limit; ``inf`` where there is none. Numbers, or arrays of them."""
    return limit * (1 + ALLOWANCE)


def within(value: Any, limit: Any) -> Any:
    """Whether a value meets an upper limit, to a part in 10⁹. Numbers, or arrays over designs."""
    return value <= widened(limit)
