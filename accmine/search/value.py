"""The value a study minimises: from times and TDP, as a metric that is shown, and of one stage alone.

Objectives are compared here and in ``accmine.problems`` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any

import numpy as np

from accmine.hardware import Design
from accmine.plan import Plan
from accmine.problems import design_search
from accmine.problems.limits import widened
from accmine.system import step_bound
from accmine.workload import Task

__all__ = [
    "FLOAT",
    "STAGE_METRICS",
    "Metric",
    "by_stage",
    "excess",
    "is_search",
    "metric",
    "on_design",
    "search_chips",
    "search_objective",
    "stage_value",
    "study_value",
    "without_floor",
]

FLOAT = 1e-12
"""Bounds are lowered by more than the error of the few floating-point operations behind them."""

_PER_TDP, _BOTTLENECK = "throughput-per-tdp", "bottleneck"

STAGE_METRICS: dict[str, tuple[str, str]] = {
    "throughput": ("busy time of a step", "s"),
    _BOTTLENECK: ("forward and backward time of a step", "s"),
    _PER_TDP: ("busy time of a step × TDP", "J"),
}
"""Metric and unit of a stage, by the objective of the study; less is better."""


def study_value(plan: Plan, phase_s: Sequence[Sequence[Sequence[Any]]], tdp_w: Any, *, exact: bool = True) -> Any:
    """The value a study minimises, from the phase times of each stage of each pipeline.

    ``throughput``: the aggregated step time relative to the baseline's; ``bottleneck``: the same of
    m · max(slowest stage, slowest link); ``throughput-per-tdp``: relative step time × TDP of all devices, ``inf``
    below the floor. Numbers, or arrays over designs; ``exact=False`` takes a bound of the simulated step.
    """
    relative = []
    for pipeline, own, reference in zip(plan.pipelines, phase_s, plan.reference_s, strict=True):
        times = [pipeline.times(s, stage) for s, stage in enumerate(own)]
        forward, backward, update = zip(*times, strict=True)
        if plan.study.objective == _BOTTLENECK:
            slowest = max((max(pair) for pair in pipeline.transfer_s), default=0.0)
            for f, b, _ in times:
                slowest = np.maximum(slowest, f + b)
            step = pipeline.microbatches * slowest
        elif exact:
            step = pipeline.step_s(own)
        else:
            step = step_bound(forward, backward, update, pipeline.transfer_s, pipeline.microbatches)
        relative.append(step / reference)
    total = design_search.aggregate(relative, [p.weight for p in plan.pipelines], plan.study.aggregate)
    if plan.study.objective != _PER_TDP:
        return total
    if plan.floor <= 0:
        return total * tdp_w
    return np.where(total <= widened(1.0) / plan.floor, total * tdp_w, inf)


def by_stage(plan: Plan, rows: Sequence[Any]) -> list[list[Any]]:
    """One entry per task, pipeline by pipeline, as one list per pipeline."""
    left = iter(rows)
    return [[next(left) for _ in pipeline.tasks] for pipeline in plan.pipelines]


def on_design(plan: Plan, cycles: Sequence[Sequence[int]], design: Design, tdp_w: float) -> float:
    """The value with one design on all devices, from the makespans of each task."""
    rows = [tuple(c / design.frequency_hz for c in own) for own in cycles]
    return float(study_value(plan, by_stage(plan, rows), tdp_w))


def without_floor(plan: Plan) -> Plan:
    """The plan with no least throughput."""
    return replace(plan, study=plan.study.model_copy(update={"floor": 0.0}))


def search_objective(plan: Plan) -> str:
    """What the search for one design minimises: stages of a pipeline have no value of the whole of their own."""
    return _PER_TDP if plan.study.objective == _PER_TDP else "throughput"


def search_chips(plan: Plan) -> int:
    """By how much a value of the search has to be multiplied to be the study's: it counts the TDP of one chip."""
    return plan.devices if plan.study.objective == _PER_TDP else 1


def selection_floor(plan: Plan) -> float | None:
    """The floor that a selection has to keep; ``None`` where there is none."""
    return plan.floor if plan.study.objective == _PER_TDP else None


def is_search(plan: Plan, mode: str) -> bool:
    """Whether the study is one design search: one design, no pipeline, and a value that is that of the search."""
    single = len(plan.groups(mode)) == 1 and all(len(pipeline.tasks) == 1 for pipeline in plan.pipelines)
    return single and plan.study.objective != _BOTTLENECK


@dataclass(frozen=True)
class Metric:
    """How a minimised value is shown.

    Attributes
    ----------
    sense
        Whether less (``minimize``) or more (``maximize``) of what is shown is better.
    rate
        What a value of 1 is shown as, of a metric that is ``rate / value``; ``None``: the value itself is shown.
    """

    name: str
    unit: str
    sense: str
    rate: float | None = None

    def shown(self, value: float) -> float:
        """A minimised value in the unit of the metric."""
        if self.rate is None:
            return float(value)
        return self.rate / value if value > 0 else inf

    def value(self, shown: float) -> float:
        """The inverse of ``shown``."""
        return self.shown(shown)


def metric(plan: Plan) -> Metric:
    """The metric of a study: samples/s of one workload, else relative to the baseline."""
    objective = plan.study.objective
    if len(plan.pipelines) > 1:
        names = {"throughput": "step time relative to the baseline", _BOTTLENECK: "bottleneck relative to the baseline"}
        names[_PER_TDP] = "relative step time × TDP"
        return Metric(f"{plan.study.aggregate} {names[objective]}", "W" if objective == _PER_TDP else "", "minimize")
    (pipeline,) = plan.pipelines
    names = {"throughput": "throughput", _BOTTLENECK: "throughput of the bottleneck", _PER_TDP: "throughput per TDP"}
    unit = "samples/s/W" if objective == _PER_TDP else "samples/s"
    return Metric(names[objective], unit, "maximize", pipeline.batch / plan.reference_s[0])


def excess(value: float | None, bound: float | None) -> float | None:
    """Gap of a minimised value from its bound, 0 to 1; ``None`` where either is unknown.

    The gap of a rate is the same number: with rates K/value and K/bound, (K/bound − K/value) / (K/bound).
    """
    if value is None or bound is None or not (isfinite(value) and isfinite(bound)) or value <= 0:
        return None
    return min(1.0, max(0.0, 1.0 - bound / value))


def stage_value(plan: Plan, task: Task, phase_s: Sequence[Any], tdp_w: Any) -> Any:
    """The value of a stage by itself from its phase times (numbers, or arrays over designs); see ``STAGE_METRICS``."""
    runs = task.phases[:-1] if plan.study.objective == _BOTTLENECK else task.phases
    busy = sum(run.repeats * s for run, s in zip(runs, phase_s, strict=False))
    return busy * tdp_w if plan.study.objective == _PER_TDP else busy
