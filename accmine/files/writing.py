"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["write_atomic"]


def write_atomic(path: Path, text: str, *, sync: bool = True) -> None:
    """Write ``text`` to ``path`` so that no reader ever sees a part of it.

    A file of a unique name in the same folder is written and renamed, which POSIX and Windows do in
    one step; missing folders are made.

    Parameters
    ----------
    sync
        Wait until it is on disk: else the name may be there before the content when the machine goes down.
    """
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
