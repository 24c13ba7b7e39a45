"""``accmine report``: one self-contained page of runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["COMMANDS"]

COMMANDS: dict[str, Callable[..., Any]] = {}
"""Commands by name."""
