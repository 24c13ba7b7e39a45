"""Numbers as descriptions write them: whole ones, sizes with units, frequencies; fields of keys."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from accmine.errors import InputError
from accmine.files import allowed_units, parse_quantity, quantity_pattern
from accmine.kernel.described.expression import parse

__all__ = ["Bandwidth", "Bytes", "Count", "Cycles", "Hertz", "Size", "SomeCycles", "Whole", "number_schema"]


def _whole(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"must be a whole number or an expression, got {value!r}")
    try:
        if isinstance(value, str):
            parse(value)
    except InputError as error:
        raise ValueError(error.complaints[0].message) from None
    return value


def _size(value: Any) -> int | str:
    if not isinstance(value, str) or not re.match(quantity_pattern("bytes"), value):
        try:
            return _whole(value)
        except ValueError as error:
            units = f"or a quantity ({allowed_units('bytes')})"
            raise ValueError(f"{error}; {units}") from None
    exact = parse_quantity(value, "bytes")
    if not exact.is_integer():
        raise ValueError(f"must be whole bytes, got {value!r}")
    return int(exact)


def _hertz(value: Any) -> float:
    try:
        found = parse_quantity(value, "hertz")
    except InputError as error:
        raise ValueError(error.complaints[0].message) from None
    if found <= 0:
        raise ValueError(f"must be more than 0, got {value!r}")
    return found


def number_schema(least: int | None = None, unit: str = "") -> dict[str, Any]:
    """JSON schema of a whole number or an expression, whose characters alone are looked at."""
    number = {"type": "integer"} | ({} if least is None else {"minimum": least})
    text = {"title": "expression", "type": "string", "pattern": r"^[\sA-Za-z_0-9+*/%(),-]+$"}
    return {"anyOf": [number, text]} | ({"unit": unit} if unit else {})


_SIZE = number_schema(1, "bytes")
_SIZE["anyOf"].append({"title": "quantity", "type": "string", "pattern": quantity_pattern("bytes")})
_HERTZ = {"title": "quantity", "type": "string", "pattern": quantity_pattern("hertz"), "unit": "hertz"}
_Number = Annotated[int | str, BeforeValidator(_whole)]
Whole = Annotated[_Number, WithJsonSchema(number_schema())]
"""A whole number, or an expression."""
Count = Annotated[_Number, WithJsonSchema(number_schema(1))]
"""At least 1; that and the least of the others is for the schema, since numbers of expressions are known later."""
Cycles = Annotated[_Number, WithJsonSchema(number_schema(0, "cycles"))]
SomeCycles = Annotated[_Number, WithJsonSchema(number_schema(1, "cycles"))]
Bandwidth = Annotated[_Number, WithJsonSchema(number_schema(1, "bytes/cycle"))]
Bytes = Annotated[_Number, WithJsonSchema(number_schema(0, "bytes"))]
Size = Annotated[int | str, BeforeValidator(_size), WithJsonSchema(_SIZE)]
Hertz = Annotated[float, BeforeValidator(_hertz), WithJsonSchema(_HERTZ)]
