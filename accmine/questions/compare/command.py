"""``accmine compare``: methods on equal terms, or runs side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["COMMANDS"]

COMMANDS: dict[str, Callable[..., Any]] = {}
"""Commands by name."""
