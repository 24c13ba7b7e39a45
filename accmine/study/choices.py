"""Keys that take one value, a list to choose from, or a word for all that makes sense."""

from __future__ import annotations

from typing import Any

__all__ = ["AUTO", "choices"]

AUTO = "auto"
"""What a study writes for everything that makes sense."""


def choices(value: Any) -> tuple[Any, ...]:
    """The values of a key that is one value or a list of them."""
    return value if isinstance(value, tuple) else (value,)
