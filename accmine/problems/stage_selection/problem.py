"""Stage selection: one candidate design per pipeline stage, under area and power limits that all stages share.

What a choice is worth, per pipeline relative to its ``reference_s``, and how pipelines are aggregated:
``accmine.problems.stage_selection.objectives``. A value per TDP is maximised while the aggregated relative throughput
(1 / aggregated relative step time) is at least ``floor``. Aggregates without weights need equal ones. The decimal
data are converted once to integers (``accmine.problems.stage_selection.integers``), and objective, check, models and
bounds all speak of that integer problem. The JSON form is read and written in
``accmine.problems.stage_selection.json``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from accmine.errors import Complaint, InputError
from accmine.problems.limits import COSTS
from accmine.problems.stage_selection.objectives import AGGREGATES, OBJECTIVES, Aggregate, Objective
from accmine.system import DEFAULT_SCHEDULE, whole_stages

__all__ = [
    "AGGREGATES",
    "DEPLOYMENTS",
    "KIND",
    "MODES",
    "OBJECTIVES",
    "Candidate",
    "Limits",
    "Pipeline",
    "Problem",
    "Solution",
    "Stage",
]

KIND = "stage-selection"

MODES = ("heterogeneous", "homogeneous", "common")
DEPLOYMENTS = ("concurrent", "time-shared")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One design for a stage: seconds per microbatch (forward, backward) and step (update), mm² and W."""

    design: str
    forward_s: float
    backward_s: float
    update_s: float
    area_mm2: float
    tdp_w: float

    @property
    def costs(self) -> tuple[float, ...]:
        """In the order of ``COSTS``."""
        return tuple(getattr(self, cost.name) for cost in COSTS)

    @property
    def phases(self) -> tuple[float, float, float]:
        """Seconds of forward and backward pass and of the update."""
        return self.forward_s, self.backward_s, self.update_s


@dataclass(frozen=True, slots=True)
class Stage:
    """A pipeline stage and its candidates, whose design names differ."""

    name: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A workload cut into stages, one device each.

    Attributes
    ----------
    microbatches, schedule
        Microbatches of a step, and the name of a schedule.
    transfer_s
        Seconds of a message over each boundary, (activations forward, gradients backward); shape (stages - 1,).
    weight
        Weight of the pipeline in ``aggregate: mean``.
    reference_s
        Step time of the fixed reference, e.g. of the baseline design. ``None`` is allowed for a single pipeline
        without floor: its objective is then in seconds.
    batch
        Samples of a step, for reporting samples/s; ``None``: not known.
    """

    name: str
    stages: tuple[Stage, ...]
    microbatches: int
    schedule: str = DEFAULT_SCHEDULE
    transfer_s: tuple[tuple[float, float], ...] = ()
    weight: float = 1.0
    reference_s: float | None = None
    batch: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits over all devices together; ``None``: no limit."""

    area_mm2: float | None = None
    tdp_w: float | None = None

    @property
    def values(self) -> tuple[float | None, ...]:
        """In the order of ``COSTS``."""
        return tuple(getattr(self, cost.name) for cost in COSTS)


@dataclass(frozen=True)
class Problem:
    """What to select, and under which limits.

    Attributes
    ----------
    mode
        ``heterogeneous``: a design per stage; ``homogeneous``: one per pipeline; ``common``: one for all.
    objective, aggregate
        See the module.
    deployment
        ``concurrent``: the limits count the devices of all pipelines; ``time-shared``: the pipelines run one
        after another on the same devices, which are counted once (as many as the longest pipeline has stages);
        needs the common design, or a single pipeline. ``None``: ``time-shared`` for ``common``, else
        ``concurrent``.
    floor
        Of a value per TDP only: least aggregated throughput relative to the reference; ``None``: 1, the
        reference's own; 0 switches it off.

    Raises
    ------
    InputError
        If a value is not allowed, or options contradict each other; every complaint at once.
    """

    pipelines: tuple[Pipeline, ...]
    limits: Limits = field(default_factory=Limits)
    mode: str = "heterogeneous"
    objective: str = "throughput"
    aggregate: str = "worst"
    deployment: str | None = None
    floor: float | None = None

    kind: ClassVar[str] = KIND

    def __post_init__(self) -> None:
        complaints = [Complaint("", name, message) for name, message in _complaints(self)]
        if complaints:
            raise InputError(complaints)

    @cached_property
    def _hash(self) -> int:
        return hash((self.pipelines, self.limits, self.mode, self.objective, self.aggregate, self.floor))

    def __hash__(self) -> int:
        return self._hash

    @property
    def time_shared(self) -> bool:
        """Whether the limits count the devices of the longest pipeline only."""
        return (self.deployment or ("time-shared" if self.mode == "common" else "concurrent")) == "time-shared"

    @property
    def value(self) -> Objective:
        """What is minimised."""
        return OBJECTIVES[self.objective]

    @property
    def joining(self) -> Aggregate:
        """How the steps of the pipelines become one."""
        return AGGREGATES[self.aggregate]

    @property
    def least_throughput(self) -> float:
        """Least aggregated relative throughput; 0 when there is no floor."""
        if not (self.objective in tuple(OBJECTIVES) and self.value.power):
            return 0.0
        return 1.0 if self.floor is None else self.floor


@dataclass(frozen=True, slots=True)
class Solution:
    """Index of the chosen candidate of each stage of each pipeline."""

    choice: tuple[tuple[int, ...], ...]


def _amount(value: Any, positive: bool = False) -> bool:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return numeric and math.isfinite(value) and (value > 0 if positive else value >= 0)


def _complaints(problem: Problem) -> Iterator[tuple[str, str]]:
    for name, allowed in (("mode", MODES), ("objective", OBJECTIVES), ("aggregate", AGGREGATES)):
        if getattr(problem, name) not in tuple(allowed):  # whatever a file holds there, also what has no hash
            yield name, f"{getattr(problem, name)!r} is not allowed; allowed: {', '.join(allowed)}"
    if problem.deployment not in (None, *DEPLOYMENTS):
        yield "deployment", f"{problem.deployment!r} is not allowed; allowed: {', '.join(DEPLOYMENTS)}"
    if problem.deployment == "time-shared" and problem.mode != "common" and len(problem.pipelines) > 1:
        yield "deployment", "time-shared pipelines run on the same devices: mode: common is needed"
    for cost, limit in zip(COSTS, problem.limits.values, strict=True):
        if limit is not None and not _amount(limit):
            yield f"limits.{cost.name}", f"{limit!r} is not allowed; a number of at least 0 is needed"
    if problem.floor is not None and not _amount(problem.floor):
        yield "floor", f"{problem.floor!r} is not allowed; a number of at least 0 is needed"
    per_power = [name for name, own in OBJECTIVES.items() if own.power]
    if problem.floor is not None and problem.objective not in per_power:
        yield "floor", f"objective {problem.objective} has no floor; it belongs to {', '.join(per_power)}"
    if not problem.pipelines:
        yield "pipelines", "at least one pipeline is needed"
    if len({p.name for p in problem.pipelines}) < len(problem.pipelines):
        yield "pipelines", "names of pipelines must differ"
    weighted = [name for name, own in AGGREGATES.items() if own.weighted]
    if problem.aggregate not in weighted and len({p.weight for p in problem.pipelines}) > 1:
        other = " or ".join(weighted)
        yield "pipelines", f"aggregate: {problem.aggregate} has no weights; give equal ones or take aggregate: {other}"
    costs: dict[str, tuple[float, ...]] = {}
    for w, pipeline in enumerate(problem.pipelines):
        yield from _pipeline_complaints(f"pipelines[{w}]", pipeline, problem)
        for s, stage in enumerate(pipeline.stages):
            yield from _stage_complaints(f"pipelines[{w}].stages[{s}]", stage, problem, costs)


def _pipeline_complaints(at: str, pipeline: Pipeline, problem: Problem) -> Iterator[tuple[str, str]]:
    count = pipeline.microbatches
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        yield f"{at}.microbatches", f"{count!r} is not allowed; an integer of at least 1 is needed"
    if pipeline.schedule not in whole_stages():  # chains and programs of a selection know three times of a stage
        yield f"{at}.schedule", f"{pipeline.schedule!r} is not allowed; allowed: {', '.join(whole_stages())}"
    if not pipeline.stages:
        yield f"{at}.stages", "at least one stage is needed"
    elif len(pipeline.transfer_s) != len(pipeline.stages) - 1:
        yield (
            f"{at}.transfer_s",
            f"{len(pipeline.transfer_s)} transfer times for {len(pipeline.stages)} stages; "
            f"one per boundary, {len(pipeline.stages) - 1}, is needed",
        )
    if not all(_amount(t) for pair in pipeline.transfer_s for t in pair):
        yield f"{at}.transfer_s", "times must be numbers of at least 0"
    if len({s.name for s in pipeline.stages}) < len(pipeline.stages):
        yield f"{at}.stages", "names of stages must differ"
    for name in ("weight", "reference_s", "batch"):
        value = getattr(pipeline, name)
        if not (_amount(value, positive=True) or (value is None and name != "weight")):
            yield f"{at}.{name}", f"{value!r} is not allowed; a number above 0 is needed"
    if pipeline.reference_s is None and len(problem.pipelines) > 1:
        yield f"{at}.reference_s", "needed: several pipelines are compared by their step time over a reference"
    if pipeline.reference_s is None and problem.least_throughput > 0:
        yield f"{at}.reference_s", "needed by the throughput floor; give it, or floor: 0"


def _stage_complaints(
    at: str, stage: Stage, problem: Problem, costs: dict[str, tuple[float, ...]]
) -> Iterator[tuple[str, str]]:
    if not stage.candidates:
        yield f"{at}.candidates", "at least one candidate is needed"
    if len({c.design for c in stage.candidates}) < len(stage.candidates):
        yield f"{at}.candidates", "designs of the candidates of a stage must differ"
    for c, candidate in enumerate(stage.candidates):
        here = f"{at}.candidates[{c}]"
        bad = [n for n in Candidate.__slots__ if n != "design" and not _amount(getattr(candidate, n))]
        for name in bad:
            yield f"{here}.{name}", f"{getattr(candidate, name)!r} is not allowed; a number of at least 0 is needed"
        if bad:
            continue
        if candidate.forward_s + candidate.backward_s <= 0:
            yield here, "forward_s + backward_s must be above 0"
        if candidate.tdp_w <= 0 and problem.objective in tuple(OBJECTIVES) and problem.value.power:
            yield f"{here}.tdp_w", f"objective {problem.objective} needs a TDP above 0"
        if costs.setdefault(candidate.design, candidate.costs) != candidate.costs:
            yield here, f"design {candidate.design!r} has another area or TDP at another stage"
