"""Selections one exchange away from a selection, and the rule for ties among them.

The integer program minimises the value alone. Of selections whose values differ by less than ``TIE`` the one with
the least TDP, then the least area, is the answer. The rule is applied by exchanging the design of one group at a
time: exact for one group, a local search for several.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

from accmine.plan.plan import Plan
from accmine.problems.design_search import TIE, Evaluation
from accmine.problems.limits import within
from accmine.search.candidates import Selection, study_value

__all__ = ["Exchange", "break_ties", "chips_of", "exchanges"]

_EXACT = 1e-9
"""Area (mm²) and TDP (W) that differ by less are equal: sums of the same floats in another order."""


@dataclass(frozen=True, eq=False)
class Exchange:
    """A selection with another design for one group.

    Attributes
    ----------
    group
        Index of the group.
    evaluation
        Its other candidate.
    phase_s, value, area_mm2, tdp_w
        As of a ``Selection``.
    """

    group: int
    evaluation: Evaluation
    phase_s: tuple[tuple[tuple[float, ...], ...], ...]
    value: float
    area_mm2: float
    tdp_w: float


def chips_of(plan: Plan, members: Sequence[tuple[int, int]]) -> int:
    """Chips of a group that count against the limits: time-shared workloads run on the same ones."""
    if plan.study.deployment == "time-shared":
        return max(sum(1 for w, _ in members if w == i) for i in range(len(plan.pipelines)))
    return len(members)


def exchanges(plan: Plan, selection: Selection) -> Iterator[Exchange]:
    """Every selection that meets the limits and differs from ``selection`` in the design of one group."""
    for index, (g, own) in enumerate(zip(selection.groups, selection.chosen, strict=True)):
        chips = chips_of(plan, g.group.members)
        for other in g.candidates:
            if other.design == own.design:
                continue
            area = selection.area_mm2 + chips * (other.area_mm2 - own.area_mm2)
            tdp = selection.tdp_w + chips * (other.tdp_w - own.tdp_w)
            if not (within(area, plan.area_mm2) and within(tdp, plan.tdp_w)):
                continue
            times = [list(stages) for stages in selection.phase_s]
            for i, (w, s) in enumerate(g.group.members):
                times[w][s] = g.phase_s(other, i)
            phase_s = tuple(tuple(stages) for stages in times)
            yield Exchange(index, other, phase_s, float(study_value(plan, phase_s, tdp)), area, tdp)


def break_ties(plan: Plan, selection: Selection) -> Selection:
    """The selection that the rule for ties prefers; never more than ``TIE`` slower than ``selection``.

    A selection below the throughput floor by less than the rounding of the integer program has an infinite value:
    the best exchange that meets the floor takes its place, if there is one.
    """
    if not selection.chosen:
        return selection
    current = selection
    if current.value == inf:
        meeting = [e for e in exchanges(plan, current) if e.value < inf]
        if not meeting:
            return selection
        current = _made(plan, current, min(meeting, key=lambda e: (e.value, e.tdp_w, e.area_mm2)))
    limit = current.value * (1 + TIE)
    while True:
        cooler = [e for e in exchanges(plan, current) if e.value <= limit and _is_cooler(e, current)]
        if not cooler:
            return current
        current = _made(plan, current, min(cooler, key=lambda e: (e.tdp_w, e.area_mm2, e.value)))


def _is_cooler(exchange: Exchange, selection: Selection) -> bool:
    """Less TDP, or equal TDP and less area, or equal both and a better value."""
    for there, here in ((exchange.tdp_w, selection.tdp_w), (exchange.area_mm2, selection.area_mm2)):
        if abs(there - here) > _EXACT:
            return there < here
    return exchange.value < selection.value


def _made(plan: Plan, selection: Selection, exchange: Exchange) -> Selection:
    chosen = list(selection.chosen)
    chosen[exchange.group] = exchange.evaluation
    steps = tuple(float(p.step_s(own)) for p, own in zip(plan.pipelines, exchange.phase_s, strict=True))
    return replace(
        selection,
        chosen=tuple(chosen),
        phase_s=exchange.phase_s,
        step_s=steps,
        value=exchange.value,
        area_mm2=exchange.area_mm2,
        tdp_w=exchange.tdp_w,
    )
