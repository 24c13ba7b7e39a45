"""Rates per element type: how much faster or slower than bf16 an array is, and than fp32 a vector lane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.files import did_you_mean

__all__ = ["DTYPES", "MOST_RATE", "Rates", "checked_rates", "rates_text"]

Rates = tuple[tuple[str, float], ...]
"""Type and rate, by name; only what a chip states."""

DTYPES = ("bf16", "fp16", "fp32", "fp8", "int8", "tf32")
"""Element types that an array may multiply; ``tf32`` are fp32 operands of which 19 bits count."""

_ALLOWED = {"tensor_rates": ("bf16", DTYPES[1:]), "vector_rates": ("fp32", ("bf16", "fp16", "fp8", "int8"))}
"""Key of a file -> the type whose rate is 1, and those that may have another."""

MOST_RATE = 64
"""Largest rate, and one over the least: what is beyond is a slip of the pen, and 64 bits still count its cycles."""


def checked_rates(key: str, data: Any) -> Rates:
    """The rates that ``tensor_rates`` or ``vector_rates`` of a file state, by name.

    Parameters
    ----------
    key
        ``tensor_rates`` (multiples of the bf16 rate of the array) or ``vector_rates`` (of the fp32 rate of a lane).
    data
        Mapping of type to rate.

    Raises
    ------
    InputError
        Every complaint at once, with the type as its field: unknown types, what is no number, rates that are not
        from 1/64 to 64.
    """
    unit, allowed = _ALLOWED[key]
    if not isinstance(data, Mapping) or not data:
        raise InputError(f"must be a mapping of {', '.join(allowed)} to multiples of the {unit} rate, got {data!r}")
    wrong = []
    for dtype, rate in data.items():
        if dtype == unit:
            wrong.append(Complaint("", str(dtype), f"is the unit of {key}; leave it out"))
        elif dtype not in allowed:
            message = f"unknown dtype {dtype!r}; {did_you_mean(str(dtype), allowed)}allowed: {', '.join(allowed)}"
            wrong.append(Complaint("", str(dtype), message))
        elif isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 1 / MOST_RATE <= rate <= MOST_RATE:
            message = f"must be a multiple of the {unit} rate from 1/64 to 64, got {rate!r}"
            wrong.append(Complaint("", str(dtype), message))
    if wrong:
        raise InputError(wrong)
    return tuple(sorted((str(dtype), float(rate)) for dtype, rate in data.items()))


def rates_text(rates: Rates) -> str:
    """As part of a design's name; empty where nothing is stated."""
    return "".join(f"-{dtype}x{rate:g}" for dtype, rate in rates)
