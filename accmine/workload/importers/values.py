"""What the values of model files may be."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LARGEST", "Flag", "Natural", "Part", "Rate", "Size"]

LARGEST = 2**31 - 1
"""Largest size that a model file may give, so that products of two stay within 64 bits."""

Size = Annotated[int, Field(strict=True, ge=1, le=LARGEST)]
"""A whole number from 1; ``true``, ``1.0`` and ``"1"`` are not numbers here."""
Natural = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]
"""A whole number from 0."""
Rate = Annotated[float, Field(strict=True, ge=0, lt=1)]
"""A number from 0 and below 1."""
Flag = Annotated[bool, Field(strict=True)]
"""``true`` or ``false``."""


class Part(BaseModel):
    """Base of what a model file holds: frozen, and no key beside its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
