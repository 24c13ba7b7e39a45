"""Answers of a gap measurement: designs for every device with verified schedules, chosen and refined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from math import inf

from accmine.cost.modes import CostLibrary
from accmine.errors import CheckError
from accmine.hardware.design import Design
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.plan.plan import Plan
from accmine.ports import Stop
from accmine.problems import design_search
from accmine.problems.design_search import Evaluation
from accmine.problems.operator_schedule import Solution
from accmine.result import StopReason
from accmine.search import bounds as certify
from accmine.search.candidates import GroupCandidates, Selection, select, study_value
from accmine.search.schedules import TaskSchedule, schedule_tasks
from accmine.search.ties import chips_of

__all__ = ["Answer", "Member", "Scheduler", "answer_of", "better_of", "choose", "own_bound", "refine", "totals"]

Member = tuple[int, int]
"""(pipeline, stage)."""

PhaseSeconds = tuple[tuple[tuple[float, ...], ...], ...]
"""Times of the phases of each stage of each pipeline."""

REFINED, ROUNDS = 3, 3
"""Candidates of a single group that are refined at least, and refinements with a new choice after each."""


@dataclass(frozen=True, eq=False)
class Answer:
    """Designs and verified schedules of every device.

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
    """

    value: float
    phase_s: PhaseSeconds
    area_mm2: float
    tdp_w: float
    final: Mapping[Member, TaskSchedule]
    found_by: str

    def designs(self) -> tuple[Design, ...]:
        """One per device, pipeline by pipeline."""
        return tuple(self.final[member].design for member in sorted(self.final))


@dataclass(frozen=True, eq=False)
class Scheduler:
    """How much is done to refine and to choose.

    Attributes
    ----------
    refining, selecting
        Limits of one refinement (``seconds`` of several schedules together, ``work`` of each), and of one choice.
    """

    plan: Plan
    library: CostLibrary
    refining: Stop
    selecting: Stop
    seed: int
    executor: Executor | None

    def schedules(
        self, jobs: Sequence[tuple[Member, Design]], effort: str
    ) -> dict[tuple[Member, Design], TaskSchedule]:
        """Verified schedules of designs for (pipeline, stage)."""
        work = [(self.plan.pipelines[w].tasks[s], self.library, design) for (w, s), design in jobs]
        # Every schedule gets the whole deterministic limit, so that a design fares the same beside any others.
        distinct = len({(task.signature, design) for task, _, design in work})
        limit = None if self.refining.work is None else self.refining.work * distinct
        done = schedule_tasks(work, effort, replace(self.refining, work=limit), self.seed, self.executor)
        return dict(zip(jobs, done, strict=True))


def totals(plan: Plan, designs: Mapping[Member, Design]) -> tuple[float, float]:
    """(area in mm², TDP in W) of all chips; workloads that take turns share theirs."""
    area = tdp = 0.0
    for group in plan.groups(plan.study.mode):
        chips, design = chips_of(plan, group.members), designs[group.members[0]]
        area += chips * area_mm2(design, plan.technology)
        tdp += chips * tdp_w(design, plan.technology)
    return area, tdp


def answer_of(plan: Plan, final: Mapping[Member, TaskSchedule], found_by: str) -> Answer:
    """The answer that schedules make; whether its designs meet the limits is not looked at."""
    phase_s = _by_stage(plan, lambda member: final[member].phase_s)
    area, tdp = totals(plan, {member: schedule.design for member, schedule in final.items()})
    return Answer(float(study_value(plan, phase_s, tdp)), phase_s, area, tdp, final, found_by)


def own_bound(plan: Plan, answer: Answer) -> float:
    """No schedules of the answer's designs give a lower value: the bounds of their schedules on the same timeline."""
    return min(certify.own_bound(plan, answer.final, answer.tdp_w), answer.value)


def _by_stage(plan: Plan, times: Callable[[Member], tuple[float, ...]]) -> PhaseSeconds:
    return tuple(tuple(times((w, s)) for s in range(len(p.tasks))) for w, p in enumerate(plan.pipelines))


def better_of(*answers: Answer | None) -> Answer | None:
    """The least value; of equals the first."""
    known = [answer for answer in answers if answer is not None and answer.value < inf]
    return min(known, key=lambda answer: answer.value, default=None)


def choose(scheduler: Scheduler, groups: Sequence[GroupCandidates]) -> Selection | None:
    """The best choice among the candidates; ``None`` where a group has none or no choice meets the limits."""
    plan = scheduler.plan
    if not groups or not all(g.candidates for g in groups):
        return None
    found = select(plan, plan.study.mode, groups, plan.study.search.select, scheduler.selecting, scheduler.seed)
    if found.result.stop is StopReason.INTERRUPTED:
        raise KeyboardInterrupt
    return found if found.chosen and found.value < inf else None


def refine(
    scheduler: Scheduler,
    groups: Sequence[GroupCandidates],
    first: Selection,
    found_by: Callable[[Sequence[Design]], str],
    heard: Callable[[float], None] = lambda _: None,
) -> Answer:
    """Refine the schedules of what is chosen and choose again, until everything chosen is refined.

    ``heard`` is called with every better value. The answer is the best verified one on the way: with schedules that
    are never worse than those of ``first`` it is no worse than it.
    """
    plan = scheduler.plan
    schedules: dict[tuple[Member, Design], TaskSchedule] = {}
    best: Answer | None = None
    chosen: Selection | None = first
    for _ in range(ROUNDS):
        if chosen is None:
            break
        jobs = [job for job in _jobs(chosen) if job not in schedules]
        if jobs:
            schedules |= scheduler.schedules(jobs, plan.study.search.refine)
        own = {m: e.design for g, e in zip(chosen.groups, chosen.chosen, strict=True) for m in g.group.members}
        final = {member: schedules[member, design] for member, design in own.items()}
        answer = answer_of(plan, final, "")
        if best is None or answer.value < best.value:
            _check(groups, answer)
            best = replace(answer, found_by=found_by(answer.designs()))
            heard(best.value)
        if not jobs:
            break
        groups = [_with_schedules(g, schedules) for g in groups]
        chosen = choose(scheduler, groups)
    assert best is not None
    return best


def _jobs(chosen: Selection) -> list[tuple[Member, Design]]:
    """(pipeline, stage) and design of what is chosen, and of the first candidates of a single group."""
    jobs: list[tuple[Member, Design]] = []
    for g, own in zip(chosen.groups, chosen.chosen, strict=True):
        more = g.candidates[: REFINED if len(chosen.groups) == 1 else 0]
        designs = dict.fromkeys([own.design, *(e.design for e in more)])
        jobs += [(member, design) for design in designs for member in g.group.members]
    return jobs


def _with_schedules(g: GroupCandidates, schedules: Mapping[tuple[Member, Design], TaskSchedule]) -> GroupCandidates:
    """The group with the makespans of the schedules there are."""

    def known(evaluation: Evaluation) -> Evaluation:
        if any((member, evaluation.design) not in schedules for member in g.group.members):
            return evaluation
        own = [schedules[member, evaluation.design] for member in g.group.members]
        cycles = [[phase.cycles for phase in schedule.phases] for schedule in own]
        return design_search.evaluate(g.problem, evaluation.design, cycles)

    candidates = sorted(map(known, g.candidates), key=lambda e: (e.value, e.tdp_w, e.area_mm2, e.design.name))
    return replace(g, candidates=tuple(candidates))


def _check(groups: Sequence[GroupCandidates], answer: Answer) -> None:
    """Check designs and schedules against the search problems of their groups.

    Raises
    ------
    CheckError
        If anything is violated.
    """
    for g in groups:
        own = [answer.final[member] for member in g.group.members]
        solutions: list[tuple[Solution, ...]] = []
        for schedule in own:
            found = [phase.result.solution for phase in schedule.phases]
            solutions.append(tuple(solution for solution in found if solution is not None))
        cycles = [[phase.cycles for phase in schedule.phases] for schedule in own]
        claim = design_search.evaluate(g.problem, own[0].design, cycles)
        wrong = design_search.check(g.problem, design_search.Solution(own[0].design, tuple(solutions)), claim)
        if wrong:
            raise CheckError(f"{g.group.name}: {'; '.join(wrong)}")
