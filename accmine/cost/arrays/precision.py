"""How long a product takes in an element type: the stated rate of the array, or what holds where a chip states none.

A rate is that of the array's clock: at rate 2 it does in one cycle of the chip what takes two in bf16. So a product is
tiled in the array's own cycles, in which memory and ports are slower by the rate, and the cycles are divided by it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from accmine.cost.arrays.timing import IntArray, Timing
from accmine.errors import InputError
from accmine.hardware import DTYPES, Rates

__all__ = ["at_rate", "pace", "unstated"]

_RULES = ("bf16", "fp16", "fp32", "int8")
"""Types that an array multiplies where its chip states no rate: fp32 as bf16 pieces, the others as bf16."""


def pace(dtype: str, rates: Rates, timing: Timing) -> tuple[int, float]:
    """Passes of a product through the array, and the rate at which they go (1: that of bf16).

    Raises
    ------
    InputError
        If arrays do not multiply this type, or it has no rule and the chip states no rate for it.
    """
    stated = dict(rates)
    if dtype in stated:
        return 1, stated[dtype]
    if dtype in _RULES:
        return timing.fp32_passes if dtype == "fp32" else 1, 1.0
    if dtype in DTYPES:
        have = ", ".join([*_RULES, *(name for name in stated if name not in _RULES)])
        raise InputError(f"the arrays state no rate for {dtype}; allowed: {have}, or tensor_rates: {{{dtype}: …}}")
    raise InputError(f"unknown dtype {dtype!r} of a product; allowed: {', '.join(DTYPES)}")


def at_rate(cycles: IntArray, rate: float) -> IntArray:
    """Cycles of the chip for cycles of an array that is ``rate`` times as fast, rounded up."""
    return cycles if rate == 1.0 else np.ceil(cycles / rate).astype(np.int64)


def unstated(dtypes: Iterable[str], rates: Rates, timing: Timing) -> tuple[str, ...]:
    """A sentence for each type that is multiplied by a rule because the chip states no rate."""
    found = []
    for dtype in sorted(set(dtypes) - {"bf16"} - set(dict(rates))):
        passes, _ = pace(dtype, rates, timing)
        how = f"as {passes} bf16 products" if passes > 1 else "at the rate of bf16"
        found.append(f"no rate for {dtype} is stated (tensor_rates): it is multiplied {how}")
    return tuple(found)
