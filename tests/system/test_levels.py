"""Steps level by level, and thousands of rounds at once, equal the event simulation of one case at a time."""

from __future__ import annotations

import random
import time
import tracemalloc

import numpy as np
import pytest

from accmine.system import SCHEDULES, levels, simulate, step_time, timeline

Case = tuple[list[int], list[int], list[int], list[tuple[int, int]]]


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_levels_give_the_simulated_steps(schedule: str) -> None:
    random = np.random.default_rng(3)
    for _ in range(150):
        stages, microbatches, cases = (int(random.integers(1, n)) for n in (7, 12, 4))
        f, b, u = (random.integers(0, 20, (stages, cases)) for _ in range(3))
        links = random.integers(0, 9, (stages - 1, 2, cases))
        found = SCHEDULES[schedule].steps(f, b, u, links, microbatches)
        for i in range(cases):
            pairs = [(int(there), int(back)) for there, back in links[:, :, i]]
            own = [d[:, i].tolist() for d in (f, b, u)]
            one = step_time(schedule, own[0], own[1], own[2], pairs, microbatches)
            assert found[i] == one == simulate(schedule, own[0], own[1], own[2], pairs, microbatches).step_s
        same = SCHEDULES[schedule].steps(f, b, u, links[:, :, 0], microbatches)
        assert same[0] == found[0]


def drawn(rng: random.Random) -> tuple[Case, int]:
    """A pipeline with equal, nearly equal or any stages, times of 0, links of any speed; up to 200 microbatches."""
    stages, top = rng.randint(1, 7), rng.choice([3, 20, 10**6, 10**19])
    low = rng.choice([0, top - top // 50, top])

    def times() -> list[int]:
        return [rng.randint(low, top) for _ in range(stages)]

    slow = rng.choice([0, top // 4, 2 * top])
    links = [(rng.randint(0, slow), rng.randint(0, slow)) for _ in range(stages - 1)]
    return (times(), times(), times(), links), rng.randint(1, rng.choice([8, 60, 200]))


def jumps(patch: pytest.MonkeyPatch, microbatches: int) -> None:
    """Let long pipelines begin at so many microbatches above the stages."""
    for module in (levels, timeline):
        patch.setattr(module, "JUMP", microbatches)


def many_jumps(patch: pytest.MonkeyPatch, first: int, count: int) -> None:
    for seed in range(first, first + count):
        case, microbatches = drawn(random.Random(f"jump {seed}"))
        for schedule in ("gpipe", "1f1b"):
            jumps(patch, 10**9)
            plain = step_time(schedule, *case, microbatches)
            jumps(patch, 0)
            found = step_time(schedule, *case, microbatches)
            assert (found, type(found)) == (plain, int), (schedule, case, microbatches)


def test_rounds_at_once_are_rounds_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    many_jumps(monkeypatch, 0, 400)


@pytest.mark.full
def test_thousands_of_pipelines(monkeypatch: pytest.MonkeyPatch) -> None:
    many_jumps(monkeypatch, 10_000, 4000)


def test_many_cases_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.random.default_rng(7)
    f, b, u = (numbers.integers(1, 50, (4, 2, 3)) for _ in range(3))
    third = numbers.integers(0, 60, 3)
    links = [(2, 30), (third, 1), 5]
    monkeypatch.setattr(timeline, "LONG", 0)
    for schedule in ("gpipe", "1f1b"):
        for jump in (0, 10**9):
            jumps(monkeypatch, jump)
            found = step_time(schedule, list(f), list(b), list(u), links, 90)
            assert found.shape == (2, 3)
            for i, k in np.ndindex(2, 3):
                own: list[float | tuple[float, float]] = [(2, 30), (int(third[k]), 1), 5]
                one: list[list[int]] = [d[:, i, k].tolist() for d in (f, b, u)]
                assert found[i, k] == simulate(schedule, one[0], one[1], one[2], own, 90).step_s


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_floats_are_near_the_exact_step(schedule: str) -> None:
    numbers = np.random.default_rng(1)
    f, b, u = (numbers.integers(1, 10**6, 5).tolist() for _ in range(3))
    exact = step_time(schedule, f, b, u, [(3, 4)] * 4, 50_000)
    seconds = [[t / 1e7 for t in row] for row in (f, b, u)]
    found = step_time(schedule, seconds[0], seconds[1], seconds[2], [(3e-7, 4e-7)] * 4, 50_000)
    assert type(found) is float
    assert found == pytest.approx(exact / 1e7, rel=1e-13)


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_a_million_microbatches_take_no_time_and_no_memory(schedule: str) -> None:
    numbers = np.random.default_rng(5)
    f, b, u = (numbers.integers(1, 10**6, 4).tolist() for _ in range(3))
    tracemalloc.start()
    step_time(schedule, f, b, u, [(1, 2)] * 3, 10**6)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    seconds = []
    for _ in range(9):
        begin = time.perf_counter()
        step_time(schedule, f, b, u, [(1, 2)] * 3, 10**6)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.1


def test_equal_stages_have_their_closed_form() -> None:
    for m in (5000, 10**6, 10**9):
        for schedule in ("gpipe", "1f1b"):
            assert step_time(schedule, [3] * 6, [5] * 6, [2] * 6, [0] * 5, m) == (m + 5) * 8 + 2
