"""Candidates: designs proposed for every group of devices that share one, and the selection among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from accmine.cost.modes import CostLibrary
from accmine.hardware.design import Design
from accmine.hardware.space import smallest
from accmine.plan.plan import Group, Plan
from accmine.ports import Incumbent, Stop
from accmine.problems import design_search, stage_selection
from accmine.problems.design_search import Evaluation, Mined
from accmine.problems.limits import widened
from accmine.registry import make_solver
from accmine.result import Result
from accmine.search.schedules import TaskSchedule, list_cycles
from accmine.solving import solve
from accmine.system.timeline import step_bound
from accmine.workload.task import Task

__all__ = [
    "GroupCandidates",
    "Selection",
    "confirm",
    "mine",
    "pareto",
    "proposed",
    "search_problem",
    "select",
    "selection_problem",
    "settle",
    "shares",
    "study_value",
]


def shares(count: int) -> tuple[float, ...]:
    """``count`` shares of an even split of the budget: 1 and a geometric grid of √2 around it."""
    return tuple(2.0 ** ((i - count // 2) / 2) for i in range(count))


@dataclass(frozen=True, eq=False)
class GroupCandidates:
    """A group, its search problem, and what is proposed for it.

    Attributes
    ----------
    problem
        The search of the group's own tasks: what bounds and answers speak of.
    mined
        What the miner found on the sketches of the tasks.
    candidates
        The proposed designs with list schedules of the tasks themselves, best value first.
    """

    group: Group
    problem: design_search.Problem
    mined: Mined
    candidates: tuple[Evaluation, ...]

    def phase_s(self, candidate: Evaluation, member: int) -> tuple[float, ...]:
        """Phase times in seconds of the task of a member of the group."""
        return tuple(cycles / candidate.design.frequency_hz for cycles in candidate.cycles[member])


def search_problem(
    plan: Plan, group: Group, groups: int, library: CostLibrary, *, sketch: bool = False
) -> design_search.Problem:
    """The design search of one group: its tasks, or their sketches, under the limits of one device.

    Devices that are not part of a pipeline are valued as the study says. Stages of a pipeline are valued
    by the slowest one relative to the slowest stage of the baseline: the bottleneck is what a design that
    serves several stages has to speed up, whatever the schedule.
    """
    alone = all(len(plan.pipelines[w].tasks) == 1 for w, _ in group.members)
    reference = [plan.reference_s[w] if alone else max(plan.reference_busy_s[w]) for w, _ in group.members]
    area, tdp = plan.area_mm2 / plan.devices, plan.tdp_w / plan.devices
    one_design = groups == 1
    return design_search.Problem(
        tasks=tuple(
            (p.sketch if sketch else p.tasks)[s] for p, s in ((plan.pipelines[w], s) for w, s in group.members)
        ),
        reference_s=tuple(reference),
        weights=tuple(plan.pipelines[w].weight for w, _ in group.members),
        template=plan.template,
        technology=plan.technology,
        library=library,
        area_mm2=min(plan.device_area_mm2, area if one_design else plan.area_mm2),
        tdp_w=min(plan.device_tdp_w, tdp if one_design else plan.tdp_w),
        objective=plan.study.objective if plan.study.objective == "throughput-per-tdp" else "throughput",
        aggregate=plan.study.aggregate if alone else "worst",
        floor=plan.floor if alone else 0.0,
        shares=() if one_design else _share_limits(plan, group, area, tdp),
    )


def _share_limits(plan: Plan, group: Group, area: float, tdp: float) -> tuple[tuple[float, float], ...]:
    """Limits to mine under: shares of what an even split leaves above the smallest design.

    The smallest design has most of the area (uncore, HBM interfaces): shares of the whole would mostly be
    infeasible or out of reach.
    """
    need = max(plan.pipelines[w].tasks[s].memory_bytes for w, s in group.members)
    holding = tuple(size for size in plan.template.hbm_bytes if size >= need)
    least = smallest(replace(plan.template, hbm_bytes=holding), plan.technology)
    base_area, base_tdp = least.area_mm2, least.tdp_w or 0.0
    return tuple(
        (base_area + f * (area - base_area), base_tdp + f * (tdp - base_tdp)) for f in shares(plan.study.search.shares)
    )


def mine(
    problems: Sequence[design_search.Problem],
    method: str,
    options: Mapping[str, Any],
    stop: Stop,
    on_progress: Incumbent | None = None,
    *,
    first: Sequence[Design] = (),
    executor: Executor | None = None,
    seed: int = 0,
) -> list[Mined]:
    """Mine every problem; those of equal tasks, references and limits once, others in parallel.

    Parameters
    ----------
    first
        Designs to evaluate before the search, such as the baseline.
    seed
        Of every search.
    """
    seen: dict[tuple[Any, ...], int] = {}
    twin = [seen.setdefault(_likeness(problem), i) for i, problem in enumerate(problems)]
    distinct = sorted(set(twin))
    parallel = executor is not None and len(distinct) > 1
    rounds = -(-len(distinct) // (stop.workers if parallel else 1))
    part = replace(stop, seconds=None if stop.seconds is None else stop.seconds / rounds, workers=1)
    if executor is not None and parallel:
        jobs = {i: executor.submit(_mine_one, problems[i], method, options, part, first, seed) for i in distinct}
        found = {i: job.result() for i, job in jobs.items()}
    else:
        found = {i: _mine_one(problems[i], method, options, part, first, seed, on_progress) for i in distinct}
    return [found[t] for t in twin]


def proposed(mined: Mined, shared: bool, more: Sequence[Design], top_k: int) -> list[Design]:
    """The designs to schedule on the tasks themselves.

    One design for the whole budget: the 2k best, because the order on a sketch is only nearly that on the task.
    Under shared limits: of the designs of all shares, and of those on the way to them, 3k of the Pareto front in
    time, area and TDP, evenly spread. ``more`` first: these are scheduled whatever the time.
    """
    if not shared:
        return list(dict.fromkeys([*more, *(e.design for e in (*mined.ranked, *mined.pool[: 2 * top_k]))]))
    front, most = pareto(mined.pool), 3 * top_k
    if len(front) > most:
        front = [front[round(i * (len(front) - 1) / (most - 1))] for i in range(most)]
    return list(dict.fromkeys([*more, *(e.design for e in front)]))


def confirm(
    problem: design_search.Problem,
    designs: Sequence[Design],
    known: dict[tuple[Task, Design], tuple[int, ...]],
    executor: Executor | None,
    stop: Stop,
) -> tuple[Evaluation, ...]:
    """Evaluations of the designs that fit, from list schedules of the tasks themselves; best value first.

    ``known`` holds makespans by task and design and is added to. Designs that the time limit leaves
    unscheduled are left out, the last ones first.
    """
    workers = stop.workers
    fitting = [d for d in designs if design_search.fits(problem, d)]
    missing = [d for d in fitting if any((task, d) not in known for task in problem.tasks)]
    parts = [missing[i::workers] for i in range(workers)] if executor is not None else [missing]
    parts = [part for part in parts if part]
    if executor is not None and len(parts) > 1:
        jobs = [executor.submit(list_cycles, problem.tasks, problem.library, part, stop.seconds) for part in parts]
        done = [job.result() for job in jobs]
    else:
        done = [list_cycles(problem.tasks, problem.library, part, stop.seconds) for part in parts]
    for part, rows in zip(parts, done, strict=True):
        for design, row in zip(part, rows, strict=False):
            known |= {(task, design): cycles for task, cycles in zip(problem.tasks, row, strict=True)}
    done_all = [d for d in fitting if all((task, d) in known for task in problem.tasks)]
    found = [design_search.evaluate(problem, d, [known[task, d] for task in problem.tasks]) for d in done_all]
    return tuple(sorted(found, key=lambda e: (e.value, e.tdp_w, e.area_mm2, e.design.name)))


def _likeness(problem: design_search.Problem) -> tuple[Any, ...]:
    memory = tuple(size >= problem.memory_bytes for size in problem.template.hbm_bytes)
    limits = (problem.area_mm2, problem.tdp_w, problem.shares, problem.reference_s, problem.objective, memory)
    return (*limits, tuple(task.signature for task in problem.tasks))


def _mine_one(
    problem: design_search.Problem,
    method: str,
    options: Mapping[str, Any],
    stop: Stop,
    first: Sequence[Design],
    seed: int,
    on_progress: Incumbent | None = None,
) -> Mined:
    miner = make_solver(design_search.KIND, method, **options)
    result: Result[Mined] = miner.solve(problem, stop=stop, seed=seed, hint=first, on_progress=on_progress)
    assert result.solution is not None
    return result.solution


def pareto(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Evaluations that no faster one matches or beats in area and TDP."""
    kept: list[Evaluation] = []
    for e in sorted(evaluations, key=lambda e: (e.relative, e.area_mm2, e.tdp_w, e.design.name)):
        if not any(k.area_mm2 <= e.area_mm2 and k.tdp_w <= e.tdp_w for k in kept):
            kept.append(e)
    return kept


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
    phase_s: tuple[tuple[tuple[float, ...], ...], ...] = ()
    step_s: tuple[float, ...] = ()
    value: float = inf
    area_mm2: float = 0.0
    tdp_w: float = 0.0

    def design_of(self, member: tuple[int, int]) -> Evaluation:
        """The evaluation chosen for a (pipeline, stage)."""
        return next(e for g, e in zip(self.groups, self.chosen, strict=True) if member in g.group.members)


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
        if plan.study.objective == "bottleneck":
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
    if plan.study.objective != "throughput-per-tdp":
        return total
    if plan.floor <= 0:
        return total * tdp_w
    return np.where(total <= widened(1.0) / plan.floor, total * tdp_w, inf)


def selection_problem(
    plan: Plan, mode: str, options: Mapping[tuple[int, int], Sequence[tuple[str, tuple[float, ...], float, float]]]
) -> stage_selection.Problem:
    """The selection among (design, phase times, area, TDP) of each (pipeline, stage)."""
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
        limits=stage_selection.Limits(
            None if plan.area_mm2 == inf else plan.area_mm2, None if plan.tdp_w == inf else plan.tdp_w
        ),
        mode=mode,
        objective=plan.study.objective,
        aggregate=plan.study.aggregate,
        deployment=plan.study.deployment,
        floor=plan.floor if plan.study.objective == "throughput-per-tdp" else None,
    )


def select(plan: Plan, mode: str, groups: Sequence[GroupCandidates], solver: str, stop: Stop, seed: int) -> Selection:
    """Choose one candidate for every group with the global integer program."""
    rows = {
        member: [(c.design.name, g.phase_s(c, i), c.area_mm2, c.tdp_w) for c in g.candidates]
        for g in groups
        for i, member in enumerate(g.group.members)
    }
    problem = selection_problem(plan, mode, rows)
    result = solve(problem, solver, stop=stop, seed=seed)
    if result.solution is None:
        return Selection(mode, tuple(groups), problem, result)
    chosen = []
    phase_s: dict[tuple[int, int], tuple[float, ...]] = {}
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


def settle(plan: Plan, chosen: Selection, final: Mapping[tuple[int, int], TaskSchedule]) -> Selection:
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
