"""Copies found by structure."""

from __future__ import annotations

import numpy as np
import pytest

from accmine.problems.operator_schedule import Problem
from accmine.solvers.operator_schedule.copies import copies
from tests.samples.graph_sample import layers, problem_of, renamed, unit


@pytest.mark.parametrize("count", [2, 3, 5])
def test_copies_of_a_layered_graph(count: int) -> None:
    problem = layers(3, 4, (2, 2), copies=count)
    found = copies(problem)
    assert found is not None
    expected = [int(name.split(".")[0]) if "update" not in name else count - 1 for name in problem.names]
    assert found.tolist() == expected


def test_they_do_not_depend_on_the_order_of_operations() -> None:
    problem = layers(3, 3, (2, 2), copies=3)
    first = copies(problem)
    assert first is not None
    groups = {frozenset(np.array(problem.names)[first == c].tolist()) for c in range(3)}
    for seed in range(5):
        other = renamed(problem, seed)
        found = copies(other)
        assert found is not None
        own = [set(np.array(other.names)[found == c].tolist()) for c in range(3)]
        # What is in one copy alone stays together; the updates wait for all and may go to another one.
        for group in groups:
            assert any({name for name in group if "dw" not in name and "update" not in name} <= names for names in own)


def test_no_copies() -> None:
    assert copies(layers(3, 4, (2, 2))) is None  # heads of a layer have an ancestor in common
    assert copies(problem_of([], [1, 1])) is None
    assert copies(unit(1, 1)) is None


def test_small_twins_are_no_copies() -> None:
    rows = [(f"x{i}", [(i + 1, [1, 0])], [f"x{i - 1}"] if i else []) for i in range(40)]
    rows += [("y", [(7, [0, 1])], []), ("z", [(7, [0, 1])], [])]
    assert copies(problem_of(rows, [1, 1])) is None


def test_separate_components_are_copies() -> None:
    rows = [(f"{c}.{i}", [(i + 1, [1, 0])], [f"{c}.{i - 1}"] if i else []) for c in range(2) for i in range(5)]
    problem: Problem = problem_of(rows, [1, 1])
    found = copies(problem)
    assert found is not None
    assert found.tolist() == [0] * 5 + [1] * 5
