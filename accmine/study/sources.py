"""Sources of costs beside the model: what ``cost`` of a study names, read and checked against its cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from typing import Any

from accmine.cost import KernelSource, MeasuredTable, Source, ZigzagSource, read_measurements
from accmine.cost.kernel.mapping import Product
from accmine.cost.kernel.source import SIZES
from accmine.cost.measured.works import core_name
from accmine.errors import InputError
from accmine.files import load_yaml, path_of, resolve
from accmine.hardware import Design, DesignSpace, Template, TensorCore, VectorCore
from accmine.hardware.technology import Technology
from accmine.study.study import Study

__all__ = ["source_of"]


def source_of(
    study: Study, technology: Technology, template: Template, baseline: Design, told: list[str]
) -> Source | None:
    """What gives costs beside the model; ``None`` for the model alone.

    Parameters
    ----------
    told
        Takes a sentence on each thing that a source does not speak of.

    Raises
    ------
    InputError
        If a table is wrong, or has no row of a core type that the study has; likewise for a described architecture.
    """
    if study.cost.use == "kernel":
        assert study.cost.architecture is not None
        return _kernels(study.cost.architecture, template, baseline, told)
    if study.cost.use == "table":
        assert study.cost.file is not None
        assert study.cost.reach is not None
        table = read_measurements(study.cost.file, study.cost.reach)
        _check_cores(study.cost.file, list(dict.fromkeys(row.core for row in table.rows)), template, baseline)
        return MeasuredTable(table)
    if study.cost.use == "zigzag":
        assert study.cost.cache is not None
        try:
            cache = path_of(study.cost.cache)
        except InputError as error:
            raise InputError(str(error), field="cost.cache") from None
        return ZigzagSource(cache.absolute(), study.timing, technology)
    return None


def _kernels(name: str, template: Template, baseline: Design, told: list[str]) -> KernelSource:
    """Kernels on a described architecture, and what is said of core types that it does not speak of.

    Raises
    ------
    InputError
        If the description is wrong, or serves no core type of the accelerator.
    """
    source = KernelSource(load_yaml(resolve("kernels", name)))
    one = next(iter(DesignSpace(template))).tensor
    own = [replace(one, dataflow=flow) for flow in template.dataflow]
    served = [core for core in own if source.serves(core)]
    if not served:
        flows = ", ".join(template.dataflow)
        raise InputError(
            f"{name} serves core types of dataflow {source.dataflow}, the accelerator has {flows}; allowed: another "
            f"architecture, accelerator.dataflow: {source.dataflow}, or cost.use: model",
            field="cost.architecture",
        )
    # What a size makes of the description is complained about before anything is searched.
    for end in (min, max):
        core = replace(one, rows=end(template.tensor_rows), cols=end(template.tensor_cols))
        source.cycles(core, Product(1, 1, 1, 1, 2))
    others = [("accelerator", core.dataflow) for core in own if core not in served]
    others += [("baseline", baseline.tensor.dataflow)] if not source.serves(baseline.tensor) else []
    told += [
        f"{key}: {name} serves core types of dataflow {source.dataflow}; the model costs those of dataflow {flow}"
        for key, flow in others
    ]
    if unused := [size for size in SIZES if size not in source.sizes]:
        sizes = " and ".join(unused)
        told.append(
            f"cost.architecture: {name} has no parameter {sizes}: its cycles are the same whatever {sizes} a core has"
        )
    clock = source.architecture.frequency_hz
    if clock is not None and any(clock != hz for hz in template.frequency_hz):
        told.append(
            f"cost.architecture: {name} is described at {clock / 1e6:g} MHz: a core takes its cycles at the clock of "
            "the design, latencies and bandwidths of memories in the description too"
        )
    return source


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
        sizes = astuple(core)[: len(allowed)]  # without rates, which no row has
        inside = all(value in values for value, values in zip(sizes, allowed, strict=True))
        if inside or core in (baseline.tensor.plain, baseline.vector.plain):
            return
    one = next(iter(DesignSpace(template)))
    here = ", ".join(dict.fromkeys(core_name(core) for d in (one, baseline) for core in (d.tensor, d.vector)))
    there = ", ".join(map(core_name, measured[:4])) + (", …" if len(measured) > 4 else "")
    raise InputError(
        f"{file}: no row is of a core type of the accelerator or the baseline, so none would be used; rows are of "
        f"{there}; allowed are rows of {here} or another combination of the accelerator's values",
        field="cost.file",
    )
