"""What the values of model files may be."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from accmine.errors import InputError
from accmine.files.units import parse_quantity, quantity_pattern

__all__ = ["LARGEST", "BytesPerSecond", "Flag", "Hertz", "Natural", "Part", "Rate", "Seconds", "Size"]

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


def _read(dimension: str) -> BeforeValidator:
    def read(value: Any) -> float:
        try:
            return parse_quantity(value, dimension)
        except InputError as error:
            raise ValueError(error.complaints[0].message) from None

    return BeforeValidator(read)


def _written(dimension: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": quantity_pattern(dimension)})


BytesPerSecond = Annotated[float, _read("bytes/s"), _written("bytes/s")]
"""A quantity with its unit, in bytes per second."""
Seconds = Annotated[float, _read("seconds"), _written("seconds")]
"""As ``BytesPerSecond``, in seconds."""
Hertz = Annotated[float, _read("hertz"), _written("hertz")]
"""As ``BytesPerSecond``, in cycles per second."""


class Part(BaseModel):
    """Base of what a model file holds: frozen, and no key beside its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
