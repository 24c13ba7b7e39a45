"""How a described architecture runs a product C[m,n] = A[m,k] · B[k,n]: the section ``product`` of its file.

The section says which loops there are by default and which instructions stand where in them::

    product:
      levels:                                  # outermost first; the last one is what an instruction spreads
        block: {m: 64, n: 64}
        array: {n: cols, k: rows}
      instructions:
        - load: {per: [k, n], writes: [array.weights]}
        - stream: {m: m, reads: [array.weights], sums: [acc.C]}
        - store: {per: [m, n], level: block, after: true, reads: ["acc.C:m * n * e"]}
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["DIMENSIONS", "OPERAND", "SIZES", "Move", "ProductRule", "TileSearch"]

DIMENSIONS = ("b", "m", "k", "n")
"""Loops of a product: products of a batch (groups of a convolution), rows of A, its columns, columns of B."""

SIZES = (*DIMENSIONS, "e")
"""Names that expressions of a product may use beside parameters: sizes of the tile at that place, bytes per element."""

OPERAND = re.compile(r"(?P<place>[^.:\[\]]+)\.(?P<part>[^.:\[\]]+)(?::(?P<size>.+))?\Z")

Dimension = Literal["b", "m", "k", "n"]
Number = int | str


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TileSearch(_Model):
    """The machine for which the tile search of the cost model chooses the tiles of a level.

    Attributes
    ----------
    sram_bytes
        Expression over parameters; 0: no limit, and so no tiles.
    timing
        A preset of ``accmine.cost.arrays.timing``.
    """

    rows: Number
    cols: Number
    sram_bytes: Number
    dataflow: Literal["ws", "os", "is"] = "ws"
    timing: str = "rtl-simple"


class Move(BaseModel):
    """An instruction of a product; every further key is a value of the instruction, an expression.

    Attributes
    ----------
    per
        Dimensions on which it depends: it stands directly inside the innermost loop over one of them.
    level
        The innermost level whose loops it looks at; default: the last one.
    after
        Behind the loops within, where a result is complete, instead of before them.
    reads, writes, updates
        ``PLACE.PART``, or ``PLACE.PART:BYTES`` with an expression.
    sums
        Operands that are written in the first of all iterations over k, and updated in later ones.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Number] = Field(init=False)

    per: tuple[Dimension, ...] = ("m", "k", "n")
    level: str = ""
    after: bool = False
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()

    @field_validator("reads", "writes", "updates", "sums")
    @classmethod
    def _operands(cls, operands: tuple[str, ...]) -> tuple[str, ...]:
        for text in operands:
            if not OPERAND.match(text):
                raise ValueError(f"{text!r} is no operand; allowed: PLACE.PART or PLACE.PART:BYTES")
        return operands

    @property
    def values(self) -> dict[str, Number]:
        """Immediates of the instruction, as expressions."""
        return dict(self.__pydantic_extra__)


class ProductRule(_Model):
    """The section ``product``.

    Attributes
    ----------
    levels
        Name of a level -> its loops, outermost first: dimension -> tile, an expression over parameters; or ``search``.
        Tiles of the last level are the most that one instruction covers.
    search
        For levels that say ``search``.
    instructions
        One mnemonic each, in program order where several stand at one place.
    """

    levels: dict[str, dict[Dimension, Number] | Literal["search"]] = Field(min_length=1)
    search: TileSearch | None = None
    instructions: tuple[dict[str, Move], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_together(self) -> ProductRule:
        if "search" in self.levels.values() and self.search is None:
            raise ValueError("a level is `search`, but there is no key `search` that says for which machine")
        if list(self.levels.values())[-1] == "search":
            raise ValueError("the last level is what an instruction covers; it cannot be `search`")
        for entry in self.instructions:
            if len(entry) != 1:
                raise ValueError(f"an instruction is one mnemonic with its keys, got {list(entry)}")
            for mnemonic, move in entry.items():
                if move.level and move.level not in self.levels:
                    raise ValueError(f"{mnemonic}: unknown level {move.level!r}; allowed: {', '.join(self.levels)}")
        return self

    @property
    def moves(self) -> tuple[tuple[str, Move], ...]:
        """(mnemonic, move) of every instruction."""
        return tuple(item for entry in self.instructions for item in entry.items())

