"""Template: the tunable accelerator, with the allowed values of every tunable.

A template is written as a mapping — the ``accelerator:`` section of a study, or a file of the catalogue. Values are
a number, a quantity with unit (``32 GiB``), a range (``1..64`` is every integer, ``16..256 x2`` doubles from 16 to
256), or a list of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import prod
from pathlib import Path
from typing import Any

from accmine.catalogue import resolve
from accmine.errors import Complaint, InputError
from accmine.hardware.design import DATAFLOWS, Design
from accmine.source import Document, load_yaml
from accmine.suggest import did_you_mean
from accmine.units import parse_quantity

__all__ = ["KEYS", "NOTES", "Template", "open_keys", "read_accelerator", "template_from_mapping", "template_of"]

_MAX_VALUES = 100_000  # a longer list is a slip of the pen; solvers hold one entry per value


@dataclass(frozen=True, slots=True)
class _Key:
    """How a key is written: the template field, its dimension (``None``: a plain integer) and least value."""

    attribute: str
    dimension: str | None
    least: int


_FIELDS: dict[str, _Key] = {
    "tensor_cores": _Key("tensor_cores", None, 1),
    "tensor_rows": _Key("tensor_rows", None, 1),
    "tensor_cols": _Key("tensor_cols", None, 1),
    "dataflow": _Key("dataflow", None, 0),
    "tensor_sram": _Key("tensor_sram_bytes", "bytes", 1024),
    "vector_cores": _Key("vector_cores", None, 1),
    "vector_lanes": _Key("vector_lanes", None, 1),
    "vector_ops_per_lane": _Key("vector_ops_per_lane", None, 1),
    "vector_sram": _Key("vector_sram_bytes", "bytes", 1024),
    "shared_sram": _Key("shared_sram_bytes", "bytes", 0),
    "hbm": _Key("hbm_bytes", "bytes", 1 << 20),
    "hbm_bandwidth": _Key("hbm_bytes_per_s", "bytes/s", 10**6),
    "frequency": _Key("frequency_hz", "hertz", 10**6),
}
_OPTIONAL: dict[str, str] = {"dataflow": "ws", "shared_sram": "0 B"}
"""Keys a file may leave out, and what that means."""

KEYS: tuple[str, ...] = ("use", "tensor_dim", *_FIELDS)
"""Keys of a template; ``tensor_dim`` gives rows and columns the same values, in all pairs."""

NOTES: tuple[str, ...] = ("name", "description", "sources")
"""Further keys of a file: text about it."""

_RANGE = re.compile(r"\s*(?P<low>.+?)\s*\.\.\s*(?P<high>.+?)(?:\s+x(?P<factor>\d+))?\s*\Z")
_UNUSED = ("shared_sram_bytes",)
"""Tunables on which no term of the time model depends."""


@dataclass(frozen=True, slots=True)
class Template:
    """Allowed values of every tunable, ascending and without duplicates.

    Designs are all combinations. Sizes are in bytes, bandwidth in bytes/s, frequency in Hz.

    Raises
    ------
    InputError
        For an empty list, a value below its minimum, an unknown dataflow, or several values of a
        tunable on which no term of the time model depends.
    """

    tensor_cores: tuple[int, ...]
    tensor_rows: tuple[int, ...]
    tensor_cols: tuple[int, ...]
    dataflow: tuple[str, ...]
    tensor_sram_bytes: tuple[int, ...]
    vector_cores: tuple[int, ...]
    vector_lanes: tuple[int, ...]
    vector_ops_per_lane: tuple[int, ...]
    vector_sram_bytes: tuple[int, ...]
    shared_sram_bytes: tuple[int, ...]
    hbm_bytes: tuple[int, ...]
    hbm_bytes_per_s: tuple[int, ...]
    frequency_hz: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check and normalise the values."""
        complaints = []
        for name, key in _FIELDS.items():
            values = getattr(self, key.attribute)
            try:
                object.__setattr__(self, key.attribute, _checked(name, key, values))
            except InputError as error:
                complaints += [Complaint("", name, item.message) for item in error.complaints]
        if complaints:
            raise InputError(complaints)

    @property
    def size(self) -> int:
        """Number of designs."""
        return prod(len(getattr(self, item.name)) for item in fields(self))

    def contains(self, design: Design) -> bool:
        """Whether every tunable of ``design`` has an allowed value."""
        tensor, vector = design.tensor, design.vector
        return (
            design.tensor_cores in self.tensor_cores
            and tensor.rows in self.tensor_rows
            and tensor.cols in self.tensor_cols
            and tensor.dataflow in self.dataflow
            and tensor.sram_bytes in self.tensor_sram_bytes
            and design.vector_cores in self.vector_cores
            and vector.lanes in self.vector_lanes
            and vector.ops_per_lane in self.vector_ops_per_lane
            and vector.sram_bytes in self.vector_sram_bytes
            and design.shared_sram_bytes in self.shared_sram_bytes
            and design.hbm_bytes in self.hbm_bytes
            and design.hbm_bytes_per_s in self.hbm_bytes_per_s
            and design.frequency_hz in self.frequency_hz
        )


def _checked(name: str, key: _Key, values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise InputError("needs at least one value")
    if name == "dataflow":
        unknown = sorted({str(value) for value in values if value not in DATAFLOWS})
        if unknown:
            raise InputError(f"unknown dataflow {', '.join(unknown)}; allowed: {', '.join(DATAFLOWS)}")
        return tuple(flow for flow in DATAFLOWS if flow in values)
    if not all(type(value) is int for value in values):
        raise InputError(f"must be whole numbers, got {values}")
    if min(values) < key.least:
        unit = (
            "" if key.dimension is None else f" {_BASE[key.dimension]}; write a unit, such as {_EXAMPLE[key.dimension]}"
        )
        raise InputError(f"must be at least {key.least}, got {min(values)}{unit}")
    distinct = tuple(sorted(set(values)))
    if key.attribute in _UNUSED and len(distinct) > 1:
        raise InputError(
            f"a range over {name} is refused: no term of the time model depends on it, "
            "so the smallest value would always win; give one value"
        )
    return distinct


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


def _parse(name: str, value: Any) -> tuple[Any, ...]:
    """Checked values of one key."""
    key = _FIELDS["tensor_rows" if name == "tensor_dim" else name]
    if key.attribute == "dataflow":
        values: tuple[Any, ...] = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    else:
        values = tuple(_values(value, key.dimension))
    return _checked(name, key, values)


def _keys_in(mapping: Mapping[str, Any], allowed: tuple[str, ...]) -> list[tuple[str, str]]:
    """(key, complaint) of unknown keys and of contradictions."""
    wrong = [
        (str(key), f"unknown key; {did_you_mean(str(key), allowed)}allowed: {', '.join(allowed)}")
        for key in mapping
        if key not in allowed
    ]
    if "tensor_dim" in mapping and ("tensor_rows" in mapping or "tensor_cols" in mapping):
        wrong.append(("tensor_dim", "gives rows and columns; leave it out, or tensor_rows and tensor_cols"))
    return wrong


def _override(values: dict[str, tuple[Any, ...]], mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Put the parsed values of ``mapping`` over ``values``; (key, complaint) of those that are wrong."""
    wrong = []
    for key, value in mapping.items():
        if key not in _FIELDS and key != "tensor_dim":
            continue
        try:
            parsed = _parse(key, value)
        except InputError as error:
            wrong += [(key, item.message) for item in error.complaints]
            continue
        for name in ("tensor_rows", "tensor_cols") if key == "tensor_dim" else (key,):
            values[name] = parsed
    return wrong


def _template(values: Mapping[str, tuple[Any, ...]]) -> Template:
    return Template(**{key.attribute: values[name] for name, key in _FIELDS.items()})


def _missing(values: Mapping[str, Any]) -> str:
    names = [name for name in _FIELDS if name not in values]
    return f"missing: {', '.join(names)} (or 'use: wham' for the shipped defaults)" if names else ""


def template_from_mapping(mapping: Mapping[str, Any], where: str = "", *, relative_to: Path | None = None) -> Template:
    """A template from the ``accelerator:`` section of a study.

    Parameters
    ----------
    mapping
        Keys of ``KEYS``. ``use`` names a shipped accelerator or a file (a template or a design), whose
        values the other keys override; without it every tunable has to be given.
    where
        Prefix of field names in messages, e.g. ``accelerator``.
    relative_to
        Folder in which a relative file of ``use`` is looked up; default: the current one.

    Raises
    ------
    InputError
        Every complaint at once: unknown keys, wrong units, empty ranges, a range over something that
        no term of the time model depends on.
    """
    wrong = _keys_in(mapping, KEYS)
    values: dict[str, tuple[Any, ...]] = {name: _parse(name, value) for name, value in _OPTIONAL.items()}
    if "use" in mapping:
        values = _file_values(read_accelerator(mapping["use"], relative_to))
    wrong += _override(values, mapping)
    if not wrong and (missing := _missing(values)):
        wrong.append(("", missing))
    if wrong:
        prefix = [where] if where else []
        raise InputError([Complaint("", ".".join([*prefix, *([key] if key else [])]), text) for key, text in wrong])
    return _template(values)


def read_accelerator(name_or_path: str | Path, relative_to: Path | None = None) -> Document:
    """The file of a shipped accelerator or of a user's own, not yet checked.

    Raises
    ------
    InputError
        If there is none, or it is not YAML.
    """
    if not isinstance(name_or_path, (str, Path)):
        raise InputError(f"must be the name of an accelerator or a file, got {name_or_path!r}", field="use")
    return load_yaml(resolve("accelerators", name_or_path, relative_to))


def _file_values(document: Document) -> dict[str, tuple[Any, ...]]:
    """Checked values of every tunable of a file, complaints with their place."""
    data = document.data
    if not isinstance(data, Mapping):
        raise InputError(f"must be a mapping of {', '.join(KEYS[1:])}", where=document.name)
    values = {name: _parse(name, value) for name, value in _OPTIONAL.items()}
    wrong = _keys_in(data, (*NOTES, *KEYS[1:])) + _override(values, data)
    if not wrong and (missing := _missing(values)):
        wrong.append(("", missing))
    if wrong:
        raise InputError([Complaint(document.locate((key,) if key else ()), key, text) for key, text in wrong])
    return values


def open_keys(document: Document) -> tuple[str, ...]:
    """Keys of a checked accelerator file that allow several values: what makes it a template, not a design."""
    keys = [key for key in document.data if key in _FIELDS or key == "tensor_dim"]
    return tuple(key for key in keys if len(_parse(key, document.data[key])) > 1)


def template_of(source: Document | Design) -> Template:
    """The template of an accelerator file, or the one whose only design is ``source``.

    Raises
    ------
    InputError
        Every complaint about the file at once, with its place.
    """
    if isinstance(source, Document):
        return _template(_file_values(source))
    tensor, vector = source.tensor, source.vector
    return Template(
        tensor_cores=(source.tensor_cores,),
        tensor_rows=(tensor.rows,),
        tensor_cols=(tensor.cols,),
        dataflow=(tensor.dataflow,),
        tensor_sram_bytes=(tensor.sram_bytes,),
        vector_cores=(source.vector_cores,),
        vector_lanes=(vector.lanes,),
        vector_ops_per_lane=(vector.ops_per_lane,),
        vector_sram_bytes=(vector.sram_bytes,),
        shared_sram_bytes=(source.shared_sram_bytes,),
        hbm_bytes=(source.hbm_bytes,),
        hbm_bytes_per_s=(source.hbm_bytes_per_s,),
        frequency_hz=(source.frequency_hz,),
    )
