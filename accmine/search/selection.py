"""The choice of one candidate for every group, and the rule for ties among choices.

The integer program minimises the value alone. Of selections whose values differ by less than ``TIE`` the one with
the least TDP, then the least area, is the answer. The rule is applied by exchanging the design of one group at a
time: exact for one group, a local search for several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from accmine.hardware import Design
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.plan import Plan
from accmine.ports import Stop
from accmine.problems import design_search, stage_selection
from accmine.problems.design_search import TIE, Evaluation
from accmine.problems.limits import within
from accmine.result import Result
from accmine.search.candidates import GroupCandidates
from accmine.search.schedules import TaskSchedule
from accmine.search.session import Member, Session
from accmine.search.value import selection_floor, study_value
from accmine.solving import solve

__all__ = [
    "Exchange",
    "PhaseSeconds",
    "Selection",
    "break_ties",
    "chips_of",
    "exchanges",
    "select",
    "selection_problem",
    "settle",
    "totals",
]

_EXACT = 1e-9
"""Area (mm²) and TDP (W) that differ by less are equal: sums of the same floats in another order."""

PhaseSeconds = tuple[tuple[tuple[float, ...], ...], ...]
"""Times of the phases of each stage of each pipeline."""


@dataclass(frozen=True, eq=False)
class Selection:
    """One candidate for every group.

    Attributes
    ----------
    result
        Of the global integer program; its solution may be ``None``.
    chosen
        Evaluation of each group.
    phase_s
        Phase times of each stage of each pipeline.
    step_s, value
        Simulated step time of each pipeline, and the value that the study minimises.
    area_mm2, tdp_w
        Of all devices.
    """

    mode: str
    groups: tuple[GroupCandidates, ...]
    problem: stage_selection.Problem
    result: Result[stage_selection.Solution]
    chosen: tuple[Evaluation, ...] = ()
    phase_s: PhaseSeconds = ()
    step_s: tuple[float, ...] = ()
    value: float = inf
    area_mm2: float = 0.0
    tdp_w: float = 0.0

    def design_of(self, member: Member) -> Evaluation:
        """The evaluation chosen for a (pipeline, stage)."""
        return next(e for g, e in zip(self.groups, self.chosen, strict=True) if member in g.group.members)


def selection_problem(
    plan: Plan, mode: str, options: Mapping[Member, Sequence[tuple[str, tuple[float, ...], float, float]]]
) -> stage_selection.Problem:
    """The selection among (design, phase times, area, TDP) of each (pipeline, stage)."""
    if plan.mixes:
        return _among_mixes(plan, mode, options)
    pipelines = []
    for w, pipeline in enumerate(plan.pipelines):
        stages = []
        for s, task in enumerate(pipeline.tasks):
            rows = []
            for design, phase_s, area, tdp in options[w, s]:
                forward, backward, update = pipeline.times(s, phase_s)
                rows.append(stage_selection.Candidate(design, forward, backward, update, area, tdp))
            stages.append(stage_selection.Stage(task.name, tuple(rows)))
        pipelines.append(
            stage_selection.Pipeline(
                name=pipeline.name,
                stages=tuple(stages),
                microbatches=pipeline.microbatches,
                schedule=pipeline.schedule,
                transfer_s=pipeline.transfer_s,
                weight=pipeline.weight,
                reference_s=plan.reference_s[w],
                batch=pipeline.batch,
            )
        )
    return stage_selection.Problem(
        pipelines=tuple(pipelines),
        limits=_limits(plan),
        mode=mode,
        objective=plan.study.minimised,
        aggregate=plan.study.aggregate,
        deployment=plan.study.deployment,
        floor=selection_floor(plan),
    )


def _limits(plan: Plan) -> stage_selection.Limits:
    return stage_selection.Limits(*(None if most == inf else most for most in (plan.area_mm2, plan.tdp_w)))


def _among_mixes(
    plan: Plan, mode: str, options: Mapping[Member, Sequence[tuple[str, tuple[float, ...], float, float]]]
) -> stage_selection.Problem:
    """The selection of one design for workloads that take turns on one device: a mix is a pipeline of one stage.

    Its step is the weighted sum of those of the workloads; the worst of them counts.
    """
    rows = list(zip(*(options[w, 0] for w in range(len(plan.pipelines))), strict=True))
    pipelines = []
    for m, weights in enumerate(plan.mixes):
        candidates = []
        for own in rows:  # one design, with the phase times of each workload
            steps = [float(p.step_s([phase_s])) for p, (_, phase_s, _, _) in zip(plan.pipelines, own, strict=True)]
            mixed = sum(w * t / t0 for w, t, t0 in zip(weights, steps, plan.reference_s, strict=True))
            design, _, area, tdp = own[0]
            candidates.append(stage_selection.Candidate(design, mixed, 0.0, 0.0, area, tdp))
        stage = stage_selection.Stage("device", tuple(candidates))
        pipelines.append(stage_selection.Pipeline(f"mix {m}", (stage,), microbatches=1, reference_s=1.0))
    return stage_selection.Problem(
        pipelines=tuple(pipelines),
        limits=_limits(plan),
        mode=mode,
        objective=plan.study.minimised,
        aggregate=plan.study.aggregate,
        deployment=plan.study.deployment,
    )


def select(session: Session, mode: str, groups: Sequence[GroupCandidates], stop: Stop) -> Selection:
    """Choose one candidate for every group with the global integer program."""
    plan = session.plan
    rows = {
        member: [(c.design.name, g.phase_s(c, i), c.area_mm2, c.tdp_w) for c in g.candidates]
        for g in groups
        for i, member in enumerate(g.group.members)
    }
    problem = selection_problem(plan, mode, rows)
    result = solve(problem, plan.study.search.select, stop=stop, seed=session.seed)
    session.budget.spend(stop.work)
    if result.solution is None:
        return Selection(mode, tuple(groups), problem, result)
    chosen = []
    phase_s: dict[Member, tuple[float, ...]] = {}
    for g in groups:
        w, s = g.group.members[0]
        candidate = g.candidates[result.solution.choice[w][s]]
        chosen.append(candidate)
        phase_s |= {member: g.phase_s(candidate, i) for i, member in enumerate(g.group.members)}
    by_stage = tuple(
        tuple(phase_s[w, s] for s in range(len(pipeline.tasks))) for w, pipeline in enumerate(plan.pipelines)
    )
    steps = tuple(float(p.step_s(own)) for p, own in zip(plan.pipelines, by_stage, strict=True))
    area, tdp = stage_selection.totals(problem, result.solution)
    value = float(study_value(plan, by_stage, tdp))
    return Selection(mode, tuple(groups), problem, result, tuple(chosen), by_stage, steps, value, area, tdp)


def settle(plan: Plan, chosen: Selection, final: Mapping[Member, TaskSchedule]) -> Selection:
    """The selection with the times of the final schedules of its devices."""
    evaluations = tuple(
        design_search.evaluate(
            g.problem, own.design, [[phase.cycles for phase in final[member].phases] for member in g.group.members]
        )
        for g, own in zip(chosen.groups, chosen.chosen, strict=True)
    )
    by_stage = tuple(
        tuple(final[w, s].phase_s for s in range(len(pipeline.tasks))) for w, pipeline in enumerate(plan.pipelines)
    )
    steps = tuple(float(p.step_s(own)) for p, own in zip(plan.pipelines, by_stage, strict=True))
    value = float(study_value(plan, by_stage, chosen.tdp_w))
    return replace(chosen, chosen=evaluations, phase_s=by_stage, step_s=steps, value=value)


@dataclass(frozen=True, eq=False)
class Exchange:
    """A selection with another design for one group.

    Attributes
    ----------
    group
        Index of the group.
    evaluation
        Its other candidate.
    phase_s, value, area_mm2, tdp_w
        As of a ``Selection``.
    """

    group: int
    evaluation: Evaluation
    phase_s: PhaseSeconds
    value: float
    area_mm2: float
    tdp_w: float


def chips_of(plan: Plan, members: Sequence[Member]) -> int:
    """Chips of a group that count against the limits: time-shared workloads run on the same ones."""
    if plan.study.deployment == "time-shared":
        return max(sum(1 for w, _ in members if w == i) for i in range(len(plan.pipelines)))
    return len(members)


def exchanges(plan: Plan, selection: Selection) -> Iterator[Exchange]:
    """Every selection that meets the limits and differs from ``selection`` in the design of one group."""
    for index, (g, own) in enumerate(zip(selection.groups, selection.chosen, strict=True)):
        chips = chips_of(plan, g.group.members)
        for other in g.candidates:
            if other.design == own.design:
                continue
            area = selection.area_mm2 + chips * (other.area_mm2 - own.area_mm2)
            tdp = selection.tdp_w + chips * (other.tdp_w - own.tdp_w)
            if not (within(area, plan.area_mm2) and within(tdp, plan.tdp_w)):
                continue
            times = [list(stages) for stages in selection.phase_s]
            for i, (w, s) in enumerate(g.group.members):
                times[w][s] = g.phase_s(other, i)
            phase_s = tuple(tuple(stages) for stages in times)
            yield Exchange(index, other, phase_s, float(study_value(plan, phase_s, tdp)), area, tdp)


def break_ties(plan: Plan, selection: Selection) -> Selection:
    """The selection that the rule for ties prefers; never more than ``TIE`` slower than ``selection``.

    A selection below the throughput floor by less than the rounding of the integer program has an infinite value:
    the best exchange that meets the floor takes its place, if there is one.
    """
    if not selection.chosen:
        return selection
    current = selection
    if current.value == inf:
        meeting = [e for e in exchanges(plan, current) if e.value < inf]
        if not meeting:
            return selection
        current = _made(plan, current, min(meeting, key=lambda e: (e.value, e.tdp_w, e.area_mm2)))
    limit = current.value * (1 + TIE)
    while True:
        cooler = [e for e in exchanges(plan, current) if e.value <= limit and _is_cooler(e, current)]
        if not cooler:
            return current
        current = _made(plan, current, min(cooler, key=lambda e: (e.tdp_w, e.area_mm2, e.value)))


def _is_cooler(exchange: Exchange, selection: Selection) -> bool:
    """Less TDP, or equal TDP and less area, or equal both and a better value."""
    for there, here in ((exchange.tdp_w, selection.tdp_w), (exchange.area_mm2, selection.area_mm2)):
        if abs(there - here) > _EXACT:
            return there < here
    return exchange.value < selection.value


def _made(plan: Plan, selection: Selection, exchange: Exchange) -> Selection:
    chosen = list(selection.chosen)
    chosen[exchange.group] = exchange.evaluation
    steps = tuple(float(p.step_s(own)) for p, own in zip(plan.pipelines, exchange.phase_s, strict=True))
    return replace(
        selection,
        chosen=tuple(chosen),
        phase_s=exchange.phase_s,
        step_s=steps,
        value=exchange.value,
        area_mm2=exchange.area_mm2,
        tdp_w=exchange.tdp_w,
    )


def totals(plan: Plan, designs: Mapping[Member, Design]) -> tuple[float, float]:
    """(area in mm², TDP in W) of all chips; workloads that take turns share theirs."""
    area = tdp = 0.0
    for group in plan.groups(plan.study.mode):
        chips, design = chips_of(plan, group.members), designs[group.members[0]]
        area += chips * area_mm2(design, plan.technology)
        tdp += chips * tdp_w(design, plan.technology)
    return area, tdp
