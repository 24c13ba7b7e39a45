"""Tables of the keys of files, written from their JSON schemas: what ``accmine schema KIND --markdown`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from accmine.files.catalogue import A_FILE

__all__ = ["EXPRESSIONS", "key_table"]

EXPRESSIONS = (
    "An expression is one over parameters: whole numbers, names, `+ - * // % ( )`, `min`, `max` and `ceildiv`."
)

_HEAD = """# Keys of {what}

Written by `accmine schema {kind} --markdown`; do not edit. `0` stands for any item of a list, `NAME` for any
name.{more}

| key | value | default | meaning |
|---|---|---|---|
"""
_WORDS = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "object": "mapping",
}

_Schema = Mapping[str, Any]


def key_table(kind: str, what: str, more: str, schema: _Schema) -> str:
    """Markdown table of every key of a JSON schema: what it takes, its default, its meaning and its unit.

    Parameters
    ----------
    kind
        As ``accmine schema`` takes it.
    what
        The same in words.
    more
        What is said of its values above the table.
    """
    rows = _rows(schema.get("$defs", {}), schema, "", ())
    cells = ([cell.replace("|", "\\|") for cell in row] for row in {row[0]: row for row in rows}.values())
    return _HEAD.format(what=what, kind=kind, more=f" {more}" if more else "") + "".join(
        "| `{}` | {} | {} | {} |\n".format(*row) for row in cells
    )


def _rows(defs: _Schema, node: _Schema, path: str, inside: tuple[str, ...]) -> Iterator[tuple[str, str, str, str]]:
    """Rows of what is below a node; a definition inside of itself is not opened again."""
    options = _options(node)
    for option in options:
        own, opened = option, inside
        if (name := _name_of(option)) in inside:
            continue
        if name:
            own, opened = defs[name], (*inside, name)
        if own is not option or len(_options(own)) > 1:
            yield from _rows(defs, own, path, opened)
            continue
        for key, below in own.get("properties", {}).items():
            place = f"{path}.{key}".lstrip(".")
            is_needed = key in own.get("required", ()) and len(options) == 1
            default = "required" if is_needed else _default(below)
            yield place, _takes(defs, below), default, _meaning(below)
            yield from _rows(defs, below, place, opened)
        if isinstance(more := own.get("additionalProperties"), Mapping):
            yield from _rows(defs, more, f"{path}.NAME".lstrip("."), opened)
        if "items" in own:
            yield from _rows(defs, own["items"], f"{path}.0", opened)


def _name_of(node: _Schema) -> str:
    """The definition that a node is; empty for one of its own."""
    return str(node.get("$ref", "")).rpartition("/")[2]


def _options(node: _Schema) -> list[_Schema]:
    """What a node may be, beside null."""
    if "if" in node:
        return [*_options(node["then"]), *_options(node["else"])]
    several = node.get("anyOf", node.get("oneOf"))
    if several is None:
        return [node]
    return [inner for option in several if option.get("type") != "null" for inner in _options(option)]


def _takes(defs: _Schema, node: _Schema) -> str:
    """What a key takes, in words."""
    if name := _name_of(node):
        node = defs[name]
    options = _options(node)
    if any(option.get("description") == A_FILE for option in options):
        return "name or file"
    if len(options) > 1:
        return " or ".join(dict.fromkeys(word for each in options for word in _takes(defs, each).split(" or ")))
    (node,) = options
    if _name_of(node):
        return _takes(defs, node)
    if "enum" in node or "const" in node:
        return ", ".join(f"`{value}`" for value in node.get("enum", [node.get("const")]))
    if node.get("type") == "array":
        return f"list: {_takes(defs, node['items'])}"
    more = node.get("additionalProperties")
    if "properties" not in node and isinstance(more, Mapping) and _takes(defs, more) != "mapping":
        return f"mapping: {_takes(defs, more)}"
    if "pattern" in node and "title" in node:
        return str(node["title"])
    kinds = [node["type"]] if isinstance(node["type"], str) else node["type"]
    return " or ".join(_WORDS[kind] for kind in kinds if kind != "null")


def _default(node: _Schema) -> str:
    value = node.get("default")
    return "" if value in (None, "", []) else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _meaning(node: _Schema) -> str:
    units = [each["unit"] for each in (node, *node.get("anyOf", ())) if "unit" in each]
    return f"{node['description']} Unit: {units[0]}." if units else str(node["description"])
