"""The flow of a run: what is computed after what, and what an interrupt leaves.

plan → schedule the baseline → mine candidates → select → refine what was selected and select again →
bound over the whole space → compare and explain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import Any

from accmine.errors import CheckError, InfeasibleError, NothingFoundError
from accmine.hardware.design import Design
from accmine.plan.plan import Group, Plan
from accmine.ports import Incumbent, Stop
from accmine.problems import design_search, operator_schedule
from accmine.problems.design_search import Evaluation
from accmine.problems.limits import within
from accmine.questions.run.baselines import baseline_rows, binding_limits, change_rows, variant_sentence
from accmine.questions.run.contention import contentions
from accmine.questions.run.folder import RunFolder
from accmine.questions.run.record import Outcome
from accmine.questions.run.summary import Findings, _metric, summarize, trace_lanes
from accmine.report.progress import Watch
from accmine.search.bounds import WholeBound, bound_whole, only_design, own_bound
from accmine.search.candidates import GroupCandidates, Selection, search_problem, select, settle
from accmine.search.feasibility import require_feasible
from accmine.search.floor import FloorQuestion, nothing_fits
from accmine.search.mining import NOTHING, candidates_of, promising_designs
from accmine.search.proof import provable, prove, with_evaluations
from accmine.search.schedules import TaskSchedule, schedule_task, schedule_tasks
from accmine.search.session import Context
from accmine.search.ties import break_ties
from accmine.workers import workers

__all__ = ["solve_study"]

MODES = ("common", "homogeneous", "heterogeneous")

REFINING, SELECTING, BOUNDING, COMPARING, PROVING = 0.1, 0.05, 0.1, 0.05, 0.25
"""Shares of the time budget, beside those of ``mining``; what a part leaves is not handed on."""

REFINED = 3
"""Candidates of each group that are refined at least: refining may change which is best."""


def solve_study(
    plan: Plan,
    folder: RunFolder,
    on_progress: Incumbent,
    *,
    first: Sequence[Design] = (),
    compare: bool = True,
    watch: Watch | None = None,
    candidates: list[Design] | None = None,
) -> tuple[Outcome, list[Any]]:
    """Everything between the plan and the files.

    Returns the outcome and the lanes of its schedule trace. Ctrl-C ends what is being searched or refined;
    what is verified by then is reported with stop ``interrupted``. A second one ends the run.

    Parameters
    ----------
    plan
        With references, its baseline is not scheduled again: values of several plans can be compared.
    first
        Designs that are candidates beside the baseline and what the search proposes.
    compare
        Whether to compare the answer with baselines, other modes and another technology.
    watch
        Told each step as it begins, and the unit of the study once it is known.
    candidates
        A list that the designs of the selection are added to, those of each group best first.
    """
    budget = plan.study.budget
    stop = Stop(
        seconds=None if budget.deterministic else budget.seconds,
        work=budget.work,
        workers=1 if budget.deterministic else budget.workers,
    )
    library = plan.library()
    with workers(stop.workers, [*plan.tasks, library]) as executor:
        context = Context(plan, library, stop, budget.seed, executor, on_progress)
        context.first, context.compare = tuple(first), compare
        if watch is not None:
            context.on_step = _told(context, watch)
        findings = _solve_in(context, folder)
    if candidates is not None:
        candidates += [e.design for g in findings.chosen.groups for e in g.candidates[: plan.study.search.top_k]]
    return summarize(findings), trace_lanes(findings)


def _told(context: Context, watch: Watch) -> Callable[[str], None]:
    """Tells of the steps; values have a unit as soon as the baseline, to which they are relative, is scheduled."""

    def on_step(name: str) -> None:
        watch.step(name)
        if context.plan.reference_s:
            _, unit, _, shown = _metric(context.plan)
            watch.unit(unit, shown)

    return on_step


def _solve_in(context: Context, folder: RunFolder) -> Findings:
    study = context.plan.study
    require_feasible(context.plan, context.plan.groups(study.mode))
    if not context.plan.reference_s:
        with context.step("baseline"):
            _schedule_baseline(context)
    plan = context.plan
    groups: dict[str, list[GroupCandidates]] = {}
    whole: WholeBound | None = None
    if len(plan.groups(study.mode)) == 1:
        # One design: the scan needs no candidates, so there is a gap to look at from the first incumbent on.
        alone = [_without_candidates(context, plan.groups(study.mode)[0])]
        with context.step("bound"):
            whole = _bound(context, study.mode, alone)
        if whole.value == inf:
            raise _nothing(context, study.mode, alone, "proven by the bound of every design")
        context.progress(None, whole.value)
    with context.step("mine"):
        for mode in _modes(plan):
            # What serves all stages well is where the search for each stage begins.
            known = [e.design for g in groups.get("common", []) for e in g.candidates[:5]]
            begin = [plan.baseline, *context.first, *known, *promising_designs(context, mode)]
            groups[mode] = candidates_of(context, mode, folder, begin, len(_modes(plan)))
    with context.step("select"):
        first = _select(context, study.mode, groups[study.mode])
        context.progress(first.value, None)
    schedules = dict(context.baseline)
    chosen = first
    if not context.interrupted:
        with context.step("refine"), context.interruptible():
            chosen = _refine(context, study.mode, groups, first, schedules)
    if whole is not None and not context.interrupted and provable(plan, study.mode):
        with context.step("prove"), context.interruptible():
            chosen, whole = _prove(context, groups, chosen, whole, schedules)
    final = _final_schedules(context, chosen, schedules)
    chosen = settle(plan, chosen, final)
    _check(context, chosen, final)
    if whole is None:
        with context.step("bound"):
            whole = _bound(context, study.mode, chosen.groups)
    own = own_bound(plan, final, chosen.tdp_w)
    whole = only_design(whole, len(chosen.groups), own)
    if not within(whole.value, chosen.value):
        raise CheckError(f"bound {whole.value} of the whole is above a verified value, {chosen.value}")
    context.progress(chosen.value, whole.value)
    findings = Findings(
        plan=plan,
        first=first,
        chosen=chosen,
        modes={study.mode: chosen},
        final=final,
        whole=whole,
        own_bound=own,
        baselines=(),
        changes=(),
        variant="not looked at" + (": the run was interrupted" if context.interrupted else ""),
        interrupted=context.interrupted,
        seconds=context.seconds,
        trace=tuple(context.trace),
    )
    if context.compare and not context.interrupted:
        with context.step("compare"), context.interruptible():
            findings = _compare(context, groups, findings)
    return replace(findings, interrupted=context.interrupted)


def _modes(plan: Plan) -> tuple[str, ...]:
    """The modes that are selected: of a pipeline all three, side by side, when the study asks for the richest."""
    deep = any(len(pipeline.tasks) > 1 for pipeline in plan.pipelines)
    if not deep or plan.study.mode != "heterogeneous":
        return (plan.study.mode,)
    return MODES if len(plan.pipelines) > 1 else ("common", "heterogeneous")


def _schedule_baseline(context: Context) -> None:
    """Schedule the baseline on every device; its step times are the references of the plan."""
    plan = context.plan
    jobs = [(task, context.library, plan.baseline) for task in plan.tasks]
    rows = iter(schedule_tasks(jobs, plan.study.search.refine, context.part(REFINING), context.seed, context.executor))
    by_stage = [[next(rows) for _ in pipeline.tasks] for pipeline in plan.pipelines]
    for w, own in enumerate(by_stage):
        for s, schedule in enumerate(own):  # as a candidate the baseline is as fast as it is as the reference
            context.baseline[(w, s), plan.baseline] = schedule
            context.cycles[schedule.task, plan.baseline] = tuple(phase.cycles for phase in schedule.phases)
    context.plan = plan.referred_to([[schedule.phase_s for schedule in own] for own in by_stage])


def _select(context: Context, mode: str, groups: Sequence[GroupCandidates]) -> Selection:
    plan = context.plan
    empty = [g.group.name for g in groups if not g.candidates]
    if empty:
        raise _nothing(context, mode, groups, f"no design found for {', '.join(empty)}")
    chosen = select(plan, mode, groups, plan.study.search.select, context.part(SELECTING), context.seed)
    if not chosen.chosen:
        remedy = "; ".join(chosen.result.remedy)
        why = f"no choice among the candidates meets all limits ({remedy})" if remedy else "no choice was found in time"
        raise _nothing(context, mode, groups, why)
    return break_ties(plan, chosen)


def _bound(context: Context, mode: str, groups: Sequence[GroupCandidates]) -> WholeBound:
    """The bound of the whole; of the groups only the problems matter."""
    solver, stop = context.plan.study.search.select, context.part(BOUNDING)
    return bound_whole(context.plan, mode, groups, solver, stop, context.seed, context.executor)


def _without_candidates(context: Context, group: Group) -> GroupCandidates:
    return GroupCandidates(group, search_problem(context.plan, group, 1, context.library), NOTHING, ())


def _nothing(
    context: Context, mode: str, groups: Sequence[GroupCandidates], why: str
) -> InfeasibleError | NothingFoundError:
    """Whether it is proven that there is nothing, or only nothing was found."""
    plan = context.plan
    whole = _bound(context, mode, groups)
    if whole.value < inf:
        message = f"{why}; proven is only that the value is at least {whole.value:.6g}; a longer budget may help"
        return NothingFoundError(message, whole.value)
    stop = context.part(BOUNDING)
    question = FloorQuestion(plan, mode, groups, context.library, stop, context.seed, context.executor)
    return nothing_fits(question, why)


def _refine(
    context: Context,
    mode: str,
    groups: dict[str, list[GroupCandidates]],
    selection: Selection,
    schedules: dict[tuple[tuple[int, int], Design], TaskSchedule],
) -> Selection:
    """Refine the schedules of what is selected, and select again, until everything selected is refined."""
    plan = context.plan
    effort = plan.study.search.refine
    for _ in range(REFINED):
        jobs: list[tuple[tuple[int, int], Design]] = []
        for g, own in zip(selection.groups, selection.chosen, strict=True):
            count = REFINED if len(selection.groups) == 1 else 1
            designs = [own.design, *(e.design for e in g.candidates[:count])]
            jobs += [(member, d) for d in dict.fromkeys(designs) for member in g.group.members]
        jobs = [job for job in jobs if job not in schedules]
        if not jobs:
            break
        work = [(plan.pipelines[w].tasks[s], context.library, design) for (w, s), design in jobs]
        done = schedule_tasks(work, effort, context.part(REFINING), context.seed, context.executor)
        schedules.update(zip(jobs, done, strict=True))
        for name, known in groups.items():
            groups[name] = [_with_schedules(g, schedules) for g in known]
        selection = _select(context, mode, groups[mode])
        context.progress(selection.value, None)
    return selection


def _prove(
    context: Context,
    groups: dict[str, list[GroupCandidates]],
    selection: Selection,
    whole: WholeBound,
    schedules: dict[tuple[tuple[int, int], Design], TaskSchedule],
) -> tuple[Selection, WholeBound]:
    """Search every design with a proof; what it finds joins the candidates, with its schedules."""
    plan, mode = context.plan, selection.mode
    (g,) = selection.groups
    first = [*(e.design for e in selection.chosen), *(e.design for e in g.candidates[:REFINED])]

    def heard(seconds: float, objective: float | None, bound: float | None) -> None:
        del seconds, objective  # not the study's until the flow has scheduled it
        context.progress(None, bound)

    proof = prove(plan, g, whole, first, context.part(PROVING), context.seed, heard)
    known = {e.design: e.value for e in g.candidates}
    value = {e.design: e.value for e in proof.mined.pool}
    better = [x for x in proof.mined.solutions if value.get(x.design, inf) < known.get(x.design, inf)]
    for found in better:
        for (w, s), own in zip(g.group.members, found.schedules, strict=True):
            start = _shorter(schedules.get(((w, s), found.design)), own)
            task = plan.pipelines[w].tasks[s]
            schedules[(w, s), found.design] = schedule_task(
                task, context.library, found.design, "list", Stop(), context.seed, known=start
            )
    if proof.mined.interrupted:
        context.interrupt()
    if not better:
        return selection, proof.whole
    scheduled = {x.design for x in better}
    evaluations = [e for e in proof.mined.pool if e.design in scheduled]
    groups[mode] = [_with_schedules(with_evaluations(g, evaluations), schedules)]
    chosen = _select(context, mode, groups[mode])
    context.progress(chosen.value, None)
    return chosen, proof.whole


def _shorter(
    before: TaskSchedule | None, found: Sequence[operator_schedule.Solution]
) -> list[operator_schedule.Solution]:
    """The shorter schedule of every phase."""
    if before is None:
        return list(found)
    rows = zip(before.phases, found, strict=True)
    return [
        new
        if old.result.solution is None or operator_schedule.objective(old.lowered.problem, new) < old.cycles
        else old.result.solution
        for old, new in rows
    ]


def _with_schedules(
    g: GroupCandidates, schedules: dict[tuple[tuple[int, int], Design], TaskSchedule]
) -> GroupCandidates:
    """The group with the makespans of refined schedules where they are shorter."""

    def improved(evaluation: Evaluation) -> Evaluation:
        cycles = []
        for member, own in zip(g.group.members, evaluation.cycles, strict=True):
            refined = schedules.get((member, evaluation.design))
            found = own if refined is None else tuple(phase.cycles for phase in refined.phases)
            cycles.append(tuple(min(pair) for pair in zip(own, found, strict=True)))
        if tuple(cycles) == evaluation.cycles:
            return evaluation
        return design_search.evaluate(g.problem, evaluation.design, cycles)

    return replace(g, candidates=tuple(improved(e) for e in g.candidates))


def _final_schedules(
    context: Context, selection: Selection, schedules: dict[tuple[tuple[int, int], Design], TaskSchedule]
) -> dict[tuple[int, int], TaskSchedule]:
    """The schedule of every device as selected."""
    final: dict[tuple[int, int], TaskSchedule] = {}
    for g, own in zip(selection.groups, selection.chosen, strict=True):
        for member in g.group.members:
            key = (member, own.design)
            if key not in schedules:
                w, s = member
                job = (context.plan.pipelines[w].tasks[s], context.library, own.design)
                schedules[key] = schedule_tasks([job], "list", Stop(), context.seed)[0]
            final[member] = schedules[key]
    return final


def _check(context: Context, selection: Selection, final: dict[tuple[int, int], TaskSchedule]) -> None:
    """Check every design and schedule of the answer against the search problem of its group."""
    for g, own in zip(selection.groups, selection.chosen, strict=True):
        schedules = tuple(tuple(phase.result.solution for phase in final[member].phases) for member in g.group.members)
        wrong = design_search.check(g.problem, design_search.Solution(own.design, schedules), own)  # type: ignore[arg-type]
        if wrong:
            raise CheckError(f"{g.group.name}: {'; '.join(wrong)}")


def _compare(context: Context, groups: dict[str, list[GroupCandidates]], findings: Findings) -> Findings:
    """The findings with modes, baselines, changes and the technology variant."""
    plan, chosen, final = context.plan, findings.chosen, findings.final
    own: str = plan.study.mode
    modes: dict[str, Selection] = {own: chosen}
    for mode, candidates in groups.items():
        if mode != own:
            with suppress(InfeasibleError, NothingFoundError):  # another mode that nothing fits is left out
                modes[mode] = _select(context, mode, candidates)
    if "common" in modes and len(plan.pipelines) == 1 and own == "heterogeneous":
        # One design for the stages of one pipeline is one design for all devices.
        modes["homogeneous"] = modes["common"]
    modes = {mode: modes[mode] for mode in MODES if mode in modes}
    designs = [final[w, s].design for w, p in enumerate(plan.pipelines) for s in range(len(p.tasks))]
    stop = context.part(COMPARING)
    return replace(
        findings,
        modes=modes,
        baselines=baseline_rows(plan, context.library, chosen, designs, stop, context.seed, context.executor),
        changes=change_rows(plan, context.library, chosen, designs, context.seed),
        binding=binding_limits(plan, chosen, context.part(SELECTING), context.seed),
        variant=variant_sentence(plan, chosen, context.part(SELECTING), context.seed),
        contention=contentions(final, context.library, context.seed),
    )
