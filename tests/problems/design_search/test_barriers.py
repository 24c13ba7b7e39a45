"""Barriers: everything but a few operators is before or behind them, and segments follow each other."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.problems.design_search import barriers as module
from accmine.problems.design_search.barriers import MOST_BESIDE, barriers, chain
from accmine.workload import OperatorGraph
from tests.samples.search_sample import Shape, graph_of, shapes
from tests.samples.spine_sample import training


def directed(graph: OperatorGraph) -> nx.DiGraph:
    found = nx.DiGraph()
    found.add_nodes_from(range(len(graph)))
    found.add_edges_from(graph.edges.tolist())
    return found


@settings(max_examples=25, deadline=None)
@given(training(8))
def test_intervals_of_the_chain(found: list[Shape]) -> None:
    graph = graph_of(found)
    line = chain(graph)
    assert (line is None) == (barriers(graph) is None)
    if line is None:
        return
    edges = graph.edges
    assert (line.first <= line.last).all()
    assert (line.first[edges[:, 0]] <= line.last[edges[:, 1]]).all()
    assert (line.first[line.barrier] == np.arange(len(line.barrier))).all()
    assert (line.last[line.barrier] == np.arange(len(line.barrier))).all()


@settings(max_examples=40, deadline=None)
@given(training(8) | shapes(9))
def test_barriers_are_a_chain_and_few_run_beside_them(found: list[Shape]) -> None:
    graph = graph_of(found)
    line, plain = chain(graph), directed(graph)
    ancestors = {v: nx.ancestors(plain, v) for v in plain}
    last = max(range(len(graph)), key=lambda v: len(ancestors[v]))
    spine = ancestors[last] | {last}
    if line is None:
        return
    order = line.barrier.tolist()
    assert len(order) > 1
    assert all(a in ancestors[b] for a, b in pairwise(order))
    for barrier in order:
        beside = [v for v in spine if v != barrier and v not in ancestors[barrier] and barrier not in ancestors[v]]
        assert barrier in spine
        assert len(beside) <= MOST_BESIDE
    for v in range(len(graph)):
        after = [k for k, b in enumerate(order) if b in ancestors[v]]
        before = [k for k, b in enumerate(order) if v in ancestors[b] or v == b]
        assert line.first[v] == max(after, default=-1) + 1
        assert line.last[v] == min(before, default=len(order))


@settings(max_examples=40, deadline=None)
@given(training(8) | shapes(9))
def test_counts_are_those_of_ancestors_descendants_and_segments(found: list[Shape]) -> None:
    graph = graph_of(found)
    own, line, plain = barriers(graph), chain(graph), directed(graph)
    if own is None or line is None:
        return

    def count(members: set[int]) -> list[int]:
        found: list[int] = np.bincount(graph.work_index[sorted(members)], minlength=len(graph.works)).tolist()
        return found

    order = line.barrier.tolist()
    cuts = own.through.sum(axis=1).tolist()  # barriers up to each cut
    assert cuts[-1] == len(order) == own.total.sum()
    for row, passed in enumerate(cuts):
        barrier = order[passed - 1]
        assert own.before[row].tolist() == count(nx.ancestors(plain, barrier) | {barrier})
        assert own.after[row].tolist() == count(nx.descendants(plain, barrier))
    inside = nx.ancestors(plain, order[-1]) | {order[-1]}
    covered = sum((own.counts[k] * int(own.total[k]) for k in range(len(own.segments))), np.zeros(len(graph.works)))
    beside = np.array(count(inside)) - covered
    assert (beside >= 0).all(), "no operator is in two segments"
    assert beside.sum() <= MOST_BESIDE * (len(order) - 1)


def test_a_chain_of_operators_is_all_barriers_and_one_operator_none() -> None:
    row: list[Shape] = [("gemm", 16, ()), *(("vector", 16, (i,)) for i in range(4))]
    line = chain(graph_of(row))
    assert line is not None
    assert line.barrier.tolist() == list(range(5))
    assert line.first.tolist() == line.last.tolist() == list(range(5))
    assert chain(graph_of(row[:1])) is None
    assert barriers(graph_of(row[:1])) is None


@given(st.integers(0, 2**200))
def test_members_are_the_set_bits(bits: int) -> None:
    assert module._members(bits) == [i for i in range(201) if bits >> i & 1]
