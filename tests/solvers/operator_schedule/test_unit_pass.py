"""The fast pass makes the schedules of the general one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.solvers.operator_schedule.list_schedule import POLICIES, ListScheduler
from accmine.solvers.operator_schedule.unit_pass import Slots
from tests.samples.graph_sample import Row, general, layers, problem_of, starts, unit


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.booleans(), st.sampled_from(sorted(POLICIES)))
def test_equal_to_the_general_pass(seed: int, n: int, reverse: bool, policy: str) -> None:
    problem = unit(seed, n)
    priority = np.random.default_rng(seed).integers(0, 50, size=n)
    fast, general_one = ListScheduler(problem), ListScheduler(problem)
    assert fast._slots is not None
    general_one._slots = None
    for own in (None, priority):
        a = fast.run(own, reverse=reverse, policy=policy)
        b = general_one.run(own, reverse=reverse, policy=policy)
        assert starts(a) == starts(b)


def test_equal_amounts_are_slots() -> None:
    rows: list[Row] = [(f"o{i}", [(10, [2, 0])], []) for i in range(4)]
    assert ListScheduler(problem_of(rows, [5, 1])).run().start.tolist() == [0, 0, 10, 10]


@pytest.mark.parametrize(
    "rows",
    [
        [("a", [(1, [1, 0]), (2, [1, 0])], [])],
        [("a", [(1, [1, 1])], [])],
        [("a", [(1, [1, 0])], []), ("b", [(1, [2, 0])], [])],
    ],
)
def test_other_problems_are_left_to_the_general_pass(
    rows: list[Row],
) -> None:
    assert Slots.of(problem_of(rows, [2, 2])) is None


def test_one_fitting_mode_is_no_choice() -> None:
    problem = problem_of([("a", [(1, [9, 0]), (5, [1, 0])], [])], [2, 2])
    assert Slots.of(problem) is not None
    assert starts(ListScheduler(problem).run()) == [(0, 1)]
    assert Slots.of(general(3, 20)) is None
    assert Slots.of(layers(1, 2, (1, 1))) is not None
