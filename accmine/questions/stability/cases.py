"""One case of a decision under other constants: who fits, who is best, and how far the chosen designs are from it.

Times are those of orders that are kept (``timing``), so that a case is arithmetic: every design has
the same number of schedules behind it, made under the same calibrations, and the shortest counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost import CostLibrary
from accmine.hardware import Calibration, Design
from accmine.hardware.technology import Technology, area_mm2, tdp_w
from accmine.plan import COSTS, Group, Plan, exceeded, under_technology
from accmine.ports import Stop
from accmine.problems.design_search import Evaluation, Problem
from accmine.problems.design_search.lowering import lower
from accmine.questions.stability.draws import Constant, factors, moved
from accmine.questions.stability.timing import phase_cycles
from accmine.search import NOTHING, RUN, Budget, GroupCandidates, Session, chips_of, select, study_value
from accmine.solving import solve
from accmine.workload import Task

__all__ = ["Case", "Key", "World", "checked", "first_orders", "list_makespans", "more_orders", "settle"]

FloatArray = npt.NDArray[np.float64]

Key = tuple[int, Design]
"""Index of a task of the plan (the first of those that are equal), and a design."""

Cycles = Mapping[Key, FloatArray]
"""Makespans of the phases in one case; each of shape (phases,)."""

MANY_PASSES = 24
"""List schedules where the effort itself is in question: the whole portfolio, and repeated ones."""

MORE = 12
"""Draws under whose calibrations designs that may be the best are scheduled as well. With 12, kept orders were -1 to
+2 % from 24 list schedules made for the draw (three designs, BERT-Large); with none, 0 to +4 %."""

SELECTION_GAP = 1e-3
"""Gap at which the selection of a pipeline's designs in a case may stop."""


@dataclass(frozen=True, eq=False)
class World:
    """What all cases share.

    Attributes
    ----------
    plan
        Of the study, with the nominal references of its baseline.
    rows
        Values of ``constants`` by case: nominal, draws, then both ends of each constant; shape (cases, constants).
    draws
        How many of the rows, after the first, are draws.
    problems
        Search of each group under the nominal constants.
    pools
        Designs of each group; ``chosen`` is the index of the answer in each.
    """

    plan: Plan
    library: CostLibrary
    constants: tuple[Constant, ...]
    rows: FloatArray
    draws: int
    groups: tuple[Group, ...]
    problems: tuple[Problem, ...]
    pools: tuple[tuple[Design, ...], ...]
    chosen: tuple[int, ...]
    seed: int

    def calibration(self, own: Calibration, case: int) -> Calibration:
        """The calibration of a design in a case."""
        return moved(own, self.constants, self.rows[case].tolist())

    def technology(self, case: int) -> Technology:
        """The technology of a case."""
        return self.plan.technology.perturbed(factors(self.constants, self.rows[case].tolist()))

    def end(self, constant: int, which: int) -> int:
        """The case with a constant at its low (0) or high (1) end."""
        return 1 + self.draws + 2 * constant + which

    def spread(self) -> list[int]:
        """``MORE`` draws that cover the ranges of the time model: each the farthest from those before it."""
        timing = [i for i, c in enumerate(self.constants) if c.is_timing]
        width = np.array([max(c.high - c.low, 1e-300) for c in self.constants if c.is_timing])
        points = self.rows[: 1 + self.draws, timing] / width
        near = np.abs(points - points[0]).max(axis=1, initial=0.0)
        found: list[int] = []
        while len(found) < MORE and near.max() > 0:
            found.append(int(near.argmax()))
            near = np.minimum(near, np.abs(points - points[found[-1]]).max(axis=1, initial=0.0))
        return found

    def first(self, member: tuple[int, int]) -> int:
        """Index of the first task of the plan that is equal to that of a member."""
        w, s = member
        own = self.plan.pipelines[w].tasks[s].signature
        return next(i for i, task in enumerate(self.plan.tasks) if task.signature == own)

    def answer(self) -> list[Design]:
        """The chosen design of each group."""
        return [pool[k] for pool, k in zip(self.pools, self.chosen, strict=True)]

    def keys(self, designs: Sequence[Sequence[Design]]) -> list[Key]:
        """Tasks of each group with designs of it, none twice."""
        rows = zip(self.groups, designs, strict=True)
        return list(dict.fromkeys((self.first(m), d) for g, own in rows for d in own for m in g.members))

    @property
    def needs_references(self) -> bool:
        """Whether the times of the baseline decide anything: else they scale all values alike."""
        return self.plan.floor > 0 or len(self.plan.pipelines) > 1


@dataclass(frozen=True)
class Case:
    """What is known of one case.

    Attributes
    ----------
    value
        Of the chosen designs, whatever the limits; as the study minimises it.
    broken
        Limits that the chosen designs break: ``area``, ``tdp``, ``floor``.
    best
        Least value within the limits; infinite if nothing of the pool fits.
    winner
        Index of the best design in the pool of each group; empty if nothing fits.
    values
        One group: value of every design of its pool, infinite where it does not fit. Several groups: empty.
    """

    value: float
    broken: tuple[str, ...]
    best: float
    winner: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def regret(self) -> float:
        """Relative distance of the chosen designs from the best; infinite where they break a limit."""
        return inf if self.broken else max(0.0, self.value / self.best - 1)


def list_makespans(task: Task, library: CostLibrary, design: Design, seed: int, passes: int = 4) -> FloatArray:
    """Makespans of list schedules of every phase, verified; shape (phases,)."""
    found = []
    for phase in task.phases:
        part = lower(phase.graph, library, design)
        found.append(solve(part.problem, "critical-path", stop=Stop(work=passes), seed=seed).objective)
    return np.array(found, dtype=np.float64)


def first_orders(world: World, key: Key, cases: Sequence[int]) -> FloatArray:
    """Makespans in ``cases`` of quick list schedules, whose order is kept; shape (phases, cases).

    They are made under the design's own calibration, the middle of all ranges, and near their slow end.
    """
    own = key[1].calibration
    return _kept(world, key, [own, _at(world, own, 0.5), _at(world, own, 0.1)], cases, "list")


def more_orders(world: World, key: Key, cases: Sequence[int]) -> FloatArray:
    """The same from schedules under the calibrations of ``world.spread``."""
    own = key[1].calibration
    return _kept(world, key, [world.calibration(own, case) for case in world.spread()], cases, "list")


def _kept(world: World, key: Key, scenarios: Sequence[Calibration], cases: Sequence[int], effort: str) -> FloatArray:
    index, design = key
    wanted = [world.calibration(design.calibration, case) for case in cases]
    return phase_cycles(world.plan.tasks[index], world.library, design, scenarios, wanted, effort, world.seed)


def _at(world: World, own: Calibration, share: float) -> Calibration:
    """The calibration at this share of every range, counted from the slow end."""
    row = [c.at(1 - share if c.name.endswith("launch_s") else share) if c.is_timing else 1.0 for c in world.constants]
    return moved(own, world.constants, row)


def settle(world: World, case: int, cycles: Cycles) -> Case:
    """Decide a case from the makespans in it of every task on the designs that it may have, and on the baseline."""
    times = _Times(world, cycles)
    plan = _referred(under_technology(world.plan, world.technology(case)), times)
    value = _valued(plan, world.groups, world.answer(), times)
    broken = _broken(plan, _fleet(plan, world.groups, world.answer()), value)
    best, winner, values = (_one if len(world.groups) == 1 else _several)(world, plan, times)
    if not broken and value <= best:
        best, winner = value, world.chosen
    return Case(value, broken, best, winner, values)


def checked(world: World, case: int, cycles: Cycles, winner: Sequence[int]) -> float:
    """The regret against ``winner`` with both scheduled under the constants of the case, with many list schedules."""
    rivals = [pool[index] for pool, index in zip(world.pools, winner, strict=True)]
    known = dict(cycles)
    for index, design in world.keys([[a, b] for a, b in zip(world.answer(), rivals, strict=True)]):
        there = replace(design, calibration=world.calibration(design.calibration, case))
        task = world.plan.tasks[index]
        known[index, design] = list_makespans(task, world.library, there, world.seed, MANY_PASSES)
    times = _Times(world, known)
    plan = _referred(under_technology(world.plan, world.technology(case)), times)
    own, other = (_valued(plan, world.groups, designs, times) for designs in (world.answer(), rivals))
    return own / other - 1


class _Times:
    """Makespans of one case as phase times."""

    def __init__(self, world: World, cycles: Cycles) -> None:
        self._cycles = cycles
        self._first = {member: world.first(member) for group in world.groups for member in group.members}

    def cycles(self, member: tuple[int, int], design: Design) -> FloatArray:
        """Makespans of the phases of a member's task."""
        return self._cycles[self._first[member], design]

    def phase_s(self, member: tuple[int, int], design: Design) -> tuple[float, ...]:
        """Phase times in seconds."""
        return tuple((self.cycles(member, design) / design.frequency_hz).tolist())


def _referred(plan: Plan, times: _Times) -> Plan:
    """The plan with the step and busy times of its baseline in this case."""
    return plan.referred_to(
        [[times.phase_s((w, s), plan.baseline) for s in range(len(p.tasks))] for w, p in enumerate(plan.pipelines)]
    )


def _fleet(plan: Plan, groups: Sequence[Group], designs: Sequence[Design]) -> list[tuple[Design, int]]:
    """One design for each group, and the chips of it that count against the limits."""
    return [(design, chips_of(plan, group.members)) for group, design in zip(groups, designs, strict=True)]


def _valued(plan: Plan, groups: Sequence[Group], designs: Sequence[Design], times: _Times) -> float:
    """Value of one design for each group."""
    by_member = {m: times.phase_s(m, d) for g, d in zip(groups, designs, strict=True) for m in g.members}
    phase_s = [[by_member[w, s] for s in range(len(p.tasks))] for w, p in enumerate(plan.pipelines)]
    tdp = sum(n * tdp_w(d, plan.technology) for d, n in _fleet(plan, groups, designs))
    return float(study_value(plan, phase_s, tdp))


def _broken(plan: Plan, fleet: Sequence[tuple[Design, int]], value: float) -> tuple[str, ...]:
    """Limits that designs, each on so many chips, break; ``value`` is ``inf`` below the floor."""
    over = {excess.limit.cost.key for excess in exceeded(plan, fleet)}
    return (*(cost.key for cost in COSTS if cost.key in over), *(["floor"] if value == inf else []))


def _one(world: World, plan: Plan, times: _Times) -> tuple[float, tuple[int, ...], tuple[float, ...]]:
    """The best design of the only group."""
    (group,), (pool,) = world.groups, world.pools
    values = []
    for design in pool:
        value = _valued(plan, [group], [design], times)
        values.append(inf if _broken(plan, _fleet(plan, [group], [design]), value) else value)
    best = min(values)
    return best, () if best == inf else (values.index(best),), tuple(values)


def _several(world: World, plan: Plan, times: _Times) -> tuple[float, tuple[int, ...], tuple[float, ...]]:
    """The best selection of a design for each of several groups."""
    groups = []
    for problem, group, pool in zip(world.problems, world.groups, world.pools, strict=True):
        rows = tuple(_evaluation(group, design, plan, times) for design in pool)
        fitting = tuple(e for e in rows if not _broken(plan, [(e.design, 0)], 0.0))
        if not fitting:
            return inf, (), ()
        groups.append(GroupCandidates(group, problem, NOTHING, fitting))
    stop = Stop(gap=SELECTION_GAP)
    session = Session(plan, world.library, Budget(RUN, stop, world.seed))
    chosen = select(session, plan.study.mode, groups, stop)
    if not chosen.chosen:
        return inf, (), ()
    winner = tuple(pool.index(e.design) for pool, e in zip(world.pools, chosen.chosen, strict=True))
    return chosen.value, winner, ()


def _evaluation(group: Group, design: Design, plan: Plan, times: _Times) -> Evaluation:
    cycles: Any = tuple(tuple(times.cycles(member, design).tolist()) for member in group.members)
    return Evaluation(design, cycles, (), area_mm2(design, plan.technology), tdp_w(design, plan.technology), 0.0, 0.0)
