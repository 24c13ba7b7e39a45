"""Compiled loops: what a search does a million times is plain Python to read and machine code to run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

__all__ = ["compiled", "inlined", "kept_before"]

config: Any = numba.config
njit: Any = numba.njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """``function`` as machine code, which is kept on disk for as long as no file of this folder changes."""
    before = config.CACHE_DIR
    config.CACHE_DIR = _folder(before)
    try:
        return cast(F, njit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # no folder that can be written to: compiled anew in every process
        return cast(F, njit(error_model="numpy")(function))
    finally:
        config.CACHE_DIR = before


def inlined(function: F) -> F:
    """``function`` as a part of the compiled functions that call it: passing a core and a share costs more than it."""
    return cast(F, njit(error_model="numpy", forceinline=True, no_cpython_wrapper=True)(function))


def kept_before() -> bool:
    """Whether there is machine code of these files on disk."""
    return any(Path(_folder(config.CACHE_DIR)).glob("**/*.nbc"))


@cache
def _folder(given: str) -> str:
    """Where machine code is kept: numba looks at the file of a function only, not at those that it calls into."""
    here = Path(__file__).parent
    sources = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))).hexdigest()[:16]
    kept = Path(given) if given else here / "__pycache__"
    return str(kept / f"compiled-{sources}")
