"""The lower front: few candidates that no feasible design can beat."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.hardware.technology import area_mm2
from accmine.plan import Plan
from accmine.problems.design_search import Problem
from accmine.problems.design_search.lower_front import LowerCandidate, lower_front
from accmine.search import search_problem
from accmine.search.selection import selection_problem
from accmine.solving import solve
from tests.problems.design_search.test_space_bound import bound_of
from tests.samples.search_sample import (
    Shape,
    brute_groups,
    designs,
    everything,
    fits,
    graph_of,
    pipeline,
    planned,
    search,
    shapes,
    task_of,
    template,
)

WIDE = template(tensor_rows=(4, 8), vector_lanes=(4, 16), hbm_bytes_per_s=(7 * 10**9, 70 * 10**9))


def row(candidate: LowerCandidate) -> np.ndarray[Any, Any]:
    return np.array([candidate.area_mm2, candidate.tdp_w, *(t for own in candidate.phase_s for t in own)])


def problem_of(found: list[Shape], **more: Any) -> Problem:
    return search([task_of(graph_of(found), graph_of(found[:1])), task_of(graph_of(found[:2]), name="u")], WIDE, **more)


@settings(max_examples=12, deadline=None)
@given(shapes(5), st.sampled_from((1, 3, 50, 400)), st.sampled_from((0, 1, 6)))
def test_every_design_is_beaten_by_a_candidate(found: list[Shape], boxes: int, rounds: int) -> None:
    problem = problem_of(found)
    front, feasible = lower_front(problem, boxes=boxes, rounds=rounds)
    assert feasible == WIDE.size
    rows = np.stack([row(c) for c in front])
    for e in everything(problem):
        seconds = [c / e.design.frequency_hz for own in e.cycles for c in own]
        own = np.array([e.area_mm2, e.tdp_w, *seconds])
        assert (rows <= own * (1 + 1e-12)).all(axis=1).any(), e.design.name


@settings(max_examples=12, deadline=None)
@given(shapes(5), st.sampled_from((1, 3, 50, 400)), st.sampled_from((0, 1, 6)))
def test_no_candidate_beats_another_and_none_is_better_than_the_bounds(
    found: list[Shape], boxes: int, rounds: int
) -> None:
    problem = problem_of(found)
    front, _ = lower_front(problem, boxes=boxes, rounds=rounds)
    assert all(len(own) == len(task.phases) for c in front for own, task in zip(c.phase_s, problem.tasks, strict=True))
    rows = np.stack([row(c) for c in front])
    for i, own in enumerate(rows):
        assert not ((np.delete(rows, i, axis=0) <= own).all(axis=1)).any()
    least = [np.array([t for own in bound_of(problem, d, paths=False) for t in own]) for d in designs(WIDE)]
    assert (rows[:, 2:].min(axis=0) >= np.min(least, axis=0)).all()
    assert rows[:, 0].min() >= min(area_mm2(d, problem.technology) for d in designs(WIDE)) * (1 - 1e-12)


def test_fine_boxes_and_all_rounds_give_the_bounds_of_designs() -> None:
    problem = problem_of([("gemm", 64, ()), ("vector", 300, ()), ("fused", 16, (0, 1))])
    front, _ = lower_front(problem, boxes=10_000_000, rounds=1000)
    full = {tuple(t for own in bound_of(problem, d, paths=True) for t in own) for d in designs(WIDE)}
    cheap = {tuple(t for own in bound_of(problem, d, paths=False) for t in own) for d in designs(WIDE)}
    assert {tuple(row(c)[2:].tolist()) for c in front} <= full | cheap
    exact = {tuple(row(c)[2:].tolist()) for c in front} & full
    assert exact


def test_limits_and_memory_count() -> None:
    problem = problem_of([("gemm", 64, ())])
    areas = sorted(area_mm2(d, problem.technology) for d in designs(WIDE))
    tight = replace(problem, area_mm2=areas[len(areas) // 2])
    front, feasible = lower_front(tight)
    assert feasible == sum(fits(tight, d) for d in designs(WIDE))
    assert all(c.area_mm2 <= tight.area_mm2 for c in front)
    assert lower_front(replace(problem, area_mm2=1.0)) == ([], 0)
    hungry = replace(problem, tasks=(replace(problem.tasks[0], memory_bytes=1 << 50),))
    assert lower_front(hungry) == ([], 0)


def test_more_rounds_never_loosen_the_front() -> None:
    plan, library = planned(models=("gpt",), **pipeline(2))
    groups = plan.groups("heterogeneous")
    problem = search_problem(plan, groups[0], len(groups), library)
    totals = []
    for rounds in (0, 1, 6):
        front, _ = lower_front(problem, boxes=10_000_000, rounds=rounds)
        totals.append(min(sum(t for own in c.phase_s for t in own) for c in front))
    assert totals == sorted(totals)


def best_of(plan: Plan, rows: dict[tuple[int, int], Any]) -> float:
    """Optimum of the selection among all combinations; the relative step time."""
    result = solve(selection_problem(plan, "heterogeneous", rows), "brute-force")
    assert result.objective is not None
    return float(result.objective)


@pytest.mark.parametrize("objective", ["throughput", "bottleneck"])
@pytest.mark.parametrize("model", ["mlp", "gpt"])
@pytest.mark.parametrize("area", ["827 mm^2", "832 mm^2", "900 mm^2"])
def test_the_selection_over_the_front_is_a_bound_of_the_selection_over_all_designs(
    model: str, area: str, objective: str
) -> None:
    plan, library = planned(models=(model,), objective=objective, limits={"area": area}, **pipeline(2))
    groups = brute_groups(plan, library, "heterogeneous")
    every = {
        g.group.members[0]: [(c.design.name, g.phase_s(c, 0), c.area_mm2, c.tdp_w) for c in g.candidates]
        for g in groups
    }
    least = best_of(plan, every)
    for boxes, rounds in product((1, 20, 400), (0, 6)):
        front = {}
        for g in groups:
            own, count = lower_front(g.problem, boxes=boxes, rounds=rounds)
            assert count == len(g.candidates)
            name = g.group.name
            front[g.group.members[0]] = [(f"{name}{n}", c.phase_s[0], c.area_mm2, c.tdp_w) for n, c in enumerate(own)]
        assert best_of(plan, front) <= least * (1 + 1e-6), "up to the rounding of the integer selection"
