"""Devices of a study of a sparse dataflow accelerator, what a design may take of each, and the links between them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict

from accmine.files import FieldsError
from accmine.study.precision import Part
from accmine.study.values import DeviceName

__all__ = ["DeviceInRow", "Devices", "Links", "OwnShares", "Share", "Shares", "unit"]

_SHARE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*%\s*\Z")
_PER_CENT = r"^\s*(100(\.0*)?|\d{1,2}(\.\d*)?|\.\d+)\s*%\s*$"


def unit(name: str) -> JsonDict:
    """The unit of a key, for its schema."""
    return {"unit": name}


def _share(value: Any) -> Any:
    """``80 %`` as 0.8; a number stands for itself."""
    match = _SHARE.match(value) if isinstance(value, str) else None
    if match is not None:
        value = float(match[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"must be a share of the device, 0 to 1 or '0 %' to '100 %', got {value!r:.60}")
    return value


Share = Annotated[
    float,
    BeforeValidator(_share),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": _PER_CENT}]}
    ),
]
"""A share of a device: a number, or per cent as a text."""


class Shares(Part):
    """What a design may take, as shares of the device, or of each: ``0.8`` or ``80 %``."""

    dsp: Share = Field(default=1.0, description="Multipliers (DSP blocks).", json_schema_extra=unit("share"))
    lut: Share = Field(default=1.0, description="Logic (LUTs), which is estimated.", json_schema_extra=unit("share"))
    ff: Share = Field(default=1.0, description="Registers, which are estimated.", json_schema_extra=unit("share"))
    bram18: Share = Field(default=1.0, description="Blocks of 18 Kbit.", json_schema_extra=unit("share"))
    uram: Share = Field(default=1.0, description="Blocks of 288 Kbit.", json_schema_extra=unit("share"))
    bandwidth: Share = Field(default=1.0, description="Of the off-chip memory.", json_schema_extra=unit("share"))


_OWN = "Default: that under limits."


class OwnShares(Part):
    """What a design may take of one of several devices, where that is not what it may take of each."""

    dsp: Share | None = Field(default=None, description=f"Multipliers. {_OWN}", json_schema_extra=unit("share"))
    lut: Share | None = Field(default=None, description=f"Logic. {_OWN}", json_schema_extra=unit("share"))
    ff: Share | None = Field(default=None, description=f"Registers. {_OWN}", json_schema_extra=unit("share"))
    bram18: Share | None = Field(
        default=None, description=f"Blocks of 18 Kbit. {_OWN}", json_schema_extra=unit("share")
    )
    uram: Share | None = Field(default=None, description=f"Blocks of 288 Kbit. {_OWN}", json_schema_extra=unit("share"))
    bandwidth: Share | None = Field(
        default=None, description=f"Of the off-chip memory. {_OWN}", json_schema_extra=unit("share")
    )


class DeviceInRow(Part):
    """One of several devices: a name, or a mapping."""

    use: DeviceName = Field(description="FPGA of the catalogue, or a YAML file.")
    limits: OwnShares = Field(default=OwnShares(), description="Shares of this device, in the place of limits.")


def _named(value: Any) -> Any:
    """A name as a mapping of that name alone."""
    return {"use": value} if isinstance(value, str) else value


if TYPE_CHECKING:
    _Named = DeviceInRow
else:
    _Named = Annotated[DeviceInRow, BeforeValidator(_named, json_schema_input_type=DeviceName | DeviceInRow)]

Devices = Annotated[tuple[_Named, ...], Field(min_length=2)]
"""Devices in a row."""


def _rate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"must be words per cycle above 0, got {value!r:.60}")
    return value


def _rates(value: Any) -> Any:
    """A number, or a list of them, in which null is any number."""
    if not isinstance(value, list | tuple):
        return _rate(value)
    found, wrong = list[float | None](), list[tuple[tuple[str | int, ...], str]]()
    for i, item in enumerate(value):
        try:
            found.append(None if item is None else _rate(item))
        except ValueError as error:
            wrong.append(((i,), f"{error}; or null, for any number"))
    if wrong:
        raise FieldsError(wrong)
    return tuple(found)


_RATE: JsonDict = {"type": "number", "exclusiveMinimum": 0}
_RATE_OR_NULL: JsonDict = {"anyOf": [_RATE, {"type": "null"}]}
Links = Annotated[
    float | tuple[float | None, ...],
    PlainValidator(_rates),
    WithJsonSchema({"anyOf": [_RATE, {"type": "array", "items": _RATE_OR_NULL, "minItems": 1}]}),
]
"""Words per cycle of all links, or of each."""
