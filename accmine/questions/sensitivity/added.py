"""What a larger limit adds: a bound of the added designs alone, and the next size at which a better one is known."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from typing import Any

import numpy as np

from accmine.cost import CostLibrary
from accmine.hardware import Design
from accmine.hardware.technology import tdp_w
from accmine.plan import Plan, costs_of, digits, under_limits
from accmine.ports import Stop
from accmine.problems.design_search.space_bound import Block, PhaseSeconds, Value, promising, scan
from accmine.problems.limits import ALLOWANCE, within
from accmine.questions.run.record import LimitRow
from accmine.questions.sensitivity.changes import Change
from accmine.search import by_stage, list_cycles, on_design, search_problem, study_value

__all__ = ["NOISE", "bound_of_added", "first_designs", "next_size"]

FARTHER = (1.02, 1.05, 1.1, 1.2, 1.5)
"""Factors on a limit at which the next better design is looked for."""

TRIED = 4
"""Designs of least bound that are scheduled at each of them."""

NOISE = 1e-12
"""Relative difference below which two values are the same: they come from floating-point sums."""


def bound_of_added(change: Change, library: CostLibrary) -> float:
    """No design that a larger limit adds to those of one group has a lower value; ``inf`` if it adds none."""
    plan, grown = change.plan, change.limit
    assert grown is not None
    devices = plan.devices if grown.whole else 1
    limit = grown.value * (1 - ALLOWANCE) / devices  # what is on the edge counts as added

    def of(exact: bool) -> Value:
        def value(seconds: PhaseSeconds, block: Block) -> Any:
            found = study_value(plan, by_stage(plan, seconds), block.tdp_w * plan.devices, exact=exact)
            return np.where(getattr(block, grown.cost.name) > limit, found, inf)

        return value

    (group,) = plan.groups(plan.study.mode)
    return scan(search_problem(plan, group, 1, library), of(True), of(False)).value


def next_size(change: Change, value: float, limits: Sequence[LimitRow], library: CostLibrary) -> str:
    """The next size of a limit of one design on all devices at which a better design is known, as far as is looked.

    For a design per group: where the next core of one of them fits.

    Parameters
    ----------
    value
        Of the unchanged study, as it is minimised.
    limits
        Use of its limits.
    """
    grown = change.limit
    if grown is None:
        return ""
    cost, limit = grown.cost, grown.value
    groups = change.plan.groups(change.plan.study.mode)
    if len(groups) > 1:
        row = next((r for r in limits if change.key == f"limits.{r.name.lower()}"), None)
        at = inf if row is None else row.used + row.least_step
        return f"the next core fits from {digits(at, cost)}" if isfinite(at) and at > limit else ""
    devices = change.plan.devices if grown.whole else 1
    rival = f"device_{grown.key}" if grown.whole else grown.key.removeprefix("device_")
    other = change.plan.limit(rival) / (1 if grown.whole else change.plan.devices)
    if other < limit / devices:
        return f"{rival} is tighter"
    tried: set[Design] = set()
    for factor in FARTHER:
        plan = under_limits(change.plan, {grown.key: limit * factor})
        better: list[tuple[float, float]] = []
        for design in promising(search_problem(plan, groups[0], 1, library), TRIED):
            need = costs_of(design, plan.technology)[cost.index] * devices
            if design in tried or within(need, limit):
                continue
            tried.add(design)
            found = _value(plan, library, design)
            if found < value * (1 - NOISE):
                better.append((need, found))
        if better:
            size, found = min(better)
            gain = 100 * (value / found - 1)
            more = f"{100 * (size / limit - 1):+.3g} %"
            return f"from {size:.6g} {cost.unit} ({more}) a design is known that is {gain:.3g} % better"
    return f"no better design was found up to {limit * FARTHER[-1]:.6g} {cost.unit}"


def _value(plan: Plan, library: CostLibrary, design: Design) -> float:
    """The value that list schedules reach with one design on all devices."""
    (cycles,) = list_cycles(plan.tasks, library, [design], Stop())
    return on_design(plan, cycles, design, tdp_w(design, plan.technology) * plan.devices)


def first_designs(plan: Plan, library: CostLibrary) -> list[Design]:
    """Designs of least bound: what is looked at beyond a limit has to be looked at within it."""
    groups = plan.groups(plan.study.mode)
    return promising(search_problem(plan, groups[0], 1, library), TRIED) if len(groups) == 1 else []
