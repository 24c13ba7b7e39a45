"""The tunables of an accelerator as they are written: names, dimensions, least values, ranges and lists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from accmine.errors import InputError
from accmine.files import parse_quantity
from accmine.hardware.design import DATAFLOW_CHOICES

__all__ = ["FIELDS", "KEYS", "NOTES", "OPTIONAL", "PLAIN_HBM", "STACKS", "Key", "checked", "parse"]

_MAX_VALUES = 100_000  # a longer list is a slip of the pen; solvers hold one entry per value


@dataclass(frozen=True, slots=True)
class Key:
    """How a key is written: the template field, its dimension (``None``: a plain integer) and least value."""

    attribute: str
    dimension: str | None
    least: int


FIELDS: dict[str, Key] = {
    "tensor_cores": Key("tensor_cores", None, 1),
    "tensor_rows": Key("tensor_rows", None, 1),
    "tensor_cols": Key("tensor_cols", None, 1),
    "dataflow": Key("dataflow", None, 0),
    "tensor_sram": Key("tensor_sram_bytes", "bytes", 1024),
    "vector_cores": Key("vector_cores", None, 1),
    "vector_lanes": Key("vector_lanes", None, 1),
    "vector_ops_per_lane": Key("vector_ops_per_lane", None, 1),
    "vector_sram": Key("vector_sram_bytes", "bytes", 1024),
    "shared_sram": Key("shared_sram_bytes", "bytes", 0),
    "port_bandwidth": Key("port_bytes_per_s", "bytes/s", 0),
    "hbm": Key("hbm_bytes", "bytes", 1 << 20),
    "hbm_bandwidth": Key("hbm_bytes_per_s", "bytes/s", 10**6),
    "frequency": Key("frequency_hz", "hertz", 10**6),
}
"""Tunables by the name a file and a study give them."""

OPTIONAL: dict[str, str] = {"dataflow": "ws", "shared_sram": "0 B", "port_bandwidth": "0 B/s"}
"""Keys a file may leave out, and what that means."""

STACKS: dict[str, Key] = {
    "hbm_stacks": Key("", None, 1),
    "hbm_stack": Key("", "bytes", 1 << 20),
    "hbm_stack_bandwidth": Key("", "bytes/s", 10**6),
}
"""Tunables of an HBM of whole stacks, from which capacity and bandwidth follow."""

PLAIN_HBM = ("hbm", "hbm_bandwidth")
"""What they stand instead of."""

KEYS: tuple[str, ...] = ("use", "tensor_dim", *FIELDS, *STACKS)
"""Keys of a template; ``tensor_dim`` gives rows and columns the same values, in all pairs. ``hbm_stacks`` with the
capacity and bandwidth of a stack stands instead of ``hbm`` and ``hbm_bandwidth``: a stack adds both."""

NOTES: tuple[str, ...] = ("name", "description", "sources")
"""Further keys of a file: text about it."""

_RANGE = re.compile(r"\s*(?P<low>.+?)\s*\.\.\s*(?P<high>.+?)(?:\s+x(?P<factor>\d+))?\s*\Z")


def checked(name: str, key: Key, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values of a tunable, ascending and without duplicates.

    Raises
    ------
    InputError
        For an empty list, a value below its minimum, or an unknown dataflow.
    """
    if not values:
        raise InputError("needs at least one value")
    if name == "dataflow":
        unknown = sorted({str(value) for value in values if value not in DATAFLOW_CHOICES})
        if unknown:
            raise InputError(f"unknown dataflow {', '.join(unknown)}; allowed: {', '.join(DATAFLOW_CHOICES)}")
        return tuple(flow for flow in DATAFLOW_CHOICES if flow in values)
    if not all(type(value) is int for value in values):
        raise InputError(f"must be whole numbers, got {values}")
    if min(values) < key.least:
        unit = (
            "" if key.dimension is None else f" {_BASE[key.dimension]}; write a unit, such as {_EXAMPLE[key.dimension]}"
        )
        raise InputError(f"must be at least {key.least}, got {min(values)}{unit}")
    return tuple(sorted(set(values)))


_BASE = {"bytes": "bytes", "bytes/s": "bytes/s", "hertz": "Hz"}
_EXAMPLE = {"bytes": "32 GiB", "bytes/s": "700 GB/s", "hertz": "700 MHz"}


def _one(value: Any, dimension: str | None) -> int:
    """One number in base units; a text needs its unit, a whole number is taken as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise InputError(f"must be a number, a range or a list of them, got {value!r}")
    if isinstance(value, str) and dimension is not None:
        value = parse_quantity(value, dimension)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise InputError(f"must be a whole number, a range such as 1..64 or a list, got {value!r}") from None
    if isinstance(value, float) and not value.is_integer():
        raise InputError(
            f"must be a whole number{'' if dimension is None else ' of ' + _BASE[dimension]}, got {value!r}"
        )
    return int(value)


def _range(match: re.Match[str], dimension: str | None, text: str) -> list[int]:
    low, high = _one(match["low"], dimension), _one(match["high"], dimension)
    if low > high:
        raise InputError(f"range {text!r} is empty: it starts above its end")
    if match["factor"] is None:
        if dimension is not None:
            raise InputError(f"range {text!r} has no step; write '{text} x2' for doubling, or a list of values")
        if high - low >= _MAX_VALUES:
            raise InputError(f"range {text!r} has more than {_MAX_VALUES:,} values")
        return list(range(low, high + 1))
    factor = int(match["factor"])
    if factor < 2 or low < 1:
        raise InputError(f"range {text!r}: a geometric range needs a factor of at least 2 and a start above 0")
    values = [low]
    while values[-1] * factor <= high:
        values.append(values[-1] * factor)
    if values[-1] != high:
        raise InputError(f"range {text!r} does not reach its end: … {values[-1]}, {values[-1] * factor}")
    return values


def _values(value: Any, dimension: str | None) -> list[int]:
    if isinstance(value, (list, tuple)):
        return [number for item in value for number in _values(item, dimension)]
    if isinstance(value, str) and (match := _RANGE.match(value)):
        return _range(match, dimension, value.strip())
    return [_one(value, dimension)]


def parse(name: str, value: Any) -> tuple[Any, ...]:
    """Checked values of one key; raises as ``checked``, and for what is no number, range or list."""
    key = (FIELDS | STACKS)["tensor_rows" if name == "tensor_dim" else name]
    if key.attribute == "dataflow":
        values: tuple[Any, ...] = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    else:
        values = tuple(_values(value, key.dimension))
    return checked(name, key, values)
