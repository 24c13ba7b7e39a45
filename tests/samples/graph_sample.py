"""Small operator-schedule problems with the structure of training graphs, for the tests of schedulers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import permutations, product

import numpy as np

from accmine.problems.operator_schedule import ModeSet, Problem, Solution, order

Row = tuple[str, list[tuple[int, list[int]]], list[str]]
"""Name, (duration, amounts) of each mode, and names of the predecessors."""


def problem_of(rows: list[Row], capacity: list[int], resources: tuple[str, ...] = ("t", "v")) -> Problem:
    """The problem of some rows; equal modes share a mode set."""
    sets: dict[str, int] = {}
    modes: list[ModeSet] = []
    mode_set = []
    for _, own, _ in rows:
        if str(own) not in sets:
            sets[str(own)] = len(modes)
            modes.append(ModeSet(np.array([d for d, _ in own]), np.array([u for _, u in own]).reshape(len(own), -1)))
        mode_set.append(sets[str(own)])
    at = {name: i for i, (name, _, _) in enumerate(rows)}
    edges = [(at[b], at[name]) for name, _, after in rows for b in after]
    return Problem(
        resources,
        np.array(capacity),
        tuple(at),
        tuple(modes),
        np.array(mode_set, dtype=np.int64),
        np.array(edges, dtype=np.int64).reshape(-1, 2),
    )


def unit(seed: int, n: int, capacity: tuple[int, int] = (2, 2)) -> Problem:
    """Operations of one mode on one core, or on none; some last no time."""
    rng = random.Random(seed)
    rows: list[Row] = []
    for i in range(n):
        uses = rng.choice(([1, 0], [0, 1], [1, 0], [0, 1], [0, 0]))
        after = [f"o{j}" for j in rng.sample(range(i), k=min(i, rng.randint(0, 2)))]
        rows.append((f"o{i}", [(rng.choice((0, rng.randint(1, 9), rng.randint(1, 99))), uses)], after))
    return problem_of(rows, list(capacity))


def general(seed: int, n: int) -> Problem:
    """Operations with up to three modes that hold cores of two kinds and a rate."""
    rng = random.Random(seed)
    rows: list[Row] = []
    for i in range(n):
        modes = [
            (rng.randint(0, 60), [rng.randint(0, 3), rng.randint(0, 2), rng.randint(0, 50)])
            for _ in range(rng.randint(1, 3))
        ]
        after = [f"o{j}" for j in rng.sample(range(i), k=min(i, rng.randint(0, 2)))]
        rows.append((f"o{i}", modes, after))
    return problem_of(rows, [3, 2, 50], ("t", "v", "rate"))


def layers(count: int, heads: int, cores: tuple[int, int], copies: int = 1) -> Problem:
    """Layers of equal heads between two long operations, each with a weight gradient; copies share the updates."""
    rows: list[Row] = []
    tensor, vector = [1, 0], [0, 1]
    for c in range(copies):
        last: list[str] = []
        for k in range(count):
            rows.append((f"{c}.{k}.in", [(40, tensor)], last))
            for h in range(heads):
                rows.append((f"{c}.{k}.{h}.a", [(3, tensor)], [f"{c}.{k}.in"]))
                rows.append((f"{c}.{k}.{h}.b", [(11, vector)], [f"{c}.{k}.{h}.a"]))
                rows.append((f"{c}.{k}.{h}.c", [(4, tensor)], [f"{c}.{k}.{h}.b"]))
            rows.append((f"{c}.{k}.out", [(25, vector)], [f"{c}.{k}.{h}.c" for h in range(heads)]))
            earlier = [f"{c - 1}.{k}.dw"] if c else []
            rows.append((f"{c}.{k}.dw", [(60, tensor)], [f"{c}.{k}.out", *earlier]))
            last = [f"{c}.{k}.out"]
    rows += [(f"{k}.update", [(30, vector)], [f"{copies - 1}.{k}.dw"]) for k in range(count)]
    return problem_of(rows, list(cores))


def exhaustive(problem: Problem) -> int:
    """Least makespan of a tiny problem: every order that respects the precedences, in every choice of modes.

    One of the schedules that place each operation as early as it fits, in some order, is a shortest one.
    """
    n = len(problem)
    before = order(problem).predecessors
    groups = problem.mode_set.tolist()
    fitting = [
        [k for k, u in enumerate(problem.mode_sets[g].uses.tolist()) if (np.array(u) <= problem.capacity).all()]
        for g in groups
    ]
    best = sum(int(problem.mode_sets[g].duration.max()) for g in groups)
    for line in permutations(range(n)):
        place = {i: k for k, i in enumerate(line)}
        if any(place[j] > place[i] for i in range(n) for j in before[i]):
            continue
        for mode in product(*fitting):
            best = min(best, _packed(problem, line, mode, before))
    return best


def _packed(problem: Problem, line: tuple[int, ...], mode: tuple[int, ...], before: list[list[int]]) -> int:
    level: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []  # held in every time unit
    end = [0] * len(line)
    for i in line:
        modes = problem.mode_sets[problem.mode_set[i]]
        duration, uses = int(modes.duration[mode[i]]), modes.uses[mode[i]]
        time = max((end[j] for j in before[i]), default=0)
        while any((level[t] + uses > problem.capacity).any() for t in range(time, min(time + duration, len(level)))):
            time += 1
        level += [np.zeros_like(uses) for _ in range(time + duration - len(level))]
        for t in range(time, time + duration):
            level[t] = level[t] + uses
        end[i] = time + duration
    return max(end, default=0)


def renamed(problem: Problem, seed: int) -> Problem:
    """The same problem with its operations in another order."""
    new = np.random.default_rng(seed).permutation(len(problem))  # old -> new
    old = np.argsort(new)
    return Problem(
        problem.resources,
        problem.capacity,
        tuple(problem.names[i] for i in old),
        problem.mode_sets,
        problem.mode_set[old],
        np.ascontiguousarray(new[problem.edges.reshape(-1, 2)]),
    )


def every(seeds: range, n: int) -> Iterator[Problem]:
    """Problems of all kinds."""
    for seed in seeds:
        yield unit(seed, n)
        yield general(seed, n)
    yield layers(2, 3, (2, 2))
    yield layers(2, 2, (1, 2), copies=3)


def starts(solution: Solution) -> list[tuple[int, int]]:
    """Start and mode of every operation."""
    return list(zip(solution.start.tolist(), solution.mode.tolist(), strict=True))
