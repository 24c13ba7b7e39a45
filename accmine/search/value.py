"""The value a study minimises: from times and TDP, as a metric that is shown, and of one stage alone.

The words of objectives are compared in ``accmine.problems.stage_selection.objectives`` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any

import numpy as np

from accmine.hardware import Design
from accmine.plan import Plan
from accmine.problems.limits import widened
from accmine.problems.stage_selection import AGGREGATES, OBJECTIVES, Objective
from accmine.workload import Task

__all__ = [
    "FLOAT",
    "Metric",
    "by_stage",
    "excess",
    "is_search",
    "metric",
    "objective_of",
    "on_design",
    "search_chips",
    "search_objective",
    "stage_value",
    "study_value",
    "without_floor",
]

FLOAT = 1e-12
"""Bounds are lowered by more than the error of the few floating-point operations behind them."""


def objective_of(plan: Plan) -> Objective:
    """What a study minimises."""
    return OBJECTIVES[plan.study.minimised]


def study_value(plan: Plan, phase_s: Sequence[Sequence[Sequence[Any]]], tdp_w: Any, *, exact: bool = True) -> Any:
    """The value a study minimises, from the phase times of each stage of each pipeline.

    The aggregated step relative to the baseline's, of a value per TDP times the TDP of all devices, and ``inf`` below
    the floor (``accmine.problems.stage_selection.objectives``). Numbers, or arrays over designs; ``exact=False``
    takes a bound of the simulated step.
    """
    objective, relative = objective_of(plan), []
    for pipeline, own, reference in zip(plan.pipelines, phase_s, plan.reference_s, strict=True):
        times = [pipeline.times(s, stage) for s, stage in enumerate(own)]
        forward, backward, update = zip(*times, strict=True)
        links, count = pipeline.transfer_s, pipeline.microbatches
        step = objective.step(pipeline.schedule, (forward, backward, update), links, count, exact=exact)
        relative.append(step / reference)
    total = AGGREGATES[plan.study.aggregate].of_relative(relative, [p.weight for p in plan.pipelines], plan.mixes)
    value = objective.valued(total, tdp_w)
    if not objective.power or plan.floor <= 0:
        return value
    return np.where(total <= widened(1.0) / plan.floor, value, inf)


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
    power = objective_of(plan).power
    return next(name for name, own in OBJECTIVES.items() if own.timeline and own.power == power)


def search_chips(plan: Plan) -> int:
    """By how much a value of the search has to be multiplied to be the study's: it counts the TDP of one chip."""
    return plan.devices if objective_of(plan).power else 1


def selection_floor(plan: Plan) -> float | None:
    """The floor that a selection has to keep; ``None`` where there is none."""
    return plan.floor if objective_of(plan).power else None


def is_search(plan: Plan, mode: str) -> bool:
    """Whether the study is one design search: one design, no pipeline, and a value that is that of the search."""
    single = len(plan.groups(mode)) == 1 and all(len(pipeline.tasks) == 1 for pipeline in plan.pipelines)
    return single and objective_of(plan).timeline


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

    def gap(self, value: float, bound: float) -> float:
        """Relative distance of a minimised value from its bound as they are shown, 0 to 1; 1: one of them is infinite.

        What is within ``FLOAT`` is equal: the two come from different orders of floating-point operations.
        """
        objective, proven = self.shown(value), self.shown(bound)
        worse, better = (objective, proven) if self.rate is None else (proven, objective)
        gap = 1.0 if not isfinite(worse) else max(0.0, (worse - better) / worse)
        return 0.0 if gap < FLOAT else gap


def metric(plan: Plan) -> Metric:
    """The metric of a study: samples/s of one workload, else relative to the baseline."""
    own = objective_of(plan)
    if plan.mixes:
        return Metric("step time of the worst mix relative to the best known for it", "", "minimize")
    if len(plan.pipelines) > 1:
        return Metric(f"{plan.study.aggregate} {own.relative}", "W" if own.power else "", "minimize")
    (pipeline,) = plan.pipelines
    unit = "samples/s/W" if own.power else "samples/s"
    return Metric(own.rate, unit, "maximize", pipeline.batch / plan.reference_s[0])


def excess(value: float | None, bound: float | None) -> float | None:
    """Gap of a minimised value from its bound, 0 to 1; ``None`` where either is unknown.

    The gap of a rate is the same number: with rates K/value and K/bound, (K/bound − K/value) / (K/bound).
    """
    if value is None or bound is None or not (isfinite(value) and isfinite(bound)) or value <= 0:
        return None
    return min(1.0, max(0.0, 1.0 - bound / value))


def stage_value(plan: Plan, task: Task, phase_s: Sequence[Any], tdp_w: Any) -> Any:
    """The value of a stage by itself from its phase times (numbers, or arrays over designs): ``Objective.stage``."""
    own = objective_of(plan)
    runs = task.phases if own.timeline else task.phases[:-1]
    return own.valued(sum(run.repeats * s for run, s in zip(runs, phase_s, strict=False)), tdp_w)
