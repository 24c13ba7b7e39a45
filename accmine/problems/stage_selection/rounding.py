"""Decimal numbers to integers, exactly and many at a time.

A float stands for the decimal number it prints as: 0.1 is 1/10. Arrays of such numbers are scaled and rounded up in
floating point where its error cannot matter, and as fractions where the product is too near to an integer to tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

__all__ = ["UNIT", "exact_value", "needed_decimals", "nice_scale", "scaled_up"]

UNIT = Fraction(1, 10**9)
"""mm² and W per unit of the integer costs that limits count."""

_ERROR = 4e-15
"""Relative error of ``value * float(scale)``: decimal to binary, the scale and the product round by 2^-53 each."""

_DIGITS = 10**15
"""Decimals of up to 15 digits and doubles correspond one to one, so equality of floats is equality of decimals."""

_POWERS = 22
"""Powers of ten up to this one are exact doubles."""


def exact_value(value: float) -> Fraction:
    """The decimal number as it is written: 0.1 is 1/10."""
    return Fraction(value) if isinstance(value, int) else Fraction(repr(float(value)))


def _power_of_ten(scale: Fraction) -> int | None:
    """Exponent k with scale = 10^k, 0 <= k <= 22."""
    if scale.denominator != 1 or scale < 1:
        return None
    digits = len(str(scale.numerator)) - 1
    return digits if digits <= _POWERS and scale.numerator == 10**digits else None


def scaled_up(values: Sequence[float], scale: Fraction) -> list[int]:
    """ceil(value · scale) of the decimal values, without rounding error; ``values`` at least 0."""
    array = np.array(values, dtype=np.float64)
    guess = array * float(scale)
    nearest = np.rint(guess)
    sure = np.abs(guess - nearest) > guess * _ERROR  # above 2^52 every double is an integer: never sure
    up = np.where(sure, np.ceil(guess), nearest)
    sure |= array == 0
    power = _power_of_ten(scale)
    if power is not None:
        sure |= (nearest < _DIGITS) & (nearest / 10.0**power == array)
    result: list[int] = np.where(sure, up, 0).astype(np.int64).tolist()
    for i in np.flatnonzero(~sure).tolist():
        result[i] = math.ceil(exact_value(values[i]) * scale)
    return result


def needed_decimals(values: Sequence[float], most: int) -> int | None:
    """Digits behind the point that all values need; ``None`` when one needs more than ``most``."""
    array = np.unique(np.array(values, dtype=np.float64))
    needed = 0
    for digits in range(min(most, _POWERS) + 1):
        scaled = np.rint(array * 10.0**digits)
        short = (scaled < _DIGITS) & (scaled / 10.0**digits == array)
        if short.any():
            needed = digits
        array = array[~short]
        if not len(array):
            return needed
    for value in array.tolist():  # more than 15 digits, or more than ``most`` decimals
        denominator = exact_value(value).denominator
        exact = next((d for d in range(most + 1) if 10**d % denominator == 0), None)
        if exact is None:
            return None
        needed = max(needed, exact)
    return needed


def nice_scale(estimate: float, unit: Fraction, values: Sequence[float] | None, resolution: int) -> Fraction:
    """1, 2 or 5 · 10^k, over ``unit``, so that ``estimate`` units become at most ``resolution``.

    Fewer digits are taken when ``values`` (``None``: no short decimals) have only so many: they are then exact.
    """
    room = Fraction(resolution) / Fraction(estimate) * unit
    power = math.floor(math.log10(room))
    while Fraction(10) ** power > room:  # log10 may be off by one at a power of ten
        power -= 1
    decimals = None if values is None or room < 1 else needed_decimals(values, min(power + 1, 40))
    if decimals is not None and 10**decimals <= room:
        return Fraction(10**decimals) / unit
    return max(d * Fraction(10) ** power for d in (1, 2, 5) if d * Fraction(10) ** power <= room) / unit
