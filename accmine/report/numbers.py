"""Numbers as a reader wants them: few significant digits, SI prefixes, and a dash for what is not known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

__all__ = ["UNKNOWN", "cell", "count", "each", "gibibytes", "number", "percent", "seconds", "si"]

UNKNOWN = "–"
"""Stands for a value that is not known or not finite."""

_PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}


def _power(value: float, digits: int) -> int:
    """Power of ten of the first digit, once rounded to ``digits`` digits."""
    return int(f"{value:.{digits - 1}e}".partition("e")[2])


def number(value: float | None, digits: int = 4) -> str:
    """A plain number with ``digits`` significant digits; integers and zero without decimals.

    Digits before the decimal point are never dropped below one million, so 12,345 stays 12,345.
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    if not 1e-3 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(0, digits - 1 - _power(value, digits))}f}"


def si(value: float | None, unit: str, digits: int = 4) -> str:
    """A quantity with SI prefix: ``si(0.00123, "s")`` is ``1.230 ms``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return f"0 {unit}".rstrip()
    power = min(max(3 * (_power(value, digits) // 3), min(_PREFIXES)), max(_PREFIXES))
    return f"{number(value / 10.0**power, digits)} {_PREFIXES[power]}{unit}".rstrip()


def seconds(value: float | None) -> str:
    """A time with SI prefix and four digits."""
    return si(value, "s")


def count(value: int) -> str:
    """A count: exact and grouped below one million, with SI prefix above."""
    return f"{value:,}" if abs(value) < 1_000_000 else si(value, "")


def gibibytes(value: float | None, digits: int = 3) -> str:
    """A size in GiB, MiB, KiB or bytes; ``value`` in bytes."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    for size, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if abs(value) >= size:
            return f"{number(value / size, digits)} {unit}"
    return f"{number(value, digits)} B"


def percent(share: float | None, digits: int = 3) -> str:
    """A share (0 to 1) in per cent; what is too small to print is ``<0.01 %``, not zero."""
    if share is None or not math.isfinite(share):
        return UNKNOWN
    if share != 0 and abs(share) < 1e-4:
        return "<0.01 %" if share > 0 else "-<0.01 %"
    return f"{float(f'{100 * share:.{digits - 1}e}'):g} %"


def each(values: Iterable[float | None], digits: int = 4) -> str:
    """One number per workload, in the order of the workloads."""
    return " / ".join(number(value, digits) for value in values) or UNKNOWN


def cell(value: Any) -> str:
    """A value of a table of any kind: integers with separators, floats with four digits, nothing for ``None``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
