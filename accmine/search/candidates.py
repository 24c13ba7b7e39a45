"""Candidates: designs proposed for every group of devices that share one, and confirmed on the tasks themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from accmine.cost import CostLibrary
from accmine.hardware import Design, smallest
from accmine.plan import Group, Plan
from accmine.ports import Incumbent, Stop
from accmine.problems import design_search
from accmine.problems.design_search import Evaluation, by_value, evaluated, ranked
from accmine.problems.design_search.space_bound import promising
from accmine.registry import make_solver
from accmine.result import Result, Status, StopReason
from accmine.search.schedules import list_cycles, list_work
from accmine.search.session import Session
from accmine.search.value import is_search, search_chips, search_objective
from accmine.solving import solve

__all__ = [
    "NOTHING",
    "GroupCandidates",
    "Mined",
    "confirm",
    "confirmed",
    "mine",
    "pareto",
    "problems_of",
    "promising_designs",
    "propose",
    "proposed",
    "search_problem",
    "shares",
    "without_candidates",
]

PROMISING = 6
"""Designs of the least bound that the search for all stages of a pipeline begins with."""

EARLY = 0.3
"""Share of the time for proposing that goes to them at most; one is found at all events."""

Mined = Result[design_search.Solution]
"""What a solver of design searches found; its pool holds the evaluations of what it looked at, best value first."""

NOTHING = Mined(design_search.KIND, "", Status.UNKNOWN, StopReason.INTERRUPTED, None, None, "", None)
"""What an interrupted search leaves: the designs it was to begin with are scheduled all the same."""

_PASSES = 3
"""List schedules of a phase that a miner counts as one."""


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
        objective=search_objective(plan),
        aggregate=plan.study.aggregate if alone else "worst",
        floor=plan.floor if alone else 0.0,
        mixes=plan.mixes,
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


def problems_of(session: Session, mode: str, *, sketch: bool = False) -> list[design_search.Problem]:
    """The search of every group of a mode."""
    groups = session.plan.groups(mode)
    return [search_problem(session.plan, group, len(groups), session.library, sketch=sketch) for group in groups]


def without_candidates(session: Session, mode: str) -> list[GroupCandidates]:
    """The groups of a mode with nothing proposed: bounds need no more."""
    groups = zip(session.plan.groups(mode), problems_of(session, mode), strict=True)
    return [GroupCandidates(group, problem, NOTHING, ()) for group, problem in groups]


def promising_designs(session: Session) -> list[Design]:
    """Designs of the least bounds for all stages of a pipeline: a search of few, slow evaluations needs them early."""
    if len(session.plan.tasks) == 1 or session.interrupted:
        return []
    known = session.known("promising", lambda row: [Design.from_table(own) for own in row["designs"]])
    if known is not None and known.final:
        return known.value
    session.begin("promising")
    clock = session.part(EARLY).clock()
    found = promising(problems_of(session, "common", sketch=True)[0], PROMISING, clock)
    session.keep("promising", {"designs": [asdict(design) for design in found]})
    return found


def propose(session: Session, mode: str, first: Sequence[Design], stop: Stop) -> list[Mined]:
    """What the study's heuristic finds for every group of a mode; a search that was kept is read back.

    One that a shorter budget ended is where this one begins.

    Parameters
    ----------
    first
        Designs to evaluate before the search, such as the baseline.
    """
    problems = problems_of(session, mode, sketch=True)
    known = session.known(
        f"mine-{mode}",
        lambda row: [_mined_from_json(problem, own) for problem, own in zip(problems, row["groups"], strict=True)],
    )
    mined = [NOTHING] * len(problems) if known is None else known.value
    if session.interrupted or (known is not None and known.final):
        return mined
    earlier, top_k = mined, session.plan.study.search.top_k
    first = list(dict.fromkeys([*first, *(e.design for own in earlier for e in ranked(own.pool, top_k))]))
    session.begin(f"mine-{mode}")
    chips = search_chips(session.plan)

    def heard(_: float, objective: float | None, __: float | None) -> None:
        session.progress(None if objective is None else objective * chips, None)

    told = heard if mode == session.plan.study.mode and is_search(session.plan, mode) else None
    with session.interruptible():
        mined = mine(session, problems, stop, first=first, heard=told)
        if any(own.interrupted for own in mined):
            session.interrupt()
    if known is not None:
        mined = [_together(*pair) for pair in zip(mined, earlier, strict=True)]
    if any(own.pool for own in mined):
        done = all(own.finished for own in mined)
        session.keep(f"mine-{mode}", {"groups": [_mined_to_json(own) for own in mined]}, complete=done)
    return mined


def mine(
    session: Session,
    problems: Sequence[design_search.Problem],
    stop: Stop,
    *,
    method: str = "",
    options: Mapping[str, Any] | None = None,
    first: Sequence[Design] = (),
    heard: Incumbent | None = None,
) -> list[Mined]:
    """Mine every problem; those of equal tasks, references and limits once, others in parallel.

    Parameters
    ----------
    stop
        Of all of them together.
    method, options
        A registered solver of design searches; default: that of the study with its options.
    """
    search = session.plan.study.search
    how = (search.method, search.options()) if not method else (method, dict(options or {}))
    seen: dict[tuple[Any, ...], int] = {}
    twin = [seen.setdefault(_likeness(problem), i) for i, problem in enumerate(problems)]
    distinct = sorted(set(twin))
    executor = session.executor if len(distinct) > 1 else None
    jobs = {}
    for i in distinct:
        part = _part_of(problems[i], stop, len(distinct), 1 if executor is None else stop.workers)
        jobs[i] = (replace(problems[i], first=tuple(first)), *how, part, session.seed)
    if executor is not None:
        futures = {i: executor.submit(_mine_one, *job) for i, job in jobs.items()}
        found = {i: future.result() for i, future in futures.items()}
    else:
        found = {i: _mine_one(*job, heard) for i, job in jobs.items()}
    for i, own in found.items():
        session.budget.spend(own.work * _schedule_work(problems[i]))
    return [found[t] for t in twin]


def _schedule_work(problem: design_search.Problem) -> float:
    """Units of work of what a miner counts as one list schedule."""
    sizes = [len(phase.graph) for task in problem.tasks for phase in task.phases]
    return list_work(sum(sizes) // max(1, len(sizes)), _PASSES)


def _part_of(problem: design_search.Problem, stop: Stop, problems: int, workers: int) -> Stop:
    """The limits of one of so many problems, in the unit of a miner."""
    rounds = -(-problems // workers)
    return Stop(
        seconds=None if stop.seconds is None else stop.seconds / rounds,
        work=None if stop.work is None else stop.work / problems / _schedule_work(problem),
    )


def proposed(mined: Mined, shared: bool, more: Sequence[Design], top_k: int) -> list[Design]:
    """The designs to schedule on the tasks themselves.

    One design for the whole budget: the 2k best, because the order on a sketch is only nearly that on the task.
    Under shared limits: of the designs of all shares, and of those on the way to them, 3k of the Pareto front in
    time, area and TDP, evenly spread. ``more`` first: these are scheduled whatever the time.
    """
    if not shared:
        best = *ranked(mined.pool, top_k), *mined.pool[: 2 * top_k]
        return list(dict.fromkeys([*more, *(e.design for e in best)]))
    front, most = pareto(mined.pool), 3 * top_k
    if len(front) > most:
        front = [front[round(i * (len(front) - 1) / (most - 1))] for i in range(most)]
    return list(dict.fromkeys([*more, *(e.design for e in front)]))


def confirmed(
    session: Session, mode: str, mined: Sequence[Mined], first: Sequence[Design], share: float = 1.0
) -> list[GroupCandidates]:
    """The groups of a mode with what is proposed for them, scheduled in a share of what the current step has left."""
    groups, problems, key = session.plan.groups(mode), problems_of(session, mode), f"confirm-{mode}"
    known = session.known(key, lambda row: [_evaluations(*own) for own in zip(problems, row["groups"], strict=True)])
    kept = [[] for _ in groups] if known is None else known.value
    for problem, rows in zip(problems, kept, strict=True):
        for e in rows:
            session.cycles |= {(task, e.design): cycles for task, cycles in zip(problem.tasks, e.cycles, strict=True)}
    final = known is not None and known.final
    if not final:
        session.begin(key)
    found = []
    for i, (group, problem, own) in enumerate(zip(groups, problems, mined, strict=True)):
        designs = proposed(own, bool(problem.shares), first, session.plan.study.search.top_k)
        if final:  # what the time was too short for stays out; designs of an earlier answer may be new
            inside = {*(e.design for e in kept[i]), *([] if session.repeats else first)}
            designs = [design for design in designs if design in inside]
        stop = session.part(share / (1 + (len(groups) - 1 - i) * share))
        evaluations: tuple[Evaluation, ...] = ()
        with session.interruptible():
            evaluations = confirm(session, problem, designs, stop)
        if not evaluations:  # interrupted: the first design alone is quick
            evaluations = confirm(session, problem, designs, Stop(seconds=0))
        found.append(GroupCandidates(group, problem, own, evaluations))
    if not final:
        session.keep(key, {"groups": [[_evaluation_to_json(e) for e in g.candidates] for g in found]})
    return found


def confirm(
    session: Session, problem: design_search.Problem, designs: Sequence[Design], stop: Stop
) -> tuple[Evaluation, ...]:
    """Evaluations of the designs that fit, from list schedules of the tasks themselves; best value first.

    The makespans join those that the session knows. Designs that the limits leave unscheduled are left out, the last
    ones first.
    """
    known, executor = session.cycles, session.executor
    fitting = [d for d in designs if design_search.fits(problem, d)]
    missing = [d for d in fitting if any((task, d) not in known for task in problem.tasks)]
    count = 1 if executor is None else stop.workers
    parts = [part for part in (missing[i::count] for i in range(count)) if part]
    one = replace(stop, work=None if stop.work is None else stop.work / max(1, len(parts)))
    if executor is not None and len(parts) > 1:
        jobs = [executor.submit(list_cycles, problem.tasks, problem.library, part, one) for part in parts]
        done = [job.result() for job in jobs]
    else:
        done = [list_cycles(problem.tasks, problem.library, part, one) for part in parts]
    for part, rows in zip(parts, done, strict=True):
        for design, row in zip(part, rows, strict=False):
            known |= {(task, design): cycles for task, cycles in zip(problem.tasks, row, strict=True)}
            session.budget.spend(sum(list_work(len(run.graph)) for task in problem.tasks for run in task.phases))
    done_all = [d for d in fitting if all((task, d) in known for task in problem.tasks)]
    found = [design_search.evaluate(problem, d, [known[task, d] for task in problem.tasks]) for d in done_all]
    return tuple(by_value(found))


def _likeness(problem: design_search.Problem) -> tuple[Any, ...]:
    memory = tuple(size >= problem.memory_bytes for size in problem.template.hbm_bytes)
    limits = (problem.area_mm2, problem.tdp_w, problem.shares, problem.reference_s, problem.objective, memory)
    return (*limits, tuple(task.signature for task in problem.tasks))


def _mine_one(
    problem: design_search.Problem,
    method: str,
    options: Mapping[str, Any],
    stop: Stop,
    seed: int,
    on_progress: Incumbent | None = None,
) -> Mined:
    solver = make_solver(design_search.KIND, method, **options)
    result = solve(problem, solver, stop=stop, seed=seed, on_progress=on_progress)
    pool = {e.design: e for e in result.pool}
    if result.solution is not None and result.solution.design not in pool:
        pool[result.solution.design] = evaluated(problem, result.solution)
    return replace(result, pool=tuple(by_value(pool.values())))


def pareto(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Evaluations that no faster one matches or beats in area and TDP."""
    kept: list[Evaluation] = []
    for e in sorted(evaluations, key=lambda e: (e.relative, e.area_mm2, e.tdp_w, e.design.name)):
        if not any(k.area_mm2 <= e.area_mm2 and k.tdp_w <= e.tdp_w for k in kept):
            kept.append(e)
    return kept


def _together(mined: Mined, earlier: Mined) -> Mined:
    """What two searches of the same problem found."""
    pool = {e.design: e for e in (*earlier.pool, *mined.pool)}
    return replace(mined, pool=tuple(by_value(pool.values())))


def _evaluation_to_json(evaluation: Evaluation) -> dict[str, Any]:
    return {"design": asdict(evaluation.design), "cycles": evaluation.cycles}


def _evaluations(problem: design_search.Problem, rows: Sequence[Mapping[str, Any]]) -> list[Evaluation]:
    return [design_search.evaluate(problem, Design.from_table(row["design"]), row["cycles"]) for row in rows]


def _mined_to_json(mined: Mined) -> dict[str, Any]:
    return {"pool": [_evaluation_to_json(e) for e in mined.pool], "finished": mined.finished}


def _mined_from_json(problem: design_search.Problem, row: Mapping[str, Any]) -> Mined:
    stop = StopReason.FINISHED if row["finished"] else StopReason.TIME
    return replace(NOTHING, stop=stop, pool=tuple(_evaluations(problem, row["pool"])))
