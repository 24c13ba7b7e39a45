"""A training step of one model on one design, costed operator by operator: what ``accmine cost`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accmine.cost import OperatorTable, pace, resolve_timing, unstated
from accmine.cost.interval import Worth, worth_of
from accmine.cost.operator_table import operator_table
from accmine.errors import Complaint, InputError
from accmine.files import Document, entry_name, validate
from accmine.hardware import (
    Design,
    chosen,
    covering,
    facts_of,
    load_accelerator,
    needs,
    read_accelerator,
    template_of,
)
from accmine.hardware.technology import Technology, load_technology
from accmine.plan import make_plan
from accmine.study import Study, read_inputs
from accmine.workload import ModelDescription, Task

__all__ = ["BATCH", "MICROBATCH", "CostedStep", "Setting", "batches", "cost_step"]

BATCH, MICROBATCH = 32, 8
"""Samples of a step and of a microbatch where none are given: what fits one accelerator of 16 GiB with BERT-Large."""

_OWN = ("sequence", "image")
_WORKLOAD = (
    *("batch", "microbatch", *_OWN, "masked", "optimizer", "precision", "dtype"),
    *("recompute", "attention", "split", "fusion"),
)
_STUDY = ("timing", "operator_split", "residency")
_ANY = "tpuv2-like"  # tasks do not depend on the space that a study searches: that of the one design takes its place
_POWERED = "tpu-16nm"  # neither cycles nor bytes depend on the technology


@dataclass(frozen=True)
class Setting:
    """One choice behind a table.

    Attributes
    ----------
    source
        ``given``, ``default``, or ``model`` where it is the model's own.
    """

    name: str
    value: int | float | str
    source: str


@dataclass(frozen=True, eq=False)
class CostedStep:
    """The operators of a step on a design.

    Attributes
    ----------
    workload, accelerator, technology
        Names.
    settings
        Every choice, with where it comes from.
    microbatches
        Runs of the forward and backward operators in a step.
    task
        What the device does in a step.
    no_energy
        Why there are no energies; empty where there are.
    unstated
        A sentence for each type of products for which the chip states no rate.
    warnings
        What does not fit.
    """

    workload: str
    accelerator: str
    design: Design
    technology: str
    settings: tuple[Setting, ...]
    microbatches: int
    task: Task
    table: OperatorTable
    no_energy: str
    unstated: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def worth(self) -> Worth:
        """The interval of the sum of all operators."""
        of, clock = self.design.calibration, self.design.frequency_hz
        return worth_of((of, row.work, row.step_cycles / clock) for row in self.table.rows)


def batches(batch: int | None, microbatch: int | None) -> tuple[int, int]:
    """Batch and microbatch, with defaults for those not given.

    The batch is 32, or four microbatches where the microbatch given does not divide 32. The microbatch is the largest
    divisor of the batch up to 8. What is given is never changed, whether it is allowed or not.
    """
    if batch is None:
        divides = microbatch is None or (microbatch > 0 and BATCH % microbatch == 0)
        batch = BATCH if divides or microbatch is None else 4 * microbatch
    if microbatch is None:
        microbatch = next((m for m in range(MICROBATCH, 0, -1) if batch % m == 0), 1)
    return batch, microbatch


def cost_step(
    workload: str,
    accelerator: str,
    technology: str | None = None,
    options: Mapping[str, int | float | str] | None = None,
) -> CostedStep:
    """Build the training graph of a step as a study would, and cost its operators on a design.

    Parameters
    ----------
    workload, accelerator, technology
        Names of the catalogue or files. ``None``: the technology that a study of this design would have.
    options
        Keys of a study's workload (not ``use``, ``name`` and ``weight``), ``timing``, ``operator_split`` and
        ``residency`` of a study; others have its defaults. ``precision`` is a word.

    Raises
    ------
    InputError
        Every complaint about the options at once, each with its option.
    """
    given = dict(options or {})
    unknown = [key for key in given if key not in (*_WORKLOAD, *_STUDY)]
    if unknown:
        raise InputError(f"unknown option {', '.join(unknown)}; allowed: {', '.join((*_WORKLOAD, *_STUDY))}")
    study, design, constants = _read(workload, accelerator, technology, given)
    # Which types its arrays multiply is a matter of the design, which is not that of these inputs.
    plain = tuple(workload.model_copy(update={"dtype": "bf16"}) for workload in study.workloads)
    inputs = read_inputs(study.model_copy(update={"workloads": plain}))
    try:
        plan = make_plan(study.one_run, replace(inputs, template=template_of(design)))
    except InputError as error:
        found = [Complaint(c.where, _option(c.field) if c.field else "", c.message) for c in error.complaints]
        raise InputError(found) from None
    (pipeline,) = plan.pipelines
    (task,) = pipeline.tasks
    no_energy = _no_energy(constants, design)
    priced = constants if not no_energy else chosen([], lambda other: _prices(design, other))[0]
    library = replace(plan, technology=priced, baseline=design).library()
    timing = resolve_timing(study.timing)
    table = operator_table(task, library, design, energies=not no_energy)
    return CostedStep(
        workload=pipeline.name,
        accelerator=entry_name(accelerator),
        design=design,
        technology=constants.name,
        settings=_settings(study, inputs.models[0], given),
        microbatches=pipeline.microbatches,
        task=task,
        table=table,
        no_energy=no_energy,
        unstated=unstated((work.dtype for work in library.works if work.gemm), design.tensor.rates, timing),
        warnings=(*_memory(task.memory_bytes, design), *_tiles(table)),
    )


def _read(
    workload: str, accelerator: str, technology: str | None, given: Mapping[str, Any]
) -> tuple[Study, Design, Technology]:
    """Everything checked; complaints of all of it at once."""
    complaints: list[Complaint] = []
    study: Study | None = None
    design: Design | None = None
    constants: Technology | None = None
    batch, microbatch = batches(given.get("batch"), given.get("microbatch"))
    own = {"use": workload, **{key: given[key] for key in _WORKLOAD if key in given}}
    data = {
        "name": "cost",
        "workloads": [{**own, "batch": batch, "microbatch": microbatch}],
        "accelerator": {"use": _ANY},
        "technology": _POWERED,
        **{key: given[key] for key in _STUDY if key in given},
    }
    try:
        study = validate(Document(data, "", ""), Study, context={"folder": Path.cwd()})
    except InputError as error:
        complaints += [Complaint("", _option(c.field), c.message) for c in error.complaints]
    try:
        design = load_accelerator(accelerator, timed=True)
    except InputError as error:
        complaints += [c if c.where else Complaint("", "--design", c.message) for c in error.complaints]
    try:
        if technology is not None:
            constants = load_technology(technology)
        elif design is not None:
            constants = _technology_of(design, read_accelerator(accelerator))
    except InputError as error:
        complaints += [c if c.where else Complaint("", "--technology", c.message) for c in error.complaints]
    if study is None or design is None or constants is None:
        raise InputError(complaints)
    try:
        pace(study.workloads[0].dtype, design.tensor.rates, resolve_timing(study.timing))
    except InputError as error:
        raise InputError(f"{accelerator}: {error.complaints[0].message}", field="--dtype") from None
    return study, design, constants


def _technology_of(design: Design, document: Document) -> Technology:
    """The technology of a design where none is given."""
    technology, _ = chosen([facts_of(document).technology], lambda other: needs(design, other))
    return technology


def _option(field: str) -> str:
    """The option of the command line that a field of the study comes from."""
    key = field.rpartition(".")[2]
    return "WORKLOAD" if key == "use" else f"--{key.replace('_', '-')}"


def _settings(study: Study, model: ModelDescription, given: Mapping[str, Any]) -> tuple[Setting, ...]:
    workload = study.workloads[0]
    found = []
    for key in (*_WORKLOAD, *_STUDY):
        if key in ("attention", "split") and model.kind == "image":
            continue
        if key == "split" and workload.attention == "fused":  # one operator
            continue
        value = workload.granularity if key == "split" else getattr(study if key in _STUDY else workload, key)
        if key == "precision":
            value = workload.precision.word
        source = "given" if key in given else "default"
        if value is None:  # length or size of the model's own; the other of the two it has not
            value, source = getattr(model, key), "model"
        if value is not None:
            found.append(Setting(key, value, source))
    return tuple(found)


def _no_energy(technology: Technology, design: Design) -> str:
    """Why the energies of a technology do not hold for a design; empty if they do."""
    if technology.power is None:
        return f"technology {technology.name} has no energies"
    most = technology.power.frequency_max_hz
    others = covering(lambda other: needs(design, other))
    if design.frequency_hz > most:
        return (
            f"the energies of {technology.name} hold up to {most / 1e6:g} MHz, "
            f"the design runs at {design.frequency_hz / 1e6:g} MHz; {others}"
        )
    try:
        technology.need_types(design.tensor)
    except InputError as error:
        return f"{error.complaints[0].message}; {others}"
    return ""


def _prices(design: Design, technology: Technology) -> None:
    """Refuse a technology without energies of what the design multiplies, at any clock."""
    technology.need_power()
    technology.need_types(design.tensor)


def _memory(needed: int, design: Design) -> tuple[str, ...]:
    if needed <= design.hbm_bytes:
        return ()
    return (
        f"a step needs {needed / 2**30:,.1f} GiB of HBM on one device, the design has "
        f"{design.hbm_bytes / 2**30:,.1f} GiB: the operators are costed as if it fitted",
    )


def _tiles(table: OperatorTable) -> tuple[str, ...]:
    """One line for the operators whose operands stream element by element."""
    small = [row for row in table.rows if row.least_sram_bytes]
    if not small:
        return ()
    worst = max(small, key=lambda row: row.least_sram_bytes)
    return (
        f"no tile fits a tensor core's SRAM of {table.design.tensor.sram_bytes:,} bytes in {len(small)} of "
        f"{len(table.rows)} rows, among them {small[0].name}: these products stream element by element. "
        f"From {worst.least_sram_bytes:,} bytes on tiles of all fit ({worst.name} needs the most)",
    )
