"""JSON text as data, with the same refusals as YAML, and as a tree that knows where everything stands."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from itertools import accumulate
from typing import Any

import yaml

from accmine.errors import InputError
from accmine.files.scalars import MAX_DIGITS, number
from accmine.files.tree import DEEPEST, JSON_TOKEN, MAPPING, SEQUENCE, STRING, mark_at, value_of, where

__all__ = ["read", "tree"]

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(rf'({_STRING})|([{{}}\[\]])|([^\s{{}}\[\],:"]+)', re.DOTALL)
_NOT_BRACKETS = re.compile(rf'{_STRING}|[^"\[\]{{}}]+|"', re.DOTALL)
_SUSPECT = re.compile(rf"\\u[dD][89a-fA-F]|[\ud800-\udfff]|[0-9]{{{MAX_DIGITS + 1}}}")
"""Halves of surrogate pairs, and long numbers: what json.loads takes, or refuses without a place."""


class _FlawError(Exception):
    """Something that json.loads has no place for."""


def read(text: str, name: str, exact: bool = False) -> Any:
    """The data of a JSON text.

    Parameters
    ----------
    exact
        Fractions as ``decimal.Decimal``.

    Raises
    ------
    InputError
        For a syntax error, duplicate keys, ``NaN``, infinities, numbers that are too large, and more than ``DEEPEST``
        levels; each with its place.
    """
    _refuse_depth(text, name)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(items)
        if len(table) < len(items):
            raise _FlawError
        return table

    def fraction(token: str) -> Any:
        try:
            return number(token, exact)
        except InputError:
            raise _FlawError from None

    def constant(_: str) -> Any:
        raise _FlawError

    suspect = _SUSPECT.search(text) is not None
    whole = str if suspect else None  # the numbers are read below
    try:
        data = json.loads(text, object_pairs_hook=pairs, parse_float=fraction, parse_constant=constant, parse_int=whole)
        if not suspect:
            return data
    except json.JSONDecodeError as error:
        raise InputError(f"not valid JSON: {error.msg}", where=f"{name}:{error.lineno}:{error.colno}") from None
    except _FlawError:
        pass
    return value_of(tree(text), name, exact)  # slow, and says where


def _refuse_depth(text: str, name: str) -> None:
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    brackets = _NOT_BRACKETS.sub("", text)
    if max(accumulate(1 if bracket in "[{" else -1 for bracket in brackets), default=0) <= DEEPEST:
        return
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > DEEPEST:
            at = where(name, _Lines(text).mark(token.start()))
            raise InputError(f"nested too deeply; allowed: {DEEPEST} levels", where=at)


class _Lines:
    def __init__(self, text: str) -> None:
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def mark(self, offset: int) -> yaml.Mark:
        line = bisect_right(self.starts, offset) - 1
        return mark_at(line, offset - self.starts[line])


def tree(text: str) -> yaml.Node | None:
    """The nodes of a JSON text with their places; of one that is not whole, those up to the fault."""
    lines = _Lines(text)
    root: yaml.Node | None = None
    around: list[yaml.CollectionNode] = []
    keys: list[yaml.Node | None] = []
    for token in _TOKEN.finditer(text):
        string, bracket, word = token.groups()
        if bracket in ("]", "}"):
            if around:
                around.pop()
                keys.pop()
            continue
        mark = lines.mark(token.start())
        node: yaml.Node
        if bracket:
            node = yaml.MappingNode(MAPPING, [], mark) if bracket == "{" else yaml.SequenceNode(SEQUENCE, [], mark)
        else:
            node = yaml.ScalarNode(JSON_TOKEN, word, mark) if word else yaml.ScalarNode(STRING, _text(string), mark)
        if not around:
            root = root or node
        elif isinstance(around[-1], yaml.SequenceNode):
            around[-1].value.append(node)
        elif keys[-1] is None:
            keys[-1] = node
        else:
            around[-1].value.append((keys[-1], node))
            keys[-1] = None
        if isinstance(node, yaml.CollectionNode):
            around.append(node)
            keys.append(None)
    return root


def _text(token: str) -> str:
    try:
        return str(json.loads(token, strict=False))
    except json.JSONDecodeError:  # only in a text that is refused anyway
        return token
