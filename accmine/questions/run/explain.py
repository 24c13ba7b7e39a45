"""Why: where the time goes, one change at a time from the baseline, active limits, and what nearly won."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf

import numpy as np

from accmine.hardware import Design
from accmine.hardware.technology import area_mm2, chip_of, linear_costs, tdp_w
from accmine.plan import Plan, exceeded
from accmine.problems.design_search import TIE
from accmine.problems.design_search.collapse import collapse
from accmine.questions.run.record import Change, LimitRow, Nearest, TimeSplit
from accmine.search import Selection, TaskSchedule, chips_of, exchanges

__all__ = ["STEPS", "change_designs", "limit_rows", "nearest", "time_split"]

Step = tuple[str, Callable[[Design, Design], Design]]

STEPS: tuple[Step, ...] = (
    (
        "array size and dataflow",
        lambda d, to: replace(
            d, tensor=replace(d.tensor, rows=to.tensor.rows, cols=to.tensor.cols, dataflow=to.tensor.dataflow)
        ),
    ),
    ("tensor cores", lambda d, to: replace(d, tensor_cores=to.tensor_cores)),
    ("vector cores", lambda d, to: replace(d, vector_cores=to.vector_cores)),
    (
        "vector lanes",
        lambda d, to: replace(d, vector=replace(d.vector, lanes=to.vector.lanes, ops_per_lane=to.vector.ops_per_lane)),
    ),
    (
        "SRAM",
        lambda d, to: replace(
            d,
            tensor=replace(d.tensor, sram_bytes=to.tensor.sram_bytes),
            vector=replace(d.vector, sram_bytes=to.vector.sram_bytes),
            shared_sram_bytes=to.shared_sram_bytes,
            port_bytes_per_s=to.port_bytes_per_s,
        ),
    ),
    (
        "HBM and clock",
        lambda d, to: replace(
            d,
            hbm_bytes=to.hbm_bytes,
            hbm_bytes_per_s=to.hbm_bytes_per_s,
            frequency_hz=to.frequency_hz,
        ),
    ),
    ("calibration", lambda d, to: replace(d, calibration=to.calibration)),
)
"""From one design to another, one group of tunables at a time."""


def change_designs(start: Design, targets: Sequence[Design]) -> list[tuple[str, tuple[Design, ...]]]:
    """(what changes, designs after it) from ``start`` on every device to ``targets``; only steps that change one."""
    current = tuple(start for _ in targets)
    rows: list[tuple[str, tuple[Design, ...]]] = []
    for what, move in STEPS:
        moved = tuple(move(design, target) for design, target in zip(current, targets, strict=True))
        if moved != current:
            rows.append((what, moved))
            current = moved
    return rows


def time_split(schedule: TaskSchedule) -> TimeSplit:
    """Busy time of a device, split by what bounds it.

    Per phase, as a rising chain of lower bounds of its makespan: MACs at peak, tensor cores computing with fill,
    then the largest with vector cores computing, HBM, longest path; the rest is idle. The differences sum to the
    makespan. A core that waits for its operator's bytes is not computing: that time is HBM's.
    """
    parts = np.zeros(6)
    design = schedule.design
    for run, phase in zip(schedule.task.phases, schedule.phases, strict=True):
        graph, problem = run.graph, phase.lowered.problem
        count = collapse(graph).count
        shortest = np.array([int(t.duration.min()) for t in phase.lowered.tables], dtype=np.float64)
        held = np.array(
            [(t.uses[:, :2] * t.cycles[:, None]).min(axis=0) for t in phase.lowered.tables], dtype=np.float64
        ).reshape(-1, 2)
        moved = np.array([int(t.hbm_bytes.min()) for t in phase.lowered.tables], dtype=np.float64)
        paced = np.array([work.macs / (design.tensor.rate(work.dtype) or 1.0) for work in graph.works])
        macs = float(count @ paced) / (design.tensor_cores * design.tensor.macs)
        tensor = max(macs, float(count @ held[:, 0]) / design.tensor_cores)
        vector = max(tensor, float(count @ held[:, 1]) / design.vector_cores)
        memory = max(vector, float(count @ moved) / float(problem.capacity[2]))
        path = max(memory, float(collapse(graph).longest_path(shortest[:, None])[0]))
        chain = np.array([macs, tensor, vector, memory, path, float(phase.cycles)])
        parts += run.repeats * np.diff(chain, prepend=0.0) / design.frequency_hz
    return TimeSplit(*(float(part) for part in parts))


def limit_rows(
    plan: Plan, selection: Selection, devices: Sequence[Design], binding: frozenset[str] = frozenset()
) -> tuple[LimitRow, ...]:
    """Use of every limit.

    A limit is active when the next allowed number of cores of either kind fits on no device, or when it is one
    of ``binding``: without it the selection would be better.
    """
    steps_area, steps_tdp = [], []
    for group, chosen in zip(selection.groups, selection.chosen, strict=True):
        design, times = chosen.design, chips_of(plan, group.group.members)
        costs = linear_costs(design.tensor, design.vector, chip_of(design), plan.technology)
        more_tensor = _next_step(plan.template.tensor_cores, design.tensor_cores)
        more_vector = _next_step(plan.template.vector_cores, design.vector_cores)
        growing = (
            (more_tensor, costs.area_per_tensor_mm2, costs.tdp_per_tensor_w),
            (more_vector, costs.area_per_vector_mm2, costs.tdp_per_vector_w),
        )
        steps_area += [(times, more * area) for more, area, _ in growing if more]
        steps_tdp += [(times, more * tdp) for more, _, tdp in growing if more]

    def row(name: str, limit: float, used: float, unit: str, steps: list[tuple[int, float]], alone: bool) -> LimitRow:
        least = min(((1 if alone else times) * step for times, step in steps), default=inf)
        active = limit < inf and (name in binding or (least < inf and limit - used < least))
        return LimitRow(name, limit, used, unit, active, least)

    largest_area = max(area_mm2(design, plan.technology) for design in devices)
    largest_tdp = max(tdp_w(design, plan.technology) for design in devices)
    rows = (
        row("limits.area", plan.area_mm2, selection.area_mm2, "mm^2", steps_area, False),
        row("limits.tdp", plan.tdp_w, selection.tdp_w, "W", steps_tdp, False),
        row("device_limits.area", plan.device_area_mm2, largest_area, "mm^2", steps_area, True),
        row("device_limits.tdp", plan.device_tdp_w, largest_tdp, "W", steps_tdp, True),
    )
    return tuple(r for r in rows if r.limit < inf)


def _next_step(allowed: Sequence[int], count: int) -> int:
    """Cores from ``count`` to the next allowed number; 0 if there is none."""
    return min((more - count for more in allowed if more > count), default=0)


def nearest(plan: Plan, selection: Selection) -> Nearest | None:
    """The best selection that differs in the design of one group and meets the limits, and what it loses."""
    others = [e for e in exchanges(plan, selection) if e.value < inf]
    if not others:
        return None
    best = min(others, key=lambda e: (e.value, e.tdp_w, e.area_mm2))
    loss = best.value / selection.value - 1.0
    more_tdp, more_area = best.tdp_w - selection.tdp_w, best.area_mm2 - selection.area_mm2
    name = selection.groups[best.group].group.name
    return Nearest(best.evaluation.design.name, name, loss, more_tdp, more_area, _reason(loss, more_tdp, more_area))


def _reason(loss: float, more_tdp_w: float, more_area_mm2: float) -> str:
    """Why a selection lost: by its value, or in the order of the rule for ties."""
    if loss > TIE:
        return f"value {100 * loss:.2f} % worse"
    if loss < -TIE:
        return f"value {-100 * loss:.2f} % better: the selection is not proven optimal"
    for more, what in ((more_tdp_w, "TDP"), (more_area_mm2, "area")):
        if abs(more) > 1e-9:
            return f"tied within 0.1 %, {'but more' if more > 0 else 'with less'} {what}"
    return "tied within 0.1 %, with equal TDP and area"


def changes(
    plan: Plan,
    rows: Sequence[tuple[str, tuple[Design, ...]]],
    steps: Sequence[tuple[float, ...]],
) -> tuple[Change, ...]:
    """The table of changes, from the designs of all devices and the step times of all pipelines in each row."""
    found = []
    for (what, designs), step_s in zip(rows, steps, strict=True):
        counted = designs[: plan.devices] if plan.study.deployment == "time-shared" else designs
        area = sum(area_mm2(design, plan.technology) for design in counted)
        tdp = sum(tdp_w(design, plan.technology) for design in counted)
        fits = not exceeded(plan, [(design, 1) for design in counted])
        rates = tuple(p.batch / t for p, t in zip(plan.pipelines, step_s, strict=True))
        found.append(Change(what, rates, area, tdp, fits))
    return tuple(found)
