"""Modules: found once, bounded by themselves, and valid where they stand."""

from __future__ import annotations

import numpy as np

from accmine.ports import Stop
from accmine.problems.operator_schedule import check, durations
from accmine.problems.operator_schedule.cone_bound import cones, with_gaps
from accmine.solvers.schedule_bounds.module_bound import MODULE_OPERATIONS, bounded, find, gaps_of, prove, subproblem
from accmine.solving import solve
from tests.samples.bound_sample import heads_of_attention, problem_of, sample


def test_equal_layers_are_one_module() -> None:
    problem = heads_of_attention(5, (2, 2), layers=4)
    inner = [m for m in find(problem) if len(m.problem) < len(problem)]
    assert [len(m.problem) for m in inner] == [20]
    assert len(inner[0].places) == 4
    assert all(after - before == 21 for before, after in inner[0].places)


def test_whole_operations_move_heads_and_tails() -> None:
    layers = 3
    problem = heads_of_attention(5, (5, 2), layers)
    modules = [bounded(m) for m in find(problem) if len(m.problem) < len(problem)]
    # Five pairs of 41 and 23 on two cores take 164 as whole operations (four of 41 on one), 160 by the mean.
    assert modules[0].bound == 7 + 164 + 7
    known, better = cones(problem), with_gaps(problem, gaps_of(modules))
    assert known.bound <= layers * (50 + 7 + 160 + 7 + 30)
    assert better.bound == layers * (50 + 7 + 164 + 7 + 30)
    assert (better.head >= known.head).all()
    assert (better.tail >= known.tail).all()


def test_valid_in_every_solution_that_was_found() -> None:
    for seed in range(200, 225):
        problem = sample(seed)
        modules = [bounded(m) for m in find(problem)]
        for module in modules:
            if len(module.problem) < len(problem):
                prove(module, work=0.2, seconds=5)
            assert module.bound <= module.upper
        best = solve(problem, "cp-sat", stop=Stop(work=1.0))
        assert best.objective is not None
        assert best.solution is not None
        found = with_gaps(problem, gaps_of(m for m in modules if len(m.problem) < len(problem)))
        assert found.bound <= best.objective
        end = best.solution.start + durations(problem, best.solution)
        assert (found.head <= best.solution.start).all()
        assert (found.tail <= best.objective - end).all()


def test_proof_closes_a_small_module() -> None:
    problem = heads_of_attention(3, (2, 2))
    module = next(m for m in find(problem) if len(m.problem) == 12)
    used = prove(module, work=2.0, seconds=20)
    assert used > 0
    assert module.bound == module.upper == solve(module.problem, "cp-sat", stop=Stop(work=5.0)).objective
    assert prove(module, work=2.0, seconds=20) == 0.0  # nothing is open


def test_subproblem_keeps_modes_and_order() -> None:
    problem = heads_of_attention(2, (1, 1))
    own = subproblem(problem, [1, 2, 3, 4])
    assert own.names == problem.names[1:5]
    assert own.edges.tolist() == [[0, 1], [1, 2], [2, 3]]
    best = solve(own, "critical-path")
    assert best.objective == 78
    assert best.solution is not None
    assert check(own, best.solution) == ()


def test_too_large_is_left_alone() -> None:
    wide = MODULE_OPERATIONS + 1
    edges = [(0, k) for k in range(1, wide + 1)] + [(k, wide + 1) for k in range(1, wide + 1)]
    problem = problem_of([2], [[(1, (1,))]] * (wide + 2), edges)
    assert find(problem) == []
    assert len(find(problem, wide)) == 1
    assert gaps_of([]) == []
    empty = problem_of([1], [], [])
    assert find(empty) == []
    assert with_gaps(empty, []).bound == 0
    assert np.zeros(0).shape == with_gaps(empty, []).head.shape
