"""The folder of an export: written whole, never over somebody's files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from accmine.errors import InputError
from accmine.files import write_atomic

__all__ = ["MANIFEST", "check_export", "write_export"]

MANIFEST = "export.json"
"""List of the files of an export; what it names, ``again`` may remove."""


def write_export(folder: Path, files: Mapping[str, str], *, again: bool = False) -> tuple[Path, ...]:
    """Write the files of an export; returns their paths, the manifest last.

    Parameters
    ----------
    folder
        Made if it is missing.
    files
        Relative path -> text.
    again
        Replace an earlier export: its files are removed first, others stay.

    Raises
    ------
    InputError
        As ``check_export``.
    """
    for name in check_export(folder, files, again=again):
        (folder / name).unlink(missing_ok=True)
    for name, text in files.items():
        write_atomic(folder / name, text)
    write_atomic(folder / MANIFEST, json.dumps({"files": sorted(files)}, indent=1) + "\n")
    return tuple(folder / name for name in (*files, MANIFEST))


def check_export(folder: Path, files: Iterable[str], *, again: bool = False) -> tuple[str, ...]:
    """Whether these files may be written here; returns the files of an earlier export, which are to be removed.

    Raises
    ------
    InputError
        If the folder is not empty and ``again`` was not given, or it is a file, or a file that is no part of an
        earlier export would be overwritten.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; a folder is needed")
    present = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    if present and not again:
        raise InputError(f"{folder} is not empty ({present[0].name}, …); name another folder, or give --again")
    earlier = _earlier(folder)
    strange = [name for name in files if (folder / name).exists() and name not in earlier]
    if strange:
        raise InputError(f"{folder} holds files that no export wrote: {', '.join(strange)}; name another folder")
    return earlier


def _earlier(folder: Path) -> tuple[str, ...]:
    """Files that an earlier export wrote here; nothing outside the folder is believed to be one."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return ()
    try:
        names = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        own = [name for name in names if isinstance(name, str)]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise InputError("is not the list of an export; remove it, or name another folder", str(manifest)) from None
    root = folder.resolve()
    return tuple(name for name in own if root in (folder / name).resolve().parents)
