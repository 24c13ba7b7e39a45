"""The tree of a YAML or JSON text: nodes that know where they stand, and the data they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

from accmine.errors import Complaint, InputError
from accmine.files.scalars import json_value, plain_value, text_value

__all__ = [
    "DEEPEST",
    "JSON_TOKEN",
    "MAPPING",
    "PLAIN",
    "SEQUENCE",
    "STRING",
    "child",
    "index_of",
    "mark_at",
    "value_of",
    "where",
]

DEEPEST = 100
"""Levels of mappings and lists in a file."""

_YAML = "tag:yaml.org,2002:"
STRING, SEQUENCE, MAPPING = f"{_YAML}str", f"{_YAML}seq", f"{_YAML}map"
PLAIN = "plain"
"""Tag of a word without quotes and without a tag of its own, whose meaning is still open."""
JSON_TOKEN = "json"
"""Tag of a number or word of JSON."""
MERGE = "<<"

_SCALAR_TAGS: dict[str, tuple[tuple[type, ...], str]] = {
    f"{_YAML}int": ((int,), "a whole number"),
    f"{_YAML}float": ((int, float, Decimal), "a number"),
    f"{_YAML}bool": ((bool,), "true or false"),
    f"{_YAML}null": ((type(None),), "null"),
}


def mark_at(line: int, column: int) -> yaml.Mark:
    """A place in a text; both count from 0."""
    return yaml.Mark("", 0, line, column, None, 0)


def where(name: str, mark: Any) -> str:
    """``file:line:column`` of a mark, of PyYAML or of libyaml; the file alone without one."""
    return f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name


def _is_merge(key: yaml.Node) -> bool:
    return key.tag == PLAIN and key.value == MERGE


def _merged(value: yaml.Node) -> Iterator[yaml.Node]:
    """The mappings that a merge key names, the one that wins first."""
    yield from value.value if isinstance(value, yaml.SequenceNode) else (value,)


def child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """(key, value) nodes below ``node``, merged mappings included; an item of a list is its own key."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step) and not _is_merge(key):
                return key, value
        for key, value in node.value:
            if _is_merge(key):
                return next((found for below in _merged(value) if (found := child(below, step))), None)
    elif isinstance(node, yaml.SequenceNode) and (index := index_of(step)) is not None and index < len(node.value):
        return node.value[index], node.value[index]
    return None


def index_of(step: str | int) -> int | None:
    """The index of a list that a step of a path may be."""
    text = str(step)
    return int(text) if text.isdecimal() and len(text) <= 9 else None


def value_of(root: yaml.Node | None, name: str, exact: bool = False) -> Any:
    """The plain data of a tree: dicts with text as keys, lists, texts, numbers, booleans and ``None``.

    What several aliases name is there several times, so that nobody changes one and finds the other changed.

    Parameters
    ----------
    root
        A tree without circles, at most ``DEEPEST`` levels deep when written out.
    name
        The file as messages name it.
    exact
        Fractions as ``decimal.Decimal``.

    Raises
    ------
    InputError
        With everything that is wrong: duplicate keys, keys and tags of other kinds, numbers that are misread.
    """
    builder = _Builder(name, exact)
    data = None if root is None else builder.value(root)
    if builder.complaints:
        raise InputError(list(dict.fromkeys(builder.complaints)))
    return data


class _Builder:
    """Makes data of nodes and collects what is wrong."""

    def __init__(self, name: str, exact: bool) -> None:
        self.name = name
        self.exact = exact
        self.path: list[str] = []
        self.complaints: list[Complaint] = []

    def complain(self, node: yaml.Node, message: str) -> None:
        self.complaints.append(Complaint(where(self.name, node.start_mark), ".".join(self.path), message))

    def value(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            try:
                return self.scalar(node)
            except InputError as error:
                self.complain(node, error.complaints[0].message)
                return None
        if node.tag not in (SEQUENCE, MAPPING):
            self.complain(node, _tag_message(node))
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node)
        items = []
        for index, item in enumerate(node.value):
            self.path.append(str(index))
            items.append(self.value(item))
            self.path.pop()
        return items

    def scalar(self, node: yaml.ScalarNode) -> Any:
        if node.tag == PLAIN:
            return plain_value(node.value, self.exact)
        if node.tag == STRING:
            return text_value(node.value)
        if node.tag == JSON_TOKEN:
            return json_value(node.value, self.exact)
        if node.tag not in _SCALAR_TAGS:
            raise InputError(_tag_message(node))
        value = plain_value(node.value, self.exact)
        kinds, needed = _SCALAR_TAGS[node.tag]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise InputError(f"must be {needed}, as its tag says, got {node.value!r:.60}")
        return value

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key, below in node.value:
            text = self.key(key)
            if text is None:
                continue
            self.path.append(text)
            if text in first:
                self.complain(key, f"duplicate key {text!r}, first given on line {first[text]}; give it once")
            else:
                first[text] = key.start_mark.line + 1
                if _is_merge(key):
                    merged = self.merge(below)
                else:
                    own[text] = self.value(below)
            self.path.pop()
        return {**merged, **own}

    def key(self, key: yaml.Node) -> str | None:
        """Keys are text as it stands there: ``on``, ``1`` and ``2001-01-01`` are what they look like."""
        if not isinstance(key, yaml.ScalarNode) or (key.tag == PLAIN and not key.value):
            self.complain(key, "is no key; a word or a text in quotes is needed")
            return None
        try:
            return text_value(key.value)
        except InputError as error:
            self.complain(key, f"the key {error.complaints[0].message}")
            return None

    def merge(self, value: yaml.Node) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for node in _merged(value):
            if not isinstance(node, yaml.MappingNode):
                self.complain(node, "a merge key (<<) needs a mapping, or a list of mappings")
            else:
                merged = {**self.value(node), **merged} if node.tag == MAPPING else merged
        return merged


def _tag_message(node: yaml.Node) -> str:
    tag = str(node.tag).replace(_YAML, "!!", 1)
    return f"not valid YAML: the tag {tag[:60]} is not read; leave it out"
