"""Topological orders, cycles and longest paths beside those of networkx."""

from __future__ import annotations

import gc

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.problems.operator_schedule import precedence
from accmine.problems.operator_schedule.precedence import find_cycle, longest_before, order_of

PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20, unique=True)


def graph_of(pairs: list[tuple[int, int]]) -> nx.DiGraph:
    found = nx.DiGraph()
    found.add_nodes_from(range(10))
    found.add_edges_from(pairs)
    return found


def edges_of(pairs: list[tuple[int, int]]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


@settings(max_examples=150, deadline=None)
@given(PAIRS)
def test_what_is_missing_is_on_or_behind_a_cycle(pairs: list[tuple[int, int]]) -> None:
    edges = edges_of(pairs)
    order, graph = order_of(10, edges), graph_of(pairs)
    circular = {v for part in nx.strongly_connected_components(graph) if len(part) > 1 for v in part}
    circular |= {a for a, b in pairs if a == b}
    behind = circular.union(*(nx.descendants(graph, v) for v in circular)) if circular else set()
    assert set(order.sequence) == set(range(10)) - behind
    assert order.acyclic == nx.is_directed_acyclic_graph(graph)
    place = {v: i for i, v in enumerate(order.sequence)}
    assert all(place[a] < place[b] for a, b in pairs if b in place)
    for v in range(10):
        assert sorted(order.successors[v]) == sorted(graph.successors(v))
        assert sorted(order.predecessors[v]) == sorted(graph.predecessors(v))


@settings(max_examples=150, deadline=None)
@given(PAIRS)
def test_a_cycle_is_named_exactly_where_there_is_one(pairs: list[tuple[int, int]]) -> None:
    cycle = find_cycle(order_of(10, edges_of(pairs)))
    assert bool(cycle) == (not nx.is_directed_acyclic_graph(graph_of(pairs)))
    assert len(set(cycle)) == len(cycle)
    assert all(pair in pairs for pair in zip(cycle, [*cycle[1:], *cycle[:1]], strict=True))


@settings(max_examples=100, deadline=None)
@given(PAIRS, st.lists(st.integers(0, 10**25), min_size=10, max_size=10))
def test_longest_paths_are_exact(pairs: list[tuple[int, int]], duration: list[int]) -> None:
    pairs = [(a, b) for a, b in pairs if a < b]
    order = order_of(10, edges_of(pairs))
    head = longest_before(order, duration)
    for v in range(10):
        assert head[v] == max((head[u] + duration[u] for u, w in pairs if w == v), default=0)
    tail = longest_before(order.reversed(), duration)
    length = max(h + d for h, d in zip(head, duration, strict=True))
    assert length == max(t + d for t, d in zip(tail, duration, strict=True)), "there and back it is as long"


def test_an_order_lives_as_long_as_its_edges() -> None:
    edges = edges_of([(0, 1)])
    first = order_of(10, edges)
    assert order_of(10, edges) is first
    assert order_of(11, edges) is not first
    assert order_of(10, edges.copy()) is not first
    keys = {key for key in precedence._CACHE if key[0] == id(edges)}
    assert len(keys) == 2
    del edges
    gc.collect()
    assert not keys & set(precedence._CACHE)


def test_nothing_has_an_order() -> None:
    empty = order_of(0, edges_of([]))
    assert (empty.sequence, empty.acyclic, find_cycle(empty), longest_before(empty, [])) == ([], True, [], [])
