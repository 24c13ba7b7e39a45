"""``accmine sweep``: a study at many points of its keys, in one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["COMMANDS"]

COMMANDS: dict[str, Callable[..., Any]] = {}
"""Commands by name."""
