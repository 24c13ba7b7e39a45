"""The compiled walk gives what a fixed-point iteration over all waiting rules gives, also for many cases and fast."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from accmine.system import BACKWARD, FORWARD, SCHEDULES, WEIGHT, schedule_of, simulate, step_time
from accmine.system import timeline as timeline_module
from tests.system.test_schedule import many


def by_events(asked: tuple[Any, ...], named: dict[str, Any]) -> int:
    """The step by iteration until nothing changes: another algorithm than the product's."""
    schedule, forward, backward, update, links, m = asked
    v, weight = named["chunks"], named["weight_s"] or [0] * len(forward)
    n = len(forward)
    p = n // v
    own = schedule_of(schedule, p, m, chunks=v)
    within = [b - w for b, w in zip(backward, weight, strict=True)]
    lengths = forward, within, weight
    end: dict[tuple[int, int, int], int] = {}
    arrive: dict[tuple[int, int, int], int] = {}
    changed = True
    while changed:
        changed = False
        for d in range(p):
            before = 0
            queue = {FORWARD: 0, BACKWARD: 0}
            for s, kind, j in own.device_order(d, p, m, v).tolist():
                start = max(before, arrive.get((s, kind, j), 0))
                if kind != FORWARD:
                    start = max(start, end.get((s, kind - 1, j), 0))
                before = start + lengths[kind][s]
                changed |= end.get((s, kind, j)) != before
                end[s, kind, j] = before
                target = s + 1 if kind == FORWARD else s - 1
                if kind != WEIGHT and 0 <= target < n:
                    queue[kind] = max(queue[kind], before) + links[min(s, target)][kind]
                    changed |= arrive.get((target, kind, j)) != queue[kind]
                    arrive[target, kind, j] = queue[kind]
    return max(max(t for (s, _, _), t in end.items() if s % p == d) + int(sum(update[d::p])) for d in range(p))


def one(asked: tuple[Any, ...], named: dict[str, Any], case: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A single case of many."""
    rows = [[int(t[case]) for t in row] for row in asked[1:4]]
    links = [(int(there[case]), int(back[case])) for there, back in asked[4]]
    weight = named["weight_s"] and [int(t[case]) for t in named["weight_s"]]
    return (asked[0], *rows, links, asked[5]), named | {"weight_s": weight}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_arrays_and_single_cases_follow_the_rules(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng([8, *map(ord, schedule)])
    for _ in range(12):
        asked, named = many(schedule, rng, 4)
        found = []
        for compiled_from in (0, 10**9):
            monkeypatch.setattr(timeline_module, "COMPILED", compiled_from)
            found.append(step_time(*asked, **named).tolist())
            for case in range(4):
                single = one(asked, named, case)
                found[-1].append(step_time(*single[0], **single[1]))
        expected = [by_events(*one(asked, named, case)) for case in range(4)]
        assert found == [expected * 2] * 2


def test_huge_integers_stay_exact() -> None:
    huge = 10**20
    asked: Any = "zb-h1", [huge + 1] * 2, [2 * huge] * 2, [0, 1], [3], 4
    expected = by_events((*asked[:4], [(3, 3)], 4), {"chunks": 1, "weight_s": [huge - 1] * 2})
    assert step_time(*asked, weight_s=[huge - 1] * 2) == expected > huge


def test_floats_and_shapes_of_cases() -> None:
    forward = [np.full((2, 3), 0.5), 1.5]
    steps = step_time("zb-h1", forward, [1.0, 2.0], [0.0, 0.25], [0.125], 4, weight_s=[0.5, 0.5])
    assert steps.shape == (2, 3)
    single = step_time("zb-h1", [0.5, 1.5], [1.0, 2.0], [0.0, 0.25], [0.125], 4, weight_s=[0.5, 0.5])
    assert (steps == single).all()


@pytest.mark.parametrize("schedule", ["interleaved", "zb-h1"])
def test_a_long_timeline_lists_its_ends_only(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    v = 2 if SCHEDULES[schedule].chunked else 1
    n, m = 3 * v, 60
    asked: Any = [5 + i for i in range(n)], [9 - i for i in range(n)], [1] * n, [(2, 1)] * (n - 1), m
    named: Any = {"chunks": v, "weight_s": [2] * n}
    whole = simulate(schedule, *asked, **named)
    monkeypatch.setattr(timeline_module, "MOST_LISTED", 10)
    monkeypatch.setattr(timeline_module, "EDGE", 7)
    ends = simulate(schedule, *asked, **named)
    assert (ends.left_out, whole.left_out, ends.stages) == (range(7, m - 7), range(0), 3)
    assert ends.events == tuple(e for e in whole.events if e.microbatch not in ends.left_out)
    assert (ends.step_s, ends.busy, ends.chunks) == (whole.step_s, whole.busy, v)
    assert {e.chunk for e in whole.events} == set(range(v))


def test_millions_of_passes_take_no_minute() -> None:
    step_time("interleaved", [1.0] * 8, [2.0] * 8, [0.0] * 8, [0.0] * 7, 1024, chunks=2)  # compiled, or loaded
    begin = time.perf_counter()
    n = 128 * 8
    assert step_time("interleaved", [1] * n, [2] * n, [0] * n, [0] * (n - 1), 1024, chunks=8) == (1024 * 8 + 127) * 3
    assert time.perf_counter() - begin < 20  # two million passes, one after the other in Python, take longer
