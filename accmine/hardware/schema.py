"""JSON schemas of accelerator and technology files, written from the tables that their readers use."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from accmine.files import names, quantity_pattern, reference_schema
from accmine.hardware.calibration import KINDS
from accmine.hardware.calibration_file import CONSTANTS, TILES, UNITS
from accmine.hardware.design import DATAFLOW_CHOICES
from accmine.hardware.precision import DTYPES
from accmine.hardware.technology.accelergy import COMPONENTS
from accmine.hardware.technology.file import LAWS, TABLES
from accmine.hardware.technology.power import Power
from accmine.hardware.tunables import FIELDS, STACKS, Key

__all__ = ["design_schema", "technology_schema"]

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_NUMBER: dict[str, Any] = {"type": "number", "minimum": 0}


def _mapping(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
    }


def _one_or_list(one: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def _quantity(dimension: str) -> dict[str, Any]:
    return {"type": "string", "pattern": quantity_pattern(dimension)}


def _tunable(key: Key) -> dict[str, Any]:
    """A value, a range or a list of them."""
    if key.attribute == "dataflow":
        return _one_or_list({"enum": list(DATAFLOW_CHOICES)})
    whole: dict[str, Any] = {"type": "integer", "minimum": key.least}
    if key.dimension is None:
        return _one_or_list({"anyOf": [whole, {"type": "string", "pattern": r"^\s*\d+\s*\.\.\s*\d+(\s+x\d+)?\s*$"}]})
    quantity = quantity_pattern(key.dimension)
    ends = quantity.removeprefix("^").removesuffix("$")
    steps = {"type": "string", "pattern": rf"^{ends}\.\.{ends}\s+x\d+\s*$"}
    return _one_or_list({"anyOf": [_quantity(key.dimension), steps, whole]})


def _constants(keys: tuple[str, ...]) -> dict[str, Any]:
    pair = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
    shapes = {"type": "array", "items": {"type": "string", "pattern": r"^\d+\s*x\s*\d+$"}, "minItems": 1}
    special = {"interval": pair, "shapes": shapes} | {
        key: _quantity(dimension) for key, (_, dimension) in UNITS.items()
    }
    return {key: special.get(key, _NUMBER) for key in keys}


def design_schema() -> dict[str, Any]:
    """Of an accelerator: a design, or a template where a tunable has several values."""
    rates = {"type": "object", "propertyNames": {"enum": list(DTYPES)}, "additionalProperties": _NUMBER}
    calibration = _mapping(
        _constants(CONSTANTS)
        | {
            "tiles": _mapping(_constants(TILES)),
            "kinds": _mapping({kind: _mapping(_constants(CONSTANTS)) for kind in KINDS}),
            "source": _TEXT,
        },
        "source",
    )
    return _mapping(
        {
            "name": _TEXT,
            "description": {"type": "string"},
            "sources": True,
            **{name: _tunable(key) for name, key in (FIELDS | STACKS).items()},
            "tensor_dim": _tunable(FIELDS["tensor_rows"]),
            "tensor_rates": rates,
            "vector_rates": rates,
            "calibrated": {"enum": [True, False, "relative"]},
            "anchor": {"const": "peak"},
            "instead": {"enum": list(names("accelerators"))},
            "technology": {"enum": list(names("technologies"))},
            "calibration": calibration,
        }
    )


def _constant(unit: str, name: str = "") -> dict[str, Any]:
    number = {"type": "object", "additionalProperties": _NUMBER} if name in TABLES else _NUMBER
    band = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
    units: dict[str, Any] = {"enum": ["1", 1]} if unit == "1" else {"const": unit}
    return _mapping({"value": number, "unit": units, "source": _TEXT, "band": band}, "value", "unit", "source")


def _section(kind: type, **more: Any) -> dict[str, Any]:
    """The constants that a dataclass of a law names; those that may be missing default to nothing."""
    rows = {item.name: _constant(str(item.metadata["unit"]), item.name) for item in fields(kind)}
    needed = [item.name for item in fields(kind) if item.default is not None]
    return _mapping(more | rows, *more, *needed)


def technology_schema() -> dict[str, Any]:
    """Of a technology: constants of area and power, or Accelergy's tables over another technology."""
    texts = {"name": _TEXT, "description": _TEXT}
    own = _mapping(
        texts
        | {
            "node_nm": _constant("nm"),
            "area": {"anyOf": [_section(kind, law={"const": law}) for law, kind in LAWS.items()]},
            "power": {"anyOf": [_section(Power), {"type": "null"}]},
        },
        *("name", "description", "node_nm", "area", "power"),
    )
    words = _one_or_list(_TEXT)
    size = _quantity("bytes")
    part = _mapping(
        {"component": _TEXT, "actions": words, "arguments": {"type": "object"}, "width": size, "size": size}
    )
    tables = _mapping(
        {
            "ert": _TEXT,
            "art": _TEXT,
            "band": _NUMBER,
            "components": _mapping(dict.fromkeys(COMPONENTS, _one_or_list({"anyOf": [_TEXT, part]}))),
        }
    )
    base = reference_schema("technologies")
    return {"anyOf": [own, _mapping(texts | {"base": base, "accelergy": tables}, *("name", "base", "accelergy"))]}
