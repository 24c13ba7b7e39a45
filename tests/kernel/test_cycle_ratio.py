"""Maximum cycle ratios: Howard = Karp = the slope of powers = every cycle tried; cycles are cycles of the graph."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from math import lcm

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.kernel.cycle_ratio import CycleRatio, components, howard, karp, matrix_graph
from accmine.kernel.events import event_graph
from accmine.kernel.graph import Dependence, Event, EventGraph
from accmine.kernel.latency import symbolic
from accmine.kernel.matrix import NEVER, Matrix, power
from accmine.kernel.program import Repeat
from tests.kernel.matrices import random_matrix
from tests.kernel.programs import random_program


def graph(count: int, *edges: tuple[int, int, int, int]) -> EventGraph:
    events = tuple(Event(0, f"e{i}", "start", "unit") for i in range(count))
    return EventGraph(events, tuple(Dependence(*edge, "RAW", "x") for edge in edges))


def random_graph(seed: int) -> EventGraph:
    rng = random.Random(f"graph {seed}")
    count = rng.randint(1, 6)
    edges = []
    for _ in range(rng.randint(0, 14)):
        source, target = rng.randrange(count), rng.randrange(count)
        distance = rng.choice((0, 0, 1, 2, 5)) if source < target else rng.choice((1, 1, 2, 7))
        edges.append((source, target, rng.choice((0, 1, 3, rng.randint(0, 50))), distance))
    return graph(count, *edges)


def tried(of: EventGraph) -> Fraction:
    """The greatest ratio of all simple cycles."""
    best = Fraction(0)
    heads = {node: [d for d in of.dependences if d.source == node] for node in range(len(of.events))}

    def walk(root: int, node: int, seen: frozenset[int], weight: int, distance: int) -> None:
        nonlocal best
        for one in heads[node]:
            w, d = weight + one.weight, distance + one.distance
            if one.target == root:
                best = max(best, Fraction(w, d))
            elif one.target > root and one.target not in seen:
                walk(root, one.target, seen | {one.target}, w, d)

    for root in heads:
        walk(root, root, frozenset(), 0, 0)
    return best


def check_cycle(found: CycleRatio, of: EventGraph) -> None:
    for one, following in itertools.pairwise((*found.cycle, *found.cycle[:1])):
        assert one.target == following.source
        assert one in of.dependences
    if found.cycle:
        assert found.ratio == Fraction(sum(d.weight for d in found.cycle), sum(d.distance for d in found.cycle))
    else:
        assert found.ratio == 0


def slope(a: Matrix) -> Fraction:
    """Of the greatest entry of a^k ⊗ 0, over a number of iterations that every cycle divides, behind the transient."""
    n = len(a)
    period, far = lcm(*range(1, n + 1)), 1 << 30
    zero = np.zeros((n, 1), np.int64)
    early, late = power(a, far, zero).max(), power(a, far + period, zero).max()
    return Fraction(int(late - early), period) if early >= 0 else Fraction(0)


def check_matrices(seeds: range) -> None:
    cyclic = 0
    for seed in seeds:
        a = random_matrix(seed)
        of = matrix_graph(a)
        found, other = howard(of), karp(of)
        assert found.ratio == other.ratio == slope(a), seed
        check_cycle(found, of)
        check_cycle(other, of)
        cyclic += bool(found.cycle)
    assert cyclic > len(seeds) / 2


def test_slope_karp_howard() -> None:
    check_matrices(range(300))


@pytest.mark.full
def test_slope_karp_howard_on_3000() -> None:
    check_matrices(range(300, 3500))


def test_every_cycle_tried() -> None:
    for seed in range(400):
        of = random_graph(seed)
        found, other = howard(of), karp(of)
        assert found.ratio == other.ratio == tried(of), seed
        check_cycle(found, of)
        check_cycle(other, of)


def test_graphs_and_matrices_of_programs() -> None:
    for seed in range(40):
        program = random_program(seed, depth=0, most=12)
        endless = event_graph(program)
        found = howard(endless)
        assert found.ratio == karp(endless).ratio == howard(matrix_graph(symbolic(program).matrix)).ratio, seed
        check_cycle(found, endless)
        assert not any(isinstance(item, Repeat) for item in program.body)


def test_a_rational_rate_and_its_cycle() -> None:
    of = graph(3, (0, 1, 4, 0), (1, 0, 3, 2), (2, 2, 3, 1), (0, 2, 9, 0))
    found = howard(of)
    assert found.ratio == karp(of).ratio == Fraction(7, 2)
    assert {(d.source, d.target) for d in found.cycle} == {(0, 1), (1, 0)}


def test_graphs_without_cycles_have_rate_0() -> None:
    for of in (graph(0), graph(2), graph(2, (0, 1, 5, 0), (0, 1, 9, 3))):
        assert howard(of) == karp(of) == CycleRatio(Fraction(0), ())


def test_a_cycle_without_cycles_has_rate_0_and_is_told() -> None:
    found = howard(graph(2, (0, 1, 0, 0), (1, 0, 0, 1)))
    assert found.ratio == 0
    assert len(found.cycle) == 2


@pytest.mark.parametrize("algorithm", [howard, karp])
def test_waiting_for_oneself_within_an_iteration(algorithm: object) -> None:
    assert callable(algorithm)
    with pytest.raises(InputError, match=r"within an iteration.*e0 start unit.*e1 start unit|e1.*e0"):
        algorithm(graph(2, (0, 1, 5, 0), (1, 0, 1, 0)))


def test_great_weights() -> None:
    of = graph(2, (0, 1, 1 << 70, 1), (1, 0, 1, 1))
    assert howard(of).ratio == Fraction((1 << 70) + 1, 2)
    with pytest.raises(InputError, match=r"2\^62"):
        karp(of)
    with pytest.raises(InputError, match=r"2\^62"):
        karp(graph(2, (0, 1, 1 << 61, 1), (1, 0, 1 << 61, 1)))


def test_a_graph_too_large_for_a_matrix() -> None:
    of = graph(1, (0, 0, 3, 5000))
    assert howard(of).ratio == Fraction(3, 5000)
    with pytest.raises(InputError, match="5,000 states; at most 4,096"):
        karp(of)


def test_a_long_chain_of_components() -> None:
    count = 5000
    assert components(count, [(i, i + 1) for i in range(count - 1)]) == [[i] for i in reversed(range(count))]
    assert components(count, [(i, (i + 1) % count) for i in range(count)]) == [list(range(count))]


def test_the_matrix_of_a_graph() -> None:
    of = matrix_graph(np.array([[2, NEVER], [7, 0]], np.int64))
    assert [(d.source, d.target, d.weight, d.distance) for d in of.dependences] == [
        (0, 0, 2, 1),
        (0, 1, 7, 1),
        (1, 1, 0, 1),
    ]
