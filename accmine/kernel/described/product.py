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
from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from accmine.kernel.described.expression import Complaints

__all__ = ["DIMENSIONS", "OPERAND", "SIZES", "Move", "ProductRule", "TileSearch", "check_product"]

DIMENSIONS = ("b", "m", "k", "n")
"""Loops of a product: products of a batch (groups of a convolution), rows of A, its columns, columns of B."""

SIZES = (*DIMENSIONS, "e")
"""Names that expressions of a product may use beside parameters: sizes of the tile at that place, bytes per element."""

OPERAND = re.compile(r"(?P<place>[^.:\[\]]+)\.(?P<part>[^.:\[\]]+)(?::(?P<size>.+))?")
OPERANDS = ("reads", "writes", "updates", "sums")
"""Keys of an instruction that hold operands."""

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


def check_product(
    found: Complaints,
    rule: ProductRule,
    parameters: Mapping[str, int],
    parts: Mapping[str, Iterable[str]],
    mnemonics: Iterable[str],
) -> None:
    """Complain about what of a rule does not fit its architecture.

    Parameters
    ----------
    parameters
        Numbers of the architecture's parameters.
    parts
        Register file or memory -> its registers or buffers.
    mnemonics
        What units execute.
    """
    for name in sorted(set(SIZES) & set(parameters)):
        found.add(("parameters", name), f"{name!r} is a size of a product; allowed: another name", key=True)
    for level, loops in rule.levels.items():
        for dimension, tile in () if isinstance(loops, str) else loops.items():
            found.number(tile, parameters, ("product", "levels", level, dimension), 1)
    for key in ("rows", "cols", "sram_bytes") if rule.search else ():
        found.number(getattr(rule.search, key), parameters, ("product", "search", key), int(key != "sram_bytes"))
    executed, known = dict.fromkeys(mnemonics), [f"{name}.{part}" for name, own in parts.items() for part in own]
    names = {**parameters, **dict.fromkeys(SIZES, 1)}
    for index, (mnemonic, move) in enumerate(rule.moves):
        place = ("product", "instructions", index, mnemonic)
        if mnemonic not in executed:
            found.unknown(place, f"no unit executes {mnemonic!r}", mnemonic, executed, key=True)
        for key, value in move.values.items():
            found.number(value, names, (*place, key))
        for key in OPERANDS:
            for at, text in enumerate(getattr(move, key)):
                _check_operand(found, text, names, known, (*place, key, at))


def _check_operand(
    found: Complaints, text: str, names: Mapping[str, int], known: list[str], place: tuple[str | int, ...]
) -> None:
    match = OPERAND.fullmatch(text)
    if match is None:
        found.add(place, f"{text!r} is no operand; allowed: PLACE.PART or PLACE.PART:BYTES")
        return
    name = f"{match['place']}.{match['part']}"
    if name not in known:
        found.unknown(place, f"there is no {name!r}", name, known)
    elif match["size"] is not None:
        found.number(match["size"], names, place)
