"""Several runs side by side: what differs in their studies, and what differs in their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from accmine.files import leaves, load_yaml
from accmine.questions.report.loaded import LoadedRun
from accmine.questions.run.pictures import figures as pictures
from accmine.questions.run.pictures.front import TUNABLES, tunables
from accmine.questions.run.record import ChosenDesign, Outcome
from accmine.questions.run.report import why
from accmine.questions.run.row import COLUMNS
from accmine.report import Column, Figure, Section, Table, html, number, percent, stacked_bars, texts

__all__ = ["page", "side_figures", "side_sections"]

_NAMED = {
    "samples_per_s": ("throughput", "samples/s"),
    "step_s": ("step", "s"),
    "area_mm2": ("area", "mm²"),
    "tdp_w": ("TDP", "W"),
}


def page(runs: Sequence[LoadedRun]) -> str:
    """The page of several runs; the differences are those from the first one.

    Raises
    ------
    InputError
        If one is of another kind than training: its answer is no design that the others have.
    """
    names, _ = letters(runs), [run.trained for run in runs]
    lead = "\n".join(f"{letter}: {run.headline}" for letter, run in zip(names, runs, strict=True))
    hero, found = side_figures(runs)
    warnings = [f"{letter}: {text}" for letter, run in zip(names, runs, strict=True) for text in run.outcome.warnings]
    return html.page(f"{len(runs)} runs", side_sections(runs), found, lead=lead, hero=hero, warnings=warnings)


def letters(runs: Sequence[LoadedRun]) -> list[str]:
    """A, B, … for the runs, as their folders' names are long; numbers beyond."""
    return [chr(ord("A") + i) if i < 26 else str(i + 1) for i in range(len(runs))]


def side_sections(runs: Sequence[LoadedRun]) -> list[Section]:
    """The tables: results, studies and designs, then those of figures."""
    columns = tuple(Column(letter) for letter in letters(runs))
    legend = tuple(f"• {letter} = {run.path}" for letter, run in zip(letters(runs), runs, strict=True))
    return [
        Section(
            "results",
            "Results side by side",
            (*texts("", "unit"), *columns),
            tuple(_results(runs)),
            (*legend, "In brackets: the difference from A."),
        ),
        _differing("studies", "What differs in the studies", columns, [_study(run) for run in runs]),
        _differing("tunables", "What differs in the designs", columns, [_tunables(run) for run in runs]),
        Section("parts", "Where area and power go", notes=("Of one device.",)),
        Section(
            "time", "Where the time goes", notes=("; ".join(f"{name}: {what}" for _, name, what in why.PARTS) + ".",)
        ),
        Section("progress", "Gap over time", notes=("Each in the unit of its own search.",)),
    ]


def _results(runs: Sequence[LoadedRun]) -> list[tuple[str, ...]]:
    """A row for each column that says something, with the difference from the first run."""
    rows = [run.row for run in runs]
    units = {str(row["unit"] or "") for row in rows}
    found = []
    for column in COLUMNS:
        cells = [row[column.name] for row in rows]
        if column.name in ("folder", "message", "sense", "unit") or all(cell in (None, "") for cell in cells):
            continue
        unit = (units.pop() if len(units) == 1 else "") if column.unit == "unit" else column.unit
        if column.unit == "unit" and unit:
            units.add(unit)
        name, unit = _NAMED.get(column.name, (column.name.replace("_", " "), unit if unit != "1" else ""))
        found.append((name, unit, *_cells(cells)))
    return found


def _cells(cells: Sequence[Any]) -> list[str]:
    first, shown = cells[0], []
    for i, cell in enumerate(cells):
        if isinstance(cell, str) or cell is None:
            shown.append(cell or "")
            continue
        text = number(float(cell))
        known = isinstance(first, int | float) and first and isfinite(float(first)) and isfinite(float(cell))
        if i and known and cell != first:
            share = float(cell) / float(first) - 1.0
            text += f" ({'+' if share > 0 else ''}{percent(share)})"
        shown.append(text)
    return shown


def _differing(key: str, title: str, columns: Sequence[Column], tables: Sequence[Mapping[str, str]]) -> Section:
    """Keys whose values are not the same in all."""
    keys = list(dict.fromkeys(name for table in tables for name in table))
    rows = [(name, *(table.get(name, "") for table in tables)) for name in keys]
    differ = tuple(row for row in rows if len(set(row[1:])) > 1)
    notes = () if differ else ("Nothing.",)
    return Section(key, title, (*texts("key"), *columns) if differ else (), differ, notes)


def _study(run: LoadedRun) -> dict[str, str]:
    return {key: str(value) for key, value in leaves(load_yaml(text=run.study).data)}


def _tunables(run: LoadedRun) -> dict[str, str]:
    known = [tunables(design.name) for design in run.trained.designs]
    if not all(known):
        return {"design": "; ".join(design.name for design in run.trained.designs)}
    return {key: " / ".join(row.get(key, "") for row in known) for key in TUNABLES}


def _named(runs: Sequence[LoadedRun]) -> list[tuple[str, ChosenDesign]]:
    """All designs with the letter of their run, and a number where it has several."""
    return [
        (f"{letter}{i + 1 if len(run.trained.designs) > 1 else ''}", design)
        for letter, run in zip(letters(runs), runs, strict=True)
        for i, design in enumerate(run.trained.designs)
    ]


def side_figures(runs: Sequence[LoadedRun]) -> tuple[list[Figure], dict[str, list[Figure]]]:
    """Certificates and dies, and the figures of the sections."""
    own = _named(runs)
    names, designs = [name for name, _ in own], [design for _, design in own]
    hero = [*_certificates(runs), pictures.design_figure(designs, names)]
    bars, rows = [], []
    for letter, run in zip(letters(runs), runs, strict=True):
        for stage in run.outcome.stages if isinstance(run.outcome, Outcome) else ():
            name = f"{letter}: {why.stage_name(run.outcome, stage)}" if isinstance(run.outcome, Outcome) else letter
            shares = why.split_shares(stage)
            bars.append((name, shares))
            rows.append((name, stage.busy_s, *shares))
    parts = [name for _, name, _ in why.PARTS]
    table = Table(("device", "busy_s", *parts), rows)
    time = Figure(
        "time", "Busy time by what bounds it", stacked_bars(bars, parts, "busy time") if bars else "", "", table
    )
    return hero, {
        "parts": pictures.part_figures(designs, names),
        "time": [time],
        "progress": [
            pictures.progress_figure(run.outcome.trace, f"{letter}: {run.name}", f"progress-{letter}")
            for letter, run in zip(letters(runs), runs, strict=True)
        ],
    }


def _certificates(runs: Sequence[LoadedRun]) -> list[Figure]:
    """One per run; on one axis where all measure the same."""
    known = [run.row for run in runs]
    alike = len({(row["metric"], row["unit"]) for row in known}) == 1
    values = [float(v) for row in known for v in (row["heuristic"], row["best"], row["bound"]) if isinstance(v, float)]
    # Values too far apart would leave nothing to see of the smaller ones.
    near = bool(values) and all(map(isfinite, values)) and 0 < max(values) < 10 * min(values)
    span = (min(values), max(values)) if alike and near else None
    found = []
    for letter, row in zip(letters(runs), known, strict=True):
        heuristic, best, bound = (
            float(v) if isinstance(v, int | float) else float("nan")
            for v in (row["heuristic"], row["best"], row["bound"])
        )
        gap = float(row["gap"]) / 100 if isinstance(row["gap"], int | float) else float("nan")
        metric = f"{letter}: {row['metric'] or 'throughput'}"
        first = heuristic if row["heuristic"] is not None else None
        found.append(
            pictures.certificate_figure(
                metric, str(row["unit"] or ""), first, best, bound, gap, f"certificate-{letter}", span
            )
        )
    return found
