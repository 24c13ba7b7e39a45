"""Trimming: a design without the cores that its schedules never use at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.hardware.technology import area_mm2, tdp_w
from accmine.problems.design_search import Evaluation, Problem, evaluate, evaluated
from accmine.problems.design_search.lowering import lower
from accmine.solvers.design_search.design_job import FIRST_LOOK, Outcome, work_on
from accmine.solvers.design_search.trimming import trimmed
from tests.samples.search_sample import Shape, design, graph_of, search, shapes, task_of, template

INF = float("inf")


def scheduled(problem: Problem, tensor: int, vector: int) -> Outcome:
    targets = [[INF] * len(task.phases) for task in problem.tasks]
    return work_on(problem, design(tensor, vector), FIRST_LOOK, None, targets, None, 0)


def evaluation(problem: Problem, tensor: int, vector: int, outcome: Outcome) -> Evaluation:
    cycles = [[part.cycles or 0 for part in row] for row in outcome.parts]
    return replace(evaluate(problem, design(tensor, vector), cycles), schedules=outcome.schedules())


def in_use(problem: Problem, tensor: int, vector: int, outcome: Outcome) -> list[int]:
    """The most cores of each kind that are held in any time unit at which something starts."""
    most = [0, 0]
    for task, row in zip(problem.tasks, outcome.parts, strict=True):
        for phase, part in zip(task.phases, row, strict=True):
            own = lower(phase.graph, problem.library, design(tensor, vector)).problem
            assert part.solution is not None
            rows = []
            for group, start, mode in zip(
                own.mode_set.tolist(), part.solution.start.tolist(), part.solution.mode.tolist(), strict=True
            ):
                modes = own.mode_sets[group]
                rows.append((start, start + int(modes.duration[mode]), modes.uses[mode, :2]))
            for at, _, _ in rows:
                held = sum((uses for begin, end, uses in rows if begin <= at < end), np.zeros(2, dtype=np.int64))
                most = [max(a, int(b)) for a, b in zip(most, held, strict=True)]
    return most


@settings(max_examples=25, deadline=None)
@given(shapes(6), st.sampled_from((1, 2, 4)), st.integers(1, 2))
def test_only_cores_in_use_are_left_and_the_times_stay(found: list[Shape], tensor: int, vector: int) -> None:
    problem = search([task_of(graph_of(found), graph_of(found[:2]), repeats=(2, 1))])
    outcome = scheduled(problem, tensor, vector)
    small = trimmed(problem, evaluation(problem, tensor, vector, outcome))
    used = in_use(problem, tensor, vector, outcome)
    allowed = ((1, 2, 4), (1, 2))
    counts = [min(n for n in own if n >= max(1, u)) for own, u in zip(allowed, used, strict=True)]
    if counts == [tensor, vector]:
        assert small is None, "every core is used at some time"
        return
    assert small is not None
    assert [small.design.tensor_cores, small.design.vector_cores] == counts
    assert small.design == replace(design(tensor, vector), tensor_cores=counts[0], vector_cores=counts[1])
    assert [list(row) for row in evaluated(problem, small).cycles] == [[p.cycles for p in row] for row in outcome.parts]
    technology = problem.technology
    assert area_mm2(small.design, technology) < area_mm2(design(tensor, vector), technology)
    assert tdp_w(small.design, technology) < tdp_w(design(tensor, vector), technology)


def test_without_a_schedule_or_a_smaller_design_there_is_nothing() -> None:
    shape: list[Shape] = [("gemm", 16, ())]
    problem = search([task_of(graph_of(shape))], template(tensor_cores=(4,), vector_cores=(2,)))
    assert trimmed(problem, evaluation(problem, 4, 2, scheduled(problem, 4, 2))) is None, (
        "the template has no smaller one"
    )
    open_problem = search([task_of(graph_of(shape))])
    known = scheduled(open_problem, 4, 2)
    assert trimmed(open_problem, evaluation(open_problem, 4, 2, known)) is not None
    unscheduled = Outcome(tuple(tuple(replace(p, solution=None, cycles=None) for p in row) for row in known.parts))
    assert trimmed(open_problem, evaluation(open_problem, 4, 2, unscheduled)) is None
