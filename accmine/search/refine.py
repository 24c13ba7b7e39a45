"""Schedules of what is chosen: those of the baseline, those that more effort finds, and the check of both."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from accmine.errors import CheckError
from accmine.hardware import Design
from accmine.plan import Plan
from accmine.ports import Stop
from accmine.problems import design_search
from accmine.problems.design_search import Evaluation, by_value
from accmine.problems.limits import within
from accmine.result import StopReason
from accmine.search.budget import ROUND
from accmine.search.candidates import GroupCandidates, problems_of
from accmine.search.kept import schedule_tasks, schedules_from_json, schedules_to_json
from accmine.search.schedules import TaskSchedule, schedule_task
from accmine.search.selection import PhaseSeconds, Selection, break_ties, select, settle, totals
from accmine.search.session import UNREADABLE, Member, Session
from accmine.search.value import FLOAT, by_stage, study_value

__all__ = [
    "Answer",
    "answer_of",
    "choose",
    "keep_answer",
    "not_worse",
    "own_bound",
    "references",
    "refine",
    "restore",
    "schedule_tasks",
    "verified",
]

ANSWER = "answer"
"""The part that is the best verified answer so far."""

ROUNDS = (0.7, 0.6, 1.0)
"""Refinements with a new choice after each, by their share of what the step has left: mostly what is chosen stays, and
the first is the only one."""

REFINED = 3
"""Candidates of a single group that are refined at least: refining may change which is best."""

LEAST_S = 1.0
"""What a choice may take in a run that is late: without one there is no answer at all, and mostly it takes less."""


@dataclass(frozen=True, eq=False)
class Answer:
    """Designs of every device with verified schedules.

    Attributes
    ----------
    value
        That the study minimises.
    phase_s
        Times of the phases of each stage of each pipeline.
    area_mm2, tdp_w
        Of all devices.
    final
        Schedule of each (pipeline, stage).
    found_by
        Who proposed the designs.
    selection
        The choice among candidates that it is; ``None`` for designs that were given.
    """

    value: float
    phase_s: PhaseSeconds
    area_mm2: float
    tdp_w: float
    final: Mapping[Member, TaskSchedule]
    found_by: str = ""
    selection: Selection | None = None

    def designs(self) -> tuple[Design, ...]:
        """One per device, pipeline by pipeline."""
        return tuple(self.final[member].design for member in sorted(self.final))


def answer_of(plan: Plan, final: Mapping[Member, TaskSchedule], found_by: str = "") -> Answer:
    """The answer that schedules make; whether its designs meet the limits is not looked at."""
    phase_s = _phases(plan, {member: schedule.phase_s for member, schedule in final.items()})
    area, tdp = totals(plan, {member: schedule.design for member, schedule in final.items()})
    return Answer(float(study_value(plan, phase_s, tdp)), phase_s, area, tdp, final, found_by)


def own_bound(plan: Plan, answer: Answer) -> float:
    """No schedules of the designs of an answer give a lower value: the bounds of its schedules on the same timeline."""
    bounds = {
        member: tuple(float(phase.result.bound or 0) / schedule.design.frequency_hz for phase in schedule.phases)
        for member, schedule in answer.final.items()
    }
    value = float(study_value(plan, _phases(plan, bounds), answer.tdp_w)) * (1 - FLOAT)
    return min(value, answer.value)


def _phases(plan: Plan, times: Mapping[Member, tuple[float, ...]]) -> PhaseSeconds:
    return tuple(tuple(times[w, s] for s in range(len(p.tasks))) for w, p in enumerate(plan.pipelines))


def references(session: Session) -> None:
    """Schedule the baseline on every device; its step times are the references of the plan.

    They are the unit of every value: those of an earlier try stay, whatever budget it had.
    """
    plan = session.plan
    session.list_s = _measured(session)
    jobs = [(task, session.library, plan.baseline) for task in plan.tasks]
    done = by_stage(plan, schedule_tasks(session, jobs, plan.study.search.refine, session.part(), once=True))
    for w, own in enumerate(done):
        for s, schedule in enumerate(own):  # as a candidate the baseline is as fast as it is as the reference
            session.schedules[(w, s), plan.baseline] = schedule
            session.cycles[schedule.task, plan.baseline] = tuple(phase.cycles for phase in schedule.phases)
    session.plan = plan.referred_to([[schedule.phase_s for schedule in own] for own in done])


def _measured(session: Session) -> float:
    """Seconds that list schedules of all tasks take here, from those of the smallest."""
    sizes = {task.signature: sum(len(phase.graph) for phase in task.phases) for task in session.plan.tasks}
    task = min(session.plan.tasks, key=lambda task: sizes[task.signature])
    began = time.monotonic()
    schedule_task(task, session.library, session.plan.baseline, "list", Stop(), session.seed)
    return (time.monotonic() - began) * sum(sizes.values()) / sizes[task.signature]


def choose(session: Session, mode: str, groups: Sequence[GroupCandidates], stop: Stop) -> Selection:
    """The best choice among the candidates under the rule for ties; without ``chosen`` if there is none.

    Raises
    ------
    KeyboardInterrupt
        If the solver heard Ctrl-C and no choice is known, or it was not the first one.
    """
    if stop.seconds is not None:
        stop = replace(stop, seconds=max(LEAST_S, stop.seconds))
    found = select(session, mode, groups, stop)
    if found.result.stop is StopReason.INTERRUPTED:
        if session.interrupted or not found.chosen:
            raise KeyboardInterrupt
        session.interrupt()
    return break_ties(session.plan, found)


def refine(session: Session, first: Selection) -> Iterator[Answer]:
    """Refine the schedules of what is chosen and choose again, until everything chosen is refined.

    Every answer on the way is verified. The last one follows the rule for ties; one before may be better within it.
    """
    plan, chosen = session.plan, first
    for share in ROUNDS:
        known = session.schedules
        jobs = [job for job in _jobs(chosen) if job not in known or not known[job].settled]
        if jobs:
            work = [(plan.pipelines[w].tasks[s], session.library, design) for (w, s), design in jobs]
            stop = session.part(share * ROUND["schedule"])
            before = [known.get(job) for job in jobs]
            done = schedule_tasks(session, work, plan.study.search.refine, stop, known=before)
            session.schedules.update(zip(jobs, done, strict=True))
        yield verified(session, chosen)
        if not jobs or session.budget.over:
            return
        groups = [with_schedules(session, g) for g in chosen.groups]
        again = choose(session, chosen.mode, groups, session.part(share * ROUND["select"]))
        if not again.chosen or again.value == inf:
            return
        chosen = again


def _jobs(chosen: Selection) -> list[tuple[Member, Design]]:
    """Device and design of what is chosen, and of the first candidates of a single group."""
    jobs: list[tuple[Member, Design]] = []
    for g, own in zip(chosen.groups, chosen.chosen, strict=True):
        more = g.candidates[: REFINED if len(chosen.groups) == 1 else 1]
        designs = dict.fromkeys([own.design, *(e.design for e in more)])
        jobs += [(member, design) for design in designs for member in g.group.members]
    return jobs


def with_schedules(session: Session, g: GroupCandidates) -> GroupCandidates:
    """The group with the makespans of the schedules that the session knows, where they are shorter; best first."""

    def improved(evaluation: Evaluation) -> Evaluation:
        cycles = []
        for member, own in zip(g.group.members, evaluation.cycles, strict=True):
            known = session.schedules.get((member, evaluation.design))
            found = own if known is None else tuple(phase.cycles for phase in known.phases)
            cycles.append(tuple(min(pair) for pair in zip(own, found, strict=True)))
        if tuple(cycles) == evaluation.cycles:
            return evaluation
        return design_search.evaluate(g.problem, evaluation.design, cycles)

    return replace(g, candidates=tuple(by_value(map(improved, g.candidates))))


def verified(session: Session, chosen: Selection) -> Answer:
    """The selection as an answer: with a schedule of every device, checked against the search of its group.

    Devices whose designs nobody scheduled get list schedules.

    Raises
    ------
    CheckError
        If anything is violated.
    """
    final: dict[Member, TaskSchedule] = {}
    for g, own in zip(chosen.groups, chosen.chosen, strict=True):
        for member in g.group.members:
            key = (member, own.design)
            if key not in session.schedules:
                w, s = member
                job = (session.plan.pipelines[w].tasks[s], session.library, own.design)
                session.schedules[key] = schedule_tasks(session, [job], "list", Stop())[0]
            final[member] = session.schedules[key]
    settled = settle(session.plan, chosen, final)
    for g, own in zip(settled.groups, settled.chosen, strict=True):
        rows = tuple(tuple(phase.result.solution for phase in final[member].phases) for member in g.group.members)
        solution: Any = design_search.Solution(own.design, rows)  # type: ignore[arg-type]
        wrong = design_search.check_claim(g.problem, solution, own)
        if wrong:
            raise CheckError(f"{g.group.name}: {'; '.join(wrong)}")
    return Answer(settled.value, settled.phase_s, settled.area_mm2, settled.tdp_w, final, selection=settled)


def keep_answer(session: Session, answer: Answer, *, last: bool = False) -> None:
    """Keep an answer if it is the best one yet; the ``last`` one of a run that ends by itself whatever it is.

    A run that has to repeat keeps that one alone, for others: it never begins with it.
    """
    ended = last and not session.interrupted
    if ended or (answer.value < session.best and not session.repeats):
        session.best = answer.value
        session.keep(ANSWER, {"value": answer.value, "schedules": schedules_to_json(answer.final)})


def restore(session: Session) -> None:
    """Begin with the best answer that an earlier try or another run verified; its schedules are checked again.

    A run that has to repeat takes none of its own: its answer would depend on when the earlier try ended.
    """
    found: list[dict[Member, TaskSchedule]] = []
    if not session.repeats:
        own = session.known(ANSWER, lambda row: schedules_from_json(session, row["schedules"]))
        found += [] if own is None else [own.value]
    for row in session.answers:
        try:
            found.append(schedules_from_json(session, row["schedules"]))
        except UNREADABLE as error:
            session.watch.say(f"an answer of another run is not used: {' '.join(str(error).split())[:200]}")
    devices = [(w, s) for w, pipeline in enumerate(session.plan.pipelines) for s in range(len(pipeline.tasks))]
    answers = [answer_of(session.plan, own) for own in found if sorted(own) == devices]
    for answer in sorted(answers, key=lambda answer: -answer.value):  # the best one last
        if not _fits(session, answer):
            continue
        for member, schedule in answer.final.items():
            known = session.schedules.get((member, schedule.design))
            if known is None or schedule.busy_s < known.busy_s:
                session.schedules[member, schedule.design] = schedule
            cycles = tuple(phase.cycles for phase in schedule.phases)
            session.cycles.setdefault((schedule.task, schedule.design), cycles)
            session.earlier[member] = schedule.design
        session.first = tuple(dict.fromkeys([*session.earlier.values(), *session.first]))
        session.best = answer.value


def _fits(session: Session, answer: Answer) -> bool:
    """Whether an answer is one of the plan: within its limits and its space, with one design for each group."""
    plan = session.plan
    if not (within(answer.area_mm2, plan.area_mm2) and within(answer.tdp_w, plan.tdp_w)):
        return False
    groups = plan.groups(plan.study.mode)
    designs = [{answer.final[member].design for member in group.members} for group in groups]
    problems = problems_of(session, plan.study.mode)
    return all(len(own) == 1 and design_search.fits(p, *own) for p, own in zip(problems, designs, strict=True))


def not_worse(session: Session, answer: Answer) -> Answer:
    """The answer, or that of an earlier try where it has a lower value."""
    selection, plan, earlier = answer.selection, session.plan, session.earlier
    if selection is None or not earlier:
        return answer
    before = answer_of(plan, {member: session.schedules[member, design] for member, design in earlier.items()})
    if not _fits(session, before) or before.value >= answer.value:
        return answer
    groups, chosen = [], []
    for g in selection.groups:
        design = earlier[g.group.members[0]]
        cycles = [[phase.cycles for phase in before.final[member].phases] for member in g.group.members]
        chosen.append(design_search.evaluate(g.problem, design, cycles))
        rest = [e for e in with_schedules(session, g).candidates if e.design != design]
        groups.append(replace(g, candidates=tuple(by_value([*rest, chosen[-1]]))))
    area, tdp = before.area_mm2, before.tdp_w
    found = replace(selection, groups=tuple(groups), chosen=tuple(chosen), area_mm2=area, tdp_w=tdp)
    return verified(session, found)
