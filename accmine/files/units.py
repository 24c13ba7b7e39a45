"""Quantities with units: ``400 mm^2``, ``1.2 TB/s``, ``32 GiB``, ``700 MHz``, ``900 W``, ``10 s``.

Decimal prefixes (k, M, G, T) are powers of 1000, binary prefixes (Ki, Mi, Gi, Ti) powers of 1024
(IEC 80000-13). Numbers are read exactly and rounded once, to the nearest float.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from accmine.errors import InputError

__all__ = ["DIMENSIONS", "allowed_units", "format_quantity", "parse_quantity", "quantity_pattern"]

_BYTES: dict[str, Fraction] = {
    "B": Fraction(1),
    **{f"{prefix}B": Fraction(1000**power) for power, prefix in enumerate("kMGTP", 1)},
    **{f"{prefix}iB": Fraction(1024**power) for power, prefix in enumerate("KMGTP", 1)},
}

DIMENSIONS: dict[str, dict[str, Fraction]] = {
    "bytes": _BYTES,
    "bytes/s": {f"{unit}/s": factor for unit, factor in _BYTES.items()},
    "hertz": {"Hz": Fraction(1), "kHz": Fraction(10**3), "MHz": Fraction(10**6), "GHz": Fraction(10**9)},
    "mm2": {"mm^2": Fraction(1), "um^2": Fraction(1, 10**6), "cm^2": Fraction(100)},
    "watt": {"W": Fraction(1), "mW": Fraction(1, 1000), "kW": Fraction(1000)},
    "seconds": {
        "s": Fraction(1),
        "ms": Fraction(1, 10**3),
        "us": Fraction(1, 10**6),
        "ns": Fraction(1, 10**9),
        "min": Fraction(60),
        "h": Fraction(3600),
    },
}
"""Dimension -> unit -> value of the unit in the dimension's base unit (B, B/s, Hz, mm², W, s)."""

_SPELLINGS = {"²": "^2", "µ": "u", "μ": "u", "KB": "kB"}
_NUMBER = re.compile(r"\s*([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*\Z", re.DOTALL)
_LONGEST = 400  # digits and exponents beyond any float are refused before they are computed


def allowed_units(dimension: str) -> str:
    """The units of ``dimension`` as words, smallest first, for messages."""
    return ", ".join(sorted(DIMENSIONS[dimension], key=lambda unit: (DIMENSIONS[dimension][unit], unit)))


def quantity_pattern(dimension: str) -> str:
    """Regular expression (ECMA 262, for JSON schemas) of the quantities of a dimension that are not negative."""
    spelled = {unit.replace(plain, other) for unit in DIMENSIONS[dimension] for other, plain in _SPELLINGS.items()}
    spelled |= {unit.replace("^", "") for unit in DIMENSIONS[dimension]}
    units = "|".join(re.escape(unit) for unit in sorted(spelled | set(DIMENSIONS[dimension])))
    return rf"^\s*\+?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?\s*({units})\s*$"


def _units(dimension: str) -> dict[str, Fraction]:
    if dimension not in DIMENSIONS:
        raise ValueError(f"unknown dimension {dimension!r}; known: {', '.join(DIMENSIONS)}")
    return DIMENSIONS[dimension]


def _unit(text: str, units: dict[str, Fraction]) -> str | None:
    for spelling, plain in _SPELLINGS.items():
        text = text.replace(spelling, plain)
    if text in units:
        return text
    squared = re.sub(r"m2\Z", "m^2", text)
    return squared if squared in units else None


def parse_quantity(value: str | int | float, dimension: str) -> float:
    """Value of a quantity in the base unit of its dimension.

    Parameters
    ----------
    value
        Number and unit, e.g. ``"1.2 TB/s"``; the space is optional, ``mm2`` and ``mm²`` are ``mm^2``.
    dimension
        Key of ``DIMENSIONS``: ``bytes``, ``bytes/s``, ``hertz``, ``mm2``, ``watt`` or ``seconds``.

    Returns
    -------
    float
        In B, B/s, Hz, mm², W or s.

    Raises
    ------
    InputError
        For a bare number (ambiguous), an unknown unit, a negative or a non-finite value; the message
        names the allowed units.
    """
    units = _units(dimension)
    allowed = f"allowed units: {allowed_units(dimension)}"
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InputError(f"must be a number with a unit, got {value!r}; {allowed}")
    match = _NUMBER.match(str(value))
    if match is None:
        raise InputError(f"must be a number with a unit, got {value!r}; {allowed}")
    number, unit_text = match.groups()
    if not unit_text:
        raise InputError(f"{value!r} has no unit, which is ambiguous; {allowed}")
    unit = _unit(unit_text, units)
    if unit is None:
        raise InputError(f"unknown unit {unit_text!r} in {value!r}; {allowed}")
    exponent = re.search(r"[eE]([+-]?\d+)\Z", number)
    if len(number) > _LONGEST or (exponent is not None and abs(int(exponent.group(1))) > _LONGEST):
        raise InputError(f"{str(value)[:40]!r} is out of range")
    exact = Fraction(number.replace("_", "")) * units[unit]
    if exact < 0:
        raise InputError(f"must not be negative, got {value!r}")
    try:
        return float(exact)
    except OverflowError:
        raise InputError(f"{value!r} is out of range") from None


def _plain(number: Fraction) -> str | None:
    """Decimal digits of ``number`` if a short text says it, else ``None``."""
    text = f"{float(number):.6g}"
    if "e" in text:
        return None
    return text


def format_quantity(value: float, dimension: str) -> str:
    """Text of a quantity that ``parse_quantity`` reads back to exactly the same float.

    The largest unit in which at most six digits say the value exactly is taken, else the base unit
    with all digits a float needs.

    Raises
    ------
    ValueError
        For a negative or non-finite value, or an unknown dimension.
    """
    units = _units(dimension)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"a quantity must be finite and not negative, got {value!r}")
    base = next(unit for unit, factor in units.items() if factor == 1)
    if value == 0:
        return f"0 {base}"
    for unit, factor in sorted(units.items(), key=lambda item: -item[1]):
        scaled = Fraction(value) / factor
        if unit == "cm^2":
            continue  # areas of chips are read in mm²
        if scaled < 1 and factor > min(units.values()):
            continue
        text = _plain(scaled)
        if text is not None and float(Fraction(text) * factor) == value:
            return f"{text} {unit}"
    return f"{value!r} {base}"
