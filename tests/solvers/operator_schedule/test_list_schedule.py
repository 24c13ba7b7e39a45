"""List schedules are valid, use every resource at once, and never wait without need."""

from __future__ import annotations

import random
import time
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.problems.operator_schedule import (
    Problem,
    Solution,
    check,
    durations,
    heads,
    lower_bound,
    objective,
    problem_from_json,
    reverse,
    tails,
)
from accmine.solvers.operator_schedule.list_schedule import POLICIES, ListScheduler, schedule


def make(seed: int, n: int, modes: int = 3, layers: int = 5) -> Problem:
    """A layered problem with cores and a rate, as lowering makes them."""
    rng = random.Random(seed)
    capacity = {"tensor": rng.randint(1, 4), "vector": rng.randint(1, 3), "hbm": 100}
    operations: list[dict[str, Any]] = []
    for i in range(n):
        core = rng.choice(["tensor", "vector"])
        work, moved = rng.randint(0, 400), rng.randint(0, 3000)
        listed = []
        for k in range(rng.randint(1, modes)):
            cores = min(capacity[core], 1 << k)
            duration = max(work // cores, -(-moved // 100))
            uses = {core: cores, "hbm": -(-moved // duration) if duration else 0}
            listed.append({"duration": duration, "uses": uses})
        near = range(max(0, i - max(2, n // layers)), i)
        after = rng.sample(near, k=min(len(near), rng.randint(0, 2)))
        operations.append({"name": f"op{i}", "modes": listed, "after": [f"op{j}" for j in after]})
    return problem_from_json({"resources": capacity, "operations": operations})


def priority(problem: Problem) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(tails(problem) + problem.shortest[problem.mode_set])


@given(st.integers(0, 10**6), st.integers(0, 40), st.sampled_from(sorted(POLICIES)), st.booleans())
def test_every_pass_is_valid(seed: int, n: int, policy: str, backwards: bool) -> None:
    problem = make(seed, n)
    scheduler = ListScheduler(problem)
    found = scheduler.run(policy=policy, reverse=backwards, target=scheduler.bound * 2)
    assert check(problem, found) == ()
    assert objective(problem, found) >= lower_bound(problem)[0]
    if n:
        assert found.start.min() == 0


@given(st.integers(0, 10**6), st.integers(1, 25))
def test_a_pass_backwards_is_the_mirror_of_a_pass_on_the_reversed_problem(seed: int, n: int) -> None:
    problem = make(seed, n)
    there = ListScheduler(problem).run(reverse=True)
    mirrored = reverse(problem)
    back = schedule(mirrored, heads(problem) + problem.shortest[problem.mode_set])
    assert objective(problem, there) == objective(mirrored, back)
    assert (there.mode == back.mode).all()


def idle_starts(problem: Problem, found: Solution) -> list[tuple[int, int]]:
    """(operation, time) where an operation could have started earlier in its own mode, all else equal."""
    length = durations(problem, found)
    end = found.start + length
    uses = np.array([problem.mode_sets[g].uses[m] for g, m in zip(problem.mode_set, found.mode, strict=True)])
    could = []
    for i in range(len(problem)):
        ready = max([int(end[a]) for a, b in problem.edges.tolist() if b == i], default=0)
        for t in sorted({ready, *(int(e) for e in end if ready <= e < found.start[i])}):
            if t >= found.start[i]:
                break
            moments = [t, *(int(s) for s in found.start if t < s < t + length[i])]
            others = np.arange(len(problem)) != i
            fits = all(
                (uses[others & (found.start <= m) & (m < end)].sum(axis=0) + uses[i] <= problem.capacity).all()
                for m in moments
            )
            if fits and length[i] > 0:
                could.append((i, t))
    return could


@given(st.integers(0, 10**6), st.integers(1, 20))
def test_single_mode_schedules_never_wait_without_need(seed: int, n: int) -> None:
    problem = make(seed, n, modes=1)
    assert idle_starts(problem, schedule(problem, priority(problem))) == []


def serial_makespans(problem: Problem) -> int:
    return sum(int(problem.mode_sets[g].duration[0]) for g in problem.mode_set)


def test_priority_decides_who_goes_first() -> None:
    problem = problem_from_json(
        {
            "resources": {"t": 1},
            "operations": [{"name": n, "duration": d, "uses": {"t": 1}} for n, d in zip("abc", (3, 4, 5), strict=True)],
        }
    )
    assert schedule(problem, [1, 2, 3]).start.tolist() == [9, 5, 0]
    assert schedule(problem, [3, 3, 3]).start.tolist() == [0, 3, 7]


def modes_of(tensor: list[tuple[int, int]], capacity: int, count: int) -> Problem:
    modes = [{"duration": d, "uses": {"t": u}} for d, u in tensor]
    return problem_from_json(
        {"resources": {"t": capacity}, "operations": [{"name": f"a{i}", "modes": modes} for i in range(count)]}
    )


def test_policies_choose_modes_as_they_say() -> None:
    split = [(100, 1), (60, 2), (40, 4)]
    alone, four = modes_of(split, 4, 1), modes_of(split, 4, 4)
    for policy in ("earliest-finish", "patient", "fair"):
        assert schedule(alone, [0], policy=policy).mode.tolist() == [2]
    assert schedule(alone, [0], policy="efficient").mode.tolist() == [0]
    assert schedule(four, [0] * 4, policy="fair").mode.tolist() == [0] * 4
    assert schedule(four, [0] * 4, policy="earliest-finish").mode.tolist() == [2] * 4
    slack = ListScheduler(alone)
    assert slack.run(policy="slack", target=100).mode.tolist() == [0]
    assert slack.run(policy="slack", target=60).mode.tolist() == [1]
    assert slack.run(policy="slack").mode.tolist() == [2]  # no slack against the lower bound


def test_modes_much_slower_than_waiting_are_not_used() -> None:
    problem = modes_of([(1000, 1), (10, 4)], 4, 5)
    assert schedule(problem, [0] * 5).mode.tolist() == [1] * 5
    assert objective(problem, schedule(problem, [0] * 5)) == 50


def test_shared_rate_blocks_only_what_needs_it() -> None:
    def one(name: str, hbm: int) -> dict[str, Any]:
        return {"name": name, "duration": 10, "uses": {"hbm": hbm, "t": 1}}

    problem = problem_from_json(
        {"resources": {"t": 4, "hbm": 10}, "operations": [one("a", 8), one("b", 8), one("c", 2), one("d", 0)]}
    )
    assert schedule(problem, [4, 3, 2, 1]).start.tolist() == [0, 10, 0, 0]


def test_zero_durations_pass_in_no_time() -> None:
    chain = [{"name": f"a{i}", "duration": 0, "uses": {"t": 1}, "after": [f"a{i - 1}"] if i else []} for i in range(9)]
    problem = problem_from_json({"resources": {"t": 1}, "operations": [*chain, {"name": "b", "duration": 10**12}]})
    found = schedule(problem, priority(problem))
    assert objective(problem, found) == 10**12
    assert found.start.tolist() == [0] * 10


def test_refusals() -> None:
    problem = make(3, 5)
    with pytest.raises(InputError, match="known: earliest-finish"):
        schedule(problem, [0] * 5, policy="hasty")


def test_five_thousand_operations_take_a_fraction_of_a_second() -> None:
    problem = make(7, 5000, layers=200)
    scheduler = ListScheduler(problem)
    begin = time.perf_counter()
    for policy, backwards in product(("earliest-finish", "fair"), (False, True)):
        found = scheduler.run(policy=policy, reverse=backwards)
    assert time.perf_counter() - begin < 10.0  # about 0.1 s alone; the machine may be busy
    assert check(problem, found) == ()
    assert objective(problem, found) < serial_makespans(problem)
