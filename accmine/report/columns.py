"""Plain tables of text: aligned columns, and how a value looks in a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["aligned", "cell"]


def aligned(lines: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Lines of cells as lines of text; columns marked in ``right`` are set to the right, the others to the left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    ]


def cell(value: Any) -> str:
    """A value of a table of any kind: integers with separators, floats with four digits, nothing for ``None``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
