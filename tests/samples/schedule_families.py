"""Families of small random operator schedules, and their optimum by means that share nothing with the bounds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import numpy as np
from ortools.sat.python import cp_model

from accmine.problems.operator_schedule import Problem, Solution, check, objective, problem_from_json

Operation = dict[str, object]


def layered(rng: random.Random, n: int) -> Problem:
    """Layers on one to three cores of two kinds, each operation behind one to three of the layer before."""
    operations: list[Operation] = []
    before: list[str] = []
    while len(operations) < n:
        layer = [f"o{k}" for k in range(len(operations), min(n, len(operations) + rng.randint(1, 5)))]
        for name in layer:
            after = rng.sample(before, min(len(before), rng.randint(1, 3)))
            uses = {rng.choice(["tensor", "vector"]): 1}
            operations.append({"name": name, "duration": int(10 ** rng.uniform(0, 2)), "uses": uses, "after": after})
        before = layer
    capacity = {"tensor": rng.randint(1, 3), "vector": rng.randint(1, 3)}
    return problem_from_json({"resources": capacity, "operations": operations})


def project(rng: random.Random, n: int) -> Problem:
    """A project with four renewable resources and requests above one; some jobs take no time."""
    names = [f"R{k}" for k in range(4)]
    operations: list[Operation] = []
    for i in range(n):
        after = [f"o{j}" for j in rng.sample(range(max(0, i - 6), i), min(i, rng.randint(0, 2)))]
        uses = {r: rng.choice([0, rng.randint(1, 10)]) for r in names}
        operations.append({"name": f"o{i}", "duration": rng.randint(0, 10), "uses": uses, "after": after})
    return problem_from_json({"resources": {r: rng.randint(10, 20) for r in names}, "operations": operations})


def shared_rate(rng: random.Random, n: int) -> Problem:
    """Modes that are longer at a smaller rate of what all share, on cores of two kinds."""
    operations: list[Operation] = []
    for i in range(n):
        core, work, rate = rng.choice(["tensor", "vector"]), rng.randint(1, 12), rng.randint(1, 100)
        cores = [1, 2] if rng.random() < 0.3 else [1]
        modes = [
            {"duration": -(-work * stretch // (4 * many)), "uses": {core: many, "hbm": -(-rate * 4 // stretch)}}
            for many in cores
            for stretch in rng.sample([4, 6, 8, 16], rng.randint(1, 3))
        ]
        after = [f"o{j}" for j in rng.sample(range(max(0, i - 4), i), min(i, rng.randint(0, 2)))]
        operations.append({"name": f"o{i}", "modes": modes, "after": after})
    capacity = {"tensor": rng.randint(2, 3), "vector": 2, "hbm": rng.randint(100, 160), "unused": rng.randint(0, 1)}
    return problem_from_json({"resources": capacity, "operations": operations})


def chains(rng: random.Random, n: int) -> Problem:
    """Modules in a row, each of equal chains side by side, as the heads of attention are."""
    operations: list[Operation] = []
    gate: list[str] = []
    k = 0
    while len(operations) < n:
        steps = [(rng.choice(["tensor", "vector"]), rng.randint(1, 30)) for _ in range(rng.randint(1, 3))]
        ends = []
        for c in range(rng.randint(2, 5)):
            last = gate
            for s, (core, duration) in enumerate(steps):
                name = f"m{k}c{c}s{s}"
                operations.append({"name": name, "duration": duration, "uses": {core: 1}, "after": last})
                last = [name]
            ends += last
        join = {"name": f"m{k}", "duration": rng.randint(0, 20), "uses": {rng.choice(["tensor", "vector"]): 1}}
        operations.append({**join, "after": ends})
        gate, k = [f"m{k}"], k + 1
    capacity = {"tensor": rng.randint(1, 3), "vector": rng.randint(1, 2)}
    return problem_from_json({"resources": capacity, "operations": operations})


FAMILIES: dict[str, Callable[[random.Random, int], Problem]] = {
    "layered": layered,
    "project": project,
    "shared-rate": shared_rate,
    "chains": chains,
}


def family(name: str, seed: int, n: int) -> Problem:
    """An instance of about ``n`` operations."""
    return FAMILIES[name](random.Random(f"{name} {seed}"), n)


def brute_force(problem: Problem) -> int:
    """Optimum of a tiny problem by all modes and all orders, each operation as early as it fits."""
    n, sets = len(problem), [problem.mode_sets[k] for k in problem.mode_set.tolist()]
    before: list[set[int]] = [set() for _ in range(n)]
    for a, b in problem.edges.tolist():
        before[b].add(a)
    lines = [p for p in itertools.permutations(range(n)) if all(before[v] <= set(p[:k]) for k, v in enumerate(p))]
    best = sum(int(s.duration.max()) for s in sets)
    fitting = [[k for k, u in enumerate(s.uses) if (u <= problem.capacity).all()] for s in sets]
    for modes in itertools.product(*fitting):
        length = [int(s.duration[k]) for s, k in zip(sets, modes, strict=True)]
        uses = [s.uses[k] for s, k in zip(sets, modes, strict=True)]
        for line in lines:
            held = np.zeros((sum(length) + 1, len(problem.resources)), dtype=np.int64)
            end = [0] * n
            for v in line:
                t = max((end[u] for u in before[v]), default=0)
                while (held[t : t + length[v]] + uses[v] > problem.capacity).any():
                    t += 1
                held[t : t + length[v]] += uses[v]
                end[v] = t + length[v]
            best = min(best, max(end, default=0))
    return best


def proven(problem: Problem, seconds: float = 5.0) -> Solution | None:
    """An optimal schedule by CP-SAT from the bare definition: no heads, no tails, no bound; None if not proven.

    The bounds under test must not take part in what they are judged by.
    """
    model = cp_model.CpModel()
    sets = [problem.mode_sets[k] for k in problem.mode_set.tolist()]
    horizon = sum(int(s.duration.max()) for s in sets)
    start = [model.new_int_var(0, horizon, "") for _ in sets]
    makespan = model.new_int_var(0, horizon, "")
    chosen = [[model.new_bool_var("") for _ in s.duration] for s in sets]
    # Ends are expressions: CP-SAT 9.15 has proven wrong optima where optional intervals share a variable as their end.
    end = [start[i] + cp_model.LinearExpr.weighted_sum(chosen[i], s.duration.tolist()) for i, s in enumerate(sets)]
    held: list[list[tuple[cp_model.IntervalVar, int]]] = [[] for _ in problem.resources]
    for i, s in enumerate(sets):
        model.add_exactly_one(chosen[i])
        model.add(makespan >= end[i])
        for k, literal in enumerate(chosen[i]):
            interval = model.new_optional_fixed_size_interval_var(start[i], int(s.duration[k]), literal, "")
            for r, amount in enumerate(s.uses[k].tolist() if s.duration[k] else []):
                held[r].append((interval, amount))
    for a, b in problem.edges.tolist():
        model.add(start[b] >= end[a])
    for rows, capacity in zip(held, problem.capacity.tolist(), strict=True):
        model.add_cumulative([interval for interval, _ in rows], [amount for _, amount in rows], capacity)
    model.minimize(makespan)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 0
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.catch_sigint_signal = False
    if solver.solve(model) != cp_model.OPTIMAL:
        return None
    modes = [next(k for k, x in enumerate(row) if solver.value(x)) for row in chosen]
    solution = Solution(np.array([solver.value(s) for s in start], dtype=np.int64), np.array(modes, dtype=np.int64))
    assert check(problem, solution) == ()
    assert objective(problem, solution) == solver.value(makespan)
    return solution
