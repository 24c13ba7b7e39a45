"""Resource-aware heads and tails: valid, never weaker than longest paths, and stronger where work shares cores."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.ports import Stop
from accmine.problems import operator_schedule as osp
from accmine.problems.operator_schedule import Problem, problem_from_json
from accmine.problems.operator_schedule.cone_bound import METHOD, cones
from accmine.solvers.operator_schedule.critical_path import CriticalPath
from accmine.solving import solve


def make(seed: int, n: int) -> Problem:
    rng = random.Random(seed)
    operations = []
    for i in range(n):
        modes = [
            {"duration": rng.randint(0, 20), "uses": {"t": rng.randint(0, 2), "hbm": rng.randint(0, 9)}}
            for _ in range(rng.randint(1, 2))
        ]
        after = [f"o{j}" for j in rng.sample(range(i), k=min(i, rng.randint(0, 3)))]
        operations.append({"name": f"o{i}", "modes": modes, "after": after})
    return problem_from_json({"resources": {"t": 2, "hbm": 9}, "operations": operations})


def fan(width: int, cores: int) -> Problem:
    """A chain of two fans: one operation, ``width`` of equal length, one operation, and that again."""
    listed = [{"name": "s0", "duration": 5, "uses": {"t": 1}}]
    for k in range(2):
        leaves = [f"a{k}.{i}" for i in range(width)]
        listed += [{"name": a, "duration": 10, "uses": {"t": 1}, "after": [f"s{k}"]} for a in leaves]
        listed.append({"name": f"s{k + 1}", "duration": 5, "uses": {"t": 1}, "after": leaves})
    return problem_from_json({"resources": {"t": cores}, "operations": listed})


def test_fans_on_few_cores_are_exact() -> None:
    problem = fan(8, 2)
    assert osp.lower_bound(problem)[0] == 88  # work
    assert cones(problem).bound == 5 + 40 + 5 + 40 + 5
    assert osp.bound(problem) == (95, METHOD)
    assert solve(problem, "critical-path").objective == 95
    assert cones(problem).head.tolist()[9] == 45
    assert cones(problem).tail.tolist()[0] == 90


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 14))
def test_below_every_schedule_and_above_the_longest_path(seed: int, n: int) -> None:
    problem = make(seed, n)
    known = cones(problem)
    assert (known.head >= osp.heads(problem)).all()
    assert (known.tail >= osp.tails(problem)).all()
    assert osp.bound(problem)[0] == max(known.bound, osp.lower_bound(problem)[0])
    result = solve(problem, CriticalPath(), stop=Stop())
    assert result.solution is not None
    assert result.objective is not None
    assert (known.head <= result.solution.start).all()
    end = result.solution.start + osp.durations(problem, result.solution)
    assert (known.tail <= result.objective - end).all()
    assert known.bound <= result.objective


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 9))
def test_below_the_optimum(seed: int, n: int) -> None:
    problem = make(seed, n)
    best = solve(problem, "cp-sat", stop=Stop(seconds=10))
    assert best.bound is not None
    assert best.objective is not None
    assert cones(problem).bound <= best.objective


@given(st.integers(0, 10**6), st.integers(0, 12))
def test_time_reversed_gives_the_mirror(seed: int, n: int) -> None:
    problem = make(seed, n)
    there, back = cones(problem), cones(osp.reverse(problem))
    assert there.bound == back.bound
    assert (there.head == back.tail).all()
    assert (there.tail == back.head).all()


def test_the_window_only_weakens_the_bound() -> None:
    problem = fan(700, 2)  # more leaves than the window
    whole = 5 + 3500 + 5 + 3500 + 5
    assert osp.lower_bound(problem)[0] <= osp.bound(problem)[0] <= whole
    assert cones(problem).head.dtype == np.int64
    assert cones(problem) is cones(problem)
