"""Value types of a study: quantities, limits, ranges of tunables and names of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints, WithJsonSchema
from pydantic_core.core_schema import ValidationInfo

from accmine.errors import InputError
from accmine.files import (
    allowed_units,
    find_file,
    format_quantity,
    is_file_reference,
    parse_quantity,
    quantity_pattern,
    reference_schema,
    resolve,
)
from accmine.hardware import DATAFLOW_CHOICES
from accmine.study.choices import AUTO
from accmine.system import SCHEDULES

__all__ = [
    "AcceleratorName",
    "ArchitectureName",
    "AreaLimit",
    "Axis",
    "BytesAxis",
    "ChunkList",
    "ClusterName",
    "Count",
    "CountAxis",
    "DataFile",
    "DataflowAxis",
    "Degrees",
    "DeviceName",
    "EngineName",
    "HertzAxis",
    "MeasurementFile",
    "MicrobatchList",
    "OptionalBytesAxis",
    "PositiveCount",
    "PowerLimit",
    "RankOrder",
    "RateAxis",
    "RecomputeList",
    "ScheduleList",
    "Switch",
    "TechnologyName",
    "Text",
    "WorkloadName",
    "ZeroList",
]


def _on_one_line(text: str) -> str:
    if not all(own.isprintable() for own in text):
        raise ValueError("line breaks and control characters are not allowed")
    return text


Count = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
"""A whole number from 0; ``true``, ``1.0`` and ``"1"`` are not numbers here."""
PositiveCount = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
"""A whole number from 1."""
Text = Annotated[str, StringConstraints(strict=True, min_length=1), AfterValidator(_on_one_line)]
"""Text of at least one character, none of which moves the cursor: it is shown in tables."""
Axis = int | str | tuple[int | str, ...]
"""Allowed values of one tunable as a study says them."""

RECOMPUTE = ("none", "selective", "full")
RANKS = ("tensor", "data", "pipeline")

_RANGE = re.compile(r"\s*(\d+)\s*\.\.\s*(\d+)\s*\Z")


def _as_value_error(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except InputError as error:
        raise ValueError(error.complaints[0].message) from None


def _quantity(value: Any, dimension: str) -> str:
    """Canonical text of a positive quantity, so that equal studies are written alike."""
    number = _as_value_error(parse_quantity, value, dimension)
    if number == 0:
        raise ValueError(f"must be above 0, got {value!r}")
    return format_quantity(number, dimension)


def _limit(value: Any, dimension: str) -> str | None:
    if value is None or value == "none":
        return None
    if value == "baseline":
        return "baseline"
    try:
        return _quantity(value, dimension)
    except ValueError as error:
        raise ValueError(f"{error}; or baseline (the baseline's own value), or none") from None


def _limit_schema(dimension: str) -> WithJsonSchema:
    words = f"number with a unit ({allowed_units(dimension)}), baseline, or none"
    quantity = {"type": "string", "pattern": quantity_pattern(dimension)}
    return WithJsonSchema({"anyOf": [quantity, {"enum": ["baseline", "none", None]}], "description": words})


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, a range such as 1..64, or a list of numbers, got {value!r}")
    if value < 1:
        raise ValueError(f"must be at least 1, got {value}")
    return value


def _list(value: Any, item: Callable[[Any], int | str]) -> Axis:
    if not isinstance(value, list | tuple):
        return item(value)
    if not value:
        raise ValueError("is an empty list; give at least one value")
    items = tuple(item(one) for one in value)
    twice = [one for index, one in enumerate(items) if one in items[:index]]
    if twice:
        raise ValueError(f"names {twice[0]!r} twice")
    return items


def _count_axis(value: Any) -> Axis | None:
    if value is None:
        return None
    match = _RANGE.match(value) if isinstance(value, str) else None
    if match is None:
        return _list(value, _count)
    low, high = int(match.group(1)), int(match.group(2))
    if not 1 <= low <= high:
        raise ValueError(f"{value!r} is an impossible range; allowed: lo..hi with 1 <= lo <= hi")
    return f"{low}..{high}"


def _one_or_more(value: Any, item: Callable[[Any], int | str]) -> Axis:
    """A value or a list of them; a list of one is that one."""
    found = _list(value, item)
    return found[0] if isinstance(found, tuple) and len(found) == 1 else found


def _degrees(value: Any) -> Axis:
    if value == AUTO:
        return AUTO
    try:
        return _one_or_more(value, _count)
    except ValueError as error:
        raise ValueError(f"{error}; allowed: a number, a list of numbers, or auto") from None


def _counts(value: Any) -> Axis:
    return _one_or_more(value, _count)


def _zero(value: Any) -> Axis:
    def one(stage: Any) -> int:
        if isinstance(stage, bool) or stage not in (0, 1, 2, 3):
            raise ValueError(f"must be 0, 1, 2 or 3, or a list of them, got {stage!r}")
        return int(stage)

    return _one_or_more(value, one)


def _words(value: Any, allowed: Sequence[str]) -> Axis:
    def one(word: Any) -> str:
        if word not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}, or a list of them, got {word!r}")
        return str(word)

    return _one_or_more(value, one)


def _order(value: Any) -> str | tuple[str, ...]:
    if value == AUTO:
        return AUTO
    if isinstance(value, list | tuple) and sorted(map(str, value)) == sorted(RANKS):
        return tuple(value)
    raise ValueError(f"must be auto, or {', '.join(RANKS)} in some order, innermost first; got {value!r}")


def _switch(value: Any) -> bool | str:
    if isinstance(value, bool) or value == AUTO:
        return value  # type: ignore[no-any-return]
    raise ValueError(f"must be true, false or auto, got {value!r}")


def _quantity_axis(value: Any, dimension: str) -> Axis | None:
    return None if value is None else _list(value, lambda one: _quantity(one, dimension))


def _or_none_axis(value: Any, dimension: str) -> Axis | None:
    """As ``_quantity_axis``, with 0 for a part that is not there."""

    def one(text: Any) -> str:
        return format_quantity(_as_value_error(parse_quantity, text, dimension), dimension)

    return None if value is None else _list(value, one)


def _dataflow(value: Any) -> str:
    if value not in DATAFLOW_CHOICES:
        raise ValueError(f"must be one of {', '.join(DATAFLOW_CHOICES)}, or a list of them, got {value!r}")
    return str(value)


def _dataflow_axis(value: Any) -> Axis | None:
    return None if value is None else _list(value, _dataflow)


def _one_or_list(one: dict[str, Any], *more: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [one, *more, {"type": "array", "items": one, "minItems": 1}]})


def _quantity_schema(dimension: str) -> WithJsonSchema:
    words = f"number with a unit: {allowed_units(dimension)}"
    return _one_or_list({"type": "string", "pattern": quantity_pattern(dimension), "description": words})


def _reference(value: str, info: ValidationInfo, kind: str) -> str:
    found = _found(value, info) if is_file_reference(value) else None
    if found is None:  # a name of the catalogue, or what to say of a file that is not there
        _as_value_error(resolve, kind, value, (info.context or {}).get("folder"))
    return value if found is None else str(found)


def _found(value: str, info: ValidationInfo) -> Path | None:
    """A file beside the study or in the current folder."""
    folder: Path | None = (info.context or {}).get("folder")
    found: Path | None = _as_value_error(find_file, value, *(f for f in (folder, Path.cwd()) if f is not None))
    return found


def _read(function: Callable[..., Any], argument: Any) -> Callable[[Any], Any]:
    return lambda value: function(value, argument)


def _name_of(kind: str) -> tuple[AfterValidator, WithJsonSchema]:
    def read(value: str, info: ValidationInfo) -> str:
        return _reference(value, info, kind)

    return AfterValidator(read), WithJsonSchema(reference_schema(kind))


def _csv(value: str, info: ValidationInfo) -> str:
    """An existing file, beside the study or in the current folder; absolute."""
    found = _found(value, info)
    if found is None:
        raise ValueError(f"no such file: {value}")
    return str(found)


_NUMBER: dict[str, Any] = {"type": "integer", "minimum": 1}
Degrees = Annotated[Axis, PlainValidator(_degrees), _one_or_list(_NUMBER, {"const": AUTO})]
"""A degree of parallelism: a number, a list of numbers to choose from, or ``auto``."""
MicrobatchList = Annotated[Axis, PlainValidator(_counts), _one_or_list(_NUMBER)]
"""Samples that pass through a device together: a number, or a list to choose from."""
ChunkList = Annotated[Axis, PlainValidator(_counts), _one_or_list(_NUMBER)]
"""A number, or a list to choose from."""
ZeroList = Annotated[Axis, PlainValidator(_zero), _one_or_list({"type": "integer", "minimum": 0, "maximum": 3})]
"""A ZeRO stage, or a list to choose from."""
RecomputeList = Annotated[
    str | tuple[str, ...],
    PlainValidator(_read(_words, RECOMPUTE)),
    _one_or_list({"type": "string", "enum": list(RECOMPUTE)}),
]
"""What is recomputed, or a list to choose from."""
ScheduleList = Annotated[
    str | tuple[str, ...],
    PlainValidator(_read(_words, tuple(SCHEDULES))),
    _one_or_list({"type": "string", "enum": list(SCHEDULES)}),
]
"""A pipeline schedule by its name, or a list to choose from."""
RankOrder = Annotated[
    str | tuple[str, ...],
    PlainValidator(_order),
    WithJsonSchema({"anyOf": [{"const": AUTO}, {"type": "array", "items": {"enum": list(RANKS)}, "minItems": 3}]}),
]
"""Groups of devices, innermost first, or ``auto``."""
Switch = Annotated[
    bool | str, PlainValidator(_switch), WithJsonSchema({"anyOf": [{"type": "boolean"}, {"const": AUTO}]})
]
"""``true``, ``false`` or ``auto``."""

MeasurementFile = Annotated[str, AfterValidator(_csv), WithJsonSchema({"type": "string", "minLength": 1})]
"""A CSV file, found beside the study or in the current folder."""
DataFile = Annotated[str, AfterValidator(_csv), WithJsonSchema({"type": "string", "minLength": 1})]
"""A file of another kind, likewise."""

AreaLimit = Annotated[str | None, PlainValidator(_read(_limit, "mm2")), _limit_schema("mm2")]
"""An upper limit: a quantity, ``baseline`` for the baseline's own value, ``none`` for no limit."""
PowerLimit = Annotated[str | None, PlainValidator(_read(_limit, "watt")), _limit_schema("watt")]
"""As ``AreaLimit``, in watts."""

CountAxis = Annotated[
    Axis | None,
    PlainValidator(_count_axis),
    _one_or_list({"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\s*\d+\s*\.\.\s*\d+\s*$"}),
]
"""A tunable that counts: a number, a range ``lo..hi`` (both included), or a list of numbers."""
DataflowAxis = Annotated[
    Axis | None, PlainValidator(_dataflow_axis), _one_or_list({"type": "string", "enum": list(DATAFLOW_CHOICES)})
]
"""One or several of ``ws``, ``os`` and ``is``."""
BytesAxis = Annotated[Axis | None, PlainValidator(_read(_quantity_axis, "bytes")), _quantity_schema("bytes")]
"""A tunable with a unit: a quantity, or a list of quantities."""
OptionalBytesAxis = Annotated[Axis | None, PlainValidator(_read(_or_none_axis, "bytes")), _quantity_schema("bytes")]
"""As ``BytesAxis``; ``0 B`` stands for none."""
RateAxis = Annotated[Axis | None, PlainValidator(_read(_quantity_axis, "bytes/s")), _quantity_schema("bytes/s")]
"""As ``BytesAxis``, in bytes per second."""
HertzAxis = Annotated[Axis | None, PlainValidator(_read(_quantity_axis, "hertz")), _quantity_schema("hertz")]
"""As ``BytesAxis``, in hertz."""

WorkloadName = Annotated[Text, *_name_of("workloads")]
"""Name in the catalogue, or a file: it is made absolute. A relative file is looked for in the folder
of the study (``info.context["folder"]``), then in the current one."""
AcceleratorName = Annotated[Text, *_name_of("accelerators")]
"""As ``WorkloadName``."""
TechnologyName = Annotated[Text, *_name_of("technologies")]
"""As ``WorkloadName``."""
ArchitectureName = Annotated[Text, *_name_of("kernels")]
"""As ``WorkloadName``."""
ClusterName = Annotated[Text, *_name_of("clusters")]
"""As ``WorkloadName``."""
DeviceName = Annotated[Text, *_name_of("devices")]
"""As ``WorkloadName``."""
EngineName = Annotated[Text, *_name_of("engines")]
"""As ``WorkloadName``."""
