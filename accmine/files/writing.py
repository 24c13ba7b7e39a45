"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["naming", "write_atomic"]


def write_atomic(path: Path, text: str, *, sync: bool = True) -> None:
    """Write ``text`` to ``path`` so that no reader ever sees a part of it.

    A file of a unique name in the same folder is written and renamed, which POSIX and Windows do in
    one step; missing folders are made. A device or a pipe (``/dev/stdout``) is written to instead: renamed over, it
    would be gone.

    Parameters
    ----------
    sync
        Wait until it is on disk: else the name may be there before the content when the machine goes down.

    Raises
    ------
    OSError
        With the name of ``path``, as when the disk is full.
    """
    with naming(path):
        _write(path, text, sync)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the system say which file they are of: a full disk names none, a rename two."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write(path: Path, text: str, sync: bool) -> None:
    if path.absolute().is_relative_to("/dev") or (path.exists() and not path.is_file()):
        with path.open("w", encoding="utf-8") as special:
            special.write(text)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        Path(name).chmod(0o644)  # mkstemp makes private files; a run is meant to be shared
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
