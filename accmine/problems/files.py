"""Problem files: the formats that are read, and where in a file a complaint belongs.

A problem of any kind has a JSON form of its own, told by its ``kind``, which may be written as YAML; files of
others are read in their formats. ``FORMATS`` lists them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.files import Document, is_json, load_yaml, looks_like, parse, read_text
from accmine.problems.conflict import where_of
from accmine.registry import problem_module

__all__ = ["FORMATS", "Format", "load_problem", "load_source", "located", "where_in_file"]

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
        Key of ``FORMATS``; default: by the ending of the file's name, else by what the text looks like.

    Raises
    ------
    InputError
        For anything that is wrong, as ``file:line:column: field: what is wrong``; for a file in none of the formats
        it says what the file looks like.
    """
    if format is not None and format not in FORMATS:
        known = ", ".join(f"{key} ({known.says})" for key, known in FORMATS.items())
        raise InputError(f"unknown format {format!r}; known: {known}")
    text, name, path = _text_of(source)
    return FORMATS[format or _recognised(text, name, path)].read(text, name, path)


def _recognised(text: str, name: str, path: Path | None) -> str:
    """The format of a text, by name and content."""
    suffix = "" if path is None else path.suffix.lower()
    alike = [key for key, format in FORMATS.items() if format.looks_like is not None and format.looks_like(text)]
    named = [key for key, format in FORMATS.items() if suffix and suffix in format.suffixes]
    foreign = [key for key in alike if not FORMATS[key].suffixes]  # told by nothing but their content
    found = next(iter([*foreign, *named, *alike]), None)
    if found is None:
        raise _not_read("is in no format of problems that is read", text, name, path)
    return found


def _not_read(message: str, text: str, name: str, path: Path | None) -> InputError:
    """The complaint about a file that is something else, with what it looks like and what is read."""
    known = looks_like(text, path)
    hint = "" if known is None else f"; it looks like {known}"
    return InputError(f"{message}{hint}; read are: {', '.join(FORMATS)}", where=name)


def _is_own(text: str) -> bool:
    return is_json(text, None) or re.search(r"(?m)^kind\s*:", text) is not None


def _read_own(text: str, name: str, path: Path | None) -> Any:
    """A problem of any kind in the JSON form of its module, as JSON or YAML."""
    document = parse(text, name, path)
    if not isinstance(document.data, Mapping) or "kind" not in document.data:
        raise _not_read('needs an object with "kind"', text, name, path)
    try:
        module = problem_module(str(document.data["kind"]))
    except InputError as error:
        raise located(error, document, field="kind") from None
    if module.EXACT_DECIMALS:
        document = parse(text, name, path, exact=True)
    try:
        return module.problem_from_json(document.data, name)
    except InputError as error:
        raise located(error, document) from None


def _read_psplib(text: str, name: str, path: Path | None) -> Any:
    from accmine.problems.operator_schedule import psplib

    if not psplib.looks_like(text) and looks_like(text, path) is not None:
        raise _not_read("is no file of PSPLIB", text, name, path)
    return psplib.read(text, name)


def _is_psplib(text: str) -> bool:
    from accmine.problems.operator_schedule import psplib

    return psplib.looks_like(text)


def _read_phaze(text: str, name: str, path: Path | None) -> Any:
    from accmine.problems.device_placement.phaze_file import problem_of

    document = parse(text, name, path)
    try:
        return problem_of(document)
    except InputError as error:
        raise located(error, document) from None


def _read_dnn_partitioning(text: str, name: str, path: Path | None) -> Any:
    from accmine.problems.device_partition.graphs import of_dnn_partitioning

    document = parse(text, name, path, exact=True)
    try:
        return of_dnn_partitioning(document)
    except InputError as error:
        raise located(error, document) from None


def _is_dnn_partitioning(text: str) -> bool:
    return all(f'"{key}"' in text for key in ("maxFPGAs", "fpgaLatency"))


def _read_pipedream(text: str, name: str, path: Path | None) -> Any:
    from accmine.problems.device_partition.graphs import of_pipedream

    del path
    return of_pipedream(text, name)


def _is_pipedream(text: str) -> bool:
    return "-- forward_compute_time=" in text


def _is_phaze(text: str) -> bool:
    from accmine.problems.device_placement.phaze_file import looks_like

    return looks_like(text)


FORMATS: dict[str, Format] = {
    "accmine": Format('JSON or YAML with "kind"', _read_own, (".json", ".yaml", ".yml"), _is_own),
    "psplib": Format(
        "project scheduling instances of PSPLIB, single- and multi-mode", _read_psplib, (".sm", ".mm"), _is_psplib
    ),
    "phaze": Format("input of Phaze's placement program", _read_phaze, (), _is_phaze),
    "dnn-partitioning": Format("graph of dnn-partitioning", _read_dnn_partitioning, (), _is_dnn_partitioning),
    "pipedream": Format("graph.txt of PipeDream", _read_pipedream, (), _is_pipedream),
}
"""Formats of problem files by name, in the order in which they are tried."""


def _text_of(source: str | Path) -> tuple[str, str, Path | None]:
    """(text, name for messages, path) of a file, or of text: what holds a brace or a line break."""
    if isinstance(source, str) and ("{" in source or "\n" in source):
        return source, "<text>", None
    path = Path(source)
    return read_text(path), str(path), path


def load_source(source: str | Path) -> Document:
    """The document of a file, or of text: what holds a brace or a line break.

    Raises
    ------
    InputError
        If it cannot be read, or is neither JSON nor YAML.
    """
    if isinstance(source, str) and ("{" in source or "\n" in source):
        return load_yaml(text=source)
    return load_yaml(source)


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


def located(error: InputError, document: Document, field: str = "") -> InputError:
    """The same complaints, each with line and column where the text is at hand."""
    if not document.text:
        return error
    found = [
        Complaint(document.locate(_place(document.data, c.field or field)), c.field or field, c.message)
        if c.where in ("", document.name)
        else c
        for c in error.complaints[:_LOCATED]
    ]
    return InputError([*found, *error.complaints[_LOCATED:]])


def where_in_file(source: Path, names: Sequence[str]) -> list[str]:
    """``file:line:column`` of limits such as ``limits.area_mm2`` in a problem file; the file alone in other formats."""
    try:
        document = load_source(source)
    except InputError:  # a format of others
        return [str(source)] * len(names)
    if not isinstance(document.data, dict) or "kind" not in document.data:
        return [document.name] * len(names)
    return [where_of(document, _whole_place(document.data, limit)) for limit in names]


def _whole_place(data: Any, field: str) -> tuple[str | int, ...]:
    """The place of a field; what the data do not say is no part of what they say."""
    place = _place(data, field)
    written = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return place if written.removeprefix(".") == field else (field,)
