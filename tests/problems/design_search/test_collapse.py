"""Longest paths of collapsed graphs against networkx and against the schedule's own heads."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.problems.design_search.collapse import collapse
from accmine.problems.design_search.lowering import lower
from accmine.problems.operator_schedule import heads
from accmine.workload import OperatorGraph
from tests.cost.test_mode_table import library
from tests.samples.search_sample import Shape, design, graph_of, planned, shapes


def longest(graph: OperatorGraph, duration: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Longest path by networkx, from a source that takes no time."""
    g = nx.DiGraph()
    g.add_nodes_from(range(-1, len(graph)))
    own = duration[graph.work_index]
    g.add_weighted_edges_from((-1, i, float(own[i])) for i in range(len(graph)))
    g.add_weighted_edges_from((a, b, float(own[b])) for a, b in graph.edges.tolist())
    return float(nx.dag_longest_path_length(g))


@settings(max_examples=40, deadline=None)
@given(shapes(12), st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_longest_path_equals_networkx(found: list[Shape], seed: int, columns: int) -> None:
    graph = graph_of(found)
    table = np.random.default_rng(seed).integers(0, 50, (len(graph.works), columns)).astype(np.float64)
    expected = [longest(graph, table[:, c]) for c in range(columns)]
    assert collapse(graph).longest_path(table).tolist() == expected


@settings(max_examples=30)
@given(shapes(12), st.integers(1, 8), st.integers(1, 4))
def test_longest_path_equals_the_heads_of_the_schedule(found: list[Shape], tensor: int, vector: int) -> None:
    graph = graph_of(found)
    problem = lower(graph, library(found), design(tensor, vector)).problem
    own = problem.shortest[problem.mode_set]
    expected = int((heads(problem) + own).max())
    assert collapse(graph).longest_path(problem.shortest.astype(np.float64)[:, None]).tolist() == [expected]


@settings(max_examples=40, deadline=None)
@given(shapes(12))
def test_classes_are_a_topological_order_and_count_every_operator(found: list[Shape]) -> None:
    graph = graph_of(found)
    small = collapse(graph)
    assert small.count.sum() == len(graph)
    assert len(small.work) == len(small.before) <= len(graph)
    assert all((before < i).all() for i, before in enumerate(small.before))
    used = {int(b) for before in small.before for b in before}
    assert set(small.sinks.tolist()) == set(range(len(small.work))) - used


def test_equal_branches_become_one() -> None:
    heads_of: list[Shape] = [("gemm", 5, ()), *([("vector", 5, (0,))] * 16), ("gemm", 64, tuple(range(1, 17)))]
    assert len(collapse(graph_of(heads_of)).work) == 3
    plan, _ = planned(models=("gpt",))
    graph = plan.tasks[0].phases[0].graph
    table = np.arange(1.0, 1 + len(graph.works))
    assert len(collapse(graph).work) < len(graph)
    assert collapse(graph).longest_path(table[:, None]).tolist() == [longest(graph, table)]


def test_an_empty_graph_has_no_path() -> None:
    empty = OperatorGraph("empty", (), (), ("only",))
    assert collapse(empty).longest_path(np.zeros((0, 3))).tolist() == [0.0, 0.0, 0.0]


def test_a_graph_is_collapsed_once() -> None:
    graph = graph_of([("gemm", 5, ())])
    assert collapse(graph) is collapse(graph)
