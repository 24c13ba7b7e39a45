"""YAML text as a tree of nodes, within limits that no text can get around; and text that is read back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

try:  # libyaml where PyYAML has it: the same nodes and marks, some ten times as fast
    from yaml import CSafeLoader as _Base
except ImportError:
    from yaml import SafeLoader as _Base  # type: ignore[assignment]

from accmine.errors import InputError
from accmine.files.scalars import plain_value
from accmine.files.tree import DEEPEST, MAPPING, PLAIN, SEQUENCE, STRING, mark_at, where

__all__ = ["compose", "dump"]

_MOST = 1_000_000  # values that aliases may add to those of the text itself


class _Loader(_Base):
    """Leaves open what words without quotes mean: YAML 1.1 would decide it by rules of its own."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return PLAIN if implicit[0] else STRING
        return SEQUENCE if kind is yaml.SequenceNode else MAPPING


def compose(text: str, name: str) -> yaml.Node | None:
    """The tree of a YAML text; ``None`` for one that holds nothing.

    Raises
    ------
    InputError
        For a syntax error, more than ``DEEPEST`` levels, and aliases that contain themselves or stand for more than
        a million values; each with its place.
    """
    try:
        aliases = _aliases(text, name)
        loader = _Loader(text)
        root: yaml.Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        at = where(name, error.problem_mark or error.context_mark)
        if "nesting depth" in str(error.problem):  # from PyYAML 6.0.4 on, before its own recursion ends
            raise InputError(f"nested too deeply; allowed: {DEEPEST} levels", where=at) from None
        said = " ".join(filter(None, (error.context, error.problem))) or "it cannot be read"
        raise InputError(f"not valid YAML: {said}", where=at) from None
    except yaml.reader.ReaderError as error:
        at = where(name, _mark_of(text, chr(error.character) if isinstance(error.character, int) else ""))
        raise InputError(f"not valid YAML: {error.reason}", where=at) from None
    except UnicodeEncodeError as error:  # half a surrogate pair, as of arguments that are not UTF-8
        at = where(name, _mark_of(text, text[error.start]))
        raise InputError("not valid YAML: holds bytes that are no text in UTF-8", where=at) from None
    if aliases and root is not None:
        _Expansion(name, iter(aliases)).visit(root)
    return root


def _mark_of(text: str, character: str) -> yaml.Mark:
    offset = max(0, text.find(character))
    return mark_at(text.count("\n", 0, offset), offset - (text.rfind("\n", 0, offset) + 1))


def _aliases(text: str, name: str) -> list[Any]:
    """Marks of all aliases in their order; the depth is refused before libyaml's composer recurses without limit."""
    depth, found = 0, []
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise InputError(f"nested too deeply; allowed: {DEEPEST} levels", where=where(name, event.start_mark))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            found.append(event.start_mark)
    return found


@dataclass
class _Expansion:
    """Size and depth of a tree with every alias written out, each node counted once.

    A node that is met again is an alias, and nodes are met in the order of the text: so the next mark is its place.
    """

    name: str
    aliases: Iterator[Any]
    size: dict[int, int] = field(default_factory=dict)
    depth: dict[int, int] = field(default_factory=dict)
    around: set[int] = field(default_factory=set)
    own: int = 0

    def visit(self, node: yaml.Node) -> None:
        """Count ``node``; recurses as deep as the text itself is nested."""
        key = id(node)
        self.own += 1
        if isinstance(node, yaml.ScalarNode):
            self.size[key], self.depth[key] = 1, 0
            return
        self.around.add(key)
        size, depth = 1, 0
        pairs = isinstance(node, yaml.MappingNode)
        for below in (part for pair in node.value for part in pair) if pairs else node.value:
            mark = None
            if id(below) in self.around or id(below) in self.size:
                mark = next(self.aliases)
                if id(below) in self.around:
                    raise InputError("the alias refers to a value that contains it", where=where(self.name, mark))
            else:
                self.visit(below)
            size += self.size[id(below)]
            depth = max(depth, self.depth[id(below)])
            if mark is not None and size - self.own > _MOST:
                message = f"the aliases stand for more than {_MOST:,} values; write out what is needed"
                raise InputError(message, where=where(self.name, mark))
            if mark is not None and depth + len(self.around) > DEEPEST:
                message = f"nested too deeply with its aliases written out; allowed: {DEEPEST} levels"
                raise InputError(message, where=where(self.name, mark))
        self.around.discard(key)
        self.size[key], self.depth[key] = size, depth + 1


class _Dumper(yaml.SafeDumper):
    """Quotes the texts that ``plain_value`` takes for something else; PyYAML's own rules are those of YAML 1.1."""


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    try:
        plain = plain_value(text) == text
    except InputError:
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else "'")


_Dumper.add_representer(str, _text)


def dump(value: Any, *, width: int = 120, flow: bool | None = False) -> str:
    """YAML of mappings, lists, texts and numbers, which is read back as an equal value.

    Parameters
    ----------
    width
        Columns of a line.
    flow
        False: one line for each value; ``None``: lists and mappings of plain values on one line.
    """
    return yaml.dump(value, None, _Dumper, sort_keys=False, default_flow_style=flow, width=width, allow_unicode=True)
