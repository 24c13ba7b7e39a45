"""What changed between runs: keys of their studies, and columns of their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from accmine.errors import InputError
from accmine.files import leaves, load_yaml
from accmine.questions.options import echo_json
from accmine.questions.results.table import row_of_run
from accmine.questions.run.folder import RunFolder, find_run
from accmine.questions.run.row import COLUMNS
from accmine.report import Column, Section, cell, colored, terminal_width
from accmine.report import render as text

__all__ = ["AnswerColumn", "Differences", "StudyKey", "differences", "render", "show"]

_OF_THE_RUN = ("study", "folder", "message")
"""Columns that say which run it is, not what it came to."""


@dataclass(frozen=True)
class StudyKey:
    """A key of the studies that is not the same in all runs.

    Attributes
    ----------
    key
        Dotted, with the indices of lists: ``workloads.0.batch``; ``versions.ortools`` is what decided.
    values
        Of each run; ``None``: it has no such key.
    """

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class AnswerColumn:
    """A column of the answers.

    Attributes
    ----------
    name, unit
        As in ``accmine.questions.run.row``.
    values
        Of each run; ``None``: it does not apply.
    ratios
        Of the first run's value, for each of the others; ``None`` where it is no number, or of another unit.
    """

    name: str
    unit: str
    values: tuple[Any, ...]
    ratios: tuple[float | None, ...]

    @property
    def same(self) -> bool:
        """Whether all runs have the same value."""
        return all(value == self.values[0] for value in self.values)


@dataclass(frozen=True)
class Differences:
    """What changed between runs, the first of which is what the others are compared with."""

    runs: tuple[str, ...]
    study: tuple[StudyKey, ...]
    answer: tuple[AnswerColumn, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "runs": list(self.runs),
            "study": [{"key": row.key, "values": list(row.values)} for row in self.study],
            "answer": [
                {"column": row.name, "unit": row.unit, "values": list(row.values), "ratios": list(row.ratios)}
                for row in self.answer
            ],
        }

    def __repr__(self) -> str:
        """How much changed, in a line; ``render`` shows what."""
        changed = [row.name for row in self.answer if not row.same]
        return f"<Differences of {', '.join(self.runs)}: {len(self.study)} keys of the study; {', '.join(changed)}>"

    def _repr_html_(self) -> str:
        """The text, for notebooks."""
        from html import escape

        return f"<pre>{escape(render(self))}</pre>"


def differences(folders: Sequence[RunFolder]) -> Differences:
    """What changed between two runs or more.

    Raises
    ------
    InputError
        If there are fewer than two, or one is damaged or has no result.
    """
    if len(folders) < 2:
        raise InputError(f"a comparison needs two runs or more, got {len(folders)}")
    studies, rows = [_study(folder) for folder in folders], [_row(folder) for folder in folders]
    keys = dict.fromkeys(key for study in studies for key in study)
    values = {key: tuple(study.get(key) for study in studies) for key in keys}
    changed = tuple(StudyKey(key, row) for key, row in values.items() if any(value != row[0] for value in row))
    answer = []
    for column in COLUMNS:
        own = tuple(row[column.name] for row in rows)
        if column.name in _OF_THE_RUN or all(value is None for value in own):
            continue
        units = [row["unit"] for row in rows] if column.unit == "unit" else [column.unit] * len(rows)
        ratios = tuple(_ratio(own[0], value, units[0] == unit) for value, unit in zip(own[1:], units[1:], strict=True))
        answer.append(AnswerColumn(column.name, str(units[0] or "") if column.numeric else "", own, ratios))
    return Differences(tuple(folder.path.name for folder in folders), changed, tuple(answer))


def _row(folder: RunFolder) -> Mapping[str, Any]:
    row = row_of_run(folder)
    if row["state"] == "damaged":
        raise InputError(str(row["message"]))
    if folder.read_json("result.json") is None:
        raise InputError(f"{folder.path} has no result; its state is: {row['state']}")
    return row


def _study(folder: RunFolder) -> dict[str, Any]:
    """The keys of a run's study with their values, and the versions of what decided."""
    path = folder.path / "study.yaml"
    if not path.is_file():
        raise InputError("no such file; a run writes it first", str(path))
    found = dict(leaves(load_yaml(path).data))
    versions = (folder.read_json("result.json") or {}).get("versions")
    return found | {f"versions.{name}": value for name, value in (versions or {}).items()}


def _ratio(first: Any, other: Any, same_unit: bool) -> float | None:
    numbers = all(isinstance(value, int | float) for value in (first, other))
    return other / first if numbers and same_unit and first else None


def show(names: Sequence[str], runs: Path, *, as_json: bool = False) -> None:
    """Print what changed between runs: folders, or the starts of their names below ``runs``.

    Raises
    ------
    InputError
        As ``differences``, and for a name of no run, or of several.
    """
    found = differences([find_run(runs, name) for name in names])
    if as_json:
        echo_json(found.to_json())
    else:
        typer.echo(render(found, width=terminal_width(), color=colored()), nl=False)


def render(found: Differences, *, width: int = 110, color: bool = False) -> str:
    """Two tables as text: keys of the study that differ, and the answer with its ratios."""
    first, *others = found.runs
    keys = tuple((row.key, *(_word(value) for value in row.values)) for row in found.study)
    one = len(others) == 1
    ratios = [Column("ratio" if one else f"{name} / first", numeric=True) for name in others]
    answers = tuple(
        (
            f"{row.name} ({row.unit})" if row.unit not in ("", "1") else row.name,
            *(_word(value) for value in row.values),
            *("" if ratio is None else f"{ratio:.4f}" for ratio in row.ratios),
        )
        for row in found.answer
    )
    columns = tuple(Column(name) for name in (first, *others))
    sections = [
        Section(
            "study",
            "What changed in the study",
            (Column("key"), *columns) if keys else (),
            keys,
            () if keys else ("Nothing: the studies are the same.",),
        ),
        Section(
            "answer",
            "What changed in the answer",
            (Column("column"), *columns, *ratios),
            answers,
            marked=tuple(index for index, row in enumerate(found.answer) if not row.same),
        ),
    ]
    return text(sections, width=width, color=color)


def _word(value: Any) -> str:
    return "–" if value is None else cell(value)
