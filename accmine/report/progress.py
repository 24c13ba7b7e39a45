"""What people who wait see."""

from __future__ import annotations

import sys
import time

import typer

__all__ = ["Live"]


class Live:
    """One line on a terminal's stderr that shows time, incumbent, bound and gap; silent elsewhere."""

    def __init__(self, silent: bool) -> None:
        self._on = not silent and sys.stderr.isatty()
        self._last = 0.0

    def __call__(self, seconds: float, objective: float | None, bound: float | None) -> None:
        now = time.monotonic()
        if not self._on or now - self._last < 0.1:  # ten lines a second are enough for the eye
            return
        self._last = now
        known = objective is not None and bound is not None and max(abs(objective), abs(bound)) > 0
        # either sense: the gap is the distance over the larger of the two
        gap = abs(objective - bound) / max(abs(objective), abs(bound)) if known else None  # type: ignore[operator, arg-type]
        parts = [f"{seconds:7.1f} s", f"incumbent {_number(objective)}", f"bound {_number(bound)}"]
        parts.append("gap –" if gap is None else f"gap {100 * gap:.2f} %")
        typer.echo("\r\x1b[2K" + "  ".join(parts), err=True, nl=False)

    def close(self) -> None:
        """Clear the line."""
        if self._on:
            typer.echo("\r\x1b[2K", err=True, nl=False)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
