"""Rows that a condition holds for, in an order, under some columns; and their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accmine.errors import InputError
from accmine.files import did_you_mean
from accmine.report.records import Records

__all__ = ["select", "to_arrow", "write_parquet"]

_ROW = "row of the table"
"""A column of its own number, which no condition is likely to name."""


def select(table: Records, where: str = "", columns: Sequence[str] = (), sort: Sequence[str] = ()) -> Records:
    """Some rows and columns of a table.

    Parameters
    ----------
    where
        A condition of SQL on the columns, as DuckDB reads it: ``gap > 1 and study like 'gpt%'``. Names that hold a dot
        stand in double quotes.
    columns
        Names; default: all.
    sort
        Names, the first one first; ``-name`` is from large to small. Empty values come last.

    Raises
    ------
    InputError
        For a column that is not there and a condition that is none; names the columns.
    """
    for name in [*columns, *(key.removeprefix("-") for key in sort)]:
        if name not in table.columns:
            raise InputError(f"no column {name!r}; {did_you_mean(name, table.columns)}{_allowed(table)}")
    rows = _holding(table, where) if where.strip() else list(table.rows)
    for key in reversed(sort):
        rows = _sorted(rows, key.removeprefix("-"), key.startswith("-"))
    return Records(tuple(columns) or table.columns, tuple(rows))


def _sorted(rows: list[Any], name: str, descending: bool) -> list[Any]:
    there = [row for row in rows if row.get(name) is not None]
    numbers = all(isinstance(row[name], int | float) for row in there)
    there.sort(key=lambda row: row[name] if numbers else str(row[name]), reverse=descending)
    return there + [row for row in rows if row.get(name) is None]


def _allowed(table: Records) -> str:
    return "columns: " + ", ".join(name if name.isidentifier() else f'"{name}"' for name in table.columns)


def _holding(table: Records, where: str) -> list[Any]:
    try:
        import duckdb
    except ImportError as error:
        raise InputError("a condition needs DuckDB: pip install 'accmine[data]'", field="--where") from error
    arrow = to_arrow(table)
    arrow = arrow.append_column(_ROW, [range(len(table))])
    # The condition sees this table and nothing else: no file, no variable of Python, no setting.
    closed = {"enable_external_access": "false", "python_enable_replacements": "false"}
    with duckdb.connect(":memory:", config=closed) as database:
        database.execute("SET lock_configuration = true")
        database.register("rows", arrow)
        try:
            kept = database.table("rows").filter(where).project(f'"{_ROW}"').fetchall()
        except duckdb.Error as error:
            said = " ".join(str(error).split("\n\n")[0].split())
            raise InputError(
                f"{where!r} is no condition on the columns: {said}; {_allowed(table)}", "", "--where"
            ) from None
    return [table.rows[index] for (index,) in kept]


def to_arrow(table: Records) -> Any:
    """The table as a ``pyarrow.Table``: columns of numbers as such, all others as text.

    Raises
    ------
    InputError
        If pyarrow is not installed; names the extra.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise InputError("needs Arrow: pip install 'accmine[data]'") from error
    made = {}
    for name in table.columns:
        values = table.column(name)
        there = [value for value in values if value is not None]
        numbers = bool(there) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)
        if numbers or (not there and name in _numeric()):
            made[name] = pyarrow.array([None if v is None else float(v) for v in values], pyarrow.float64())
        else:
            made[name] = pyarrow.array([None if v is None else _text(v) for v in values], pyarrow.string())
    return pyarrow.table(made)


def _numeric() -> set[str]:
    from accmine.questions.run.row import COLUMNS

    return {column.name for column in COLUMNS if column.numeric}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def write_parquet(table: Records, path: Path) -> None:
    """Write the table as a Parquet file.

    Raises
    ------
    InputError
        If pyarrow is not installed; names the extra.
    """
    arrow = to_arrow(table)
    from pyarrow import parquet

    parquet.write_table(arrow, path)
