"""What a run came to as one flat row: the columns of sweeps, comparisons and tables of results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["COLUMNS", "Column", "Row", "row_of"]

Row = dict[str, float | int | str | None]


@dataclass(frozen=True)
class Column:
    """A column of a row: its name, its unit (empty: none) and what it holds."""

    name: str
    unit: str
    description: str


COLUMNS: tuple[Column, ...] = (
    Column("study", "", "Name of the study."),
    Column("status", "", "optimal, feasible, infeasible, unknown or failed."),
    Column("stop", "", "Why the run ended: proved, finished, time, interrupted; empty where it has no answer."),
    Column("metric", "", "What heuristic, best and bound measure."),
    Column("unit", "", "Unit of heuristic, best and bound."),
    Column("sense", "", "max or min."),
    Column("heuristic", "unit", "Value of the critical-path heuristic alone."),
    Column("best", "unit", "Value of the best verified answer."),
    Column("bound", "unit", "No design of the space is better."),
    Column("gap", "%", "Distance of best and bound."),
    Column("value", "1", "What the study minimises: step time relative to the baseline, or its product with TDP."),
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
)
"""Columns of ``row_of`` in their order; stable names, new ones are added at the end."""


def row_of(result: Mapping[str, Any]) -> Row:
    """The row of what a run's ``result.json`` holds; a column that does not apply is ``None``."""
    certificate = result.get("certificate") or {}
    workloads = list(result.get("workloads") or ())
    alone: Mapping[str, Any] = result if "samples_per_s" in result else {}
    if len(workloads) == 1:
        (alone,) = workloads
    gap = certificate.get("gap")
    designs = result.get("designs") or ()
    seconds = result.get("seconds") or {}
    found: Row = {
        "study": result.get("study"),
        "status": result.get("status"),
        "stop": result.get("stop") or "",
        **{name: certificate.get(name) for name in ("metric", "unit", "sense", "heuristic")},
        "best": certificate.get("objective"),
        "bound": certificate.get("bound"),
        "gap": None if gap is None else 100 * gap,
        "value": result.get("value"),
        "samples_per_s": alone.get("samples_per_s"),
        "step_s": alone.get("step_s"),
        "area_mm2": result.get("area_mm2"),
        "tdp_w": result.get("tdp_w"),
        "designs": "; ".join(design["name"] for design in designs),
        "feasible_designs": certificate.get("feasible_designs"),
        "evaluated_designs": certificate.get("evaluated_designs"),
        "seconds": sum(seconds.values()) if isinstance(seconds, Mapping) else seconds,
        "message": result.get("message") or "",
        "folder": result.get("folder") or "",
    }
    return {column.name: found[column.name] for column in COLUMNS}
