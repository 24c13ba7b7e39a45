"""The shipped catalogue: its entries by name or file, and what a wrong name may mean."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from accmine.errors import InputError

__all__ = [
    "A_FILE",
    "KINDS",
    "did_you_mean",
    "entry_name",
    "find_file",
    "is_file_reference",
    "names",
    "path_of",
    "reference_schema",
    "resolve",
]

KINDS = (
    *("workloads", "accelerators", "technologies", "clusters", "stacks", "kernels", "devices", "engines"),
    *("studies", "suites"),
)
"""Folders of the catalogue."""

A_FILE = "a file"
"""Description of a file in the schema of what ``resolve`` takes."""

_SINGULAR = {"technologies": "technology", "studies": "study", "kernels": "architecture of kernels"}
_FILE_SUFFIXES = (".yaml", ".yml", ".json")


def _folder(kind: str) -> Path:
    if kind not in KINDS:
        raise InputError(f"unknown catalogue {kind!r}; {did_you_mean(kind, KINDS)}known: {', '.join(KINDS)}")
    # A package of plain files on disk: the project is never installed zipped.
    return Path(str(files("accmine.configs"))) / kind


def reference_schema(kind: str) -> dict[str, Any]:
    """JSON schema of what ``resolve`` takes: a name of the catalogue, or a file."""
    file = {"type": "string", "pattern": r"[/\\]|\.(yaml|yml|json)$", "description": A_FILE}
    return {"anyOf": [{"enum": list(names(kind))}, file]}


@cache
def names(kind: str) -> tuple[str, ...]:
    """Names of the shipped entries of ``kind``, sorted.

    Raises
    ------
    InputError
        If ``kind`` is not one of ``KINDS``.
    """
    return tuple(sorted(entry.stem for entry in _folder(kind).glob("*.yaml")))


def is_file_reference(name_or_path: str | Path) -> bool:
    """Whether this is a file rather than a name: it holds a slash or ends in .yaml, .yml or .json."""
    text = str(name_or_path)
    return isinstance(name_or_path, Path) or "/" in text or "\\" in text or text.lower().endswith(_FILE_SUFFIXES)


def entry_name(name_or_path: str | Path) -> str:
    """The name of what a study uses: that of a file without its ending, else as it is (``opt-1.3b`` has no ending)."""
    return Path(name_or_path).stem if is_file_reference(name_or_path) else str(name_or_path)


def path_of(text: str | Path) -> Path:
    """A path as users write it, ``~`` and ``~name`` for the home of somebody included.

    Raises
    ------
    InputError
        If no file can have this name: one with a NUL, or in the home of nobody.
    """
    try:
        if "\0" in str(text):
            raise ValueError("it holds a NUL")
        return Path(text).expanduser()
    except (RuntimeError, ValueError) as error:
        raise _impossible(text, error) from None


def find_file(text: str | Path, *folders: Path) -> Path | None:
    """The file of this name in the first of the folders that has it, absolute; ``None``: none of them has.

    Raises
    ------
    InputError
        If no file can have this name: as ``path_of``, or it is too long.
    """
    given = path_of(text)
    try:
        return next(((folder / given).resolve() for folder in folders if (folder / given).is_file()), None)
    except OSError as error:
        raise _impossible(text, error) from None


def _impossible(text: str | Path, error: Exception) -> InputError:
    return InputError(f"no file can have this name: {str(text)[:60]!r} ({error!s:.80})")


def resolve(kind: str, name_or_path: str | Path, relative_to: Path | None = None) -> Path:
    """The file of a catalogue entry, or of a user's own file.

    Parameters
    ----------
    kind
        One of ``KINDS``.
    name_or_path
        Name of a shipped entry; or a file, recognised by ``is_file_reference``.
    relative_to
        Folder that relative files are looked up in; default: the current one.

    Returns
    -------
    Path
        An existing file; absolute.

    Raises
    ------
    InputError
        If there is no such entry (with the known names and the nearest one) or no such file.
    """
    if is_file_reference(name_or_path):
        folder = relative_to or Path.cwd()
        found = find_file(name_or_path, folder)
        if found is None:
            path = folder / path_of(name_or_path)
            raise InputError(f"no such file: {path}" if not path.is_dir() else f"{path} is a folder, not a file")
        return found
    known = names(kind)
    if name_or_path not in known:
        singular = _SINGULAR.get(kind, kind[:-1])
        others = [other for other in KINDS if other != kind and name_or_path in names(other)]
        hint = f"it is one of accmine list {others[0]}; " if others else did_you_mean(str(name_or_path), known)
        raise InputError(
            f"unknown {singular} {str(name_or_path)!r}; {hint}known: {', '.join(known)}; or a file ending in .yaml"
        )
    return _folder(kind) / f"{name_or_path}.yaml"


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """``"did you mean 'x'? "`` for the allowed word nearest to ``word``; empty when none is near."""
    candidates = sorted(allowed)
    by_lower = {candidate.lower(): candidate for candidate in reversed(candidates)}
    near = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return f"did you mean {by_lower[near[0]]!r}? " if near else ""
