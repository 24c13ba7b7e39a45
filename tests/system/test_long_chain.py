"""Chains of long pipelines: as long as the step for their own durations, and no longer than it for all others."""

from __future__ import annotations

import random
import time

import pytest

from accmine.system import Path, critical_path, step_time
from tests.system.test_levels import Case, drawn, jumps


def length(path: Path, case: Case) -> int:
    f, b, u, links = case
    total = sum(n * t for n, t in zip(path.forward, f, strict=True)) + u[path.update]
    total += sum(n * t for n, t in zip(path.backward, b, strict=True))
    total += sum(n * t for n, (t, _) in zip(path.sent_forward, links, strict=True))
    return total + sum(n * t for n, (_, t) in zip(path.sent_backward, links, strict=True))


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_chains_of_random_pipelines(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(250):
        rng = random.Random(f"chain {seed}")
        case, microbatches = drawn(rng)
        other, _ = drawn(rng)
        while len(other[0]) != len(case[0]):
            other, _ = drawn(rng)
        jumps(monkeypatch, 0)
        path = critical_path(schedule, *case, microbatches)
        jumps(monkeypatch, 10**9)
        assert length(path, case) == step_time(schedule, *case, microbatches)
        assert length(path, other) <= step_time(schedule, *other, microbatches)


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_a_million_microbatches(schedule: str) -> None:
    case: Case = ([10, 12, 11, 12], [20, 18, 22, 20], [1, 2, 3, 4], [(1, 2), (40, 3), (1, 1)])
    begin = time.perf_counter()
    path = critical_path(schedule, *case, 10**6)
    assert time.perf_counter() - begin < 20  # pass by pass it would take minutes
    assert length(path, case) == step_time(schedule, *case, 10**6)
    exact = [[t / 8 for t in row] for row in case[:3]]
    links = [(there / 8, back / 8) for there, back in case[3]]
    assert critical_path(schedule, exact[0], exact[1], exact[2], links, 10**6) == path
