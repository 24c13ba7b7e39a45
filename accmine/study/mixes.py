"""Mixes of workloads of a study: how much of each there is, where nobody knows which of them will come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeAlias

from pydantic import Field

from accmine.files import did_you_mean
from accmine.study.precision import Part
from accmine.study.values import Text

__all__ = ["Mix", "Shares", "mix_complaints", "mix_rows"]

Shares: TypeAlias = Annotated[dict[Text, Annotated[float, Field(strict=True, ge=0)]], Field(min_length=1)]
"""Share by the name of a workload."""


class Mix(Part):
    """Shares of workloads."""

    name: Text = Field(description="Name of the mix.")
    shares: Shares = Field(description="Share of each workload, in any unit; one that is not named has none.")


def mix_complaints(mixes: Sequence[Mix], names: Sequence[str]) -> list[tuple[tuple[str | int, ...], str]]:
    """What is wrong with mixes of workloads of these names."""
    wrong: list[tuple[tuple[str | int, ...], str]] = []
    for i, mix in enumerate(mixes):
        if mix.name in (other.name for other in mixes[:i]):
            wrong.append((("mixes", i, "name"), f"{mix.name!r} is taken; give each mix a name"))
        for name in mix.shares:
            if name not in names:
                message = f"no workload {name!r}; {did_you_mean(name, names)}allowed: {', '.join(names)}"
                wrong.append((("mixes", i, "shares", name), message))
        if not sum(mix.shares.values()) > 0:
            wrong.append((("mixes", i, "shares"), "the shares are all 0; at least one above it is needed"))
    return wrong


def mix_rows(mixes: Sequence[Mix] | None, names: Sequence[str]) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Name and shares of each mix, which sum to 1, in the order of the workloads.

    Where none is given: each workload alone, and equal shares.
    """
    if mixes is None:
        mixes = [Mix(name=f"{name} alone", shares={name: 1.0}) for name in names]
        mixes.append(Mix(name="equal shares", shares=dict.fromkeys(names, 1.0)))
    return tuple(
        (mix.name, tuple(mix.shares.get(name, 0.0) / sum(mix.shares.values()) for name in names)) for mix in mixes
    )
