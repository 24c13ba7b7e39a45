"""Levels of a table of the user: densities or histograms, and losses.

One row per layer and level, in CSV, or in YAML (or JSON) as a list ``levels``:

=============  =====================================================================================================
``layer``      name of a layer of the network
``level``      name of the level, once in its layer
``density``    share of products that are not zero, 0 to 1; products are then taken to be independent
``histogram``  instead: shares (or counts) of windows with 0, 1, … ``window`` zero products. In CSV numbers between
               spaces; a ``|`` stands between those of one group of ``cluster`` input channels and the next. In YAML a
               list, or a list of lists
``loss``       points that the level loses
=============  =====================================================================================================

.. code-block:: yaml

    levels:
      - {layer: conv0.conv0, level: none, density: 1, loss: 0}
      - {layer: conv0.conv0, level: half, histogram: [0.1, 0.2, 0.4, 0.3], loss: 0.25}

Lines of CSV that start with ``#`` are comments. Levels keep the order of the table.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.files import did_you_mean, load_yaml, parse_value, read_text
from accmine.sparse.layer import MOST_POINTS, ONE_OF_BOTH, PARTS, POINT, Histogram, Layer, Level, binomial, histogram_of
from accmine.sparse.levels.sources import TABLE

__all__ = ["COLUMNS", "levels_of_table"]

COLUMNS = ("layer", "level", "density", "histogram", "loss")
"""Columns of CSV, keys of a row of YAML."""

_NEEDED = ("layer", "level", "loss")
_MOST_ROWS = 100_000
_LARGEST = 10**12


@dataclass(frozen=True)
class _Row:
    """A row: its values, and where each stands."""

    values: Mapping[str, Any]
    where: Callable[[str], tuple[str, str]]


@dataclass
class _Table:
    """A table while it is read, with what is wrong so far."""

    layers: Mapping[str, Layer]
    complaints: list[Complaint] = field(default_factory=list)
    found: dict[str, dict[str, Level]] = field(default_factory=dict)
    known: dict[tuple[int, Fraction], Histogram] = field(default_factory=dict)

    def wrong(self, row: _Row, key: str, message: str) -> None:
        """Note what is wrong with a value of a row."""
        where, place = row.where(key)
        self.complaints.append(Complaint(where, place, message.rstrip("; ")))

    def read(self, row: _Row) -> None:
        """Take in a row."""
        before = len(self.complaints)
        for key in row.values:
            if key not in COLUMNS:
                hint = did_you_mean(key, COLUMNS)
                self.wrong(row, key, f"unknown key {key!r}; {hint}allowed: {', '.join(COLUMNS)}")
        for key in _NEEDED:
            if row.values.get(key) is None:
                self.wrong(row, key, f"{key} is missing")
        if len(self.complaints) > before:
            return
        name = self.name(row, "layer")
        if name not in self.layers:
            hint = did_you_mean(name, list(self.layers))
            self.wrong(row, "layer", f"{name!r:.60} is no layer of the network; {hint}")
            return
        level = self.name(row, "level")
        if level in self.found.get(name, {}):
            self.wrong(row, "level", f"{level!r:.60} is there twice for {name}")
        loss = self.number(row, "loss", row.values["loss"], MOST_POINTS)
        histograms = self.histograms(row, self.layers[name])
        if len(self.complaints) == before:
            own = Level(level, histograms, ceil(loss * POINT), TABLE)
            self.found.setdefault(name, {})[level] = own

    def name(self, row: _Row, key: str) -> str:
        """A text; whole numbers are names as well."""
        value = row.values[key]
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            self.wrong(row, key, f"{value!r:.60} is not allowed; a name is needed")
        return str(value)

    def number(self, row: _Row, key: str, value: Any, most: int | None = None) -> Fraction:
        """A number of at least 0."""
        rule = "at least 0" if most is None else f"0 to {most:,}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(row, key, f"{value!r:.60} is not allowed; a number is needed, {rule}")
            return Fraction(0)
        if not 0 <= value <= (_LARGEST if most is None else most):
            self.wrong(
                row, key, f"{value!r:.60} is not allowed; {rule if value < 0 or most else f'at most {_LARGEST:,}'}"
            )
            return Fraction(0)
        return Fraction(repr(value))

    def histograms(self, row: _Row, layer: Layer) -> tuple[Histogram, ...]:
        """Of the density or the histogram of a row."""
        given = {key: row.values[key] for key in ("density", "histogram") if row.values.get(key) is not None}
        if len(given) != 1:
            self.wrong(row, "density", ONE_OF_BOTH[bool(given)])
            return ()
        if "density" in given:
            density = self.number(row, "density", given["density"], 1)
            # the histogram is in parts anyway, and powers of long decimals take long
            key = layer.window, Fraction(round(density * PARTS**2), PARTS**2)
            if key not in self.known:
                self.known[key] = binomial(*key)
            return (self.known[key],)
        value = given["histogram"]
        if not isinstance(value, list) or not value:
            self.wrong(
                row, "histogram", f"{value!r:.60} is not allowed; a list of numbers, or of such lists, is needed"
            )
            return ()
        groups = value if all(isinstance(own, list) for own in value) else [value]
        allowed = layer.channels_in // layer.cluster
        if len(groups) not in (1, allowed):
            self.wrong(row, "histogram", f"{len(groups)} histograms; allowed: 1, or one for each of {allowed} groups")
        return tuple(self.histogram(row, own, layer.window) for own in groups)

    def histogram(self, row: _Row, given: list[Any], window: int) -> Histogram:
        """Of one group of channels."""
        shares = [self.number(row, "histogram", value) for value in given]
        try:
            return histogram_of(shares, window, all(isinstance(value, int) for value in given))
        except InputError as error:
            self.wrong(row, "histogram", error.complaints[0].message)
            return (PARTS, *(0,) * window)


def levels_of_table(path: str | Path, layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The same layers with the levels of a table.

    Parameters
    ----------
    path
        ``.csv``, or YAML or JSON; see the head of this module.
    layers
        Of the network; each needs at least one level.

    Raises
    ------
    InputError
        For a file that cannot be read, rows that are not allowed, and layers without a level; every complaint at once,
        with its place.
    """
    path = Path(path)
    table = _Table({layer.name: layer for layer in layers})
    try:
        for row in _csv_rows(path, table) if path.suffix.lower() == ".csv" else _yaml_rows(path):
            table.read(row)
    except InputError as error:
        raise InputError([*table.complaints, *error.complaints]) from None
    missing = [layer.name for layer in layers if layer.name not in table.found]
    if missing and not table.complaints:
        shown = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        table.complaints.append(Complaint(str(path), "layer", f"no level for {shown}; each layer needs one at least"))
    if table.complaints:
        raise InputError(table.complaints)
    return tuple(replace(layer, levels=tuple(table.found[layer.name].values())) for layer in layers)


def _yaml_rows(path: Path) -> Iterator[_Row]:
    document = load_yaml(path)
    data = document.data
    if not isinstance(data, Mapping) or not isinstance(data.get("levels"), list) or not data["levels"]:
        message = f"a mapping with a list 'levels' of rows is needed: {', '.join(COLUMNS)}"
        raise InputError(message, where=document.locate(("levels",)), field="levels")
    for key in data:
        if key != "levels":
            place = document.locate((key,), key=True)
            raise InputError(f"unknown key {key!r}; allowed: levels", where=place, field=str(key))
    for i, item in enumerate(_few(data["levels"], document.name)):

        def where(key: str, i: int = i) -> tuple[str, str]:
            own = ("levels", i, key)
            return document.locate(own, key=key not in COLUMNS), ".".join(map(str, own))

        if not isinstance(item, Mapping):
            place = document.locate(("levels", i))
            raise InputError(f"{item!r:.60} is not allowed; a row is needed: {', '.join(COLUMNS)}", where=place)
        yield _Row(item, where)


def _few(rows: list[Any], name: str) -> list[Any]:
    if len(rows) > _MOST_ROWS:
        raise InputError(f"{len(rows):,} rows; allowed: {_MOST_ROWS:,}", where=name)
    return rows


def _csv_rows(path: Path, table: _Table) -> Iterator[_Row]:
    lines = [
        (i, line) for i, line in enumerate(read_text(path).split("\n"), 1) if line.strip() and not line.startswith("#")
    ]
    if not lines:
        raise InputError(f"no row; a header is needed: {', '.join(COLUMNS)}", where=str(path))
    (at, first), *rest = _few(lines, str(path))
    header = _cells(first, f"{path}:{at}")
    for name in header:
        if name not in COLUMNS or header.count(name) > 1:
            what = "is there twice; " if name in COLUMNS else f"is unknown; {did_you_mean(name, COLUMNS)}"
            raise InputError(f"column {name!r} {what}allowed: {', '.join(COLUMNS)}", where=f"{path}:{at}")
    for number, line in rest:
        place = f"{path}:{number}"
        try:
            cells = _cells(line, place)
            if len(cells) != len(header):
                raise InputError(f"{len(cells)} cells under {len(header)} columns", where=place)
            values = {key: _value(key, cell, place) for key, cell in zip(header, cells, strict=True) if cell}
        except InputError as error:
            table.complaints += error.complaints
            continue
        yield _Row(values, lambda key, place=place: (place, key))  # type: ignore[misc]


def _cells(line: str, where: str) -> list[str]:
    """Cells of a line; each row stands in one line, so that its number is its place."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise InputError(f"is no row of CSV: {error}", where=where) from None


def _value(key: str, cell: str, where: str) -> Any:
    if key in ("layer", "level"):
        return cell
    try:
        if key != "histogram":
            return parse_value(cell, where)
        groups = [[parse_value(word, where) for word in group.split()] for group in cell.split("|")]
    except InputError as error:
        raise InputError([Complaint(where, key, own.message) for own in error.complaints]) from None
    return groups[0] if len(groups) == 1 else groups
