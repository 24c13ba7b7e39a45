"""YAML and JSON files whose every value knows its line, overrides from the command line, and validation.

Problems are reported all at once as ``file:line:column: field: what is wrong and what is allowed``.
"""

from __future__ import annotations

import copy
import json
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
from accmine.files.complaints import complaints_of

__all__ = ["Document", "Place", "load_yaml", "placed", "validate"]

M = TypeVar("M", bound=BaseModel)
Place = tuple[str | int, ...]
"""Path of a value in a document: keys of mappings and indices of lists."""

# libyaml where PyYAML has it: the same nodes and marks, some ten times as fast
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 100  # levels; libyaml's composer recurses without a limit of its own
_KEY = re.compile(r"[^\s.]+(?:\.[^\s.]+)*\Z")


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
        (place, ``--set`` text) of every override, in order.
    """

    data: Any
    name: str
    text: str = field(repr=False)
    path: Path | None = None
    overrides: tuple[tuple[Place, str], ...] = ()

    @cached_property
    def _root(self) -> yaml.Node | None:
        # JSON with its tabs as blanks is YAML in all but corner cases; without marks messages name the file only
        try:
            if self._is_json:
                _refuse_depth(self.text.replace("\t", " "), self.name)
            loader = _Loader(self.text.replace("\t", " ") if self._is_json else self.text)
            root: yaml.Node | None = loader.get_single_node()
            if root is not None:
                loader.construct_document(root)  # expands merge keys in place
        except (yaml.YAMLError, ValueError, RecursionError, InputError):
            return None
        return root

    @property
    def _is_json(self) -> bool:
        return self.path is not None and self.path.suffix.lower() == ".json"

    def locate(self, place: Sequence[str | int] = (), *, key: bool = False) -> str:
        """``file:line:column`` of the value at ``place`` (of its key with ``key=True``).

        A value that does not exist is located at its nearest existing parent; one that an override
        set is located at the override.
        """
        for target, text in reversed(self.overrides):
            if tuple(map(str, place[: len(target)])) == tuple(map(str, target)):
                return f"--set {text}"
        node = self._root
        if node is None:
            return self.name
        mark = node.start_mark
        for step in place:
            below = _child(node, step)
            if below is None:
                break
            key_node, node = below
            mark = key_node.start_mark if key else node.start_mark
        return _where(self.name, mark)


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
            place = tuple(int(step) if step.isdecimal() else step for step in item.field.split("."))
            known = not item.where and place[0] in (document.data if isinstance(document.data, Mapping) else ())
            found.append(Complaint(document.locate(place), item.field, item.message) if known else item)
        raise InputError(found) from None


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """(key, value) nodes below ``node``; an item of a list is its own key."""
    if isinstance(node, yaml.MappingNode):
        # the last one wins, as when a key overrides a merged one
        return next(((k, v) for k, v in reversed(node.value) if k.value == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and str(step).isdecimal() and int(step) < len(node.value):
        return node.value[int(step)], node.value[int(step)]
    return None


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
        YAML text, instead of a file.
    name
        How messages call it; default: the path.
    overrides
        ``a.b.0.c=value`` each: a dotted path of keys and list indices and a YAML value. Missing
        mappings on the way are made; whether the key is allowed is for validation to say.

    Raises
    ------
    InputError
        For an unreadable file, a syntax error, a duplicate key, or an override that cannot be applied.
    """
    if (path is None) == (text is None):
        raise TypeError("load_yaml needs either a path or a text")
    file = None if path is None else Path(path)
    if file is not None:
        text = _read(file)
    assert text is not None
    name = name or ("<text>" if file is None else str(file))
    data = _json(text, name) if file is not None and file.suffix.lower() == ".json" else _yaml(text, name)
    document = Document(data, name, text, file)
    return _override(document, overrides) if overrides else document


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such file", where=str(file)) from None
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text (byte {error.start})", where=str(file)) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(file)) from None


def _where(name: str, mark: Any) -> str:
    """``file:line:column`` of a mark of PyYAML or of libyaml; the file alone without one."""
    return f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name


def _refuse_depth(text: str, name: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise InputError(f"nested too deeply; allowed: {_DEEPEST} levels", where=_where(name, event.start_mark))


def _yaml(text: str, name: str) -> Any:
    try:
        _refuse_depth(text, name)
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        duplicates = list(_duplicates(root, name))
        if duplicates:
            raise InputError(duplicates)
        return loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        where = _where(name, error.problem_mark or error.context_mark)
        if "nesting depth" in str(error.problem):  # from PyYAML 6.0.4 on, before its own recursion ends
            raise InputError(f"nested too deeply; allowed: {_DEEPEST} levels", where=where) from None
        raise InputError(f"not valid YAML: {error.problem or error.context}", where=where) from None
    except yaml.YAMLError as error:
        raise InputError(f"not valid YAML: {str(error).splitlines()[0]}", where=name) from None
    except RecursionError:
        raise InputError("nested too deeply", where=name) from None
    except (ValueError, OverflowError) as error:
        raise InputError(f"holds a value that YAML cannot read: {error}", where=name) from None


def _duplicates(root: yaml.Node, name: str) -> list[Complaint]:
    found: list[Complaint] = []
    seen: set[int] = set()
    todo: list[tuple[yaml.Node, Place]] = [(root, ())]
    while todo:
        node, place = todo.pop()
        if id(node) in seen:
            continue  # an alias: every node once
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += [(child, (*place, index)) for index, child in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            continue
        first: dict[tuple[str, str], int] = {}
        for key, child in node.value:
            todo.append((child, (*place, str(key.value))))
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            identity = (key.tag, key.value)
            if identity in first:
                message = f"duplicate key {key.value!r}, first given on line {first[identity]}; give it once"
                dotted = ".".join(map(str, (*place, key.value)))
                found.append(Complaint(_where(name, key.start_mark), dotted, message))
            first.setdefault(identity, key.start_mark.line + 1)
    return found


def _json(text: str, name: str) -> Any:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(items)
        if len(table) < len(items):
            keys = [key for key, _ in items]
            twice = sorted({key for key in keys if keys.count(key) > 1})
            raise InputError(f"duplicate key {', '.join(map(repr, twice))}; give it once", where=name)
        return table

    def refuse(constant: str) -> Any:
        raise InputError(f"{constant} is not a JSON number", where=name)

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise InputError(f"not valid JSON: {error.msg}", where=f"{name}:{error.lineno}:{error.colno}") from None
    except RecursionError:
        raise InputError("nested too deeply", where=name) from None


def _override(document: Document, overrides: Sequence[str]) -> Document:
    data = copy.deepcopy(document.data)
    places: list[tuple[Place, str]] = []
    complaints: list[Complaint] = []
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not _KEY.match(key.strip()):
            message = "must have the form key.key=value, for example limits.area=400 mm^2"
            complaints.append(Complaint(f"--set {text}", "", message))
            continue
        try:
            parsed = _yaml(value, f"--set {text}")
            place = _assign(data, key.strip().split("."), parsed)
        except InputError as error:
            complaints += [Complaint(f"--set {text}", key.strip(), c.message) for c in error.complaints]
            continue
        places.append((place, text))
    if complaints:
        raise InputError(complaints)
    return Document(data, document.name, document.text, document.path, (*document.overrides, *places))


def _assign(data: Any, keys: list[str], value: Any) -> Place:
    """Put ``value`` at the dotted path ``keys`` of ``data``; returns the path with list indices as numbers."""
    place: Place = ()
    here = data
    for depth, key in enumerate(keys):
        dotted = ".".join(map(str, place)) or "the file"
        step: str | int = key
        if isinstance(here, list):
            if not key.isdecimal() or int(key) >= len(here):
                allowed = f"0 to {len(here) - 1}" if here else "none, the list is empty"
                raise InputError(f"{key!r} is not an index of {dotted}; allowed: {allowed}")
            step = int(key)
        elif not isinstance(here, dict):
            raise InputError(f"{dotted} is {here!r}, which holds no keys; set it as a whole")
        place = (*place, step)
        if depth == len(keys) - 1:
            here[step] = value
        elif isinstance(here, dict) and here.get(key) is None:
            here[key] = {}
        here = here[step]
    return place


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
