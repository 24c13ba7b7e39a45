"""Waits of a loop body against the simulator, event by event; cycle ratios against every cycle."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import networkx as nx
import pytest

from accmine.kernel.cycle_ratio import howard
from accmine.kernel.events import event_graph
from accmine.kernel.graph import EventGraph
from accmine.kernel.program import Program, Repeat
from accmine.kernel.simulator import simulate
from accmine.problems.kernel_sizing.waits import slack, slowest_cycle, waits_of, words
from tests.kernel.programs import random_program

ITERATIONS = 12


def earliest(graph: EventGraph) -> list[list[int]]:
    """Every event of every iteration as early as the waits allow; from 0."""
    times: list[list[int]] = []
    for k in range(ITERATIONS):
        times.append([0] * len(graph.events))
        for own in sorted(graph.dependences, key=lambda own: own.target):
            if k >= own.distance:
                later = times[k - own.distance][own.source] + own.weight
                times[k][own.target] = max(times[k][own.target], later)
    return times


def seen(program: Program) -> list[list[int]]:
    """The same from the simulator, which knows no graph."""
    passages = simulate(replace(program, body=(Repeat(ITERATIONS, program.body),))).passages
    count = len(program.body)
    rows = [passages[k * count : (k + 1) * count] for k in range(ITERATIONS)]
    return [[time for own in row for time in (*own.enter, own.start)] for row in rows]


@pytest.mark.parametrize("machine", range(8))
def test_every_event_is_where_the_simulator_sees_it(machine: int) -> None:
    for seed in range(25 * machine, 25 * machine + 25):
        program = random_program(seed, depth=0)
        assert earliest(waits_of(program)) == seen(program)


@pytest.mark.parametrize("seed", range(40))
def test_the_ratio_is_the_greatest_of_all_cycles(seed: int) -> None:
    program = random_program(seed, depth=0)
    graph = waits_of(program)
    if len(program.body) > 2:
        graph = waits_of(replace(program, body=program.body[:2]))
    rate, cycle = slowest_cycle(graph)
    net = nx.MultiDiGraph()
    for own in graph.dependences:
        net.add_edge(own.source, own.target, own=own)
    most = Fraction(0)
    best: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for own in graph.dependences:
        best.setdefault((own.source, own.target), []).append((own.weight, own.distance))
    for nodes in nx.simple_cycles(nx.DiGraph(net)):
        steps = list(zip(nodes, [*nodes[1:], nodes[0]], strict=True))
        sums = {(0, 0)}
        for step in steps:
            sums = {(w + dw, d + dd) for w, d in sums for dw, dd in best[step]}
        assert all(d > 0 for _, d in sums), "what waits for itself in one iteration waits for ever"
        most = max(most, *(Fraction(w, d) for w, d in sums))
    assert rate == most
    assert not cycle or sum(own.weight for own in cycle) == rate * sum(own.distance for own in cycle)
    assert all(a.target == b.source for a, b in zip(cycle, [*cycle[1:], *cycle[:1]], strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_potentials_prove_a_rate_and_only_one_that_is_kept(seed: int) -> None:
    graph = waits_of(random_program(seed, depth=0))
    rate, _ = slowest_cycle(graph)
    potentials = slack(graph, rate).potentials
    assert min(potentials) >= 0
    for own in graph.dependences:
        weight = rate.denominator * own.weight - rate.numerator * own.distance
        assert potentials[own.target] >= potentials[own.source] + weight
    if rate:
        assert slack(graph, rate - Fraction(1, 1000)).cycle


def test_a_cycle_in_words() -> None:
    graph = waits_of(random_program(3, depth=0))
    rate, cycle = slowest_cycle(graph)
    assert rate > 0
    assert " of " in words(graph, cycle)


def test_loops_within_the_body_are_refused() -> None:
    program = random_program(0, depth=0)
    with pytest.raises(TypeError, match="flat"):
        waits_of(replace(program, body=(Repeat(2, program.body),)))


@pytest.mark.parametrize("machine", range(8))
def test_howard_on_the_event_graph_of_the_recurrence_finds_the_same_rate(machine: int) -> None:
    """Neither code is shared: rules, graph and algorithm are written twice."""
    for seed in range(25 * machine + 500, 25 * machine + 525):
        program = random_program(seed, depth=0)
        assert slowest_cycle(waits_of(program))[0] == (howard(event_graph(program)).ratio or 0)
