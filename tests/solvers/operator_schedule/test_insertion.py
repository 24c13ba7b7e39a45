"""Serial schedules with insertion: valid, active, exact on tiny problems, monotone under improvement."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.problems.operator_schedule import check, durations, objective
from accmine.solvers.operator_schedule.insertion import Inserter
from accmine.solvers.operator_schedule.list_schedule import ListScheduler
from tests.samples.graph_sample import Row, every, exhaustive, general, layers, problem_of, starts, unit


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 30), st.booleans(), st.booleans())
def test_every_order_gives_a_valid_schedule(seed: int, n: int, one_mode: bool, reverse: bool) -> None:
    problem = unit(seed, n) if one_mode else general(seed, n)
    inserter = Inserter(problem)
    random = np.random.default_rng(seed)
    priority = random.integers(0, 100, size=n)
    mode = random.integers(0, problem.mode_count[problem.mode_set]) if n else np.zeros(0, dtype=np.int64)
    some = np.where(random.random(n) < 0.5, mode, -1)
    partly = inserter.run(priority, reverse=reverse, mode=some)
    assert (partly.mode[some >= 0] == some[some >= 0]).all()
    for solution in (
        partly,
        inserter.run(reverse=reverse),
        inserter.run(priority, reverse=reverse),
        inserter.run(priority, reverse=reverse, latest=np.full(n, 80)),
        inserter.run(priority, reverse=reverse, mode=mode),
    ):
        assert check(problem, solution) == ()
    assert starts(solution) == starts(inserter.run(priority, reverse=reverse, mode=mode))
    assert (solution.mode == mode).all()


def test_a_long_operation_with_slack_goes_behind_what_is_critical() -> None:
    # A list schedule starts the long one at once and blocks the only core; insertion lets the chain pass.
    rows: list[Row] = [
        ("long", [(50, [1, 0])], []),
        ("a", [(5, [0, 1])], []),
        ("b", [(5, [1, 0])], ["a"]),
        ("c", [(60, [0, 1])], ["b"]),
    ]
    problem = problem_of(rows, [1, 1])
    assert objective(problem, ListScheduler(problem).run()) == 115
    solution = Inserter(problem).run()
    assert objective(problem, solution) == 70
    assert solution.start.tolist() == [10, 0, 5, 10]


def test_a_gap_is_used() -> None:
    rows: list[Row] = [
        ("a", [(5, [1, 0])], []),
        ("b", [(20, [0, 1])], ["a"]),
        ("c", [(5, [1, 0])], ["b"]),
        ("filler", [(20, [1, 0])], []),
        ("too-long", [(21, [1, 0])], []),
    ]
    problem = problem_of(rows, [1, 1])
    solution = Inserter(problem).run([9, 9, 9, 1, 0])
    assert solution.start.tolist() == [0, 5, 25, 5, 30]


def test_what_holds_several_resources_waits_for_all_of_them() -> None:
    rows: list[Row] = [
        ("a", [(10, [2, 0])], []),
        ("b", [(15, [0, 1])], []),
        ("both", [(5, [1, 1])], []),
        ("one", [(5, [1, 0])], []),
    ]
    problem = problem_of(rows, [2, 1])
    assert Inserter(problem).run([9, 8, 7, 6]).start.tolist() == [0, 0, 15, 10]


def test_modes_are_the_first_to_end_or_the_leanest_in_time() -> None:
    modes = [(10, [4, 0]), (20, [1, 0])]
    problem = problem_of([("a", modes, []), ("b", modes, [])], [4, 1])
    inserter = Inserter(problem)
    fast, lean = inserter.run(), inserter.run(latest=np.array([20, 20]))
    assert starts(fast) == [(0, 0), (10, 0)]
    assert starts(lean) == [(0, 1), (0, 1)]
    assert starts(inserter.run(latest=np.array([19, 30]))) == [(0, 0), (10, 1)]


def test_forward_backward_never_makes_it_longer() -> None:
    for problem in every(range(12), 25):
        inserter = Inserter(problem)
        for first in (ListScheduler(problem).run(), inserter.run()):
            now, value = first, objective(problem, first)
            for _ in range(2):
                late = inserter.run(now.start + durations(problem, now), reverse=True, mode=now.mode)
                now = inserter.run(-late.start, mode=late.mode)
                assert value >= objective(problem, late) >= objective(problem, now)
                value = objective(problem, now)


def test_some_order_is_best_on_tiny_problems() -> None:
    met = 0
    for seed in range(8):
        problem = general(seed, 4)
        best = exhaustive(problem)
        random = np.random.default_rng(seed)
        inserter = Inserter(problem)
        values = [objective(problem, inserter.run(random.permutation(4))) for _ in range(30)]
        assert min(values) >= best
        met += min(values) == best
    assert met >= 6


@pytest.mark.parametrize("cores", [(2, 1), (2, 4)])
def test_weight_gradients_do_not_block_the_layers(cores: tuple[int, int]) -> None:
    problem = layers(6, 7, cores)
    lists, inserter = ListScheduler(problem), Inserter(problem)
    for reverse in (True, False):
        inserted = objective(problem, inserter.run(reverse=reverse))
        assert inserted < min(objective(problem, lists.run(reverse=r)) for r in (True, False))


def test_long_durations_are_exact_and_what_fits_nowhere_is_refused() -> None:
    huge = 10**17
    problem = problem_of([(f"o{i}", [(huge, [1, 0])], []) for i in range(30)], [1, 1])
    assert objective(problem, Inserter(problem).run()) == 30 * huge
    with pytest.raises(InputError, match="no mode fits the capacities: a"):
        Inserter(problem_of([("a", [(1, [2, 0])], [])], [1, 1]))
