"""A floor of throughput that nothing reaches: the limits it conflicts with, and what each of them would have to be.

Whether a design reaches a throughput is known only from both sides. Bounds over every design prove what cannot
be; a schedule proves what works. So a change that helps is told as two numbers where they differ: what is needed
at least ("proven"), and what a schedule shows to be enough ("works").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, inf
from typing import Any

import numpy as np

from accmine.errors import InfeasibleError
from accmine.hardware import Design
from accmine.plan import KEYS, Limit, Plan, digits, for_throughput, under_limits
from accmine.ports import Stop
from accmine.problems.conflict import ConflictingLimit, conflicts, infeasible
from accmine.problems.design_search.space_bound import Block, PhaseSeconds, SpaceBound, promising, scan
from accmine.problems.limits import widened
from accmine.search.bounds import bound_whole
from accmine.search.candidates import GroupCandidates, search_problem, without_candidates
from accmine.search.feasibility import DIGITS, rounded_up
from accmine.search.schedules import list_cycles
from accmine.search.selection import select
from accmine.search.session import Session
from accmine.search.value import by_stage, on_design, study_value

__all__ = ["FloorQuestion", "floor_conflict", "nothing_fits"]

TRIED = 6
"""Designs of least bound that are scheduled to find a throughput that works."""

HEADROOM = (1.0, 1.02, 1.05, 1.1, 1.2, 1.4, 2.0)
"""A schedule is longer than its bound: limits of so many times what the bound asks for are tried, until one works."""

STEPS = 7
"""Halvings of the interval in which the least limit of several groups is looked for."""

WIDEST = 4.0
"""Largest factor on a limit that is looked at for several groups."""


@dataclass(frozen=True, eq=False)
class FloorQuestion:
    """A study whose floor is in question, and how its bounds are computed.

    Attributes
    ----------
    session
        Its plan has references; within the limits devices exist.
    groups
        Of the study's mode, with their candidates (none are needed).
    """

    session: Session
    mode: str
    groups: Sequence[GroupCandidates]

    @property
    def plan(self) -> Plan:
        """Of the session."""
        return self.session.plan

    def bound(self, plan: Plan) -> float:
        """The bound of a plan that differs in limits, floor or objective; ``inf`` if nothing is feasible."""
        session = self.session.under(plan)
        return bound_whole(session, self.mode, without_candidates(session, self.mode)).value

    def with_limits(self, kept: frozenset[str]) -> Plan:
        """The plan with the limits of ``kept`` only, and the floor."""
        return under_limits(self.plan, {key: inf for key in KEYS if key not in kept})

    def possible(self, kept: frozenset[str]) -> bool:
        """Whether it is not proven that the limits of ``kept`` conflict."""
        return "floor" not in kept or self.bound(self.with_limits(kept)) < inf

    def scan(self, plan: Plan, value: Callable[[Any, Block], Any]) -> SpaceBound:
        """The least ``value(relative step time, block)`` over the designs of the one group of a plan."""
        (group,) = plan.groups(self.mode)
        fast = for_throughput(plan)

        def at(exact: bool) -> Callable[[PhaseSeconds, Block], Any]:
            def of(seconds: PhaseSeconds, block: Block) -> Any:
                relative = study_value(fast, by_stage(plan, seconds), block.tdp_w, exact=exact)
                return np.asarray(value(relative, block), dtype=np.float64)

            return of

        return scan(search_problem(plan, group, 1, self.session.library), at(True), at(False))

    def reached(self, design: Design) -> float:
        """Throughput relative to the baseline that list schedules reach with one design on all devices."""
        (cycles,) = list_cycles(self.plan.tasks, self.session.library, [design], Stop())
        return 1.0 / on_design(for_throughput(self.plan), cycles, design, 1.0)


def nothing_fits(question: FloorQuestion, why: str) -> InfeasibleError:
    """The error of a study that is proven to have no answer, though devices can be built within its limits.

    Parameters
    ----------
    why
        How it is proven.

    Raises
    ------
    CheckError
        If the study has neither a floor nor a limit: then something is wrong with the proof.
    """
    if question.plan.floor > 0:
        return floor_conflict(question)
    # Each device fits, and so do their sums: what is left is that a selection counts in whole units.
    limits = question.plan.limits
    more = [f"at least {digits(rounded_up(widened(widened(limit.value))), limit.cost)}" for limit in limits]
    members = [limit.conflicting(remedy) for limit, remedy in zip(limits, more, strict=True)]
    return infeasible(f"no choice of designs meets the limits: {why}", members)


def floor_conflict(question: FloorQuestion) -> InfeasibleError:
    """The error of a floor that is proven to be out of reach of every design within the limits."""
    plan = question.plan
    own = {limit.key: limit for limit in plan.limits}
    # A bound of several groups has a time limit: it may not be proven again. Then all of them together are the cause.
    found = conflicts([*own, "floor"], question.possible) or ((*own, "floor"),)
    members = sorted({name for names in found for name in names}, key=["floor", *own].index)
    limits = [
        own[name].conflicting(_remedy(question, own[name]))
        if name in own
        else ConflictingLimit("floor", f"{plan.floor:.10g}", _floor_remedy(question), ("floor",))
        for name in members
    ]
    which = "this floor" if len(limits) == 1 else "these limits together"
    message = f"no design is fast enough: the bound of every design proves that none meets {which}"
    if len(found) > 1:
        message += f"; {len(found)} conflicts: {'; '.join(' with '.join(reversed(own)) for own in found)}"
    return infeasible(message, limits)


def _remedy(question: FloorQuestion, limit: Limit) -> str:
    plan = question.with_limits(frozenset(KEYS) - {limit.key})
    if len(plan.groups(question.mode)) > 1:
        return _limit_of_groups(question, limit)
    most = widened(1.0) / plan.floor

    def cost(relative: Any, block: Block) -> Any:
        return np.where(relative <= most, getattr(block, limit.cost.name), inf)

    least = question.scan(plan, cost)
    if least.design is None:
        return "no value of it is enough while the other limits stay"
    devices = plan.devices if limit.whole else 1
    works, first = _enough(question, plan, limit.key, devices * least.value, least.design)
    if first:
        return f"at least {digits(rounded_up(devices * least.value), limit.cost)}"
    shown = f"at least {digits(_down(devices * least.value), limit.cost)} is needed (proven)"
    return shown if works == inf else f"{shown}; {digits(rounded_up(works), limit.cost)} works (scheduled)"


def _enough(question: FloorQuestion, plan: Plan, key: str, needed: float, cheapest: Design) -> tuple[float, bool]:
    """A value of a limit with which a schedule reaches the floor (``inf``: none found), and if it is ``needed``."""
    least = plan.floor / widened(1.0)
    if question.reached(cheapest) >= least:
        return needed, True
    fast = for_throughput(plan)
    (group,) = plan.groups(question.mode)
    for factor in HEADROOM:
        limited = under_limits(fast, {key: factor * needed})
        for design in promising(search_problem(limited, group, 1, question.session.library), TRIED // 2):
            if question.reached(design) >= least:
                return factor * needed, False
    return inf, False


def _floor_remedy(question: FloorQuestion) -> str:
    plan = for_throughput(question.plan)
    most = 1.0 / question.bound(plan)
    works = 0.0
    groups = plan.groups(question.mode)
    if len(groups) == 1:
        problem = search_problem(plan, groups[0], 1, question.session.library)
        works = max((question.reached(design) for design in promising(problem, TRIED)), default=0.0)
    elif all(g.candidates for g in question.groups):
        session = question.session.under(plan)
        chosen = select(session, question.mode, question.groups, session.part())
        works = 1.0 / chosen.value
    if works >= most:
        return f"at most {_down(works):.10g}"
    shown = f"at most {rounded_up(most):.10g} is possible (proven)"
    return shown if works <= 0 else f"{shown}; {_down(works):.10g} works (scheduled)"


def _limit_of_groups(question: FloorQuestion, limit: Limit) -> str:
    """What a limit shared by several designs has to be at least, by halving; what works is not known."""
    start = limit.value

    def possible(value: float) -> bool:
        return question.bound(under_limits(question.plan, {limit.key: value})) < inf

    if not possible(WIDEST * start):
        return f"more than {digits(WIDEST * start, limit.cost)} is needed (proven), or no value is enough"
    low, high = start, WIDEST * start
    for _ in range(STEPS):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if possible(middle) else (middle, high)
    return f"more than {digits(_down(low), limit.cost)} is needed (proven)"


def _down(value: float) -> float:
    return floor(value * 10.0**DIGITS) / 10.0**DIGITS
