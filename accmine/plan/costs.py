"""The source of measured costs that a study names, checked against the study's accelerators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from accmine.cost.measured.source import MeasuredTable, Source, ZigzagSource
from accmine.cost.measured.works import core_name
from accmine.errors import InputError
from accmine.hardware.design import Design, TensorCore, VectorCore
from accmine.hardware.space import DesignSpace
from accmine.hardware.technology import Technology
from accmine.hardware.template import Template
from accmine.study.study import Study

__all__ = ["source_of"]


def source_of(study: Study, technology: Technology, template: Template, baseline: Design) -> Source | None:
    """What gives measured costs to a study; ``None`` for the model alone.

    Raises
    ------
    InputError
        If a table is wrong, or has no row of a core type that the study has.
    """
    if study.cost.use == "table":
        assert study.cost.file is not None
        assert study.cost.reach is not None
        table = MeasuredTable(Path(study.cost.file), study.cost.reach)
        rows = table.read().rows  # what is wrong in the file is wrong with the study
        _check_cores(study.cost.file, list(dict.fromkeys(row.core for row in rows)), template, baseline)
        return table
    if study.cost.use == "zigzag":
        assert study.cost.cache is not None
        return ZigzagSource(Path(study.cost.cache).expanduser().absolute(), study.timing, technology)
    return None


def _check_cores(file: str, measured: Sequence[TensorCore | VectorCore], template: Template, baseline: Design) -> None:
    """A table has rows of a core type that the study has.

    Raises
    ------
    InputError
        If it has none, and would change nothing.
    """
    tensor: tuple[tuple[Any, ...], ...] = (
        template.tensor_rows,
        template.tensor_cols,
        template.tensor_sram_bytes,
        template.dataflow,
    )
    vector = (template.vector_lanes, template.vector_ops_per_lane, template.vector_sram_bytes)
    for core in measured:
        allowed = tensor if isinstance(core, TensorCore) else vector
        inside = all(value in values for value, values in zip(astuple(core), allowed, strict=True))
        if inside or core in (baseline.tensor, baseline.vector):
            return
    one = next(iter(DesignSpace(template)))
    here = ", ".join(dict.fromkeys(core_name(core) for d in (one, baseline) for core in (d.tensor, d.vector)))
    there = ", ".join(map(core_name, measured[:4])) + (", …" if len(measured) > 4 else "")
    raise InputError(
        f"{file}: no row is of a core type of the accelerator or the baseline, so none would be used; rows are of "
        f"{there}; allowed are rows of {here} or another combination of the accelerator's values",
        field="cost.file",
    )
