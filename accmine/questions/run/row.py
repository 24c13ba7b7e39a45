"""What a run came to as one flat row: the columns of sweeps, comparisons and tables of results.

Also what both kinds of outcome have in common beside their row: the format of ``result.json``, and how they show
themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from accmine.errors import InputError
from accmine.report import to_json

__all__ = ["COLUMNS", "FORMAT", "Answer", "Column", "Row", "misfit", "refuse_newer", "row_of", "shown"]

Row = dict[str, float | int | str | None]


@dataclass(frozen=True)
class Column:
    """A column of a row: its name, its unit (empty: none) and what it holds."""

    name: str
    unit: str
    description: str

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers."""
        return bool(self.unit)


COLUMNS: tuple[Column, ...] = (
    Column("study", "", "Name of the study."),
    Column("status", "", "optimal, feasible, infeasible, unknown or failed."),
    Column("stop", "", "Why the run ended: proved, finished, time, interrupted; empty where it has no answer."),
    Column("metric", "", "What heuristic, best and bound measure."),
    Column("unit", "", "Unit of heuristic, best and bound."),
    Column("sense", "", "maximize or minimize."),
    Column("heuristic", "unit", "Value of the critical-path heuristic alone."),
    Column("best", "unit", "Value of the best verified answer."),
    Column("bound", "unit", "No design of the space is better."),
    Column("gap", "%", "Distance of best and bound."),
    Column(
        "value",
        "1",
        "What the study minimises: step time relative to the baseline, or its product with TDP; of a sparse dataflow "
        "the cycles between two images, on several devices the seconds.",
    ),
    Column("samples_per_s", "1/s", "Throughput; empty with several workloads, whose samples are not of one kind."),
    Column("step_s", "s", "Time of an optimiser step; empty with several workloads."),
    Column("area_mm2", "mm2", "Area of all devices."),
    Column("tdp_w", "W", "TDP of all devices."),
    Column("designs", "", "Designs of the answer, joined by '; '."),
    Column("feasible_designs", "1", "Designs of the space within the limits."),
    Column("evaluated_designs", "1", "Designs that were scheduled."),
    Column("seconds", "s", "Seconds of all steps of the run."),
    Column("message", "", "Why there is no answer."),
    Column("folder", "", "Folder of the run."),
    Column("placement", "", "How the workload is spread, where that was decided with the design."),
)
"""Columns of ``row_of`` in their order; stable names, new ones are added at the end."""

_FIRST = 21
"""Columns that every version has written."""


def row_of(result: Mapping[str, Any]) -> Row:
    """The row of what a run's ``result.json`` holds; a column that does not apply is ``None``."""
    certificate = result.get("certificate") or {}
    gap = certificate.get("gap")
    seconds = result.get("seconds") or {}
    found: Row = dict.fromkeys(column.name for column in COLUMNS)
    found |= {name: result.get(name) for name in ("study", "status", "value", "area_mm2", "tdp_w")}
    found |= {name: result.get(name) or "" for name in ("stop", "message", "folder")}
    found |= {
        name: certificate.get(name)
        for name in ("metric", "unit", "sense", "heuristic", "bound", "feasible_designs", "evaluated_designs")
    }
    found["best"] = certificate.get("objective")
    found["gap"] = None if gap is None else 100 * gap
    found["seconds"] = sum(seconds.values())
    if "images_per_s" in result:
        return found | _sparse(result)
    return found | (_placed(result) if "placement" in result else _given(result))


def misfit(row: Mapping[str, Any]) -> str:
    """What is wrong with a row that was read from a file, in words; empty where nothing is."""
    for at, column in enumerate(COLUMNS):
        value = row.get(column.name)
        right = isinstance(value, int | float) and not isinstance(value, bool)
        if at < _FIRST and column.name not in row:
            return f"{column.name} is missing"
        if value is not None and not (right if column.numeric else isinstance(value, str)):
            return f"{column.name} is {value!r:.40}"
    return ""


def _given(result: Mapping[str, Any]) -> Row:
    """What only the outcome of a study whose placement is given says in its way."""
    workloads = result.get("workloads") or ()
    alone = next(iter(workloads)) if len(workloads) == 1 else {}
    designs = "; ".join(design["name"] for design in result.get("designs") or ())
    return {"samples_per_s": alone.get("samples_per_s"), "step_s": alone.get("step_s"), "designs": designs}


def _placed(result: Mapping[str, Any]) -> Row:
    """What only the outcome of a study whose placement is decided says in its way."""
    design, placement, devices = result["design"], result["placement"], result["devices"]
    degrees = (f"{kind} {placement[kind]}" for kind in ("tensor", "pipeline", "data", "expert"))
    return {
        "metric": "throughput",
        "unit": "samples/s",
        "sense": "maximize",
        "samples_per_s": result["samples_per_s"],
        "step_s": result["value"],
        "area_mm2": devices * design["area_mm2"],
        "tdp_w": devices * design["tdp_w"],
        "designs": design["name"],
        "placement": f"{' × '.join(degrees)}, microbatch {placement['microbatch']}",
    }


def _sparse(result: Mapping[str, Any]) -> Row:
    """What only the outcome of a sparse dataflow accelerator says in its way; a sample is an image."""
    row: Row = {"samples_per_s": result["images_per_s"], "step_s": None}
    if "devices" not in result:
        return row | {"designs": f"{_dsp(result['device'], result['resources'])}, loss {result['loss']:g} points"}
    designs = [f"{_dsp(own['name'], own['resources'])}, loss {own['loss']:g} points" for own in result["devices"]]
    layers = [f"{own['name']}: {own['first']} to {own['last']}" for own in result["devices"]]
    return row | {"designs": "; ".join(designs), "placement": "; ".join(layers)}


def _dsp(device: str, resources: Iterable[Mapping[str, Any]]) -> str:
    used = next(row["used"] for row in resources if row["name"] == "dsp")
    return f"{device}: {used:,.0f} DSP"


def shown(row: Mapping[str, Any]) -> str:
    """Best value and gap of a row in words; empty where it has none."""
    if not isinstance(row["best"], int | float):
        return ""
    gap = row["gap"]
    proof = "" if gap is None else f" (gap {gap:.3g} %)"
    return f"{row['best']:.5g} {row['unit'] or row['metric']}{proof}"


FORMAT = 1
"""Version of the keys of ``result.json``: raised when one goes or changes its meaning, not when one is added."""


def refuse_newer(result: Mapping[str, Any], where: str = "") -> None:
    """Refuse what a later version wrote; a result without a format is of the versions before there was one.

    Raises
    ------
    InputError
        If its format is above ``FORMAT``, or none.
    """
    found = result.get("format", FORMAT)
    if type(found) is not int or found < 1:
        raise InputError(f"must be a whole number of at least 1, got {found!r:.40}", where, "format")
    if found > FORMAT:
        message = f"{found} is of a newer accmine; this one reads up to {FORMAT}: update it, or compute with --again"
        raise InputError(message, where, "format")


class Answer:
    """What both kinds of outcome have: a JSON form, a row, and short forms for a prompt and a notebook."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; infinities become ``None``."""
        return to_json(self)

    def to_row(self) -> Row:
        """One flat row: the columns of ``accmine.questions.run.row``."""
        return row_of(self.to_json())

    def __repr__(self) -> str:
        """The answer in a line; ``to_json`` has all of it."""
        row = self.to_row()
        said = [f"{row['study']}: {row['status']}", shown(row), f"{row['area_mm2']:.5g} mm², {row['tdp_w']:.4g} W"]
        return f"<{type(self).__name__} {', '.join(part for part in said if part)}, {row['designs']}>"

    def _repr_html_(self) -> str:
        """The row as a table, for notebooks."""
        row = {key: value for key, value in self.to_row().items() if value not in (None, "")}
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(key)}</th><td style='text-align:left'>"
            f"{escape(f'{value:.6g}' if isinstance(value, float) else str(value))}</td></tr>"
            for key, value in row.items()
        )
        return f"<table>{cells}</table>"
