"""The search for tiles, compiled before a budget begins to count."""

from __future__ import annotations

from collections.abc import Callable

from accmine.cost.arrays.compiled import kept_before
from accmine.cost.arrays.gemm import gemm

__all__ = ["ready"]


def ready(say: Callable[[str], None]) -> None:
    """Compile the search where that has not been done, which takes some 20 s once after an installation.

    Parameters
    ----------
    say
        Told so before it begins.
    """
    if not kept_before():
        say("compiles the search for tiles, once: some 20 s that count for no budget")
    gemm(8, 8, 8, array=(4, 4), sram_bytes=1 << 10)
