"""Reading model files: YAML with the position of every value, and fields with what they allow.

All complaints of a file are collected and raised at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from accmine.errors import Complaint, InputError

__all__ = [
    "FLAG",
    "NATURAL",
    "POSITIVE",
    "RATE",
    "TEXT",
    "Allowed",
    "Field",
    "Keys",
    "Source",
    "choice",
    "optional",
    "read_fields",
    "read_source",
]

Keys = tuple[str | int, ...]
"""Where a value stands in a file: keys of mappings and indices of lists."""


@dataclass
class Source:
    """A file that was read: its data, where each value stands, and what was found wrong.

    Attributes
    ----------
    file
        Its name, as said in complaints.
    data
        Plain Python values.
    marks
        (line, column), from 1, of each value by its keys; empty where positions are not known.
    key_marks
        The same of each key of a mapping.
    complaints
        What is wrong so far.
    """

    file: str
    data: Any
    marks: dict[Keys, tuple[int, int]] = field(default_factory=dict)
    key_marks: dict[Keys, tuple[int, int]] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)

    def complaint(self, keys: Keys, message: str) -> Complaint:
        """A complaint about the value at ``keys``, at the position of its nearest known parent."""
        at = keys
        while at and at not in self.marks:
            at = at[:-1]
        where = ":".join([self.file, *map(str, self.marks.get(at, ()))])
        return Complaint(where, dotted(keys), message)

    def complain(self, keys: Keys, message: str) -> None:
        """Note a complaint about the value at ``keys``."""
        self.complaints.append(self.complaint(keys, message))

    def complain_key(self, keys: Keys, message: str) -> None:
        """Note a complaint about the last key of ``keys`` itself."""
        where = ":".join([self.file, *map(str, self.key_marks.get(keys, ()))])
        self.complaints.append(Complaint(where, dotted(keys), message))

    def finish(self) -> None:
        """Raise all complaints noted so far.

        Raises
        ------
        InputError
            If there is one.
        """
        if self.complaints:
            raise InputError(list(dict.fromkeys(self.complaints)))


def dotted(keys: Keys) -> str:
    """``layers[2].conv.out`` for ``("layers", 2, "conv", "out")``."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def read_source(path: Path | Traversable, file: str | None = None) -> Source:
    """Read a YAML (or JSON) file whose top level is a mapping.

    Parameters
    ----------
    path
        The file.
    file
        Its name in complaints; the path by default.

    Raises
    ------
    InputError
        If it cannot be read, is not YAML, gives a key twice, or is not a mapping.
    """
    source = Source(file or str(path), None)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=source.file) from error
    if source.file.endswith(".json"):
        _parse_json(source, text)
    else:
        _parse_yaml(source, text)
    source.finish()
    if not isinstance(source.data, dict):
        raise InputError("a mapping of keys to values is expected", where=source.file)
    return source


def _parse_yaml(source: Source, text: str) -> None:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _mark(node, (), source, ())
        source.data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{source.file}:{mark.line + 1}:{mark.column + 1}" if mark else source.file
        raise InputError(f"not YAML: {error.problem}", where=where) from error
    except yaml.YAMLError as error:
        raise InputError(f"not YAML: {error}", where=source.file) from error


def _parse_json(source: Source, text: str) -> None:
    try:
        source.data = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{source.file}:{error.lineno}:{error.colno}"
        raise InputError(f"not JSON: {error.msg}", where=where) from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return  # JSON that is not YAML (tabs): complaints name the file and field only
    if node is not None:
        _mark(node, (), source, ())


def _mark(node: yaml.Node, keys: Keys, source: Source, parents: tuple[int, ...]) -> None:
    """Note the position of ``node`` and of everything below it."""
    source.marks[keys] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if id(node) in parents:
        raise InputError([source.complaint(keys, "an alias must not refer to a value that contains it")])
    parents = (*parents, id(node))
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key_node, value_node in node.value:
            key = str(key_node.value)
            source.key_marks[*keys, key] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key in seen:
                source.complain_key((*keys, key), "key given twice")
            seen.add(key)
            _mark(value_node, (*keys, key), source, parents)
    elif isinstance(node, yaml.SequenceNode):
        for index, value_node in enumerate(node.value):
            _mark(value_node, (*keys, index), source, parents)


@dataclass(frozen=True)
class Allowed:
    """What a value may be: in words, and as a test."""

    words: str
    test: Callable[[Any], bool]


def _is_int(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


POSITIVE = Allowed("a positive integer", lambda value: _is_int(value, 1))
NATURAL = Allowed("an integer of at least 0", lambda value: _is_int(value, 0))
RATE = Allowed("a number of at least 0 and below 1", _is_rate)
FLAG = Allowed("true or false", lambda value: isinstance(value, bool))
TEXT = Allowed("a text", lambda value: isinstance(value, str))


def choice(*names: str) -> Allowed:
    """One of ``names``."""
    return Allowed("one of " + ", ".join(names), lambda value: isinstance(value, str) and value in names)


def optional(allowed: Allowed) -> Allowed:
    """``allowed`` or null."""
    return Allowed(f"{allowed.words}, or null", lambda value: value is None or allowed.test(value))


@dataclass(frozen=True)
class Field:
    """A key of a file: what it allows, and its default unless it is required."""

    allowed: Allowed
    default: Any = None
    required: bool = False


def read_fields(
    source: Source, keys: Keys, data: Any, fields: Mapping[str, Field], present: Keys = ()
) -> dict[str, Any]:
    """The values of ``fields`` in the mapping ``data`` at ``keys``; what is wrong goes to ``source``.

    Parameters
    ----------
    source
        The file; takes the complaints.
    keys
        Where ``data`` stands in it.
    data
        The mapping to read.
    fields
        The keys that are allowed.
    present
        Further keys that may be there and are read elsewhere.

    Returns
    -------
    dict
        A value for every field; a wrong one is replaced by the default, so that reading goes on.
    """
    values = {name: field.default for name, field in fields.items()}
    if not isinstance(data, dict):
        source.complain(keys, f"a mapping is expected, with keys {', '.join(fields)}; got {data!r}")
        return values
    for key, value in data.items():
        if key in fields:
            if fields[key].allowed.test(value):
                values[key] = value
            else:
                source.complain((*keys, key), f"{fields[key].allowed.words} is expected, got {value!r}")
        elif key not in present:
            known = ", ".join(sorted({*fields, *map(str, present)})) or "none"
            source.complain_key((*keys, str(key)), f"unknown key; allowed: {known}")
    for name, allowed in fields.items():
        if allowed.required and name not in data:
            source.complain((*keys, name), f"missing; {allowed.allowed.words} is required")
    return values
