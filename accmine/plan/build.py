"""From a study and its inputs to a plan: arithmetic that opens no file and decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import ceil, prod
from typing import TypeVar

import numpy as np

from accmine.cost import CostLibrary, too_many_kernels, too_many_runs
from accmine.errors import Complaint, InfeasibleError, InputError
from accmine.files import placed
from accmine.hardware import Design
from accmine.hardware.technology import Technology, area_mm2, tdp_w
from accmine.plan.limits import limits_of
from accmine.plan.plan import PipelinePlan, Plan
from accmine.problems.conflict import ConflictingLimit, infeasible, located
from accmine.study import Inputs, LoadedStudy, Study, StudyWorkload, read_inputs
from accmine.system import schedule_of
from accmine.workload import (
    WINDOW,
    DtypePolicy,
    ModelDescription,
    OperatorGraph,
    PhaseRun,
    Stage,
    Task,
    balance,
    cut,
    device_stage,
    forward_graph,
    fuse,
    memory,
    training_graph,
)

__all__ = ["baseline_costs", "given_study", "make_plan", "plan_of", "planned", "policy_of"]

T = TypeVar("T")


def plan_of(asked: Study | LoadedStudy) -> Plan:
    """The plan of a study, whose files are read first; complaints name places where the study was loaded.

    Raises
    ------
    InputError
        If the study or a file that it names is wrong.
    InfeasibleError
        If a pipeline has more stages than its model has layers.
    """
    return planned(asked, make_plan) if isinstance(asked, LoadedStudy) else make_plan(asked, read_inputs(asked))


def planned(asked: LoadedStudy, make: Callable[[Study, Inputs], T]) -> T:
    """What ``make`` makes of a study and its inputs, with the places of what it complains of."""
    inputs = read_inputs(asked)
    try:
        with placed(asked.document):
            return make(asked.study, inputs)
    except InfeasibleError as error:
        raise located(error, asked.document) from None


def make_plan(study: Study, inputs: Inputs) -> Plan:
    """Build every graph of a study, cut it into stages, and compute memory, transfers and limits.

    Parameters
    ----------
    study
        The one whose files the inputs are, or one that differs in what no file says.

    Raises
    ------
    InputError
        If a value does not fit the model of its workload, or no design has the shared SRAM that residency needs.
    InfeasibleError
        If a pipeline has more stages than its model has layers.
    """
    template = inputs.template
    _refuse_placed(study)
    _refuse_several(study)
    if study.residency != "none" and max(template.shared_sram_bytes) == 0:
        raise InputError("shared-sram: no design has a shared SRAM; give accelerator.shared_sram", field="residency")
    rows = enumerate(zip(study.workloads, inputs.models, strict=True))
    pipelines = tuple(_placed_pipeline(study, i, workload, model, inputs) for i, (workload, model) in rows)
    if study.cost.use == "zigzag":
        graphs = [phase.graph for p in pipelines for task in (*p.tasks, *p.sketch) for phase in task.phases]
        types = (template.tensor_rows, template.tensor_cols, template.tensor_sram_bytes, template.dataflow)
        too_many_runs(list({work for graph in graphs for work in graph.works}), prod(map(len, types)))
    counted = [len(p.tasks) for p in pipelines]
    devices = max(counted) if study.deployment == "time-shared" else sum(counted)
    plan = Plan(
        study=study,
        inputs=inputs,
        pipelines=pipelines,
        template=template,
        technology=inputs.technology,
        source=inputs.source,
        baseline=inputs.baseline,
        devices=devices,
        limits=limits_of(study, baseline_costs(inputs.baseline, inputs.technology), devices),
    )
    if study.cost.use == "kernel":
        library = plan.library()
        too_many_kernels(inputs.source, library.works, template, len(library.splits))
    return plan


def _refuse_placed(study: Study) -> None:
    if study.placed:
        raise InputError("the placement of this study is to be decided, which `accmine run` does", field="parallel")


def _refuse_several(study: Study) -> None:
    """Several runs are no plan, but each of them is one (``Study.one_run``)."""
    if study.robust:
        raise InputError(
            "the regret over mixes is found by `accmine run`; allowed here: worst, mean", field="aggregate"
        )
    if study.front is not None:
        message = (
            f"{study.front} is a front, which `accmine run` finds; allowed here: throughput, or another one of them"
        )
        raise InputError(message, field="objective")


def given_study(loaded: LoadedStudy) -> Study:
    """The study, whose placement has to be given, and which is one run.

    Raises
    ------
    InputError
        If the placement is to be decided, or the study takes several runs.
    """
    with placed(loaded.document):
        _refuse_placed(loaded.study)
        _refuse_several(loaded.study)
    return loaded.study


def baseline_costs(baseline: Design, technology: Technology) -> tuple[float, ...]:
    """Area (mm²) and TDP (W) of the baseline, rounded up to thousandths so that it is within them itself."""
    return tuple(ceil(value * 1000) / 1000 for value in (area_mm2(baseline, technology), tdp_w(baseline, technology)))


def _placed_pipeline(
    study: Study, index: int, workload: StudyWorkload, model: ModelDescription, inputs: Inputs
) -> PipelinePlan:
    """The pipeline of a workload; complaints name the workload."""
    try:
        return _pipeline(study, workload, model, inputs)
    except InputError as error:
        own = type(workload).model_fields
        wrong = [
            Complaint(c.where, f"workloads.{index}.{c.field}" if c.field in own else c.field, c.message)
            for c in error.complaints
        ]
        raise InputError(wrong) from None


def _training(model: ModelDescription, workload: StudyWorkload, split: str, recompute: str) -> OperatorGraph:
    """The training graph of a microbatch, not fused."""
    forward = forward_graph(
        model,
        batch=workload.samples,
        sequence=workload.sequence,
        image=workload.image,
        split=split,
        dtype=_activations(workload),
        masked=model.masked if workload.masked is None else workload.masked,
    )
    return training_graph(
        forward,
        optimizer=workload.optimizer,
        recompute=recompute,
        accumulate=workload.batch > workload.samples,
        policy=policy_of(workload, workload.batch > workload.samples),
    )


def _activations(workload: StudyWorkload) -> str:
    """Element type of activations."""
    return {"fp8": "bf16", "tf32": "fp32"}.get(workload.dtype, workload.dtype)


def policy_of(workload: StudyWorkload, accumulate: bool) -> DtypePolicy:
    """The element types that a workload asks for; ``accumulate``: several microbatches add to the gradients."""
    precision, compute = workload.precision, _activations(workload)
    return DtypePolicy(
        compute=compute,
        gradient=precision.accumulation if accumulate else precision.gradients,
        master=compute if precision.master == "none" else precision.master,
        state=precision.moments,
        operands="" if workload.dtype == compute else workload.dtype,
    )


def _pipeline(study: Study, workload: StudyWorkload, model: ModelDescription, inputs: Inputs) -> PipelinePlan:
    microbatches = workload.batch // workload.samples
    training = _training(model, workload, workload.granularity, workload.recomputed)
    plain = training if workload.recomputed == "none" else _training(model, workload, workload.granularity, "none")
    fused = fuse(training, workload.fusion)
    depth = study.parallel.depth
    if depth > len(fused.layers):
        most = f"at most {len(fused.layers)}, the layers of {workload.name}"
        raise infeasible(
            f"a pipeline stage holds at least one layer of {workload.name}",
            [ConflictingLimit("parallel.pipeline", str(depth), most, ("parallel", "pipeline"))],
        )
    boundaries: Sequence[int] = ()
    if depth > 1:
        given = study.parallel.stages
        boundaries = given if isinstance(given, tuple) else balance(_layer_cost(fused, study, inputs), depth)
    stages = _stages(study, fused, boundaries)
    # On one device a microbatch ends before the next begins, whatever the schedule is called.
    schedule = schedule_of(study.parallel.schedule_name)
    held = [schedule.held(s, depth, microbatches) for s in range(depth)] if depth > 1 else [1]
    needs = tuple(memory(stage.training, in_flight=n) for stage, n in zip(stages, held, strict=True))
    tasks = tuple(
        _task(workload.name, stage, microbatches, need.total_bytes, alone=depth == 1)
        for stage, need in zip(stages, needs, strict=True)
    )
    cluster = inputs.cluster
    transfers = tuple(
        (
            cluster.transfer_s(here.sends_forward_bytes, s, s + 1),
            cluster.transfer_s(there.sends_backward_bytes, s + 1, s),
        )
        for s, (here, there) in enumerate(pairwise(stages))
        if cluster is not None
    )
    return PipelinePlan(
        name=workload.name,
        weight=workload.weight,
        batch=workload.batch,
        microbatch=workload.samples,
        schedule=study.parallel.schedule_name,
        tasks=tasks,
        sketch=_sketch(study, workload, model, tasks, boundaries),
        stages=stages,
        memory=needs,
        transfer_s=transfers,
        tied_s=tuple(
            cluster.transfer_s(stage.tied_bytes) if cluster is not None and stage.tied_bytes else 0.0
            for stage in stages
        ),
        model_macs=microbatches * (plain.macs - sum(operator.work.repeated_macs for operator in plain.operators)),
        hardware_macs=microbatches * training.macs,
    )


def _stages(study: Study, graph: OperatorGraph, boundaries: Sequence[int]) -> tuple[Stage, ...]:
    """The stages, with the traffic marked that the study's residency saves."""
    window = WINDOW if study.residency == "shared-sram" else 0
    return cut(graph, boundaries, window=window) if boundaries else (device_stage(graph, window=window),)


def _sketch(
    study: Study, workload: StudyWorkload, model: ModelDescription, tasks: Sequence[Task], boundaries: Sequence[int]
) -> tuple[Task, ...]:
    """The same tasks with attention as one chain, where operators may be split over cores anyway."""
    if workload.granularity in ("fused", "none") or study.operator_split == "none":
        return tuple(tasks)
    coarse = fuse(_training(model, workload, "none", workload.recomputed), workload.fusion)
    if len(coarse) >= sum(len(phase.graph) for task in tasks for phase in task.phases):
        return tuple(tasks)
    return tuple(
        _task(workload.name, stage, task.microbatches, task.memory_bytes, alone=not boundaries)
        for stage, task in zip(_stages(study, coarse, boundaries), tasks, strict=True)
    )


def _task(workload: str, stage: Stage, microbatches: int, memory_bytes: int, *, alone: bool) -> Task:
    if alone:
        phases: tuple[PhaseRun, ...] = (
            PhaseRun("forward and backward", stage.training.phase("forward", "backward"), microbatches),
            PhaseRun("update", stage.update, 1),
        )
    else:
        phases = (
            PhaseRun("forward", stage.forward, microbatches),
            PhaseRun("backward", stage.backward, microbatches),
            PhaseRun("update", stage.update, 1),
        )
    name = workload if alone else f"{workload}/{stage.name}"
    return Task(name, workload, phases, microbatches, memory_bytes)


def _layer_cost(graph: OperatorGraph, study: Study, inputs: Inputs) -> list[float]:
    """Cycles of a microbatch per layer on the baseline, all cores busy: what stages are balanced by."""
    design = inputs.baseline
    once = graph.phase("forward", "backward")
    library = CostLibrary([once], (1,), study.timing, inputs.technology)
    costs = library.costs(design)
    moved = costs.hbm_bytes[:, 0] / design.usable_hbm_bytes_per_cycle
    tensor = np.maximum(costs.tensor.cycles, costs.tensor.port_cycles)[:, 0] / design.tensor_cores
    vector = np.maximum(costs.vector.cycles, costs.vector.port_cycles)[:, 0] / design.vector_cores
    layers = np.array([operator.layer for operator in once.operators])
    work = library.index(once)[once.work_index]
    total = [np.bincount(layers, weights=part[work], minlength=len(graph.layers)) for part in (tensor, vector, moved)]
    return [float(cost) for cost in np.maximum.reduce(total)]
