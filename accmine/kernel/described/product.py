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

A convolution is its im2col product: rows of A are images · rows · columns of outputs, m = i · p · q, columns of A are
channels · rows · columns of taps, k = c · r · s, n are output channels, b groups. Levels may loop over these parts in
the place of m or of k; a product is then one image of one row: q = m and c = k.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from accmine.files import FieldsError, did_you_mean
from accmine.kernel.described.expression import Complaints
from accmine.kernel.described.numbers import Bytes, Count, Whole

__all__ = [
    "DIMENSIONS",
    "OPERAND",
    "PARTS",
    "SIZES",
    "WINDOWS",
    "Move",
    "ProductRule",
    "TileSearch",
    "check_product",
    "parts_of",
]

SIZES = ("b", "m", "k", "n", "e")
"""Names that expressions of a product may use beside parameters: sizes of the tile at that place, bytes per element."""

PARTS: dict[str, tuple[str, ...]] = {"m": ("i", "p", "q"), "k": ("c", "r", "s")}
"""Dimension of a product -> those of a convolution that it is made of, the last one fastest."""

DIMENSIONS = ("b", "m", "k", "n", *PARTS["m"], *PARTS["k"])
"""Loops: products of a batch (groups of a convolution), rows of A, its columns, columns of B; parts of m and k."""

WINDOWS = {"h": ("p", "r"), "w": ("q", "s")}
"""Rows and columns of the padded image that a tile reads, and what they follow from."""

OPERAND = re.compile(r"(?P<place>[^.:\[\]]+)\.(?P<part>[^.:\[\]]+)(?::(?P<size>.+))?")
_WAYS = {"reads": ("read",), "writes": ("write",), "updates": ("read", "write"), "sums": ("read", "write")}
"""Keys of an instruction that hold operands, and what its unit must be able to do with these."""

Dimension = Literal["b", "m", "k", "n", "i", "p", "q", "c", "r", "s"]


def parts_of(dimension: str) -> tuple[str, ...]:
    """What a dimension is made of; itself if of nothing."""
    return PARTS.get(dimension, (dimension,))


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _loops(value: Any) -> Any:
    """The loops of a level, with complaints about unknown dimensions."""
    if not isinstance(value, Mapping):
        if value != "search":
            raise ValueError(f"must be loops, like {{n: 16, k: 16}}, or search, got {value!r}")
        return value
    wrong = [str(key) for key in value if key not in DIMENSIONS]
    if wrong:
        allowed = ", ".join(DIMENSIONS)
        says = [
            ((key,), f"unknown dimension {key!r}; {did_you_mean(key, DIMENSIONS)}allowed: {allowed}") for key in wrong
        ]
        raise FieldsError(says, keys=True)
    return value


_Loops = Annotated[
    Annotated[dict[Dimension, Count], Tag("loops")] | Annotated[Literal["search"], Tag("search")],
    Discriminator(lambda value: "search" if value == "search" else "loops"),
    BeforeValidator(_loops),
]


class TileSearch(_Model):
    """The machine for which the tile search of the cost model chooses the tiles of a level."""

    rows: Count = Field(description="Of the array; expressions here are over parameters.")
    cols: Count = Field(description="Of the array.")
    sram_bytes: Bytes = Field(description="For the tiles of the operands; 0: no limit, and so no tiles.")
    dataflow: Literal["ws", "os", "is"] = Field(default="ws", description="What stays in the array.")
    timing: str = Field(default="rtl-simple", description="Preset of the cycles of a tile, as `timing` of a study.")


class Move(BaseModel):
    """An instruction of a product; every further key is a value of the instruction, an expression."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Whole] = Field(init=False)

    per: tuple[Dimension, ...] = Field(
        default=("m", "k", "n"),
        description="Dimensions on which it depends: it stands directly inside the innermost loop over one of them or "
        "a part of one.",
    )
    level: str = Field(default="", description="The innermost level whose loops it looks at; default: the last one.")
    after: bool = Field(
        default=False, description="Behind the loops within, where a result is complete, instead of before them."
    )
    reads: tuple[str, ...] = Field(default=(), description="PLACE.PART, or PLACE.PART:BYTES with an expression.")
    writes: tuple[str, ...] = Field(default=(), description="As reads.")
    updates: tuple[str, ...] = Field(default=(), description="As reads: what is read and written.")
    sums: tuple[str, ...] = Field(
        default=(),
        description="As reads: what is written in the first of all iterations over k or its parts, and updated later.",
    )

    @property
    def values(self) -> dict[str, int | str]:
        """Immediates of the instruction, as expressions."""
        return dict(self.__pydantic_extra__)


_Moves = Annotated[dict[str, Move], Field(json_schema_extra={"minProperties": 1, "maxProperties": 1})]


class ProductRule(_Model):
    """The section ``product``."""

    levels: dict[str, _Loops] = Field(
        min_length=1,
        description="Name of a level -> its loops, outermost first: dimension -> tile, an expression over parameters; "
        "or `search`. Tiles of the last level are the most that one instruction covers, and what is spatial.",
    )
    search: TileSearch | None = Field(default=None, description="For levels that say `search`.")
    instructions: tuple[_Moves, ...] = Field(
        min_length=1, description="One mnemonic each, in program order where several stand at one place."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> ProductRule:
        wrong = [*self._wrong_levels(), *self._wrong_moves()]
        if wrong:
            raise FieldsError(wrong)
        return self

    def _wrong_levels(self) -> Iterable[tuple[tuple[str | int, ...], str]]:
        searched = [name for name, loops in self.levels.items() if loops == "search"]
        if searched and self.search is None:
            yield ("levels", searched[0]), "is `search`, but there is no key `search` that says for which machine"
        if self.search is not None and not searched:
            yield ("search",), "has no effect: no level is `search`"
        for name, loops in self.levels.items():
            for whole, parts in PARTS.items() if loops != "search" else ():
                for part in parts:
                    if part in loops and whole in self.looped:
                        yield ("levels", name, part), f"is a part of {whole}, over which a level loops; allowed: either"

    def _wrong_moves(self) -> Iterable[tuple[tuple[str | int, ...], str]]:
        for index, entry in enumerate(self.instructions):
            if len(entry) != 1:
                yield ("instructions", index), f"an instruction is one mnemonic with its keys, got {list(entry)}"
            for mnemonic, move in entry.items():
                place = ("instructions", index, mnemonic)
                if move.level and move.level not in self.levels:
                    near = did_you_mean(move.level, self.levels)
                    yield (*place, "level"), f"unknown level {move.level!r}; {near}allowed: {', '.join(self.levels)}"
                for at, dimension in enumerate(move.per):
                    for whole in self.looped & set(PARTS):
                        if dimension in PARTS[whole]:
                            yield (*place, "per", at), f"is a part of {whole}, over which a level loops; say {whole}"

    @property
    def looped(self) -> frozenset[str]:
        """Dimensions over which levels loop; those of a search aside, which takes what the others say."""
        return frozenset(d for loops in self.levels.values() if loops != "search" for d in loops)

    @property
    def of_convolutions(self) -> bool:
        """Whether it tells the parts of a convolution apart."""
        named = self.looped | {d for _, move in self.moves for d in move.per}
        return any(part in named for parts in PARTS.values() for part in parts)

    @property
    def names(self) -> tuple[str, ...]:
        """Names that expressions of instructions may use beside parameters."""
        if not self.of_convolutions:
            return SIZES
        known = [part for whole, parts in PARTS.items() if whole not in self.looped for part in parts]
        return (*SIZES, *known, *(name for name, needed in WINDOWS.items() if set(needed) <= set(known)))

    @property
    def moves(self) -> tuple[tuple[str, Move], ...]:
        """(mnemonic, move) of every instruction."""
        return tuple(item for entry in self.instructions for item in entry.items())


def check_product(
    found: Complaints,
    rule: ProductRule,
    parameters: Mapping[str, int],
    parts: Mapping[str, Iterable[str]],
    access: Mapping[str, Mapping[str, Collection[str]]],
) -> None:
    """Complain about what of a rule does not fit its architecture.

    Parameters
    ----------
    parameters
        Numbers of the architecture's parameters.
    parts
        Register file or memory -> its registers or buffers.
    access
        What units execute -> ``read``, ``write`` -> register files and memories with which its unit does it.
    """
    for name in sorted(set(rule.names) & set(parameters)):
        found.add(("parameters", name), f"{name!r} is a size of a product; allowed: another name", key=True)
    for level, loops in rule.levels.items():
        for dimension, tile in () if isinstance(loops, str) else loops.items():
            found.number(tile, parameters, ("product", "levels", level, dimension), 1)
    for key in ("rows", "cols", "sram_bytes") if rule.search else ():
        found.number(getattr(rule.search, key), parameters, ("product", "search", key), int(key != "sram_bytes"))
    known = [f"{name}.{part}" for name, own in parts.items() for part in own]
    names = {**parameters, **dict.fromkeys(rule.names, 1)}
    for index, (mnemonic, move) in enumerate(rule.moves):
        place = ("product", "instructions", index, mnemonic)
        if mnemonic not in access:
            found.unknown(place, f"no unit executes {mnemonic!r}", mnemonic, access, key=True)
        for key, value in move.values.items():
            if key in parameters:
                found.add((*place, key), "is a parameter of the architecture; call the value otherwise", key=True)
            found.number(value, names, (*place, key))
        for key, ways in _WAYS.items():
            own = {way: places for way, places in access.get(mnemonic, {}).items() if way in ways}
            for at, text in enumerate(getattr(move, key)):
                _check_operand(found, text, names, known, (*place, key, at), own)


def _check_operand(
    found: Complaints,
    text: str,
    names: Mapping[str, int],
    known: list[str],
    place: tuple[str | int, ...],
    access: Mapping[str, Collection[str]],
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
    for way, allowed in access.items():
        if match["place"] not in allowed:
            found.unknown(place, f"its unit does not {way} {match['place']!r}", match["place"], allowed)
