"""Rules for classes of equal operators: every step is a valid schedule, and the best is kept."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.problems.operator_schedule import Problem, check, lower_bound, objective, problem_from_json
from accmine.solvers.operator_schedule.class_descent import ClassDescent
from accmine.solvers.operator_schedule.list_schedule import POLICIES, ListScheduler


def layers(count: int, heads: int = 3) -> Problem:
    """A chain of layers: a matmul, heads bound by memory, a matmul; each with a weight gradient aside."""
    matmul = [{"duration": 40, "uses": {"t": 4, "hbm": 20}}, {"duration": 80, "uses": {"t": 2, "hbm": 10}}]
    head = [{"duration": 12, "uses": {"v": 1, "hbm": 100}}, {"duration": 24, "uses": {"v": 1, "hbm": 50}}]
    aside = [
        {"duration": 30, "uses": {"t": 4, "hbm": 60}},
        {"duration": 60, "uses": {"t": 2, "hbm": 30}},
        {"duration": 120, "uses": {"t": 1, "hbm": 15}},
    ]
    operations = []
    for i in range(count):
        before = [f"{i - 1}.out"] if i else []
        operations.append({"name": f"{i}.in", "modes": matmul, "after": before})
        operations += [{"name": f"{i}.head{h}", "modes": head, "after": [f"{i}.in"]} for h in range(heads)]
        operations.append({"name": f"{i}.out", "modes": matmul, "after": [f"{i}.head{h}" for h in range(heads)]})
        operations.append({"name": f"{i}.dw", "modes": aside, "after": [f"{i}.in"]})
    return problem_from_json({"resources": {"t": 4, "v": 2, "hbm": 100}, "operations": operations})


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_steps_are_valid_and_the_best_is_kept(seed: int, count: int) -> None:
    problem = layers(count)
    search = ClassDescent(problem, seed)
    values = []
    for _ in range(40):
        before = search.value
        better = search.step()
        assert search.best is not None
        assert search.value is not None
        assert check(problem, search.best) == ()
        assert objective(problem, search.best) == search.value >= lower_bound(problem)[0]
        assert better == (before is None or search.value < before)
        values.append(search.value)
    assert all(a >= b for a, b in pairwise(values))


def random_layers(seed: int, count: int = 8, size: int = 9) -> Problem:
    """Equal layers of random operators; some of their results are waited for by the next layer."""
    rng = random.Random(seed)
    kinds = []
    for _ in range(size):
        core, work, moved = rng.choice("tv"), rng.randint(20, 400), rng.randint(0, 20_000)
        kinds.append(
            [
                {"duration": (d := max(work // c, -(-moved // 100))), "uses": {core: c, "hbm": -(-moved // d)}}
                for c in (1, 2, 4)
            ]
        )
    inside = {i: rng.sample(range(i), k=min(i, rng.randint(0, 2))) for i in range(size)}
    across = rng.sample(range(size), k=2)
    operations = [
        {
            "name": f"{layer}.{i}",
            "modes": kinds[i],
            "after": [f"{layer}.{j}" for j in inside[i]]
            + ([f"{layer - 1}.{j}" for j in across] if layer and not inside[i] else []),
        }
        for layer in range(count)
        for i in range(size)
    ]
    return problem_from_json({"resources": {"t": 4, "v": 4, "hbm": 100}, "operations": operations})


def test_rules_beat_the_policies_on_repeated_layers() -> None:
    better = 0
    for seed in range(5):
        problem = random_layers(seed)
        scheduler = ListScheduler(problem)
        plain = min(
            objective(problem, scheduler.run(policy=policy, reverse=reverse))
            for policy in POLICIES
            for reverse in (False, True)
        )
        search = ClassDescent(problem, 0)
        for _ in range(150):
            search.step()
        assert search.value is not None
        better += search.value < plain
    assert better >= 3


def test_the_same_seed_takes_the_same_steps() -> None:
    def walk(seed: int) -> list[object]:
        search = ClassDescent(layers(4), seed)
        return [(search.step(), search.rule) for _ in range(30)]

    assert walk(3) == walk(3)
    assert walk(3) != walk(4)


def test_allowed_modes_are_kept_and_none_at_all_is_refused() -> None:
    problem = layers(3)
    scheduler = ListScheduler(problem)
    names = np.array([name.partition(".")[2] for name in problem.names])
    group = int(problem.mode_set[int(np.argmax(names == "dw"))])
    found = scheduler.run(allowed=[(2,) if g == group else None for g in range(len(problem.mode_sets))])
    assert check(problem, found) == ()
    assert set(found.mode[names == "dw"].tolist()) == {2}
    with pytest.raises(InputError, match=r"no allowed mode of 0\.dw fits"):
        scheduler.run(allowed=[() if g == group else None for g in range(len(problem.mode_sets))])


def test_the_policy_aside_narrows_what_has_slack() -> None:
    problem = layers(6)
    found = ListScheduler(problem).run(policy="aside")
    assert check(problem, found) == ()
    aside = np.array([name.endswith(".dw") for name in problem.names])
    assert set(found.mode[aside].tolist()) == {2}  # one of four cores
    assert 0 in found.mode[~aside].tolist()
