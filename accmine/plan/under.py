"""A plan under another technology, other limits or another floor, and who does not fit there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from accmine.errors import InputError
from accmine.hardware import Design
from accmine.hardware.technology import Technology, area_mm2, tdp_w
from accmine.plan.build import baseline_costs
from accmine.plan.limits import COSTS, KEYS, Limit, digits, limits_of
from accmine.plan.plan import Plan
from accmine.problems.limits import within
from accmine.study import Study

__all__ = ["Excess", "costs_of", "exceeded", "for_throughput", "of_study", "under_limits", "under_technology"]


def under_technology(plan: Plan, technology: Technology) -> Plan:
    """The plan under another technology: limits of the baseline follow it, limits in numbers stay.

    Raises
    ------
    InputError
        If the technology does not cover the baseline.
    """
    own = baseline_costs(plan.baseline, technology)
    limits = tuple(limit.of_baselines(own, plan.devices) if limit.of_baseline else limit for limit in plan.limits)
    return replace(plan, technology=technology, limits=limits)


def under_limits(plan: Plan, values: Mapping[str, float]) -> Plan:
    """The plan with other limits of cost, by key, in mm² and W; ``inf`` takes a limit away."""
    known = {limit.key: limit for limit in plan.limits}
    known |= {key: known.get(key, Limit.of(key, value)).at(value) for key, value in values.items()}
    return replace(plan, limits=tuple(known[key] for key in KEYS if key in known and known[key].value < inf))


def of_study(plan: Plan, study: Study) -> Plan:
    """The plan of another study of the same graphs, accelerators and technology, whose baseline is not scheduled yet.

    What it may change are limits, objective, floor, aggregate, search, budget, name and description.
    """
    own = baseline_costs(plan.baseline, plan.technology)
    limits = limits_of(study, own, plan.devices)
    return replace(plan, study=study, limits=limits, reference_s=(), reference_busy_s=())


def for_throughput(plan: Plan) -> Plan:
    """The plan with the aggregated relative step time as its value, and no floor."""
    return replace(plan, study=plan.study.model_copy(update={"objective": "throughput", "floor": None}))


def costs_of(design: Design, technology: Technology) -> tuple[float, ...]:
    """Costs of a design in the order of ``COSTS``; ``inf`` each where the technology does not cover it."""
    try:
        return area_mm2(design, technology), tdp_w(design, technology)
    except InputError:
        return (inf,) * len(COSTS)


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that designs do not meet, and what they need of its cost (``inf``: the technology cannot say)."""

    limit: Limit
    used: float

    def __str__(self) -> str:
        need = "no cost is known" if self.used == inf else digits(self.used, self.limit.cost)
        return f"{self.limit.key}: {need} of {digits(self.limit.value, self.limit.cost)}"


def exceeded(plan: Plan, fleet: Iterable[tuple[Design, int]]) -> tuple[Excess, ...]:
    """The limits of a plan that designs, each on so many chips that count, do not meet under its technology.

    A limit of the whole is that of the chips of ``fleet``, however few they are.
    """
    rows = [(costs_of(design, plan.technology), chips) for design, chips in fleet]
    found = []
    for limit in plan.limits:
        own = [(costs[limit.cost.index], chips) for costs, chips in rows]
        used: Any = sum(chips * cost for cost, chips in own) if limit.whole else max(cost for cost, _ in own)
        if not within(used, limit.value):
            found.append(Excess(limit, used))
    return tuple(found)
