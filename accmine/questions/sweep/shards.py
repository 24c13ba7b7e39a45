"""Parts of a sweep that different machines do, in one shared folder and without a daemon."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from accmine.errors import InputError

__all__ = ["Shard", "shard_of"]

Point = TypeVar("Point")


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``count``, from 1 on."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, points: Sequence[Point]) -> list[Point]:
        """The points of this shard: neighbours, which share most, and as many as in any other shard, or one more.

        A pure function of the sequence: shards agree on it without a word.
        """
        first, last = (len(points) * part // self.count for part in (self.number - 1, self.number))
        return list(points[first:last])

    def clashes(self, other: Shard | None) -> bool:
        """Whether another part of the same sweep (``None``: all of it) may hold a point of this one."""
        return other is None or other.count != self.count or other.number == self.number


def shard_of(text: str) -> Shard:
    """The shard that ``i/n`` names.

    Raises
    ------
    InputError
        If it is no such thing, or i is not one of 1 to n.
    """
    found = re.fullmatch(r"\s*([0-9]{1,9})\s*/\s*([0-9]{1,9})\s*", text)
    shard = Shard(int(found[1]), int(found[2])) if found else Shard(0, 0)
    if not 1 <= shard.number <= shard.count:
        example = "a number from 1 to n and the number n of shards, e.g. 2/8"
        raise InputError(f"needs i/n, {example}, got {text!r:.40}", field="--shard")
    return shard
