"""Records, which are plain dataclasses, as JSON values and back."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from accmine.errors import Complaint, InputError

__all__ = ["from_json", "to_json"]

T = TypeVar("T")

_NEEDED = {
    "string_type": "text",
    "int_type": "an integer",
    "float_type": "a number or null",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "dataclass_type": "an object",
}
"""What belongs in the place of a value, by pydantic's type of error."""


def to_json(record: Any) -> dict[str, Any]:
    """A dataclass as plain JSON values, in the order of its fields; what is not finite becomes ``None``."""
    return _plain(dataclasses.asdict(record))  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_json(kind: type[T], data: Any, where: str = "") -> T:
    """The inverse of ``to_json``.

    ``null`` where a number belongs stands for an infinite or unknown value and becomes NaN, which every
    report prints as a dash.

    Parameters
    ----------
    kind
        A dataclass; nothing is converted, and no field may be unknown.
    where
        File of the data, for complaints.

    Raises
    ------
    InputError
        If fields are missing, unknown or of the wrong type; the place of each is named.
    """
    try:
        return _read(kind, data)
    except ValidationError as error:
        details = error.errors(include_url=False)
    wrong = [detail for detail in details if not (detail["type"] == "float_type" and detail["input"] is None)]
    if wrong:
        raise InputError([_complaint(detail, where) for detail in wrong])
    known = json.loads(json.dumps(data))  # the caller's own stays as it is
    for detail in details:
        *above, last = detail["loc"][1:]
        place = known
        for step in above:
            place = place[step]
        place[last] = math.nan
    return _read(kind, known)


def _read(kind: type[T], data: Any) -> T:
    reader = _reader(kind)  # type: ignore[arg-type]  # a class is hashable
    found: T = reader.validate_json(json.dumps([data]))[0]  # text, since only there a list is a tuple
    return found


@cache
def _reader(kind: type[Any]) -> TypeAdapter[list[Any]]:
    """Of lists: pydantic takes no settings for a dataclass by itself."""
    return TypeAdapter(list[kind], config=ConfigDict(strict=True, extra="forbid"))  # type: ignore[valid-type]


def _complaint(detail: ErrorDetails, where: str) -> Complaint:
    loc, kind = detail["loc"][1:], detail["type"]
    if kind == "missing":
        return Complaint(where, _place(loc[:-1]), f"missing: {loc[-1]}")
    if kind == "unexpected_keyword_argument":
        return Complaint(where, _place(loc[:-1]), f"unknown {loc[-1]}")
    text = repr(detail["input"])
    text = text if len(text) <= 40 else f"{text[:37]}…"
    needed = _NEEDED.get(kind)
    return Complaint(where, _place(loc), f"{text} where {needed} is needed" if needed else f"{detail['msg']}: {text}")


def _place(loc: Sequence[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).lstrip(".")
