"""Suites: shipped tables of studies that searches are rated on, one row per model and one study per metric."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from accmine.files import entry_name, load_yaml, resolve, validate
from accmine.study.parallel import Parallel, System
from accmine.study.precision import Part
from accmine.study.study import Study, effective

__all__ = ["Entry", "load_suite", "overridden"]

Metric = Literal["throughput", "throughput-per-tdp"]


class _Row(Part):
    """A model of a suite and how it is trained."""

    model: str = Field(description="Model of the catalogue, or a file.")
    workload: dict[str, Any] = Field(description="Keys of the workload of a study beside the model.")
    system: System = Field(default=System(), description="Devices and what connects them.")
    parallel: Parallel = Field(default=Parallel(), description="Pipeline.")
    mode: str | None = Field(default=None, description="Mode of the study; default: that of the study.")
    hbm: str | None = Field(default=None, description="Capacity of the HBM; default: that of the template.")
    tensor: int = Field(default=1, ge=1, description="Degree of tensor parallelism.")
    needs: str = Field(default="", description="What accmine lacks to run this row; empty: it runs.")


class _Suite(Part):
    """A shipped table."""

    name: str = Field(description="Name of the suite.")
    description: str = Field(default="", description="What it is.")
    sources: tuple[str, ...] = Field(default=(), description="Where it is from.")
    metrics: tuple[Metric, ...] = Field(description="Objectives; every row is studied under each.")
    study: dict[str, Any] = Field(description="Keys that all studies share.")
    rows: tuple[_Row, ...] = Field(min_length=1, description="One per model.")


@dataclass(frozen=True)
class Entry:
    """One study of a suite.

    Attributes
    ----------
    model, metric
        Name of the model, and the objective.
    study
        The study: batch, microbatch, length, optimiser, dtype, recomputation, devices, pipeline, HBM.
    tensor
        Degree of tensor parallelism the row asks for.
    needs
        What accmine lacks to run it, such as ``tensor parallel``; empty where it runs.
    """

    model: str
    metric: str
    study: Study
    tensor: int = 1
    needs: str = ""


def load_suite(name: str | Path, changes: Mapping[str, Any] | None = None) -> tuple[Entry, ...]:
    """The studies of a suite, row by row and metric by metric.

    Parameters
    ----------
    name
        A shipped suite, or a file of the same form.
    changes
        Top-level keys of a study that replace those of every row, e.g. ``{"operator_split": "even"}``.

    Raises
    ------
    InputError
        If there is no such suite, or something in it is wrong.
    """
    path = resolve("suites", name)
    suite = validate(load_yaml(path, name=str(name)), _Suite)
    return tuple(_entry(suite, row, metric, changes or {}) for row in suite.rows for metric in suite.metrics)


def overridden(study: Study, overrides: Sequence[str]) -> Study:
    """The study with keys changed as ``--set`` does; raises ``InputError`` for a change that is wrong."""
    if not overrides:
        return study
    return validate(load_yaml(text=effective(study), name=study.name, overrides=overrides), Study)


def _entry(suite: _Suite, row: _Row, metric: str, changes: Mapping[str, Any]) -> Entry:
    name = entry_name(row.model)
    accelerator = dict(suite.study.get("accelerator", {})) | ({"hbm": row.hbm} if row.hbm else {})
    table = {
        **suite.study,
        "name": f"{name}-{metric}",
        "workloads": [{"use": row.model, **row.workload}],
        "accelerator": accelerator,
        "system": row.system.model_dump(exclude_none=True),
        "parallel": row.parallel.model_dump(exclude_none=True),
        **({"mode": row.mode} if row.mode else {}),
        "objective": metric,
        **changes,
    }
    document = load_yaml(text=json.dumps(table), name=f"suite {suite.name}, {row.model}")
    return Entry(name, metric, validate(document, Study), row.tensor, row.needs)
