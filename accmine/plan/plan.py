"""Plan: a study made concrete — tasks, groups of devices that share a design, limits, references.

This is where the words of a study become the data of the problems; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, prod
from typing import Any

import numpy as np

from accmine.cost.measured.source import Source, too_many_runs
from accmine.cost.modes import CostLibrary, splits_up_to
from accmine.errors import InputError
from accmine.hardware.accelerators import load_accelerator
from accmine.hardware.design import UNCALIBRATED, Design
from accmine.hardware.technology import Technology, area_mm2, load_technology, tdp_w
from accmine.hardware.technology.area import Chip
from accmine.hardware.template import Template, template_from_mapping
from accmine.plan.costs import source_of
from accmine.problems import design_search
from accmine.problems.conflict import ConflictingLimit, infeasible
from accmine.study.study import Study, StudyWorkload
from accmine.system.cluster import load_cluster
from accmine.system.timeline import step_time
from accmine.workload.fusion import fuse
from accmine.workload.graph import OperatorGraph
from accmine.workload.importers.models import forward_graph, load_model
from accmine.workload.residency import WINDOW
from accmine.workload.stages import Stage, balance, cut, device_stage, in_flight
from accmine.workload.task import PhaseRun, Task
from accmine.workload.training.memory import Memory, memory
from accmine.workload.training.training import DtypePolicy, training_graph

__all__ = ["Group", "PipelinePlan", "Plan", "make_plan", "whole_splits"]


@dataclass(frozen=True, eq=False)
class PipelinePlan:
    """One workload on its devices.

    Attributes
    ----------
    tasks, stages, memory
        One per device, in pipeline order.
    sketch
        The same with attention as one operator: few operators, for searches; answers are made on ``tasks``.
    transfer_s
        Per boundary: time of the activations of a microbatch forward, and of their gradients backward.
    tied_s
        Per stage: time to send the gradients of parameters that other stages hold as well.
    model_macs, hardware_macs
        Multiply-accumulates of a step without, and with, recomputation.
    """

    name: str
    weight: float
    batch: int
    microbatch: int
    schedule: str
    tasks: tuple[Task, ...]
    sketch: tuple[Task, ...]
    stages: tuple[Stage, ...]
    memory: tuple[Memory, ...]
    transfer_s: tuple[tuple[float, float], ...]
    tied_s: tuple[float, ...]
    model_macs: int
    hardware_macs: int

    @property
    def microbatches(self) -> int:
        """Microbatches of a step."""
        return self.batch // self.microbatch

    def times(self, stage: int, phase_s: Sequence[Any]) -> tuple[Any, Any, Any]:
        """(forward, backward, update) of a stage from its phase times.

        On one device forward and backward are one phase. A stage sends the gradients of its tied
        parameters before it updates.
        """
        if len(phase_s) == 3:
            return phase_s[0], phase_s[1], phase_s[2] + self.tied_s[stage]
        return phase_s[0], phase_s[0] * 0, phase_s[1] + self.tied_s[stage]

    def step_s(self, phase_s: Sequence[Sequence[Any]]) -> Any:
        """Step time from the phase times of each stage (numbers, or arrays over designs)."""
        forward, backward, update = zip(*(self.times(s, own) for s, own in enumerate(phase_s)), strict=True)
        return step_time(self.schedule, forward, backward, update, self.transfer_s, self.microbatches)


@dataclass(frozen=True, eq=False)
class Group:
    """Devices that share a design: indices (pipeline, stage) of their tasks."""

    name: str
    members: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything a run needs.

    Attributes
    ----------
    devices
        Chips that count against the limits.
    area_mm2, tdp_w
        Limits of all devices together; ``inf`` for none.
    device_area_mm2, device_tdp_w
        Limits of one chip.
    reference_s, reference_busy_s
        Step time of each pipeline with the baseline on every device, and the busy time of each of its
        stages; empty until the baseline is scheduled.
    """

    study: Study
    pipelines: tuple[PipelinePlan, ...]
    template: Template
    technology: Technology
    source: Source | None
    baseline: Design
    devices: int
    area_mm2: float
    tdp_w: float
    device_area_mm2: float
    device_tdp_w: float
    reference_s: tuple[float, ...] = ()
    reference_busy_s: tuple[tuple[float, ...], ...] = ()

    @property
    def floor(self) -> float:
        """Least throughput relative to the baseline; 0 for none."""
        return self.study.floor or 0.0

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks, pipeline by pipeline."""
        return tuple(task for pipeline in self.pipelines for task in pipeline.tasks)

    def groups(self, mode: str) -> tuple[Group, ...]:
        """The groups of devices that share a design in ``mode``."""
        everything = [(w, s) for w, pipeline in enumerate(self.pipelines) for s in range(len(pipeline.tasks))]
        if mode == "common":
            return (Group("all devices", tuple(everything)),)
        if mode == "homogeneous":
            return tuple(
                Group(pipeline.name, tuple((w, s) for s in range(len(pipeline.tasks))))
                for w, pipeline in enumerate(self.pipelines)
            )
        return tuple(Group(self.pipelines[w].tasks[s].name, ((w, s),)) for w, s in everything)

    def library(self) -> CostLibrary:
        """Costs of all tasks and sketches under the study's rule for splitting operators."""
        own = (self.baseline.tensor_cores, self.baseline.vector_cores)
        most = max(*self.template.tensor_cores, *self.template.vector_cores, *own)
        tasks = [task for pipeline in self.pipelines for task in (*pipeline.tasks, *pipeline.sketch)]
        rule, timing = self.study.operator_split, self.study.timing
        return design_search.cost_library(tasks, most, rule, timing, self.technology, self.source, self.own_splits)

    def referred_to(self, phase_s: Sequence[Sequence[Sequence[float]]]) -> Plan:
        """The plan with the baseline's phase times, by pipeline and stage, as the references of step and busy times."""
        steps = tuple(float(p.step_s(own)) for p, own in zip(self.pipelines, phase_s, strict=True))
        busy = tuple(
            tuple(
                sum(run.repeats * s for run, s in zip(task.phases, row, strict=True))
                for task, row in zip(pipeline.tasks, own, strict=True)
            )
            for pipeline, own in zip(self.pipelines, phase_s, strict=True)
        )
        return replace(self, reference_s=steps, reference_busy_s=busy)

    @property
    def own_splits(self) -> tuple[int, ...]:
        """Splits though they are no powers of two: all cores of a calibrated baseline or fixed accelerator."""
        t = self.template
        fixed = [counts[0] for counts in (t.tensor_cores, t.vector_cores) if len(counts) == 1]
        own = fixed if t.calibration != UNCALIBRATED else []
        return (*own, *whole_splits([self.baseline]))


def whole_splits(designs: Iterable[Design]) -> tuple[int, ...]:
    """The core counts of calibrated designs: their corrections were fitted on operators on all of their cores.

    For other designs splits are powers of two, whether they stand alone or in a space of core counts: else the same
    design would be faster alone than the bound of its space.
    """
    return tuple(n for d in designs if d.calibration != UNCALIBRATED for n in (d.tensor_cores, d.vector_cores))


def make_plan(study: Study) -> Plan:
    """Build every graph and read every file that ``study`` names.

    Raises
    ------
    InputError
        If a file or a value is wrong.
    InfeasibleError
        If a pipeline has more stages than its model has layers.
    """
    technology = load_technology(study.technology)
    template = template_from_mapping(study.accelerator.mapping(), where="accelerator")
    _check_stacks(template, technology)
    if study.residency != "none" and max(template.shared_sram_bytes) == 0:
        raise InputError("shared-sram: no design has a shared SRAM; give accelerator.shared_sram", field="residency")
    baseline = load_accelerator(study.baseline)
    source = source_of(study, technology, template, baseline)
    pipelines = tuple(_pipeline(study, workload, baseline, technology) for workload in study.workloads)
    if study.cost.use == "zigzag":
        graphs = [phase.graph for p in pipelines for task in (*p.tasks, *p.sketch) for phase in task.phases]
        types = (template.tensor_rows, template.tensor_cols, template.tensor_sram_bytes, template.dataflow)
        too_many_runs(list({work for graph in graphs for work in graph.works}), prod(map(len, types)))
    counted = [len(p.tasks) for p in pipelines]
    devices = max(counted) if study.deployment == "time-shared" else sum(counted)
    area, tdp = _up(area_mm2(baseline, technology)), _up(tdp_w(baseline, technology))
    return Plan(
        study=study,
        pipelines=pipelines,
        template=template,
        technology=technology,
        source=source,
        baseline=baseline,
        devices=devices,
        area_mm2=study.limits.area_mm2(area * devices),
        tdp_w=study.limits.tdp_w(tdp * devices),
        device_area_mm2=study.device_limits.area_mm2(area),
        device_tdp_w=study.device_limits.tdp_w(tdp),
    )


def _check_stacks(template: Template, technology: Technology) -> None:
    """Stacks of the template are those whose area and power the technology has.

    Raises
    ------
    InputError
        If the technology would count another number of stacks.
    """
    if template.hbm_stack is None:
        return
    size, rate = template.hbm_stack
    for capacity, bandwidth in template.memories:
        counted = technology.area.stacks(Chip(capacity, bandwidth, template.frequency_hz[0]))
        if counted not in (0, capacity // size):  # 0: the law has no HBM
            raise InputError(
                f"{size / 2**30:g} GiB and {rate / 1e9:g} GB/s: technology {technology.name} counts {counted} stacks "
                f"of its own for {capacity // size} of these; give the stacks of its area law (constants hbm_stack_…)",
                field="accelerator.hbm_stack",
            )


def _up(value: float) -> float:
    """Rounded up to a thousandth, so that the baseline itself is within its own area and TDP."""
    return ceil(value * 1000) / 1000


def _training(study: Study, workload: StudyWorkload, split: str, recompute: str) -> OperatorGraph:
    """The training graph of a microbatch, not fused."""
    forward = forward_graph(
        load_model(workload.use),
        batch=workload.microbatch,
        sequence=workload.sequence,
        image=workload.image,
        split=split,
        dtype=workload.dtype,
    )
    return training_graph(
        forward,
        optimizer=workload.optimizer,
        recompute=recompute,
        accumulate=workload.batch > workload.microbatch,
        policy=DtypePolicy(compute=workload.dtype),
    )


def _pipeline(study: Study, workload: StudyWorkload, baseline: Design, technology: Technology) -> PipelinePlan:
    microbatches = workload.batch // workload.microbatch
    training = _training(study, workload, workload.split, workload.recompute)
    plain = training if workload.recompute == "none" else _training(study, workload, workload.split, "none")
    fused = fuse(training, workload.fusion)
    depth = study.system.pipeline
    if depth > len(fused.layers):
        most = f"at most {len(fused.layers)}, the layers of {workload.name}"
        raise infeasible(
            f"a pipeline stage holds at least one layer of {workload.name}",
            [ConflictingLimit("system.pipeline", str(depth), most, ("system", "pipeline"))],
        )
    boundaries: Sequence[int] = ()
    if depth > 1:
        boundaries = study.system.stages or balance(_layer_cost(fused, baseline, study, technology), depth)
    stages = _stages(study, fused, boundaries)
    # On one device a microbatch ends before the next begins, whatever the schedule is called.
    held = [in_flight(study.system.schedule, s, depth, microbatches) for s in range(depth)] if depth > 1 else [1]
    needs = tuple(memory(stage.training, in_flight=n) for stage, n in zip(stages, held, strict=True))
    tasks = tuple(
        _task(workload.name, stage, microbatches, need.total_bytes, alone=depth == 1)
        for stage, need in zip(stages, needs, strict=True)
    )
    cluster = None if study.system.cluster is None else load_cluster(study.system.cluster)
    transfers = tuple(
        (cluster.transfer_s(here.sends_forward_bytes), cluster.transfer_s(there.sends_backward_bytes))
        for here, there in pairwise(stages)
        if cluster is not None
    )
    return PipelinePlan(
        name=workload.name,
        weight=workload.weight,
        batch=workload.batch,
        microbatch=workload.microbatch,
        schedule=study.system.schedule,
        tasks=tasks,
        sketch=_sketch(study, workload, tasks, boundaries),
        stages=stages,
        memory=needs,
        transfer_s=transfers,
        tied_s=tuple(
            cluster.transfer_s(stage.tied_bytes) if cluster is not None and stage.tied_bytes else 0.0
            for stage in stages
        ),
        model_macs=microbatches * plain.macs,
        hardware_macs=microbatches * training.macs,
    )


def _stages(study: Study, graph: OperatorGraph, boundaries: Sequence[int]) -> tuple[Stage, ...]:
    """The stages, with the traffic marked that the study's residency saves."""
    window = WINDOW if study.residency == "shared-sram" else 0
    return cut(graph, boundaries, window=window) if boundaries else (device_stage(graph, window=window),)


def _sketch(
    study: Study, workload: StudyWorkload, tasks: Sequence[Task], boundaries: Sequence[int]
) -> tuple[Task, ...]:
    """The same tasks with attention in one operator, where operators may be split over cores anyway."""
    if workload.split == "none" or study.operator_split == "none":
        return tuple(tasks)
    coarse = fuse(_training(study, workload, "none", workload.recompute), workload.fusion)
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


def _layer_cost(graph: OperatorGraph, design: Design, study: Study, technology: Technology) -> list[float]:
    """Cycles of a microbatch per layer on ``design`` as if all its cores were busy: what stages are balanced by."""
    once = graph.phase("forward", "backward")
    splits = splits_up_to(design.tensor_cores, whole_splits([design])) if study.operator_split == "even" else (1,)
    library = CostLibrary([once], splits, study.timing, technology)
    costs = library.costs(design)
    moved = costs.hbm_bytes[:, 0] / design.usable_hbm_bytes_per_cycle
    tensor = np.where(costs.uses_tensor, costs.cycles[:, 0] / design.tensor_cores, 0.0)
    vector = np.where(costs.uses_vector, costs.cycles[:, 0] / design.vector_cores, 0.0)
    layers = np.array([operator.layer for operator in once.operators])
    work = library.index(once)[once.work_index]
    total = [np.bincount(layers, weights=part[work], minlength=len(graph.layers)) for part in (tensor, vector, moved)]
    return [float(cost) for cost in np.maximum.reduce(total)]
