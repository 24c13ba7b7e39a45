"""Two objectives of a study: a front of throughput and a cost, as a number of points with a limit each."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, PlainValidator, Tag, WithJsonSchema

from accmine.study.precision import Part

__all__ = ["Front", "ObjectiveWord", "OneOrFront", "Pair", "Points"]

ObjectiveWord: TypeAlias = Literal["throughput", "bottleneck", "throughput-per-tdp"]

ALL = "all"
"""What a study writes for every point that there is."""

MOST = 1000


def _points(value: Any) -> int | str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value != ALL and not (whole and 2 <= value <= MOST):
        raise ValueError(f"must be a whole number from 2 to {MOST}, or {ALL}; got {value!r:.60}")
    return value  # type: ignore[no-any-return]


Points = Annotated[
    int | str,
    PlainValidator(_points),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 2, "maximum": MOST}, {"const": ALL}]}),
]
"""How many points, or ``all``."""


Pair: TypeAlias = tuple[Literal["throughput"], Literal["tdp", "area"]]
"""Throughput, and what it is set against."""


class Front(Part):
    """Throughput against a cost of all devices: what is best under one limit of it after the other."""

    pareto: Pair = Field(
        description="throughput, and tdp or area: the designs that are not worse than another in both."
    )
    points: Points = Field(
        default=8,
        description="Points, between no further limit and the least cost of a design; all: until no cheaper design is "
        "left.",
    )

    def __str__(self) -> str:
        """As a study writes it."""
        return f"{{pareto: [{', '.join(self.pareto)}]}}"

    @property
    def limit(self) -> str:
        """The limit that differs from point to point, by its key in the study."""
        return f"limits.{self.pareto[1]}"

    @property
    def most(self) -> int | None:
        """Points at most; ``None``: as many as there are."""
        return self.points if isinstance(self.points, int) else None


def _kind(value: Any) -> str:
    return "<front>" if isinstance(value, dict | Front) else "<word>"


OneOrFront = Annotated[Annotated[Front, Tag("<front>")] | Annotated[ObjectiveWord, Tag("<word>")], Discriminator(_kind)]
"""An objective by its word, or two of them."""
