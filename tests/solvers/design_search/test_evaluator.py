"""The evaluator: list schedules of a design's tasks, each design once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.problems.design_search import Problem, Solution, check_claim, lowered
from accmine.problems.design_search.space_bound import block_of
from accmine.record import Record
from accmine.solvers.design_search.evaluator import PASSES, Evaluator
from accmine.solvers.operator_schedule.critical_path import quick
from tests.samples.search_sample import Shape, design, designs, graph_of, search, shapes, task_of, template


def evaluator(problem: Problem) -> Evaluator:
    return Evaluator(Record[Solution](problem))


@settings(max_examples=20, deadline=None)
@given(shapes(8), st.integers(1, 4), st.integers(1, 2))
def test_cycles_are_those_of_valid_schedules(found: list[Shape], tensor: int, vector: int) -> None:
    problem = search([task_of(graph_of(found), graph_of(found[:1]), repeats=(3, 1))])
    problem = search(problem.tasks, template(tensor_cores=(1, 2, 3, 4)))
    evaluate = evaluator(problem)
    found_value = evaluate(design(tensor, vector))
    parts = lowered(problem, design(tensor, vector))[0]
    own = tuple(quick(part.problem, PASSES) for part in parts)
    assert check_claim(problem, Solution(design(tensor, vector), (own,)), found_value) == ()
    assert evaluate.record.work == 2


def test_a_design_is_scheduled_once() -> None:
    evaluate = evaluator(search([task_of(graph_of([("gemm", 16, ())]))]))
    first = evaluate(design())
    assert evaluate(design()) is first
    assert evaluate.record.work == 1
    assert evaluate.record.pool == {design(): first}
    evaluate(design(4))
    assert evaluate.record.work == 2


def test_equal_tasks_share_their_schedules() -> None:
    shape: list[Shape] = [("gemm", 64, ()), ("vector", 300, (0,))]
    twins = [task_of(graph_of(shape), name="a"), task_of(graph_of(shape, ["x", "y"]), name="b")]
    evaluate = evaluator(search([*twins, task_of(graph_of(shape[:1]), name="c")]))
    found = evaluate(design())
    assert found.cycles[0] == found.cycles[1] != found.cycles[2]
    assert evaluate.record.work == 2


@settings(max_examples=20, deadline=None)
@given(shapes(8), st.integers(1, 4), st.integers(1, 2))
def test_delays_are_not_negative(found: list[Shape], tensor: int, vector: int) -> None:
    evaluate = evaluator(search([task_of(graph_of(found))]))
    evaluate(design(tensor, vector))
    delay = evaluate.delays[design(tensor, vector)]
    assert delay.tensor >= 0
    assert delay.vector >= 0


def test_delays_name_the_cores_that_are_short() -> None:
    wide: list[Shape] = [("gemm", 300, ())] * 8
    evaluate = evaluator(search([task_of(graph_of(wide))]))
    evaluate(design(1, 2, gbps=7000))
    assert evaluate.delays[design(1, 2, gbps=7000)].tensor > evaluate.delays[design(1, 2, gbps=7000)].vector == 0
    loose: list[Shape] = [("vector", 300, ())] * 8
    evaluate = evaluator(search([task_of(graph_of(loose))]))
    evaluate(design(4, 1, gbps=7000))
    assert evaluate.delays[design(4, 1, gbps=7000)].vector > evaluate.delays[design(4, 1, gbps=7000)].tensor == 0


def test_nothing_is_lost_where_nothing_waits() -> None:
    evaluate = evaluator(search([task_of(graph_of([("gemm", 5, ()), ("vector", 5, (0,))]))], split="none"))
    evaluate(design(4, 2, gbps=7000))
    delay = evaluate.delays[design(4, 2, gbps=7000)]
    assert (delay.tensor, delay.vector) == (0.0, 0.0)


@settings(max_examples=8, deadline=None)
@given(shapes(6), st.booleans())
def test_bounds_hold_for_every_evaluation(found: list[Shape], paths: bool) -> None:
    problem = search([task_of(graph_of(found))], template(tensor_rows=(4, 8)), area_mm2=1.0)
    evaluate = evaluator(problem)
    for d in designs(problem.template):
        block = block_of(problem, d)
        values = evaluate.bounds(block, paths=paths)
        i, j = block.tensor_counts.tolist().index(d.tensor_cores), block.vector_counts.tolist().index(d.vector_cores)
        assert values[i, j] <= evaluate(d).value * (1 + 1e-12)
        assert np.isfinite(values).all(), "limits play no part here"
