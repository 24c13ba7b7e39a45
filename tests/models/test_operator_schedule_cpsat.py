"""The declared operator schedule: its optimum is that of enumeration, and its parts say no more than they may."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ortools.sat.python import cp_model

from accmine.errors import InputError
from accmine.models.operator_schedule_cpsat import OperatorScheduleCpSat, exclusive_sets
from accmine.problems.operator_schedule import ModeSet, Problem, Solution, bound, check, objective, problem_from_json
from tests.samples import raw_schedule
from tests.samples.graph_sample import Row, general, problem_of, unit

SEEDS = st.integers(0, 10**6)


def solved(model: cp_model.CpModel) -> cp_model.CpSolver | None:
    solver = cp_model.CpSolver()
    solver.parameters.catch_sigint_signal = False  # else Ctrl-C kills from then on
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    assert status in (cp_model.OPTIMAL, cp_model.INFEASIBLE)
    return solver if status == cp_model.OPTIMAL else None


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_the_optimum_is_that_of_every_order(seed: int) -> None:
    raw = raw_schedule.random_schedule(random.Random(seed), 4)
    best = raw_schedule.optimum(raw)
    problem = problem_from_json(raw)
    model = OperatorScheduleCpSat()
    if best is None:
        with pytest.raises(InputError, match=r"fits in no mode|no mode"):
            model.build(problem)
        return
    solver = solved(model.build(problem))
    assert solver is not None
    found = model.read(solver.value)
    assert check(problem, found) == ()
    assert objective(problem, found) == round(solver.objective_value) == best[0]
    assert model.floor_score is not None
    assert model.floor_score <= best[0]


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_below_has_exactly_the_shorter_schedules(seed: int) -> None:
    raw = raw_schedule.random_schedule(random.Random(seed), 4)
    best = raw_schedule.optimum(raw)
    problem = problem_from_json(raw)
    if best is None:
        return
    model = OperatorScheduleCpSat()
    model.build(problem)
    least = bound(problem)[0]
    if best[0] > least:
        assert solved(model.below(best[0]).model) is None, "nothing is shorter than the shortest"
    other = model.below(best[0] + 1)
    solver = solved(other.model)
    assert solver is not None
    assert objective(problem, other.read(solver.value)) == best[0]


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 9), st.booleans())
def test_the_hint_is_complete_and_consistent(seed: int, n: int, modes: bool) -> None:
    problem = general(seed, n) if modes else unit(seed, n)
    model = OperatorScheduleCpSat()
    built = model.build(problem)
    row = in_a_row(problem)
    model.hint(row)
    assert built.validate() == ""
    assert sorted(built.proto.solution_hint.vars) == list(range(len(built.proto.variables)))
    assert model.upper == objective(problem, row)
    solver = cp_model.CpSolver()
    solver.parameters.catch_sigint_signal = False  # else Ctrl-C kills from then on
    solver.parameters.num_workers = 1
    solver.parameters.fix_variables_to_their_hinted_value = True
    assert solver.solve(built) == cp_model.OPTIMAL
    kept = model.read(solver.value)
    assert check(problem, kept) == ()
    assert kept.start.tolist() == row.start.tolist()
    assert objective(problem, kept) <= objective(problem, row)


def in_a_row(problem: Problem) -> Solution:
    """One operation after the other, each in its shortest mode that fits."""
    mode = []
    for group in problem.mode_set.tolist():
        own = problem.mode_sets[group]
        fits = [k for k, u in enumerate(own.uses) if (u <= problem.capacity).all()]
        mode.append(min(fits, key=lambda k: int(own.duration[k])))
    length = [int(problem.mode_sets[g].duration[k]) for g, k in zip(problem.mode_set.tolist(), mode, strict=True)]
    start = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)
    solution = Solution(start, np.array(mode, dtype=np.int64))
    assert check(problem, solution) == ()
    return solution


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(2, 9))
def test_no_two_of_an_exclusive_set_can_run_at_once(seed: int, n: int) -> None:
    problem = general(seed, n)
    reach = np.zeros((n, n), dtype=bool)
    for a, b in problem.edges.tolist():
        reach[a, b] = True
    for _ in range(n):
        reach |= (reach[:, :, None] & reach[None, :, :]).any(axis=1)
    for group in exclusive_sets(problem):
        assert len(group) > 2
        assert group == sorted(set(group))
        chained = 0
        for i, j in combinations(group, 2):
            chained += ordered(reach, i, j)
            assert ordered(reach, i, j) or not side_by_side(problem, i, j)
        assert chained < len(group) * (len(group) - 1) // 2, "what is only in a row says nothing new"


def ordered(reach: np.ndarray[tuple[int, int], np.dtype[np.bool_]], i: int, j: int) -> bool:
    return bool(reach[i, j] or reach[j, i])


def side_by_side(problem: Problem, i: int, j: int) -> bool:
    """Whether two operations can run at once, in any modes that fit and last."""
    rows: list[list[np.ndarray[tuple[int], np.dtype[np.int64]]]] = []
    for v in (i, j):
        own = problem.mode_sets[problem.mode_set[v]]
        rows.append([u for d, u in zip(own.duration, own.uses, strict=True) if d > 0 and (u <= problem.capacity).all()])
    return any((a + b <= problem.capacity).all() for a in rows[0] for b in rows[1])


def test_three_that_need_more_than_half_exclude_each_other() -> None:
    rows: list[Row] = [(f"o{i}", [(3, [2])], []) for i in range(3)]
    assert exclusive_sets(problem_of(rows, [3], ("t",))) == [[0, 1, 2]]
    assert exclusive_sets(problem_of(rows, [4], ("t",))) == []
    chain = [(f"o{i}", [(3, [2])], [f"o{i - 1}"] if i else []) for i in range(3)]
    assert exclusive_sets(problem_of(chain, [3], ("t",))) == [], "the order says it already"


def test_dominated_modes_have_no_literal_and_hints_take_what_dominates_them() -> None:
    problem = problem_of([("a", [(5, [2]), (4, [1]), (3, [3])], []), ("b", [(4, [1])], [])], [3], ("t",))
    model = OperatorScheduleCpSat()
    built = model.build(problem)
    assert len(model.chosen[0]) == 2
    model.hint(Solution(np.array([0, 0]), np.array([0, 0])))
    solver = solved(built)
    assert solver is not None
    assert round(solver.objective_value) == 4


def test_what_leaves_64_bits_and_cycles_are_refused() -> None:
    huge = ModeSet(np.array([1 << 40]), np.array([[1 << 30]]))
    names = ("a", "b", "c")
    free = np.zeros((0, 2), dtype=np.int64)
    problem = Problem(("t",), np.array([(1 << 31) + 1]), names, (huge,), np.zeros(3, dtype=np.int64), free)
    odd = ModeSet(np.array([1 << 40]), np.array([[(1 << 30) - 1]]))  # no common divisor
    problem = replace(problem, mode_sets=(huge, odd), mode_set=np.array([0, 1, 1]))
    with pytest.raises(InputError, match="leaves 64-bit integers; count t or time in larger units"):
        OperatorScheduleCpSat().build(problem)
    small = problem_of([("a", [(1, [1])], []), ("b", [(1, [1])], ["a"])], [1], ("t",))
    circle = replace(small, edges=np.array([[0, 1], [1, 0]]))
    with pytest.raises(InputError, match="wait for each other: b -> a -> b"):
        OperatorScheduleCpSat().build(circle)


def test_nothing_to_do_takes_no_time() -> None:
    problem = problem_from_json({"resources": {"t": 1}, "operations": []})
    model = OperatorScheduleCpSat()
    solver = solved(model.build(problem))
    assert solver is not None
    assert solver.objective_value == 0
    assert not model.provable
