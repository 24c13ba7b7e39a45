"""Transitive reduction: the same paths with no edge to spare."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.problems.operator_schedule.precedence import order_of
from accmine.problems.operator_schedule.reduction import members, reduced, transitive_reduction
from tests.samples.bound_sample import problem_of, sample


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 25), st.floats(0.0, 0.6))
def test_agrees_with_networkx(seed: int, n: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    name = rng.permutation(n)
    pairs = [(name[i], name[j]) for i in range(n) for j in range(i + 1, n) if rng.random() < density]
    edges = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    graph = nx.DiGraph(edges.tolist())
    graph.add_nodes_from(range(n))
    found = transitive_reduction(order_of(n, edges))
    assert {(u, v) for u in range(n) for v in found.successors[u]} == set(nx.transitive_reduction(graph).edges)
    assert {(u, v) for v in range(n) for u in found.predecessors[v]} == set(nx.transitive_reduction(graph).edges)
    place = {v: k for k, v in enumerate(found.sequence)}
    assert all(place[u] < place[v] for u in range(n) for v in found.successors[u])


def test_cycles_are_named() -> None:
    problem = problem_of([1], [[(1, (1,))]] * 3, [(0, 1), (1, 2), (2, 1)])
    with pytest.raises(InputError, match=r"o1 -> o2 -> o1|o2 -> o1 -> o2"):
        reduced(problem)
    with pytest.raises(InputError, match="wait for each other"):
        transitive_reduction(order_of(3, problem.edges))


def test_is_computed_once() -> None:
    problem = sample(3)
    assert reduced(problem) is reduced(problem)


@given(st.sets(st.integers(0, 3000)))
def test_members(chosen: set[int]) -> None:
    assert members(sum(1 << k for k in chosen)).tolist() == sorted(chosen)
