"""Stages alone: their value in an answer, and what no design of the space can beat for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from accmine.hardware import smallest
from accmine.plan import Group, Plan
from accmine.problems import design_search
from accmine.problems.design_search.space_bound import Block, PhaseSeconds, scan
from accmine.problems.limits import widened
from accmine.search import FLOAT, Answer, Member, chips_of, stage_value
from accmine.workload import Task

__all__ = ["PROOF", "stage_bounds", "stage_own_bound"]

FloatArray = npt.NDArray[np.float64]

PROOF = "scan of every design within what the least designs of the other devices leave"
"""How the bound of a stage is proved."""


def stage_own_bound(plan: Plan, answer: Answer, member: Member, tdp_w: float) -> float:
    """No schedules of the design of a stage give it a lower value."""
    schedule = answer.final[member]
    bounds = [float(phase.result.bound or 0) / schedule.design.frequency_hz for phase in schedule.phases]
    value = float(stage_value(plan, schedule.task, schedule.phase_s, tdp_w))
    return min(value, float(stage_value(plan, schedule.task, bounds, tdp_w)) * (1 - FLOAT))


@dataclass(frozen=True)
class _Room:
    """What one device of a group may take, and what it has to hold."""

    area_mm2: float
    tdp_w: float
    memory_bytes: int


def stage_bounds(
    plan: Plan, groups: Sequence[Group], problems: Sequence[design_search.Problem]
) -> Mapping[Member, float]:
    """Bound of the value of every stage over the designs its device can have in any choice within the limits.

    The other devices take at least the area and the TDP of the smallest design that holds their tasks.
    """
    rooms = _rooms(plan, groups, problems)
    known: dict[object, float] = {}
    found: dict[Member, float] = {}
    for group, problem, room in zip(groups, problems, rooms, strict=True):
        for w, s in group.members:
            task = plan.pipelines[w].tasks[s]
            key = (task.signature, room)
            if key not in known:
                known[key] = _bound(plan, problem, task, room)
            found[w, s] = known[key]
    return found


def _rooms(plan: Plan, groups: Sequence[Group], problems: Sequence[design_search.Problem]) -> list[_Room]:
    least = []
    for problem in problems:
        holding = tuple(size for size in plan.template.hbm_bytes if size >= problem.memory_bytes)
        found = smallest(replace(plan.template, hbm_bytes=holding), plan.technology)
        least.append((found.area_mm2, found.tdp_w or 0.0))
    chips = [chips_of(plan, group.members) for group in groups]
    rooms = []
    for i, problem in enumerate(problems):
        others = [
            sum(c * own[k] for j, (c, own) in enumerate(zip(chips, least, strict=True)) if j != i) for k in (0, 1)
        ]
        # A part in 1e9 of the limits more than is left: a design may only be left out when it surely does not fit.
        area = (widened(plan.area_mm2) - others[0]) / chips[i]
        tdp = (widened(plan.tdp_w) - others[1]) / chips[i]
        rooms.append(_Room(min(problem.area_mm2, area), min(problem.tdp_w, tdp), problem.memory_bytes))
    return rooms


def _bound(plan: Plan, problem: design_search.Problem, task: Task, room: _Room) -> float:
    holding = tuple(size for size in plan.template.hbm_bytes if size >= room.memory_bytes)
    alone = replace(
        problem,
        tasks=(task,),
        reference_s=(1.0,),
        weights=(1.0,),
        template=replace(problem.template, hbm_bytes=holding),
        area_mm2=room.area_mm2,
        tdp_w=room.tdp_w,
        shares=(),
    )

    def value(seconds: PhaseSeconds, block: Block) -> FloatArray:
        return np.asarray(stage_value(plan, task, seconds[0], block.tdp_w), dtype=np.float64)

    return scan(alone, value).value * (1 - FLOAT)
