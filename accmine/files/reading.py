"""Reading files of users: whole, of a size that can be handled, as text."""

from __future__ import annotations

import hashlib
from pathlib import Path

from accmine.errors import InputError
from accmine.files.recognise import looks_like

__all__ = ["LARGEST_BYTES", "content_hash", "read_text"]

LARGEST_BYTES = 64 * 2**20


def read_text(file: Path, name: str | None = None) -> str:
    """The text of a file in UTF-8, with or without a byte order mark; line ends are single line feeds.

    Parameters
    ----------
    name
        How messages call it; default: the path.

    Raises
    ------
    InputError
        If it cannot be read, is larger than ``LARGEST_BYTES``, or is not UTF-8; says what it looks like instead.
    """
    name = name or str(file)
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)  # what never ends is cut off here as well
    except FileNotFoundError:
        raise InputError("no such file", where=name) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=name) from None
    except ValueError as error:  # a NUL in the name
        raise InputError(f"is no name of a file: {error}", where=name) from None
    if len(content) > LARGEST_BYTES:
        raise InputError(f"is larger than {LARGEST_BYTES // 2**20} MiB, the largest file that is read", where=name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        known = looks_like(content, file)
        hint = "" if known is None else f"; it looks like {known}"
        raise InputError(f"is not UTF-8 text (byte {error.start}){hint}", where=name) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def content_hash(file: Path) -> str:
    """SHA-256 (hex) of the content of a file that was read before."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
