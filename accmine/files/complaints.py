"""Errors of pydantic in the words of the input: what is wrong, and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from accmine.files.catalogue import did_you_mean

__all__ = ["FieldsError", "complaints_of", "derived", "plain_annotation"]

_LONGEST = 60  # characters of an offending value that a message shows

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "a mapping of keys to values",
    "mapping": "a mapping of keys to values",
    "model": "a mapping of keys to values",
}


class FieldsError(ValueError):
    """Raised by a validator of a model: several complaints, each at a field below the model.

    Parameters
    ----------
    errors
        (place relative to the model, message) pairs; at least one.
    keys
        Whether the keys at these places are meant rather than their values.
    """

    def __init__(self, errors: Sequence[tuple[tuple[str | int, ...], str]], *, keys: bool = False) -> None:
        self.errors, self.keys = tuple(errors), keys
        super().__init__("; ".join(f"{'.'.join(map(str, place))}: {message}" for place, message in errors))


def derived(compute: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """A default that other keys of the model decide, for ``default_factory``.

    Where one of them is wrong there is a complaint about that one; pydantic before 2.14 asks for the default as well.
    """

    def default(data: dict[str, Any]) -> Any:
        try:
            return compute(data)
        except KeyError:
            return None

    return default


def complaints_of(
    error: ValidationError, model: type[BaseModel], data: Any
) -> list[tuple[tuple[str | int, ...], bool, str]]:
    """(place, whether the key is meant rather than the value, message) of everything wrong with ``data``."""
    found: list[tuple[tuple[str | int, ...], bool, str]] = []
    for detail in error.errors(include_url=False):
        if _follows(detail):
            continue
        place = _place(detail, data)
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, FieldsError):
            found += [((*place, *below), cause.keys, message) for below, message in cause.errors]
        elif detail["type"] == "extra_forbidden":
            found.append((place, True, _unknown_key(model, place)))
        else:
            found.append((place, False, _message(detail, cause)))
    return list(dict.fromkeys(found))


def _follows(detail: ErrorDetails) -> bool:
    """Whether this complaint only follows from another one: the value itself is fine."""
    if detail["type"] == "too_short":  # pydantic counts the valid items
        return bool(len(detail["input"]) >= detail["ctx"]["min_length"])
    return detail["type"] == "default_factory_not_called"


def _place(detail: ErrorDetails, data: Any) -> tuple[str | int, ...]:
    """The location without the labels that pydantic puts in for unions and validators."""
    steps: list[str | int] = []
    here = data
    for step in detail["loc"]:
        inside = (isinstance(here, dict) and step in here) or (
            isinstance(here, (list, tuple)) and isinstance(step, int) and step < len(here)
        )
        if inside:
            here = here[step]
            steps.append(step)
        elif detail["type"] == "missing" and step == detail["loc"][-1]:
            steps.append(step)
    return tuple(steps)


def _unknown_key(model: type[BaseModel], place: tuple[str | int, ...]) -> str:
    owner: Any = model
    for step in place[:-1]:
        owner = _below(owner, step)
    owner = plain_annotation(owner)
    fields = owner.model_fields if isinstance(owner, type) and issubclass(owner, BaseModel) else {}
    allowed = [own.alias or name for name, own in fields.items()]
    key = str(place[-1])
    return f"unknown key {key!r}; {did_you_mean(key, allowed)}allowed: {', '.join(allowed)}"


def plain_annotation(annotation: Any) -> Any:
    """An annotation without ``Annotated`` and ``| None``."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, UnionType):
            annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
        else:
            return annotation


def _below(annotation: Any, step: str | int) -> Any:
    annotation = plain_annotation(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.model_fields[str(step)].annotation
    args = get_args(annotation)
    return args[-1] if get_origin(annotation) is dict else args[0]


def _message(detail: ErrorDetails, cause: Exception | None) -> str:
    kind, value = detail["type"], detail["input"]
    if kind == "missing":
        return "is required"
    if cause is not None:
        return str(cause)
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        return f"must be one of {', '.join(allowed)}, got {_show(value)}; {did_you_mean(str(value), allowed)}".rstrip(
            "; "
        )
    family = kind.partition("_")[0]
    if family in _KINDS and kind.partition("_")[2] in ("type", "parsing", "from_float", "attributes_type"):
        return f"must be {_KINDS[family]}, got {_show(value)}"
    text = re.sub(r" after validation, not \d+", "", detail["msg"])
    text = re.sub(r"\b(Input|Tuple|List|Dictionary|String|Value) should\b", "must", text)
    return f"{text}, got {_show(value)}"


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
