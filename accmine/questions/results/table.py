"""All runs and sweeps below a folder as rows of one table; what is damaged is a row with the reason."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from textwrap import shorten
from typing import Any

from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.questions.run.folder import RunFolder, RunState, list_runs
from accmine.questions.run.row import COLUMNS, Column, Row, misfit, row_of, shown
from accmine.questions.sweep.folder import SweepFolder
from accmine.questions.sweep.record import FAILED
from accmine.report.records import Records, records

__all__ = ["RESULT_COLUMNS", "SHORT", "list_rows", "results", "row_of_run"]

RESULT_COLUMNS: tuple[Column, ...] = (
    Column("run", "", "Name of the run folder."),
    Column("state", "", "running, finished, interrupted, failed; or damaged: message says what cannot be read."),
    Column("when", "", "When the state was written last, in UTC: the end of a run that has one."),
    *COLUMNS,
)
"""Columns of ``results``; points of a sweep have ``sweep``, ``point`` and the keys that are swept behind these."""

SHORT = ("run", "state", "status", "best", "unit", "gap", "area_mm2", "tdp_w", "designs")
"""What is printed where no columns are asked for, and the points and keys of sweeps."""

DAMAGED, SWEEP = "damaged", "sweep.yaml"


def row_of_run(folder: RunFolder) -> Row:
    """The row of one run: ``RESULT_COLUMNS``."""
    row: Row = dict.fromkeys(column.name for column in RESULT_COLUMNS)
    row |= {"run": folder.path.name, "when": folder.when}
    try:
        state, recorded = folder.state, folder.read_json("state.json") or {}
        row["state"] = None if state is None else state.value
        result = folder.read_json("result.json")
        with folder.using("result.json"):
            row |= _checked(row_of(result or {}))
    except InputError as error:
        row |= {"state": DAMAGED, "message": str(error)}
    else:
        if result is None:
            row["status"] = "failed" if state is RunState.FAILED else None
        row["message"] = row["message"] or str(recorded.get("message") or "")
    row["study"] = row["study"] or _name_of_study(folder)
    row["folder"] = str(folder.path)  # where it is, not where it was computed
    return row


def _checked(row: Row) -> Row:
    """The row, once its values are what their columns hold.

    Raises
    ------
    TypeError
        If one is not.
    """
    if wrong := misfit(row):
        raise TypeError(wrong)
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}


def _name_of_study(folder: RunFolder) -> str | None:
    with suppress(InputError, OSError, LookupError, TypeError, AttributeError):
        return str(load_yaml(folder.path / "study.yaml").data["name"])
    return None


def results(folders: Sequence[Path] = (), runs: Path = Path("runs")) -> Records:
    """One row per run, and per point of a sweep, oldest first.

    Parameters
    ----------
    folders
        Run folders, sweeps, or folders of them; default: ``runs``.

    Raises
    ------
    InputError
        If one of ``folders`` is not there.
    """
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"no such folder: {folder}")
    rows = [row for folder in folders or (runs,) for row in _rows_of(folder)]
    names = dict.fromkeys(column.name for column in RESULT_COLUMNS)
    return records(rows, tuple(names | dict.fromkeys(name for row in rows for name in row)))


def _rows_of(folder: Path) -> list[dict[str, Any]]:
    """Rows below a folder, oldest first; the points of a sweep stay together."""
    if (folder / "state.json").is_file():
        return [row_of_run(RunFolder(folder))]
    if (folder / SWEEP).is_file():
        return list(_points(folder))
    sweeps = [list(_points(path.parent)) for path in sorted(folder.glob(f"*/{SWEEP}"))]
    of_points = {row["run"] for rows in sweeps for row in rows}
    alone = [[row_of_run(run)] for run in list_runs(folder) if run.path.name not in of_points]
    blocks = sorted((rows for rows in alone + sweeps if rows), key=lambda rows: max(row["when"] for row in rows))
    return [row for rows in blocks for row in rows]


def _points(folder: Path) -> Iterator[dict[str, Any]]:
    """The points of a sweep: their answers as the sweep has them, which may be those of other points."""
    said: list[str] = []
    sweep = SweepFolder(folder, said.append)
    for number in sweep.numbers():
        row: dict[str, Any] = dict.fromkeys(column.name for column in RESULT_COLUMNS)
        row |= {"run": "", "state": DAMAGED, "when": "", "sweep": folder.name, "point": number}
        point = sweep.read(number)
        if point is None:
            yield row | {"message": said[-1]}
            continue
        run = RunFolder(folder.parent / Path(str(point.row.get("folder") or ".")).name)
        row |= {name: point.row.get(name) for name in row if name in point.row}
        row |= {"run": run.path.name if run.when else "", "when": run.when, "folder": str(run.path) if run.when else ""}
        with suppress(InputError):
            state = run.state if run.when else None
            row["state"] = "failed" if point.status == FAILED else state.value if state else "finished"
        yield row | {key: _plain(value) for key, value in point.values.items()}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | None) else json.dumps(value, ensure_ascii=False)


def list_rows(runs: Path) -> list[dict[str, Any]]:
    """Name, study, state, when, best and gap of the runs below a folder, newest last; a reason where one has none."""
    return [
        {
            "name": row["run"],
            "study": row["study"] or "",
            "state": row["state"],
            "when": row["when"],
            "best": shown({**row, "gap": None}) or row["status"] or "",
            "gap_percent": row["gap"],
            "message": shorten(str(row["message"] or ""), 60, placeholder="…"),
        }
        for row in results(runs=runs)
    ]
