"""The search for proofs: never above the optimum, repeatable, stoppable, and stronger than what it starts from."""

from __future__ import annotations

import random
import threading
import time
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from accmine.models.operator_schedule_cpsat import OperatorScheduleCpSat, exclusive_sets
from accmine.ports import Clock, Stop
from accmine.problems.operator_schedule import Problem, bound, check, objective, problem_from_json
from accmine.solvers.engines.cpsat import CpSat
from accmine.solvers.engines.prover import Prover
from accmine.solvers.operator_schedule.critical_path import quick
from accmine.solving import solve, verify
from tests.samples.schedule_families import proven


def project(seed: int, n: int, scarce: float = 0.2) -> Problem:
    """A project with four renewable resources that are scarce; a third of the jobs has a second mode."""
    rng = random.Random(seed)
    names = [f"R{k}" for k in range(4)]
    operations = []
    for i in range(n):
        modes = [
            {"duration": rng.randint(0, 10), "uses": {r: rng.randint(0, 10) for r in names}}
            for _ in range(1 + (rng.random() < 1 / 3))
        ]
        after = [f"j{j}" for j in rng.sample(range(max(0, i - 8), i), k=min(i, rng.randint(1, 2)))]
        operations.append({"name": f"j{i}", "modes": modes, "after": after})
    capacity = {r: round(10 + scarce * 20) for r in names}
    return problem_from_json({"resources": capacity, "operations": operations})


def prover(problem: Problem, upper: int, **options: Any) -> tuple[Prover, list[tuple[int | None, Any]]]:
    """A search for proofs below a value, before it has run, and what it will find."""
    model = OperatorScheduleCpSat()
    model.build(problem)
    found: list[tuple[int | None, Any]] = []
    own = Prover(model.below(upper), upper, model.proof_parameters, lambda *pair: found.append(pair), **options)
    return own, found


def best_of(found: list[tuple[int | None, Any]], start: int) -> int:
    return max([start, *(value for value, _ in found if value is not None)])


@pytest.mark.parametrize("seed", range(12))
def test_it_proves_what_is_true_above_and_at_the_optimum(seed: int) -> None:
    problem = project(seed, 12)
    solution = proven(problem)
    assert solution is not None
    optimum, least = objective(problem, solution), bound(problem)[0]
    for upper in {optimum, optimum + 1, optimum + 7, optimum + 100}:
        if upper <= least:
            continue  # nothing is left to prove
        own, found = prover(problem, upper, work=20)
        own.run()
        assert best_of(found, least) == optimum
        for _, better in found:
            if better is not None:
                assert check(problem, better) == ()
                assert optimum <= objective(problem, better) < upper
        if upper > optimum:
            assert min(objective(problem, better) for _, better in found if better is not None) == optimum


def test_it_is_stronger_than_what_it_starts_from_and_repeats() -> None:
    problem = project(3, 40, 0.1)
    upper = objective(problem, quick(problem))
    runs = [prover(problem, upper, work=0.1) for _ in range(2)]
    for own, _ in runs:
        own.run()
    (first, found), (again, repeated) = runs
    assert best_of(found, 0) > bound(problem)[0]
    assert [value for value, _ in found] == [value for value, _ in repeated]
    assert first.used == again.used


def test_a_gap_is_enough() -> None:
    problem = project(3, 40, 0.1)
    upper = objective(problem, quick(problem))
    wide, some = prover(problem, upper, work=1, gap=0.5)
    narrow, more = prover(problem, upper, work=1)
    wide.run()
    narrow.run()
    assert upper - best_of(some, bound(problem)[0]) <= 0.5 * upper
    assert best_of(some, 0) <= best_of(more, 0)
    assert wide.used < narrow.used


def test_it_stops_when_told_or_late() -> None:
    problem = project(3, 80, 0.0)
    late, found = prover(problem, 10**6, clock=Clock.after(-1))
    late.run()
    assert (found, late.used) == ([], 0.0)
    own, _ = prover(problem, 10**6)
    thread = threading.Thread(target=own.run)
    begin = time.monotonic()
    thread.start()
    while thread.is_alive():
        time.sleep(0.1)
        own.stop()
    assert time.monotonic() - begin < 10


def test_the_driver_proves_with_it_what_cpsat_alone_does_not() -> None:
    """One worker: its bound comes first, and the result says so."""
    problem = project(3, 40, 0.1)
    result = verify(problem, solve(problem, CpSat(), stop=Stop(work=0.3)))
    assert result.bound is not None
    assert result.bound > bound(problem)[0]
    assert result.bound_method == "CP-SAT, objective from below"


@pytest.mark.parametrize("seed", range(6))
def test_exclusive_sets_exclude(seed: int) -> None:
    problem = project(seed, 25)
    least = np.array([modes.uses.min(axis=0) for modes in problem.mode_sets])[problem.mode_set]
    after: list[set[int]] = [set() for _ in range(25)]
    for a, b in reversed(problem.edges.tolist()):  # edges lead to later operations
        after[a] |= {b} | after[b]
    for i in reversed(range(25)):
        for j in list(after[i]):
            after[i] |= after[j]
    sets = exclusive_sets(problem)
    assert sets
    for one in sets:
        assert len(one) > 2
        for i, j in combinations(one, 2):
            assert j in after[i] or i in after[j] or (least[i] + least[j] > problem.capacity).any()
