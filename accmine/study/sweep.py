"""Sweeps: a study at many points of its keys, which are listed, made one at a time, and never held all at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from accmine.errors import Complaint, InputError
from accmine.files import Document, FieldsError, Place, content_hash, overridden, validate
from accmine.study.inputs import referenced_files
from accmine.study.precision import Part
from accmine.study.study import BLOCKS, LoadedStudy, read_document, study_in

__all__ = ["LoadedSweep", "Option", "SweepBlock", "SweepPoint", "load_sweep", "sweep_in"]

VARIANT = "variant"
"""Column of the name of a variant."""

TRIES = 8
"""Points in which a value is tried before it is said to be wrong: what others it stands beside may be at fault."""

CHECKED = 2000
"""Values that are checked before anything is run; those behind them are checked as they come."""

WRONG = 20
"""Values that are wrong, of a key, after which no more of it are looked at: each takes ``TRIES`` points."""

_INDEX = re.compile(r"\[(\d+)\]")
_KEY = re.compile(r"[^\s.=]+(?:\.[^\s.=]+)*\Z")

Values = Annotated[tuple[Any, ...], Field(min_length=1)]
Settings = Annotated[dict[str, Any], Field(min_length=1)]


class SweepBlock(Part):
    """The points of a sweep: every combination of a variant, a row of the list, one of zip and values of the grid."""

    share: Annotated[float, Field(strict=True, gt=0, le=1)] = Field(
        default=0.2,
        description="Of budget.seconds, for a point whose graphs an earlier point has: it begins with the baseline, "
        "costs and designs of that. Deterministic points have their whole budget.",
    )
    variants: Annotated[dict[str, dict[str, Any]], Field(min_length=1)] | None = Field(
        default=None, description="Named variants: name -> keys with their values; may be empty."
    )
    rows: Annotated[tuple[Settings, ...], Field(min_length=1)] | None = Field(
        default=None, alias="list", description="A list of points: keys with their values."
    )
    zipped: Annotated[dict[str, Values], Field(min_length=1)] | None = Field(
        default=None, alias="zip", description="Keys whose values go together: the first of each, the second of each, …"
    )
    grid: Annotated[dict[str, Values], Field(min_length=1)] | None = Field(
        default=None, description="Keys with their values: every combination."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wrong: list[tuple[tuple[str | int, ...], str]] = []
        if not (self.variants or self.rows or self.zipped or self.grid):
            wrong.append(((), "has no points; give grid, list, zip or variants"))
        lengths = {key: len(values) for key, values in (self.zipped or {}).items()}
        most = max(lengths.values(), default=0)
        wrong += [
            (("zip", key), f"has {n} values where another key has {most}; zip needs as many of each")
            for key, n in lengths.items()
            if n < most
        ]
        owner: dict[str, str] = {}
        for block, place in self._keys():
            key = _normal(str(place[-1]))
            if not _KEY.match(key):
                wrong.append((place, "is no dotted key of a study such as limits.area or workloads[0].batch"))
            elif key.split(".")[0] in BLOCKS:
                wrong.append((place, "cannot be swept; allowed are the keys of the study"))
            elif owner.setdefault(key, block) != block:
                wrong.append((place, f"is in {owner[key]} as well; a key has one value at a point"))
        if wrong:
            raise FieldsError(wrong)
        return self

    def _keys(self) -> Iterator[tuple[str, Place]]:
        """Block and place of every key."""
        for name, own in (self.variants or {}).items():
            yield from (("variants", ("variants", name, key)) for key in own)
        for i, row in enumerate(self.rows or ()):
            yield from (("list", ("list", i, key)) for key in row)
        yield from (("zip", ("zip", key)) for key in self.zipped or ())
        yield from (("grid", ("grid", key)) for key in self.grid or ())


class _Whole(BaseModel):
    """A document with a sweep; its study is validated at its points."""

    model_config = ConfigDict(extra="ignore")
    sweep: SweepBlock = Field(description="The points of the sweep.")


def _normal(key: str) -> str:
    """A key as ``--set`` takes it: ``workloads[0].batch`` is ``workloads.0.batch``."""
    return _INDEX.sub(r".\1", key.strip())


@dataclass(frozen=True)
class Option:
    """A choice of some keys: (key, value, place of the value in the document); ``name`` of a variant."""

    settings: tuple[tuple[str, Any, Place], ...]
    name: str = ""


@dataclass(frozen=True)
class SweepPoint:
    """A point of a sweep.

    Attributes
    ----------
    number
        In the order of the table, from 0.
    values
        Name of a column -> value, as it is written in the document.
    overrides
        ``key.key=value`` as ``--set`` takes it, and where the value stands.
    """

    number: int
    values: Mapping[str, Any]
    overrides: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class LoadedSweep:
    """A valid sweep and the document it was read from.

    Attributes
    ----------
    dimensions
        The options of each; a point takes one of each, the last one changes first.
    overrides
        ``key.key=value`` of the command line, which the document has already.
    content
        File -> SHA-256 (hex) of its content, of the user's files that the points name.
    share
        Of the seconds of the study, for a point whose graphs an earlier one has.
    """

    name: str
    document: Document
    path: Path
    dimensions: tuple[tuple[Option, ...], ...]
    overrides: tuple[str, ...] = ()
    content: Mapping[str, str] = field(default_factory=dict)
    share: float = 1.0

    @property
    def count(self) -> int:
        """Number of points."""
        return prod(map(len, self.dimensions))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of a point: the variant, and every key that is set, in the order of the document."""
        names: dict[str, None] = {}
        for options in self.dimensions:
            for option in options:
                names |= {VARIANT: None} if option.name else dict.fromkeys(key for key, *_ in option.settings)
        return tuple(names)

    def number_of(self, indices: Sequence[int]) -> int:
        """Number of the point with these options."""
        number = 0
        for index, options in zip(indices, self.dimensions, strict=True):
            number = number * len(options) + index
        return number

    def indices_of(self, number: int) -> tuple[int, ...]:
        """The inverse of ``number_of``."""
        found: list[int] = []
        for options in reversed(self.dimensions):
            number, index = divmod(number, len(options))
            found.append(index)
        return tuple(reversed(found))

    def point(self, number: int) -> SweepPoint:
        """A point of the sweep."""
        values: dict[str, Any] = {}
        settings: list[tuple[str, Any, Place]] = []
        for index, options in zip(self.indices_of(number), self.dimensions, strict=True):
            option = options[index]
            values |= {VARIANT: option.name} if option.name else {key: value for key, value, _ in option.settings}
            settings += option.settings
        settings.sort(key=lambda setting: setting[0].count("."))  # a whole workload before a key of it
        overrides = tuple(
            (f"{key}={json.dumps(value, default=str)}", self.document.locate(place)) for key, value, place in settings
        )
        return SweepPoint(number, values, overrides)

    def study(self, point: SweepPoint) -> LoadedStudy:
        """The study at a point.

        Raises
        ------
        InputError
            With everything that is wrong; values of the sweep have the place where they stand in it.
        """
        return study_in(overridden(self._alone, point.overrides), self.path)

    @cached_property
    def _alone(self) -> Document:
        """The document without the points, which may be many."""
        return replace(self.document, data={k: v for k, v in self.document.data.items() if k not in BLOCKS})


def load_sweep(name_or_path: str | Path, overrides: Sequence[str] = (), *, most: int | None = None) -> LoadedSweep:
    """Read and validate a study with a block ``sweep``; parameters as of ``load_study``.

    More than ``most`` points are refused, before their values are looked at.

    Every value is tried in some point; a combination that is wrong although its values are right beside others is a
    point that fails.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    document, path = read_document(name_or_path, overrides)
    if most is not None and (count := sweep_in(document, path, check=False).count) > most:
        message = f"has {count:,} points, more than {most:,}; give --yes to run them all"
        raise InputError(message, document.locate(("sweep",), key=True), "sweep")
    return sweep_in(document, path, overrides)


def sweep_in(document: Document, path: Path, overrides: Sequence[str] = (), *, check: bool = True) -> LoadedSweep:
    """The sweep of a document.

    Parameters
    ----------
    path
        The file that it is of; files named in it lie beside it.
    overrides
        Those that the document has.
    check
        Whether the values of its points are looked at, as ``load_sweep`` does.

    Raises
    ------
    InputError
        If its block ``sweep`` is missing, or anything in it is wrong.
    """
    if not isinstance(document.data, dict) or "sweep" not in document.data:
        message = "has no block `sweep`; give one, such as sweep: {grid: {limits.area: [400 mm^2, 600 mm^2]}}"
        raise InputError(message, where=document.name)
    block = validate(document, _Whole).sweep
    name = str(document.data.get("name", path.stem))
    loaded = LoadedSweep(name, document, path, tuple(_dimensions(block)), tuple(overrides), share=block.share)
    return replace(loaded, content=_checked(loaded)) if check else loaded


def _dimensions(block: SweepBlock) -> Iterator[tuple[Option, ...]]:
    def option(settings: Mapping[str, Any], *place: str | int, name: str = "") -> Option:
        return Option(tuple((_normal(k), v, ("sweep", *place, k)) for k, v in settings.items()), name)

    if block.variants is not None:
        yield tuple(option(own, "variants", name, name=name) for name, own in block.variants.items())
    if block.rows is not None:
        yield tuple(option(row, "list", i) for i, row in enumerate(block.rows))
    if block.zipped is not None:
        keys = list(block.zipped)
        yield tuple(
            Option(tuple((_normal(k), v, ("sweep", "zip", k, i)) for k, v in zip(keys, row, strict=True)))
            for i, row in enumerate(zip(*block.zipped.values(), strict=True))
        )
    for key, values in (block.grid or {}).items():
        yield tuple(Option(((_normal(key), value, ("sweep", "grid", key, i)),)) for i, value in enumerate(values))


def _checked(loaded: LoadedSweep) -> dict[str, str]:
    """Content (SHA-256, hex) of the files that points name, once every value is right in some point.

    Raises
    ------
    InputError
        With what is wrong of those that are wrong in all points that were tried.
    """
    complaints: dict[Complaint, None] = {}
    content: dict[str, str] = {}
    left = CHECKED
    for at, options in enumerate(loaded.dimensions):
        wrong = 0
        for index in range(min(len(options), left)):
            if wrong == WRONG:
                break
            tried = _tried(loaded, at, index)
            if isinstance(tried, LoadedStudy):
                content |= {str(path): "" for path in referenced_files(tried.study)}
            else:
                complaints |= dict.fromkeys(tried)
                wrong += 1
        left = max(0, left - len(options))
    if complaints:
        raise InputError(list(complaints))
    return {name: content_hash(Path(name)) for name in sorted(content)}


def _tried(loaded: LoadedSweep, at: int, index: int) -> LoadedStudy | tuple[Complaint, ...]:
    """The study of a point with an option, or what is wrong in the first of some if it is right in none."""
    first: tuple[Complaint, ...] = ()
    for attempt in range(TRIES):
        others = [attempt % len(options) for options in loaded.dimensions]
        if attempt and all(len(o) <= attempt for i, o in enumerate(loaded.dimensions) if i != at):
            break
        others[at] = index
        try:
            return loaded.study(loaded.point(loaded.number_of(others)))
        except InputError as error:
            first = first or error.complaints
    return first
