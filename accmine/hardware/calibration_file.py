"""The section ``calibration`` of an accelerator file: read with the place of every complaint, and written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.files import Document, did_you_mean, format_quantity, parse_quantity
from accmine.hardware.calibration import KINDS, Calibration, Constants, Tiles

__all__ = ["calibration_section", "read_calibration"]

_FLAT = ("launch", "array_efficiency", "vector_efficiency", "hbm_efficiency")
"""Keys that the section of a chip without kinds has to have."""

UNITS: dict[str, tuple[str, str]] = {
    "launch": ("launch_s", "seconds"),
    "host_launch": ("host_launch_s", "seconds"),
    "hbm_ramp": ("hbm_ramp_bytes", "bytes"),
    "split_launch": ("split_launch_s", "seconds"),
}
"""Keys of quantities: the field, and its dimension; the other keys are numbers named as their fields."""

_FIELD_OF = {field: key for key, (field, _) in UNITS.items()}
CONSTANTS = tuple(_FIELD_OF.get(item.name, item.name) for item in fields(Constants))
TILES = tuple(_FIELD_OF.get(item.name, item.name) for item in fields(Tiles))
_SHAPE = re.compile(r"([1-9]\d{0,5})\s*x\s*([1-9]\d{0,5})")


class _Reader:
    """Complaints about a section, each with its place."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.wrong: list[Complaint] = []

    def complain(self, path: tuple[str, ...], text: str) -> None:
        self.wrong.append(Complaint(self.document.locate(path), ".".join(path), text))

    def mapping(self, path: tuple[str, ...], data: Any, allowed: tuple[str, ...]) -> Mapping[str, Any]:
        """A mapping without unknown keys; empty where it is none."""
        if not isinstance(data, Mapping):
            self.complain(path, f"must be a mapping of {', '.join(allowed)}")
            return {}
        for key in data:
            if key not in allowed:
                text = f"unknown key; {did_you_mean(str(key), allowed)}allowed: {', '.join(allowed)}"
                self.complain((*path, str(key)), text)
        return data

    def values(
        self, path: tuple[str, ...], data: Mapping[str, Any], keys: tuple[str, ...], check: Callable[..., object]
    ) -> dict[str, Any]:
        """The fields of these keys, each of them checked on its own."""
        found: dict[str, Any] = {}
        for key in keys:
            if key not in data:
                continue
            field, dimension = UNITS.get(key, (key, ""))
            try:
                value = _value(key, data[key], dimension)
                check(**{field: value})
                found[field] = value
            except InputError as problem:
                for item in problem.complaints:
                    self.complain((*path, key), item.message)
        return found


def _value(key: str, given: Any, dimension: str) -> Any:
    if key == "shapes":
        return _shapes(given)
    if key == "interval":
        if not isinstance(given, list) or len(given) != 2 or not all(map(_is_number, given)):
            raise InputError(f"must be two ratios such as [0.9, 1.1], got {given!r}")
        return tuple(float(bound) for bound in given)
    if dimension:
        return float(parse_quantity(given, dimension))
    if not _is_number(given):
        raise InputError(f"must be a number{' above 0 and at most 1' if 'efficiency' in key else ''}, got {given!r}")
    return float(given)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shapes(given: Any) -> tuple[tuple[int, int], ...]:
    shapes = [_SHAPE.fullmatch(str(item)) for item in given] if isinstance(given, list) and given else [None]
    if not all(shapes):
        raise InputError(f"must be a list of shapes such as 128x256, got {given!r}")
    return tuple((int(match[1]), int(match[2])) for match in shapes if match)


def read_calibration(document: Document) -> Calibration:
    """The calibration of an accelerator file; without the section none.

    A section without ``kinds`` has to say ``launch`` and the three efficiencies. A kind takes what it does not say from
    the section.

    Raises
    ------
    InputError
        Every complaint at once: unknown or missing keys, wrong units, efficiencies outside (0, 1].
    """
    if "calibration" not in document.data:
        return Calibration()
    reader, top = _Reader(document), ("calibration",)
    allowed = (*CONSTANTS, "tiles", "kinds", "source")
    section = reader.mapping(top, document.data["calibration"], allowed)
    if isinstance(document.data["calibration"], Mapping):
        needed = ("source",) if "kinds" in section else (*_FLAT, "source")
        for key in needed:
            if key not in section:
                reader.complain(top, f"{key} is missing")
    if "source" in section and not (isinstance(section["source"], str) and section["source"].strip()):
        reader.complain((*top, "source"), "must say what the values were fitted on")
    own = reader.values(top, section, CONSTANTS, Constants)
    tiles = Tiles()
    if "tiles" in section:
        path = (*top, "tiles")
        data = reader.mapping(path, section["tiles"], TILES)
        if data and "shapes" not in data:
            reader.complain(path, "shapes are missing")
        tiles = Tiles(**reader.values(path, data, TILES, Tiles))
    kinds = []
    if "kinds" in section:
        path = (*top, "kinds")
        for kind, given in reader.mapping(path, section["kinds"], KINDS).items():
            if kind in KINDS:
                data = reader.mapping((*path, kind), given, CONSTANTS)
                inherited = own | {"interval": ()}
                kinds.append(
                    (kind, Constants(**(inherited | reader.values((*path, kind), data, CONSTANTS, Constants))))
                )
    if reader.wrong:
        raise InputError(reader.wrong)
    return Calibration(**own, kinds=tuple(kinds), tiles=tiles)


def calibration_section(calibration: Calibration, source: str) -> dict[str, Any]:
    """The section that ``read_calibration`` reads back as this calibration."""
    section = _written(calibration, Constants(), _FLAT)
    if calibration.tiles.shapes:
        tiles = calibration.tiles
        rest = {name: getattr(tiles, name) for name in ("fill", "edge", "split_launch_s", "split_traffic")}
        shapes = [f"{rows}x{columns}" for rows, columns in tiles.shapes]
        section["tiles"] = {"shapes": shapes, **{_key(name): _text(name, value) for name, value in rest.items()}}
    if calibration.kinds:
        section["kinds"] = {kind: _written(own, calibration, ()) for kind, own in calibration.kinds}
    return section | {"source": source}


def _written(constants: Constants, but: Constants, always: tuple[str, ...]) -> dict[str, Any]:
    """What differs from ``but``, and these keys."""
    found: dict[str, Any] = {}
    for item in fields(Constants):
        value, key = getattr(constants, item.name), _key(item.name)
        inherited = () if item.name == "interval" else getattr(but, item.name)
        if key in always or value != inherited:
            found[key] = _text(item.name, value)
    return found


def _key(field: str) -> str:
    return _FIELD_OF.get(field, field)


def _text(field: str, value: Any) -> Any:
    if field in _FIELD_OF:
        return format_quantity(value, UNITS[_FIELD_OF[field]][1])
    if field == "interval":
        return list(value)
    return value
