"""Problem files: the formats that are read, and where in a file a complaint belongs.

A problem of any kind has a JSON form of its own, told by its ``kind``, which may be written as YAML; files of
others are read in their formats. ``FORMATS`` lists them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.files.document import Document, load_yaml
from accmine.problems.conflict import where_of
from accmine.registry import problem_module

__all__ = ["FORMATS", "Format", "load_problem", "located", "parse", "read_text", "where_in_file"]

_LOCATED = 100  # complaints that are given a line: finding one searches the document


@dataclass(frozen=True, slots=True)
class Format:
    """A way of writing a problem down that ``load_problem`` reads.

    Attributes
    ----------
    says
        What it is, in a line.
    read
        The problem from text, name for messages, and path (``None`` for text from elsewhere).
    suffixes
        Endings of file names that mean it.
    looks_like
        Whether a text is written in it, for other names and for text; ``None``: only by suffix or name.
    """

    says: str
    read: Callable[[str, str, Path | None], Any]
    suffixes: tuple[str, ...] = ()
    looks_like: Callable[[str], bool] | None = None


def load_problem(source: str | Path, format: str | None = None) -> Any:
    """The problem of a file or text.

    Parameters
    ----------
    source
        A file, or text (what holds a brace or a line break).
    format
        Key of ``FORMATS``; default: by the ending of the file's name, else by what the text looks like, else
        ``accmine``.

    Raises
    ------
    InputError
        For anything that is wrong, as ``file:line:column: field: what is wrong``.
    """
    if format is not None and format not in FORMATS:
        known = ", ".join(f"{key} ({known.says})" for key, known in FORMATS.items())
        raise InputError(f"unknown format {format!r}; known: {known}")
    text, name, path = read_text(source)
    return FORMATS[format or _recognised(text, path)].read(text, name, path)


def _recognised(text: str, path: Path | None) -> str:
    """The format of a text, by name and content."""
    suffix = "" if path is None else path.suffix.lower()
    named = (key for key, format in FORMATS.items() if suffix and suffix in format.suffixes)
    alike = (key for key, format in FORMATS.items() if format.looks_like is not None and format.looks_like(text))
    return next(named, None) or next(alike, "accmine")


def _read_own(text: str, name: str, path: Path | None) -> Any:
    """A problem of any kind in the JSON form of its module, as JSON or YAML."""
    data = parse(text, name, path, exact=False)
    if not isinstance(data, Mapping) or "kind" not in data:
        raise InputError('needs an object with "kind"', where=name)
    try:
        module = problem_module(str(data["kind"]))
    except InputError as error:
        raise located(error, data, text, name, path, field="kind") from None
    if getattr(module, "EXACT_DECIMALS", False):
        data = parse(text, name, path, exact=True)
    try:
        return module.problem_from_json(data, name)
    except InputError as error:
        raise located(error, data, text, name, path) from None


def _read_psplib(text: str, name: str, path: Path | None) -> Any:
    from accmine.problems.operator_schedule import psplib

    return psplib.read(text, name)


def _is_psplib(text: str) -> bool:
    from accmine.problems.operator_schedule import psplib

    return psplib.looks_like(text)


FORMATS: dict[str, Format] = {
    "accmine": Format('JSON or YAML with "kind"', _read_own, (".json", ".yaml", ".yml")),
    "psplib": Format(
        "project scheduling instances of PSPLIB, single- and multi-mode", _read_psplib, (".sm", ".mm"), _is_psplib
    ),
}
"""Formats of problem files by name, in the order in which they are tried."""


def read_text(source: str | Path) -> tuple[str, str, Path | None]:
    """(text, name for messages, path) of a file, or of text: what holds a brace or a line break.

    Raises
    ------
    InputError
        If the file cannot be read or is not UTF-8.
    """
    if isinstance(source, str) and ("{" in source or "\n" in source):
        return source, "<text>", None
    path = Path(source)
    try:
        return path.read_text(encoding="utf-8-sig"), str(path), path
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text (byte {error.start})", where=str(path)) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from None


def parse(text: str, name: str, path: Path | None, *, exact: bool) -> Any:
    """The data of JSON, or of YAML if the name says so or the text does not start like a JSON object.

    Parameters
    ----------
    exact
        Decimals of JSON as ``decimal.Decimal`` instead of floating-point numbers.

    Raises
    ------
    InputError
        For a syntax error, with its place, and for duplicate keys.
    """
    is_yaml = path.suffix.lower() in {".yaml", ".yml"} if path is not None else not text.lstrip().startswith("{")
    if is_yaml:
        return load_yaml(text=text, name=name).data

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(items)
        if len(table) < len(items):
            seen: set[str] = set()
            twice = sorted({key for key, _ in items if key in seen or seen.add(key)})  # type: ignore[func-returns-value]
            raise InputError(f"duplicate key {', '.join(map(repr, twice))}; give it once", where=name)
        return table

    def refuse(constant: str) -> Any:
        raise InputError(f"{constant} is not a JSON number", where=name)

    number = Decimal if exact else float
    try:
        return json.loads(text, object_pairs_hook=pairs, parse_float=number, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise InputError(f"not valid JSON: {error.msg}", where=f"{name}:{error.lineno}:{error.colno}") from None
    except RecursionError:
        raise InputError("nested too deeply", where=name) from None


def _place(data: Any, field: str) -> tuple[str | int, ...]:
    """Keys and indices of a field such as ``operations[3].uses.hbm``; keys may hold dots themselves."""
    place: list[str | int] = []
    while field:
        index = re.match(r"\[(\d+)\]\.?", field)
        if isinstance(data, list) and index and int(index[1]) < len(data):
            step: str | int = int(index[1])
            field = field[index.end() :]
        elif isinstance(data, Mapping):
            fitting = [k for k in data if field.startswith(str(k)) and field[len(str(k)) :][:1] in ("", ".", "[")]
            if not fitting:
                break
            step = max(fitting, key=lambda k: len(str(k)))
            field = field[len(str(step)) :].removeprefix(".")
        else:
            break
        place.append(step)
        data = data[step]
    return tuple(place)


def located(error: InputError, data: Any, text: str, name: str, path: Path | None, field: str = "") -> InputError:
    """The same complaints, each with line and column where the text is at hand."""
    if not text:
        return error
    document = Document(data, name, text, path)
    found = [
        Complaint(document.locate(_place(data, c.field or field)), c.field or field, c.message)
        if c.where in ("", name)
        else c
        for c in error.complaints[:_LOCATED]
    ]
    return InputError([*found, *error.complaints[_LOCATED:]])


def where_in_file(source: Path, names: Sequence[str]) -> list[str]:
    """``file:line:column`` of limits such as ``limits.area_mm2`` in a problem file; the file alone in other formats."""
    text, name, path = read_text(source)
    try:
        document = Document(parse(text, name, path, exact=False), name, text, path)
    except InputError:  # a format of others
        return [name] * len(names)
    if not isinstance(document.data, dict) or "kind" not in document.data:
        return [name] * len(names)
    return [where_of(document, tuple(limit.split(".", 1))) for limit in names]
