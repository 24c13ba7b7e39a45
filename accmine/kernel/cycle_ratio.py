"""The steady rate of a loop: the maximum cycle ratio of its event graph, exact, and the cycle that has it.

A cycle of dependences with weights w and distances d takes Σ w cycles per Σ d iterations, so that in the long run an
iteration takes the greatest such ratio (Baccelli et al., Synchronization and Linearity, 1992, ch. 3). Two algorithms on
whole numbers find it, each of which checks the other: Howard's policy iteration (Cochet-Terrasson et al., 1998), and
Karp's (1978) on the max-plus matrix of the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter

import numpy as np

from accmine.errors import InputError
from accmine.kernel.graph import Dependence, Event, EventGraph
from accmine.kernel.matrix import LIMIT, NEVER, Matrix, overflow, product

__all__ = ["MOST_STATES", "CycleRatio", "components", "howard", "karp", "karp_ratio", "matrix_graph"]

MOST_STATES = 4096
"""Of a graph whose matrix Karp's algorithm takes: 128 MiB."""


@dataclass(frozen=True)
class CycleRatio:
    """The maximum cycle ratio of a graph.

    Attributes
    ----------
    ratio
        Cycles per iteration; 0 without a cycle.
    cycle
        Dependences of a cycle that has it, each from the target of the one before; empty without a cycle.
    """

    ratio: Fraction
    cycle: tuple[Dependence, ...]


def howard(graph: EventGraph) -> CycleRatio:
    """The maximum cycle ratio by policy iteration; usually a few passes over the dependences.

    Raises
    ------
    InputError
        If an event waits for itself within an iteration.
    """
    _order(graph)
    best = CycleRatio(Fraction(0), ())
    for part in components(len(graph.events), [(one.source, one.target) for one in graph.dependences]):
        inside = set(part)
        edges: dict[int, list[Dependence]] = {node: [] for node in part}
        for one in graph.dependences:
            if one.source in inside and one.target in inside:
                edges[one.source].append(one)
        if all(edges.values()):
            found = _policy_iteration(edges)
            if not best.cycle or found.ratio > best.ratio:
                best = found
    return best


def karp(graph: EventGraph) -> CycleRatio:
    """The maximum cycle ratio by Karp's formula on the max-plus matrix of the graph; its cycle by potentials.

    Raises
    ------
    InputError
        If an event waits for itself within an iteration, the matrix has more than ``MOST_STATES`` states, or weights of
        its paths reach 2^62.
    """
    best = karp_ratio(_matrix(graph))
    return CycleRatio(best or Fraction(0), () if best is None else _critical(graph, best))


def karp_ratio(a: Matrix) -> Fraction | None:
    """The maximum cycle mean of a matrix by Karp's formula, part by part; ``None`` without a cycle."""
    states, sources = np.nonzero(a >= 0)
    parts = components(len(a), zip(sources.tolist(), states.tolist(), strict=True))
    return max((found for part in parts if (found := _karp(a[np.ix_(part, part)])) is not None), default=None)


def matrix_graph(a: Matrix) -> EventGraph:
    """x(k + 1) = a ⊗ x(k) as a graph: an event per state, dependences of distance 1, without words."""
    targets, sources = np.nonzero(a >= 0)
    return EventGraph(
        tuple(Event(state, "", "", "") for state in range(len(a))),
        tuple(
            Dependence(source, target, weight, 1, "", "")
            for source, target, weight in zip(
                sources.tolist(), targets.tolist(), a[targets, sources].tolist(), strict=True
            )
        ),
    )


def components(count: int, edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Strongly connected components of nodes 0 … count − 1, those downstream first (Tarjan 1972)."""
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        after[source].append(target)
    number, low = [-1] * count, [0] * count
    found: list[list[int]] = []
    stack: list[int] = []
    waiting, done, numbered = [False] * count, [0] * count, 0
    for root in range(count):
        path = [root] if number[root] < 0 else []
        while path:
            node = path[-1]
            if number[node] < 0:
                number[node] = low[node] = numbered
                numbered += 1
                stack.append(node)
                waiting[node] = True
            if done[node] < len(after[node]):
                target = after[node][done[node]]
                done[node] += 1
                if number[target] < 0:
                    path.append(target)
                elif waiting[target]:
                    low[node] = min(low[node], number[target])
                continue
            path.pop()
            if path:
                low[path[-1]] = min(low[path[-1]], low[node])
            if low[node] == number[node]:
                part: list[int] = []
                while not part or part[-1] != node:
                    part.append(stack.pop())
                    waiting[part[-1]] = False
                found.append(sorted(part))
    return found


def _order(graph: EventGraph) -> list[int]:
    """Events in an order in which dependences of distance 0 point forward."""
    order: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(range(len(graph.events)), ()))
    for one in graph.dependences:
        if not one.distance:
            order.add(one.target, one.source)
    try:
        return list(order.static_order())
    except CycleError as error:
        events = [graph.events[place] for place in error.args[1]]
        names = " -> ".join(f"{event.label} {event.what} {event.at}".strip() for event in events)
        raise InputError(f"events wait for themselves within an iteration, so that none happens: {names}") from None


def _policy_iteration(edges: dict[int, list[Dependence]]) -> CycleRatio:
    """Howard's algorithm on a strongly connected graph, given as the dependences from each event.

    A policy is one dependence from each event, all of which lead to one cycle, the best of the policy. With its ratio
    p / q events have values x = q · weight − p · distance + x of the next, and 0 at its root: whole numbers. Better
    dependences are taken until none is left, which proves that no cycle has a greater ratio. It ends, since either the
    ratio rises or the cycle is the same and values do.
    """
    policy = {node: max(out, key=lambda one: one.weight) for node, out in edges.items()}
    while True:
        cycle = max(_cycles(policy), key=_ratio)
        ratio = _ratio(cycle)
        p, q = ratio.numerator, ratio.denominator
        values = _values(policy, cycle, edges, p, q)
        better = False
        for node, out in edges.items():
            x = values[node]
            for one in out:
                other = q * one.weight - p * one.distance + values[one.target]
                if other > x:
                    policy[node], x, better = one, other, True
        if not better:
            return CycleRatio(ratio, cycle)


def _ratio(cycle: Sequence[Dependence]) -> Fraction:
    return Fraction(sum(one.weight for one in cycle), sum(one.distance for one in cycle))


def _cycles(policy: dict[int, Dependence]) -> list[tuple[Dependence, ...]]:
    """Every cycle of a policy, each from its least event on."""
    seen: dict[int, int] = {}
    found = []
    for start in policy:
        node = start
        while node not in seen:
            seen[node] = start
            node = policy[node].target
        if seen[node] != start:
            continue
        cycle = [policy[node]]
        while cycle[-1].target != node:
            cycle.append(policy[cycle[-1].target])
        least = min(range(len(cycle)), key=lambda place: cycle[place].source)
        found.append((*cycle[least:], *cycle[:least]))
    return found


def _values(
    policy: dict[int, Dependence], cycle: Sequence[Dependence], edges: dict[int, list[Dependence]], p: int, q: int
) -> dict[int, int]:
    """Values of all events under a policy, which is changed where it does not lead to the cycle."""
    before: dict[int, list[int]] = {node: [] for node in edges}
    for node, one in policy.items():
        before[one.target].append(node)
    root = cycle[0].source
    values, reached = {root: 0}, [root]
    for node in reached:  # grows while it is walked
        for source in before[node]:
            if source not in values:
                one = policy[source]
                values[source] = q * one.weight - p * one.distance + values[node]
                reached.append(source)
    if len(reached) < len(edges):
        into: dict[int, list[Dependence]] = {node: [] for node in edges}
        for out in edges.values():
            for one in out:
                into[one.target].append(one)
        for node in reached:
            for one in into[node]:
                if one.source not in values:
                    policy[one.source] = one
                    values[one.source] = q * one.weight - p * one.distance + values[node]
                    reached.append(one.source)
    return values


def _matrix(graph: EventGraph) -> Matrix:
    """The matrix of an iteration: a state is an event some iterations ago, for each that is looked at."""
    reach: dict[int, int] = {}
    into: list[list[Dependence]] = [[] for _ in graph.events]
    for one in graph.dependences:
        into[one.target].append(one)
        if one.distance:
            reach[one.source] = max(one.distance, reach.get(one.source, 0))
    count = sum(reach.values())
    if count > MOST_STATES:
        raise InputError(f"the matrix of the event graph has {count:,} states; at most {MOST_STATES:,} are allowed")
    first, place = {}, 0
    for event, longest in reach.items():
        first[event], place = place, place + longest
    rows: dict[int, Matrix] = {}
    for event in _order(graph):
        row = np.full(count, NEVER, np.int64)
        for one in into[event]:
            if one.weight >= LIMIT:
                raise overflow("a dependence")
            if one.distance:
                state = first[one.source] + one.distance - 1
                row[state] = max(row[state], one.weight)
            else:
                before = rows[one.source]
                np.maximum(row, np.where(before >= 0, before + one.weight, NEVER), out=row)
        if row.max(initial=NEVER) >= LIMIT:
            raise overflow("a path of the event graph")
        rows[event] = row
    a = np.full((count, count), NEVER, np.int64)
    for event, state in first.items():
        a[state] = rows[event]
        for ago in range(1, reach[event]):
            a[state + ago, state + ago - 1] = 0
    return a


def _karp(a: Matrix) -> Fraction | None:
    """The max over i of min over k of (D(n)[i] − D(k)[i]) / (n − k) of an irreducible matrix, D(k) = a^k ⊗ e_0."""
    if not (a >= 0).any():
        return None  # one state that does not wait for itself
    n = len(a)
    heaviest = np.full((n, 1), NEVER, np.int64)
    heaviest[0] = 0
    walks = [heaviest[:, 0].tolist()]
    for _ in range(n):
        heaviest = product(a, heaviest)
        walks.append(heaviest[:, 0].tolist())
    return max(
        min(Fraction(walks[n][i] - walks[k][i], n - k) for k in range(n) if walks[k][i] >= 0)
        for i in range(n)
        if walks[n][i] >= 0
    )


def _critical(graph: EventGraph, ratio: Fraction) -> tuple[Dependence, ...]:
    """A cycle whose ratio is ``ratio``, the greatest: dependences that no potential makes slack lie on one."""
    p, q = ratio.numerator, ratio.denominator
    potential = [0] * len(graph.events)
    changed = True
    while changed:
        changed = False
        for one in graph.dependences:
            value = potential[one.source] + q * one.weight - p * one.distance
            if value > potential[one.target]:
                potential[one.target], changed = value, True
    tight = [
        one
        for one in graph.dependences
        if potential[one.source] + q * one.weight - p * one.distance == potential[one.target]
    ]
    for part in components(len(graph.events), [(one.source, one.target) for one in tight]):
        inside = set(part)
        policy = {one.source: one for one in tight if one.source in inside and one.target in inside}
        if policy:
            return _cycles(policy)[0]
    raise AssertionError(f"no cycle has the ratio {ratio}")
