"""Arrays of users: NumPy's ``.npz``, of plain numbers, never unpickled."""

from __future__ import annotations

import zipfile
import zlib
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError

__all__ = ["LARGEST_ARRAYS", "read_arrays"]

LARGEST_ARRAYS = 2 * 2**30
"""Bytes of all arrays of a file."""

_KINDS = "fiub"  # floating point, integers, flags
_NO_HEADER = (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, TokenError)
"""What NumPy raises for headers that are no literal of Python, or another one than it looks for."""
_NO_ARCHIVE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError)
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_arrays(file: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a ``.npz`` file by name, compressed or not.

    Sizes are checked before anything is made: what a header says must be what the archive holds.

    Raises
    ------
    InputError
        If it cannot be read, is no ``.npz``, holds anything but arrays of finite numbers or flags, an array twice, or
        more than ``LARGEST_ARRAYS``.
    """
    name = str(file)
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > LARGEST_ARRAYS:
                message = f"holds {total:,} bytes; allowed: {LARGEST_ARRAYS:,}"
                raise InputError(message, where=name)
            found: dict[str, npt.NDArray[Any]] = {}
            for member in members:
                key = member.filename.removesuffix(".npy")
                if key == member.filename or key in found:
                    what = "is there twice" if key in found else "is no array"
                    raise InputError(f"{what}; a .npz as numpy.savez writes it is needed", where=name, field=key[:80])
                if member.compress_type not in _COMPRESSIONS:
                    raise InputError("is compressed in another way than numpy does it", where=name, field=key)
                with archive.open(member) as stream:
                    found[key] = _array(stream, name, key)
    except FileNotFoundError:
        raise InputError("no such file", where=name) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=name) from None
    except _NO_ARCHIVE as error:
        raise InputError(f"is no readable .npz: {error}", where=name) from None
    return found


def _array(stream: IO[bytes], name: str, key: str) -> npt.NDArray[Any]:
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_column, dtype = read(stream)
    except _NO_HEADER as error:
        raise InputError(f"is no array: {error}", where=name, field=key) from None
    if dtype.kind not in _KINDS or dtype.hasobject:
        raise InputError(f"holds {dtype}; numbers or flags are needed", where=name, field=key)
    content = stream.read()
    if prod(shape) * dtype.itemsize != len(content) or min(shape, default=1) < 0:
        message = f"says {shape} of {dtype}, holds {len(content):,} bytes"
        raise InputError(message, where=name, field=key)
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if by_column else "C")
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError("holds infinities or NaN; finite numbers are needed", where=name, field=key)
    return array
