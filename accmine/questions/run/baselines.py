"""Comparison: the baselines under the same model, the way from the baseline to the answer, another technology."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from math import inf

from accmine.cost import CostLibrary, splits_for
from accmine.errors import InputError
from accmine.hardware import Design
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.plan import Plan, costs_of, exceeded, under_limits, under_technology, whole_splits
from accmine.ports import Stop
from accmine.problems.design_search import TIE, Evaluation, cost_library
from accmine.problems.stage_selection import AGGREGATES
from accmine.questions.run.explain import change_designs, changes
from accmine.questions.run.record import BaselineRow, Change
from accmine.search import (
    GroupCandidates,
    Selection,
    Session,
    TaskSchedule,
    by_stage,
    chips_of,
    choose,
    schedule_tasks,
    select,
    share_of,
    study_value,
)

__all__ = ["baseline_rows", "binding_limits", "change_rows", "library_for", "variant_sentence"]


def _steps(plan: Plan, rows: Sequence[TaskSchedule]) -> tuple[float, ...]:
    return tuple(
        float(pipeline.step_s([schedule.phase_s for schedule in own]))
        for pipeline, own in zip(plan.pipelines, by_stage(plan, rows), strict=True)
    )


def library_for(
    plan: Plan, own: CostLibrary, split: str, designs: Sequence[Design], whole: Sequence[Design] = ()
) -> CostLibrary:
    """Costs under a rule for splitting; calibrated designs of ``whole`` have all their cores as a split."""
    counts = [count for design in designs for count in (design.tensor_cores, design.vector_cores)]
    also = (*plan.own_splits, *whole_splits(whole))
    if split == plan.study.operator_split and set(splits_for(counts, split, also)) <= set(own.splits):
        return own
    return cost_library(plan.tasks, counts, split, plan.study.timing, plan.technology, plan.source, also)


def baseline_rows(
    session: Session, chosen: Selection, designs: Sequence[Design], stop: Stop
) -> tuple[BaselineRow, ...]:
    """The baselines on every device, with and without operator splitting, against the answer under the same rule.

    All are scheduled with the same effort. Limits do not apply to baselines; what they need is in the row.
    """
    plan, deadline = session.plan, stop.deadline()
    names, references = [name for name, _ in plan.inputs.baselines], [design for _, design in plan.inputs.baselines]
    splits = tuple(dict.fromkeys((plan.study.operator_split, "none")))
    effort = plan.study.search.refine
    rows: list[BaselineRow] = []
    for number, split in enumerate(splits):
        costs = library_for(plan, session.library, split, [*references, *designs], references)
        fleets = [*([reference] * len(plan.tasks) for reference in references)]
        if split != plan.study.operator_split:
            fleets.append(list(designs))
        jobs = [(task, costs, design) for fleet in fleets for task, design in zip(plan.tasks, fleet, strict=True)]
        left = None if deadline == inf else max(0.0, deadline - time.monotonic()) / (len(splits) - number)
        work = None if stop.work is None else stop.work / len(splits)
        done = schedule_tasks(session, jobs, effort, replace(stop, seconds=left, work=work))
        count = len(plan.tasks)
        timed = [_steps(plan, done[i * count : (i + 1) * count]) for i in range(len(fleets))]
        own = chosen.step_s if split == plan.study.operator_split else timed[-1]
        rows += [
            _row(plan, name, reference, split, step_s, own, chosen.tdp_w)
            for name, reference, step_s in zip(names, references, timed, strict=False)
        ]
    return tuple(rows)


def _row(
    plan: Plan,
    name: str,
    reference: Design,
    split: str,
    step_s: tuple[float, ...],
    own_s: tuple[float, ...],
    own_tdp_w: float,
) -> BaselineRow:
    area = plan.devices * area_mm2(reference, plan.technology)
    tdp = plan.devices * tdp_w(reference, plan.technology)
    relative = [own / theirs for own, theirs in zip(own_s, step_s, strict=True)]
    weights = [pipeline.weight for pipeline in plan.pipelines]
    joined = float(AGGREGATES[plan.study.aggregate].of_relative(relative, weights))
    notes = []
    need = max(task.memory_bytes for task in plan.tasks)
    if need > reference.hbm_bytes:
        notes.append(f"needs {need / 2**30:.1f} GiB of HBM, has {reference.hbm_bytes / 2**30:.1f}")
    if exceeded(plan, [(reference, plan.devices)]):
        notes.append("outside the limits")
    return BaselineRow(
        name=name,
        operator_split=split,
        samples_per_s=tuple(p.batch / t for p, t in zip(plan.pipelines, step_s, strict=True)),
        own_samples_per_s=tuple(p.batch / t for p, t in zip(plan.pipelines, own_s, strict=True)),
        ratio=1.0 / joined,
        ratio_per_tdp=tdp / own_tdp_w / joined,
        area_mm2=area,
        tdp_w=tdp,
        note="; ".join(notes),
    )


def change_rows(session: Session, step_s: tuple[float, ...] | None, designs: Sequence[Design]) -> tuple[Change, ...]:
    """From the baseline to the answer, one change at a time; list schedules until the last row.

    Splitting comes first: with one core per operator more cores than a graph is wide look useless. ``step_s`` are the
    refined step times of the answer; ``None``: list schedules to the end.
    """
    plan, library = session.plan, session.library
    start = tuple(plan.baseline for _ in designs)
    final = tuple(designs)
    whole = library_for(plan, library, "none", [plan.baseline, *designs])
    path = [(f"{plan.study.baseline}, one core per operator", start, whole)]
    rule = plan.study.operator_split
    if rule != "none":
        whole = library_for(plan, library, rule, [plan.baseline, *designs])
        path.append(("operators split evenly over cores", start, whole))
    path += [(what, fleet, whole) for what, fleet in change_designs(plan.baseline, designs)]
    rows: list[tuple[str, tuple[Design, ...]]] = []
    steps: list[tuple[float, ...]] = []
    for what, fleet, costs in path:
        jobs = [(task, costs, design) for task, design in zip(plan.tasks, fleet, strict=True)]
        done = schedule_tasks(session, jobs, "list", Stop())
        rows.append((what, fleet))
        steps.append(_steps(plan, done))
    if step_s is not None:
        rows.append(("schedule refined", final))
        steps.append(step_s)
    return changes(plan, rows, steps)


def binding_limits(session: Session, chosen: Selection, stop: Stop) -> frozenset[str]:
    """Limits without which the selection among the same candidates would be better."""
    if len(chosen.groups) == 1:
        return frozenset()  # its candidates are all within the limits of one device
    plan, binding = session.plan, set()
    half = share_of(stop, 1 / 2)
    for limit in plan.limits:
        if not limit.whole:
            continue
        without = session.under(under_limits(plan, {limit.key: inf}))
        free = select(without, chosen.mode, chosen.groups, half)
        if free.chosen and free.value < chosen.value * (1 - TIE):
            binding.add(limit.key)
    return frozenset(binding)


def variant_sentence(session: Session, chosen: Selection, stop: Stop) -> str:
    """Whether the winner is the same under the other area and power law, among all evaluated designs that fit there."""
    plan = session.plan
    technology = plan.inputs.variant
    if technology is None:
        return f"no variant of technology {plan.technology.name} is known"
    name = technology.name
    try:
        other = under_technology(plan, technology)
    except InputError as error:
        return f"nothing is known under {name}: {error.complaints[0].message}"
    before = [e.design for e in chosen.chosen]
    chips = [chips_of(plan, g.group.members) for g in chosen.groups]
    over = exceeded(other, zip(before, chips, strict=True))
    lost = f"; the one above does not fit there: {'; '.join(map(str, over))}" if over else ""
    groups = [replace(g, candidates=_fitting(other, g)) for g in chosen.groups]
    count = len({e.design for g in chosen.groups for e in g.candidates})
    if not all(g.candidates for g in groups):
        return f"under {name} none of {count} candidates meets the limits{lost}"
    again = choose(session.under(other), chosen.mode, groups, stop)
    if not again.chosen:
        return f"under {name} no choice among {count} candidates meets the limits{lost}"
    after = [e.design for e in again.chosen]
    if before == after:
        return f"the winner is the same under {name} (of {count} candidates)"
    if not over:
        tdp = sum(n * tdp_w(design, technology) for design, n in zip(before, chips, strict=True))
        value = float(study_value(other, [list(own) for own in chosen.phase_s], tdp))
        worse = f"{100 * (value / again.value - 1):.2f} % worse there" if value < inf else "below the floor there"
        lost = f"; the one above is {worse}"
    names = ", ".join(dict.fromkeys(design.name for design in after))
    return f"under {name} the winner is another of {count} candidates: {names}{lost}"


def _fitting(plan: Plan, g: GroupCandidates) -> tuple[Evaluation, ...]:
    """The candidates of a group that meet the limits of one device under the plan's technology, at their costs there.

    All devices share the limits of the whole: those of one design on all of them are met by each.
    """
    found = []
    for e in g.candidates:
        chips = plan.devices if len(plan.groups(plan.study.mode)) == 1 else 0
        if not exceeded(plan, [(e.design, chips)]):
            area, tdp = costs_of(e.design, plan.technology)
            found.append(replace(e, area_mm2=area, tdp_w=tdp))
    return tuple(found)
