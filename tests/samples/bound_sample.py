"""Small problems for tests of bounds, and their optimum by enumeration."""

from __future__ import annotations

import random
from itertools import permutations, product

import numpy as np

from accmine.problems.operator_schedule import ModeSet, Problem, order

Row = list[tuple[int, tuple[int, ...]]]
"""Modes as (duration, amounts)."""


def problem_of(capacity: list[int], rows: list[Row], edges: list[tuple[int, int]]) -> Problem:
    """A problem from the modes of every operation; equal modes share one set."""
    sets: dict[tuple[tuple[int, tuple[int, ...]], ...], int] = {}
    own = [sets.setdefault(tuple(row), len(sets)) for row in rows]
    modes = tuple(
        ModeSet(np.array([d for d, _ in row]), np.array([u for _, u in row], dtype=np.int64).reshape(len(row), -1))
        for row in sets
    )
    return Problem(
        tuple(f"r{k}" for k in range(len(capacity))),
        np.array(capacity, dtype=np.int64),
        tuple(f"o{k}" for k in range(len(rows))),
        modes,
        np.array(own, dtype=np.int64),
        np.array(sorted(set(edges)), dtype=np.int64).reshape(-1, 2),
    )


def sample(seed: int, most: int = 16) -> Problem:
    """Random: two kinds of cores, a shared rate, several modes, durations of 0 and of 1e12, fans that repeat."""
    rng = random.Random(seed)
    capacity = [rng.randint(1, 3), rng.randint(1, 3), rng.choice([4, 7, 10]), 5][: rng.choice([1, 2, 3, 3, 4])]
    unit = 10**12 if rng.random() < 0.1 else 1

    def modes() -> Row:
        row = []
        for _ in range(rng.choice([1, 1, 2, 3])):
            uses = [0] * len(capacity)
            core = rng.randrange(min(2, len(capacity)))
            uses[core] = rng.randint(1, capacity[core]) if rng.random() < 0.3 else 1
            if len(capacity) > 2 and rng.random() < 0.7:
                uses[2] = rng.randint(0, capacity[2])
            row.append((rng.choice([0, 1, 3, 3, 5, 8, 13, 29]) * unit, tuple(uses)))
        return row

    kinds = [modes() for _ in range(rng.randint(1, 5))]
    size = rng.randint(1, most)
    rows: list[Row] = []
    edges: list[tuple[int, int]] = []

    def add(*before: int) -> int:
        rows.append(rng.choice(kinds))
        edges.extend((b, len(rows) - 1) for b in before)
        return len(rows) - 1

    if rng.random() < 0.5:
        while len(rows) < size:
            add(*rng.sample(range(len(rows)), min(len(rows), rng.randint(0, 2))))
    else:
        last = add()
        width = rng.randint(2, 4)
        while len(rows) + width < size:
            kind = rng.choice(kinds)
            fan = []
            for _ in range(width):
                rows.append(kind)
                edges.append((last, len(rows) - 1))
                fan.append(len(rows) - 1)
            last = add(*fan)
    return problem_of(capacity, rows, edges)


def optimum(problem: Problem) -> int:
    """Least makespan by all orders and all modes, each operation as early as it fits; for about five operations."""
    n = len(problem)
    line = order(problem)
    capacity = problem.capacity.tolist()
    choices = []
    for group in problem.mode_set.tolist():
        modes = problem.mode_sets[group]
        rows = zip(modes.duration.tolist(), modes.uses.tolist(), strict=True)
        choices.append([(d, u) for d, u in rows if all(a <= c for a, c in zip(u, capacity, strict=True))])
    best = None
    for sequence in permutations(range(n)):
        position = {v: k for k, v in enumerate(sequence)}
        if any(position[u] > position[v] for v in range(n) for u in line.predecessors[v]):
            continue
        for chosen in product(*choices):
            value = _serial(sequence, chosen, line.predecessors, capacity)
            best = value if best is None else min(best, value)
    assert best is not None
    return best


def _serial(
    sequence: tuple[int, ...], chosen: tuple[tuple[int, list[int]], ...], before: list[list[int]], capacity: list[int]
) -> int:
    placed: dict[int, tuple[int, int]] = {}
    for v in sequence:
        duration, uses = chosen[v]
        start = max((placed[u][1] for u in before[v]), default=0)
        times = sorted({start, *(end for _, end in placed.values() if end > start)})
        for t in times:
            if duration == 0 or _fits(t, duration, uses, placed, chosen, capacity):
                placed[v] = t, t + duration
                break
    return max((end for _, end in placed.values()), default=0)


def _fits(
    t: int,
    duration: int,
    uses: list[int],
    placed: dict[int, tuple[int, int]],
    chosen: tuple[tuple[int, list[int]], ...],
    capacity: list[int],
) -> bool:
    points = [t, *(begin for begin, _ in placed.values() if t < begin < t + duration)]
    for x in points:
        for r, limit in enumerate(capacity):
            held = sum(chosen[u][1][r] for u, (begin, end) in placed.items() if begin <= x < end)
            if held + uses[r] > limit:
                return False
    return True


def heads_of_attention(heads: int, cores: tuple[int, int], layers: int = 1) -> Problem:
    """Layers of one projection, ``heads`` chains of four operations on two kinds of cores, and one projection."""
    tensor, vector = (1, 0), (0, 1)
    rows: list[Row] = []
    edges: list[tuple[int, int]] = []
    last = -1
    for _ in range(layers):
        rows.append([(50, tensor)])
        first = len(rows) - 1
        if last >= 0:
            edges.append((last, first))
        ends = []
        for _ in range(heads):
            at = first
            for duration, kind in ((7, tensor), (41, vector), (23, vector), (7, tensor)):
                rows.append([(duration, kind)])
                edges.append((at, len(rows) - 1))
                at = len(rows) - 1
            ends.append(at)
        rows.append([(30, tensor)])
        last = len(rows) - 1
        edges += [(end, last) for end in ends] + [(first, last)]
    return problem_of(list(cores), rows, edges)


def two_phases(chains: int = 3, layers: int = 6) -> Problem:
    """Chains that need mostly the second kind of core at first and mostly the first kind later."""
    rows: list[Row] = []
    edges: list[tuple[int, int]] = []
    for _ in range(chains):
        for k in range(layers):
            for duration, uses in ((2, (1, 0)), (8, (0, 1))) if k < layers // 2 else ((8, (1, 0)), (2, (0, 1))):
                rows.append([(duration, uses)])
                if len(rows) % (2 * layers) != 1:
                    edges.append((len(rows) - 2, len(rows) - 1))
    return problem_of([1, 1], rows, edges)
