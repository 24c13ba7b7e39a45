"""An Outcome from its JSON form: any report can be made again from ``result.json``."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from accmine.errors import InputError
from accmine.questions.run.record import Outcome

__all__ = ["outcome_from_json"]

_NAMES = {str: "text", int: "an integer", float: "a number or null", bool: "true or false"}


def outcome_from_json(data: Any) -> Outcome:
    """The inverse of ``Outcome.to_json``.

    ``null`` where a number belongs stands for an infinite or unknown value and becomes NaN, which every
    report prints as a dash.

    Raises
    ------
    InputError
        If a field is missing, unknown or of the wrong type; its dotted path is named.
    """
    outcome: Outcome = _record(Outcome, data, "")
    return outcome


def _record(kind: Any, data: Any, path: str) -> Any:
    if not isinstance(data, Mapping):
        raise InputError(f"{_shown(data)} where an object is needed", field=path)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = [str(key) for key in data if key not in fields]
    if unknown:
        raise InputError(f"unknown {', '.join(unknown)}; allowed: {', '.join(fields)}", field=path)
    missing = [name for name, field in fields.items() if name not in data and not _has_default(field)]
    if missing:
        raise InputError(f"missing: {', '.join(missing)}", field=path)
    hints = get_type_hints(kind)
    return kind(**{name: _value(hints[name], value, _join(path, name)) for name, value in data.items()})


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _value(hint: Any, value: Any, path: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _record(hint, value, path)
    if origin in (types.UnionType, Union):
        if value is None:
            return None
        (only,) = (argument for argument in arguments if argument is not types.NoneType)
        return _value(only, value, path)
    if origin is tuple:
        return _tuple(arguments, value, path)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise InputError(f"{_shown(value)} where an object is needed", field=path)
        return {str(key): _value(arguments[1], item, _join(path, str(key))) for key, item in value.items()}
    return _scalar(hint, value, path)


def _tuple(arguments: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise InputError(f"{_shown(value)} where a list is needed", field=path)
    if arguments[-1] is Ellipsis:
        hints = [arguments[0]] * len(value)
    elif len(arguments) != len(value):
        raise InputError(f"{len(value)} items where {len(arguments)} are needed", field=path)
    else:
        hints = list(arguments)
    return tuple(_value(hint, item, f"{path}[{i}]") for i, (hint, item) in enumerate(zip(hints, value, strict=True)))


def _scalar(hint: Any, value: Any, path: str) -> Any:
    if hint is float:
        if value is None:
            return math.nan
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    elif (isinstance(value, hint) and not isinstance(value, bool)) or (hint is bool and isinstance(value, bool)):
        return value
    raise InputError(f"{_shown(value)} where {_NAMES[hint]} is needed", field=path)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
