"""Plan: a study made concrete — tasks, groups of devices that share a design, limits, references."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from accmine.cost import CostLibrary, Source
from accmine.hardware import UNCALIBRATED, Design, Template
from accmine.hardware.technology import Technology
from accmine.plan.limits import Limit
from accmine.problems import design_search
from accmine.study import Inputs, Study
from accmine.system import step_time
from accmine.workload import Memory, Stage, Task

__all__ = ["Group", "PipelinePlan", "Plan", "own_splits", "whole_splits"]


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
    inputs
        What the files say that the study names.
    template, technology, source, baseline
        Those of the inputs, or others under which the study is looked at (``accmine.plan.under``).
    devices
        Chips that count against the limits.
    limits
        Those that there are.
    reference_s, reference_busy_s
        Step time of each pipeline with the baseline on every device, and the busy time of each of its
        stages; empty until the baseline is scheduled.
    mixes
        Weights of the relative steps of the pipelines, one row for each mix: the largest sum counts, in the place of
        the aggregate of the study. Empty: that aggregate.
    """

    study: Study
    inputs: Inputs
    pipelines: tuple[PipelinePlan, ...]
    template: Template
    technology: Technology
    source: Source | None
    baseline: Design
    devices: int
    limits: tuple[Limit, ...]
    reference_s: tuple[float, ...] = ()
    reference_busy_s: tuple[tuple[float, ...], ...] = ()
    mixes: tuple[tuple[float, ...], ...] = ()

    def limit(self, key: str) -> float:
        """The value of the limit of this key; ``inf`` where there is none."""
        return next((limit.value for limit in self.limits if limit.key == key), inf)

    @property
    def area_mm2(self) -> float:
        """Limit of the area of all devices together; ``inf`` for none."""
        return self.limit("limits.area")

    @property
    def tdp_w(self) -> float:
        """Limit of the TDP of all devices together."""
        return self.limit("limits.tdp")

    @property
    def device_area_mm2(self) -> float:
        """Limit of the area of one chip."""
        return self.limit("device_limits.area")

    @property
    def device_tdp_w(self) -> float:
        """Limit of the TDP of one chip."""
        return self.limit("device_limits.tdp")

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
        counts = (*self.template.tensor_cores, *self.template.vector_cores, *own)
        tasks = [task for pipeline in self.pipelines for task in (*pipeline.tasks, *pipeline.sketch)]
        rule, timing = self.study.operator_split, self.study.timing
        return design_search.cost_library(tasks, counts, rule, timing, self.technology, self.source, self.own_splits)

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
        """As the function."""
        return own_splits(self.template, self.baseline)


def own_splits(template: Template, baseline: Design) -> tuple[int, ...]:
    """Splits under ``powers`` though they are none: all cores of a calibrated baseline or fixed accelerator."""
    fixed = [counts[0] for counts in (template.tensor_cores, template.vector_cores) if len(counts) == 1]
    own = fixed if template.calibration != UNCALIBRATED else []
    return (*own, *whole_splits([baseline]))


def whole_splits(designs: Iterable[Design]) -> tuple[int, ...]:
    """The core counts of calibrated designs: their corrections were fitted on operators on all of their cores.

    Under ``operator_split: powers`` other designs have powers of two alone, whether they stand alone or in a space of
    core counts: else the same design would be faster alone than the bound of its space.
    """
    return tuple(n for d in designs if d.calibration != UNCALIBRATED for n in (d.tensor_cores, d.vector_cores))
