"""What a solution of a design placement is worth, and everything that is wrong with it."""

from __future__ import annotations

from math import inf

from accmine.errors import InputError
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.problems import device_placement, operator_schedule
from accmine.problems.design_placement.problem import ModuleSchedule, Problem, Solution, Variant
from accmine.problems.design_placement.times import Cycles, module_graphs, placed_problem
from accmine.problems.design_search.lowering import Lowered, lower
from accmine.problems.limits import within
from accmine.workload.shard import LayerClass

__all__ = ["check", "lowered_module", "makespans", "score"]


def lowered_module(problem: Problem, solution: Solution, schedule: ModuleSchedule) -> tuple[Lowered, ...]:
    """The schedule problems of forward, backward and update of a module on the design of a solution.

    Raises
    ------
    InputError
        If the class is unknown, has fewer layers, or an operator fits the design in no mode.
    """
    graphs = module_graphs(_class(problem.variants[solution.variant], schedule.layer_class), schedule.repeats)
    return tuple(lower(graph, problem.library, solution.design) for graph in graphs)


def _class(variant: Variant, name: str) -> LayerClass:
    found = {c.name: c for c in variant.classes}
    if name not in found:
        raise InputError(f"there is no layer class {name}; known: {', '.join(found)}")
    return found[name]


def makespans(problem: Problem, solution: Solution) -> list[Cycles]:
    """Cycles of forward, backward and update of each module schedule.

    Raises
    ------
    InputError, IndexError, ValueError
        If a schedule is not one of these operators.
    """
    rows = []
    for schedule in solution.schedules:
        parts = lowered_module(problem, solution, schedule)
        own = (schedule.forward, schedule.backward, schedule.update)
        f, b, u = (operator_schedule.objective(p.problem, s) for p, s in zip(parts, own, strict=True))
        rows.append((f, b, u))
    return rows


def score(problem: Problem, solution: Solution) -> float:
    """Seconds of a step; ``inf`` where there is none."""
    try:
        placed = placed_problem(problem, solution, makespans(problem, solution))
        return float(device_placement.shown(placed, device_placement.score(placed, solution.placement)))
    except (InputError, IndexError, ValueError):
        return inf  # ``check`` says why


def check(problem: Problem, solution: Solution) -> tuple[str, ...]:
    """Everything wrong with a solution; empty when it is valid.

    Recomputes the membership in the template, the limits of a chip, every schedule, the times of all stages, and asks
    ``accmine.problems.device_placement`` about the placement: devices, memory, contiguity.
    """
    design, wrong = solution.design, []
    if not problem.template.contains(design):
        wrong.append(f"{design.name} is not in the template")
    for name, value, limit in (
        ("area", area_mm2(design, problem.technology), problem.area_mm2),
        ("TDP", tdp_w(design, problem.technology), problem.tdp_w),
    ):
        if not within(value, limit):
            wrong.append(f"{name} {value} exceeds {limit}")
    if not 0 <= solution.variant < len(problem.variants):
        return (*wrong, f"variant {solution.variant}; allowed: 0 to {len(problem.variants) - 1}")
    for schedule in solution.schedules:
        name = f"{schedule.repeats} × {schedule.layer_class}"
        try:
            parts = lowered_module(problem, solution, schedule)
        except InputError as error:
            wrong.append(f"{name}: {error}")
            continue
        for phase, part in zip(("forward", "backward", "update"), parts, strict=True):
            wrong += [
                f"{name}, {phase}: {text}" for text in operator_schedule.check(part.problem, getattr(schedule, phase))
            ]
    if wrong:
        return tuple(wrong)
    try:
        placed = placed_problem(problem, solution, makespans(problem, solution))
    except (InputError, IndexError, ValueError) as error:
        return (str(error),)
    return device_placement.check(placed, solution.placement)
