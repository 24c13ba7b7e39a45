"""From what a run found to the records that figures show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite, nan
from typing import Any

from accmine.cost import LEVELS, CostLibrary, vector_operations
from accmine.hardware import Design
from accmine.hardware.roofline import roofline
from accmine.hardware.technology import Technology, area_breakdown, tdp_breakdown
from accmine.plan import Plan
from accmine.problems.design_search import Evaluation, by_value, fits
from accmine.questions.run.pictures.front import front
from accmine.questions.run.pictures.record import DeviceRoof, EvaluatedDesign, OperatorPoint
from accmine.report import number, percent
from accmine.search import GroupCandidates, Member, Selection, TaskSchedule

__all__ = ["MOST_DESIGNS", "evaluated_designs", "heavy_parts", "parts_of", "roofs"]

MOST_DESIGNS = 2000
"""Evaluated designs that a result keeps; more than these only of the front."""

MOST_OPERATORS = 120
"""Kinds of operators of a device that its roofline shows."""

HEAVY = 0.5
"""Share of area or TDP above which what no core computes with is warned of."""


def parts_of(design: Design, technology: Technology) -> dict[str, Any]:
    """Fields of a ``ChosenDesign``: area and TDP by part, and core counts."""
    return {
        "area_parts": area_breakdown(design, technology),
        "tdp_parts": {} if technology.power is None else tdp_breakdown(design, technology),
        "tensor_cores": design.tensor_cores,
        "vector_cores": design.vector_cores,
    }


def evaluated_designs(plan: Plan, chosen: Selection, searched: Sequence[Evaluation]) -> tuple[EvaluatedDesign, ...]:
    """Everything that was scheduled for the groups of devices of the answer, best first.

    Parameters
    ----------
    searched
        What a proof scheduled beside the candidates of the only group.
    """
    found: list[EvaluatedDesign] = []
    most = max(1, MOST_DESIGNS // len(chosen.groups))
    for g in chosen.groups:
        rows = _distinct((*g.candidates, *(searched if len(chosen.groups) == 1 else ()), *_mined(plan, g)))
        best = front([(e.relative, e.area_mm2, e.tdp_w) for e in rows])
        rows = [e for i, e in enumerate(rows) if i < most or best[i]]
        alone = len(plan.pipelines) == 1 and len(plan.pipelines[0].tasks) == 1
        found += [
            EvaluatedDesign(
                name=e.design.name,
                devices=g.group.name,
                relative=1.0 / e.relative,
                samples_per_s=plan.pipelines[0].batch / e.step_s[0] if alone else nan,
                area_mm2=e.area_mm2,
                tdp_w=e.tdp_w,
                fits=fits(g.problem, e.design),
            )
            for e in rows
        ]
    return tuple(found)


def _mined(plan: Plan, g: GroupCandidates) -> Iterable[Evaluation]:
    """What the heuristic scheduled, unless it was given sketches: their times are not those of the tasks."""
    same = all(plan.pipelines[w].sketch[s] == plan.pipelines[w].tasks[s] for w, s in g.group.members)
    return g.mined.pool if same else ()


def _distinct(evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    """The best evaluation of each design, best value first."""
    table: dict[Design, Evaluation] = {}
    for own in evaluations:
        known = table.get(own.design)
        if 0 < own.relative < inf and (known is None or own.relative < known.relative):
            table[own.design] = own
    return by_value(table.values())


def roofs(schedules: Mapping[Member, TaskSchedule], library: CostLibrary) -> tuple[DeviceRoof, ...]:
    """The roofline of every device with the operators of its schedules; equal devices once."""
    known: dict[object, list[str]] = {}
    of: dict[object, TaskSchedule] = {}
    for _, schedule in sorted(schedules.items()):
        key = (schedule.task.signature, schedule.design, tuple(phase.cycles for phase in schedule.phases))
        known.setdefault(key, []).append(schedule.task.name)
        of.setdefault(key, schedule)
    return tuple(_roof(schedule, ", ".join(known[key]), library) for key, schedule in of.items())


def _roof(schedule: TaskSchedule, device: str, library: CostLibrary) -> DeviceRoof:
    design, groups = schedule.design, _groups(schedule, library)
    points = sorted(groups, key=lambda point: -point.seconds)
    works = [work for run in schedule.task.phases for work in run.graph.works]
    # Operators are of several types; below the roof are all of them if it is that of the fastest.
    arrays = [roofline(design, dtype) for dtype in {work.dtype for work in works if work.macs} or {"bf16"}]
    lanes = [roofline(design, dtype) for dtype in {work.dtype for work in works if not work.macs} or {"bf16"}]
    shown, rest = points[:MOST_OPERATORS], points[MOST_OPERATORS:]
    return DeviceRoof(
        device=device,
        tensor_flops_per_s=max(roof.tensor_flops_per_s for roof in arrays),
        vector_flops_per_s=max(roof.vector_flops_per_s for roof in lanes),
        hbm_bytes_per_s=arrays[0].hbm_bytes_per_s,
        operators=tuple(shown),
        left_out_s=sum(point.seconds for point in rest),
    )


def _groups(schedule: TaskSchedule, library: CostLibrary) -> list[OperatorPoint]:
    """Operators of equal kind, phase, work and mode as one point each."""
    launch = library.costs(schedule.design).corrections.launch_cycles
    found = []
    for run, phase in zip(schedule.task.phases, schedule.phases, strict=True):
        solution, graph = phase.result.solution, run.graph
        assert solution is not None
        operations = vector_operations(graph.works)
        position = library.index(graph)
        members: dict[tuple[str, str, int, int], list[int]] = {}
        for i, (work, mode) in enumerate(zip(graph.work_index.tolist(), solution.mode.tolist(), strict=True)):
            operator = graph.operators[i]
            members.setdefault((operator.phase, operator.kind, work, mode), []).append(i)
        for (name, kind, work, mode), own in members.items():
            table, product = phase.lowered.tables[work], graph.works[work].gemm is not None
            flops = 2 * graph.works[work].macs if product else int(operations[work])
            duration, moved = int(table.duration[mode]), int(table.hbm_bytes[mode])
            launched = 2 * int(launch[int(position[work])]) > duration
            found.append(
                OperatorPoint(
                    name=graph.operators[own[0]].name,
                    kind=kind,
                    phase=name,
                    count=run.repeats * len(own),
                    intensity=flops / moved if moved else inf if flops else 0.0,
                    flops_per_s=flops * schedule.design.frequency_hz / duration if duration else 0.0,
                    seconds=run.repeats * len(own) * duration / schedule.design.frequency_hz,
                    bound_by="launch" if launched else LEVELS[int(table.level[mode])],
                    product=product,
                )
            )
    return found


def heavy_parts(designs: Sequence[Any]) -> list[str]:
    """Warnings where memory interfaces, or memory and leakage, take more than half of a chosen design.

    Parameters
    ----------
    designs
        Of ``ChosenDesign``.
    """
    found = []
    for design in designs:
        interface = design.area_parts.get("hbm_interface", 0.0)
        if interface > HEAVY * design.area_mm2:
            found.append(
                f"HBM interfaces take {number(interface)} of {number(design.area_mm2)} mm² "
                f"({percent(interface / design.area_mm2)}) of {design.name}: its stacks are for capacity or bandwidth "
                "that the template or the workload asks for, and little area is left to compute with"
            )
        memory = sum(design.tdp_parts.get(name, 0.0) for name in ("hbm", "hbm_idle", "leakage"))
        if isfinite(design.tdp_w) and memory > HEAVY * design.tdp_w:
            found.append(
                f"HBM and leakage take {number(memory)} of {number(design.tdp_w)} W TDP "
                f"({percent(memory / design.tdp_w)}) of {design.name}: little power is left to compute with"
            )
    return found
