"""Plans that nearly won on the chosen design, and where each of them loses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from accmine.hardware import Design
from accmine.ports import Stop
from accmine.problems import operator_schedule
from accmine.problems.design_placement import ModuleSchedule, NearPlan, Problem, Solution
from accmine.problems.design_placement.rules import makespans
from accmine.problems.design_placement.times import module_graphs, placed_problem
from accmine.problems.design_search.lowering import lower
from accmine.questions.run.placement.explain import step_parts
from accmine.questions.run.placement.record import StepParts
from accmine.solving import solve

__all__ = ["longer_parts"]

LEAST = 0.001
"""Share of a step from which a longer part is named."""


def longer_parts(problem: Problem, answer: Solution, near: NearPlan) -> str:
    """What of the step is longer than in the answer, by list schedules of single layers in both."""
    ours = _parts(problem, answer.design, answer.variant, answer)
    other = replace(answer, variant=near.variant, placement=near.placement)
    theirs = _parts(problem, answer.design, near.variant, other)
    found = []
    for field in fields(StepParts):
        more = (getattr(theirs, field.name) - getattr(ours, field.name)) / ours.step_s
        if more >= LEAST:
            found.append((more, f"{field.name.removesuffix('_s')} +{100 * more:.1f} %"))
    return ", ".join(text for _, text in sorted(found, reverse=True)[:3])


def _parts(problem: Problem, design: Design, variant: int, solution: Solution) -> StepParts:
    listed = replace(solution, schedules=tuple(_listed(problem, design, variant)))
    return step_parts(placed_problem(problem, listed, makespans(problem, listed)), listed.placement)


def _listed(problem: Problem, design: Design, variant: int) -> Iterator[ModuleSchedule]:
    """List schedules of single layers of every class."""
    for layer_class in problem.variants[variant].classes:
        found: list[operator_schedule.Solution] = []
        for graph in module_graphs(layer_class, 1):
            result = solve(lower(graph, problem.library, design).problem, "critical-path", stop=Stop())
            assert result.solution is not None
            found.append(result.solution)
        yield ModuleSchedule(layer_class.name, 1, *found)
