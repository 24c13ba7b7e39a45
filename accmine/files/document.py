"""YAML and JSON files whose every value knows its line, overrides from the command line, and validation.

The only place that turns such text into data. Problems are reported all at once as
``file:line:column: field: what is wrong and what is allowed``.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from accmine.errors import Complaint, InputError
from accmine.files import json_text, yaml_text
from accmine.files.complaints import complaints_of
from accmine.files.reading import read_text
from accmine.files.recognise import looks_like
from accmine.files.tree import child, index_of, value_of, where

__all__ = [
    "Document",
    "Place",
    "is_json",
    "leaves",
    "load_yaml",
    "overridden",
    "parse",
    "parse_value",
    "placed",
    "refuse_others",
    "validate",
]

M = TypeVar("M", bound=BaseModel)
Place = tuple[str | int, ...]
"""Path of a value in a document: keys of mappings and indices of lists."""

_KEY = re.compile(r"[^\s.]+(?:\.[^\s.]+)*\Z")
_JSON_START = re.compile(r"\s*\{\s*[\"}]")


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a document that holds no others, with its dotted key as ``--set`` takes it."""
    if isinstance(value, Mapping | list) and value:
        for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from leaves(item, f"{place}.{key}" if place else str(key))
    else:
        yield place, value


def is_json(text: str, path: Path | None) -> bool:
    """Whether a text is read as JSON: the name of its file says so, or says nothing and it starts as an object."""
    suffix = "" if path is None else path.suffix.lower()
    return suffix == ".json" or (suffix not in (".yaml", ".yml") and _JSON_START.match(text) is not None)


@dataclass(frozen=True)
class Document:
    """The data of a file (after overrides) and where each value stands.

    Attributes
    ----------
    data
        Plain dicts, lists, strings, numbers, booleans and ``None``.
    name
        The file as messages name it.
    text
        What was read, before overrides.
    path
        The file, or ``None`` for text from elsewhere.
    overrides
        (place, where it stands) of every override, in order: ``--set KEY=VALUE``, or a place in a file.
    """

    data: Any
    name: str
    text: str = field(repr=False)
    path: Path | None = None
    overrides: tuple[tuple[Place, str], ...] = ()

    @cached_property
    def _root(self) -> yaml.Node | None:
        if is_json(self.text, self.path):
            return json_text.tree(self.text)
        try:
            return yaml_text.compose(self.text, self.name)
        except InputError:  # data that was not read from this text: messages name the file only
            return None

    def locate(self, place: Sequence[str | int] = (), *, key: bool = False) -> str:
        """``file:line:column`` of the value at ``place`` (of its key with ``key=True``).

        A value that does not exist is located at its nearest existing parent; one that an override
        set is located at the override.
        """
        for target, own in reversed(self.overrides):
            if tuple(map(str, place[: len(target)])) == tuple(map(str, target)):
                return own
        node = self._root
        if node is None:
            return self.name
        mark = node.start_mark
        for step in place:
            below = child(node, step)
            if below is None:
                break
            key_node, node = below
            mark = key_node.start_mark if key else node.start_mark
        return where(self.name, mark)


@contextmanager
def placed(document: Document) -> Iterator[None]:
    """Give complaints that name a key of ``document`` and no place the place where that key stands.

    Raises
    ------
    InputError
        The one that was raised inside, with places.
    """
    try:
        yield
    except InputError as error:
        found = []
        for item in error.complaints:
            place = tuple(item.field.split("."))
            known = not item.where and place[0] in (document.data if isinstance(document.data, Mapping) else ())
            found.append(Complaint(document.locate(place), item.field, item.message) if known else item)
        raise InputError(found) from None


def load_yaml(
    path: str | Path | None = None,
    *,
    text: str | None = None,
    name: str | None = None,
    overrides: Sequence[str] = (),
) -> Document:
    """Read a YAML or JSON (``.json``) file, or ``text``, and apply ``--set`` overrides.

    Parameters
    ----------
    path
        The file; or give ``text``.
    text
        YAML or JSON text, instead of a file.
    name
        How messages call it; default: the path.
    overrides
        ``a.b.0.c=value`` each: a dotted path of keys and list indices and a YAML value. Missing
        mappings on the way are made; whether the key is allowed is for validation to say.

    Raises
    ------
    InputError
        For an unreadable file, everything that ``parse`` refuses, and overrides that cannot be applied.
    """
    if (path is None) == (text is None):
        raise TypeError("load_yaml needs either a path or a text")
    file = None if path is None else Path(path)
    name = name or ("<text>" if file is None else str(file))
    if file is not None:
        text = read_text(file, name)
    assert text is not None
    document = parse(text, name, file)
    return overridden(document, [(text, f"--set {text}") for text in overrides]) if overrides else document


def parse(text: str, name: str = "<text>", path: Path | None = None, *, exact: bool = False) -> Document:
    """The document of a text that was read already.

    Parameters
    ----------
    text
        JSON if ``is_json`` says so, else YAML.
    name
        How messages call it.
    path
        The file that it was read from.
    exact
        Fractions as ``decimal.Decimal`` instead of floating-point numbers.

    Raises
    ------
    InputError
        For a syntax error, duplicate keys, numbers that are misread, not finite or too large, more than 100 levels,
        and aliases that stand for too much; each with its place.
    """
    text = text.removeprefix("\ufeff")
    data = json_text.read(text, name, exact) if is_json(text, path) else _yaml(text, name, exact)
    return Document(data, name, text, path)


def parse_value(text: str, name: str) -> Any:
    """The value of a word or a line of YAML, such as that of an override."""
    return _yaml(text, name)


def _yaml(text: str, name: str, exact: bool = False) -> Any:
    return value_of(yaml_text.compose(text, name), name, exact)


def overridden(document: Document, overrides: Sequence[tuple[str, str]]) -> Document:
    """A document with further values.

    Parameters
    ----------
    overrides
        ``key.key=value`` and where it stands, as complaints name it.

    Raises
    ------
    InputError
        With everything that cannot be applied.
    """
    data = copy.deepcopy(document.data)
    places: list[tuple[Place, str]] = []
    complaints: list[Complaint] = []
    for text, own in overrides:
        key, equals, value = text.partition("=")
        if not equals or not _KEY.match(key.strip()):
            message = "must have the form key.key=value, for example limits.area=400 mm^2"
            complaints.append(Complaint(own, "", message))
            continue
        try:
            place = _assign(data, key.strip().split("."), parse_value(value, own))
        except InputError as error:
            complaints += [Complaint(own, key.strip(), c.message) for c in error.complaints]
            continue
        places.append((place, own))
    if complaints:
        raise InputError(complaints)
    changed = Document(data, document.name, document.text, document.path, (*document.overrides, *places))
    vars(changed)["_root"] = document._root
    return changed


def _assign(data: Any, keys: list[str], value: Any) -> Place:
    """Put ``value`` at the dotted path ``keys`` of ``data``; returns the path with list indices as numbers."""
    place: Place = ()
    here = data
    for depth, key in enumerate(keys):
        dotted = ".".join(map(str, place)) or "the file"
        step: str | int = key
        if isinstance(here, list):
            index = index_of(key)
            if index is None or index >= len(here):
                allowed = f"0 to {len(here) - 1}" if here else "none, the list is empty"
                raise InputError(f"{key!r} is not an index of {dotted}; allowed: {allowed}")
            step = index
        elif not isinstance(here, dict):
            raise InputError(f"{dotted} is {here!r:.60}, which holds no keys; set it as a whole")
        place = (*place, step)
        if depth == len(keys) - 1:
            here[step] = value
        elif isinstance(here, dict) and here.get(key) is None:
            here[key] = {}
        here = here[step]
    return place


def refuse_others(document: Document, what: str, keys: Sequence[str]) -> None:
    """Say what a document is that was given as something else, instead of complaining about each of its keys.

    Parameters
    ----------
    what
        It should be, in words.
    keys
        Any of them shows that it is meant to be that.

    Raises
    ------
    InputError
        If it has none of them and looks like something that is known.
    """
    known = looks_like(document.text, document.path)
    if known is not None and not (isinstance(document.data, dict) and any(key in document.data for key in keys)):
        raise InputError(f"is no {what}; it looks like {known}", where=document.name)


def validate(document: Document, model: type[M], *, context: Mapping[str, Any] | None = None) -> M:
    """Check ``document`` against a pydantic model.

    Parameters
    ----------
    document
        From ``load_yaml``.
    model
        A pydantic model with ``extra="forbid"``. A validator of it may raise
        ``accmine.files.complaints.FieldsError`` to complain about several fields.
    context
        Handed to the validators (``info.context``).

    Raises
    ------
    InputError
        With one complaint for everything that is wrong.
    """
    try:
        return model.model_validate(document.data, context=None if context is None else dict(context))
    except ValidationError as error:
        found = complaints_of(error, model, document.data)
    raise InputError(
        [
            Complaint(document.locate(place, key=at_key), ".".join(map(str, place)), message)
            for place, at_key, message in found
        ]
    )
