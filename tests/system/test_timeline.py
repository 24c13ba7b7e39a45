"""Timeline: event simulation, step time, critical path and bound of GPipe and 1F1B."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.system import (
    BACKWARD,
    FORWARD,
    SCHEDULES,
    Path,
    critical_path,
    simulate,
    step_bound,
    step_time,
    whole_stages,
)


@st.composite
def cases(draw: st.DrawFn, transfers: bool = True) -> tuple[list[int], list[int], list[int], list[Any], int]:
    """Unequal stages with updates and messages, which may be longer than the passes."""
    stages = draw(st.integers(1, 6))
    times = st.lists(st.integers(0, 20), min_size=stages, max_size=stages)
    pair = st.tuples(st.integers(0, 30), st.integers(0, 30)) if transfers else st.just((0, 0))
    links = draw(st.lists(pair, min_size=stages - 1, max_size=stages - 1))
    return draw(times), draw(times), draw(times), links, draw(st.integers(1, 9))


def by_events(schedule: str, f: list[int], b: list[int], u: list[int], links: list[Any], m: int) -> int:
    """The step by fixed-point iteration over all waiting rules: another algorithm than the product's."""
    p = len(f)
    end: dict[tuple[int, int, int], int] = {}
    arrive: dict[tuple[int, int, int], int] = {}
    changed = True
    while changed:
        changed = False
        for s in range(p):
            before = 0
            for kind, j in SCHEDULES[schedule].order(s, p, m):
                start = max(before, arrive.get((s, kind, j), 0))
                if kind == BACKWARD:
                    start = max(start, end.get((s, FORWARD, j), 0))
                before = start + (f, b)[kind][s]
                changed |= end.get((s, kind, j)) != before
                end[s, kind, j] = before
            for kind, target in ((FORWARD, s + 1), (BACKWARD, s - 1)):
                if 0 <= target < p:
                    queue = 0
                    for k, j in SCHEDULES[schedule].order(s, p, m):
                        if k == kind:
                            queue = max(queue, end[s, kind, j]) + links[min(s, target)][kind]
                            changed |= arrive.get((target, kind, j)) != queue
                            arrive[target, kind, j] = queue
    return max(max(end[s, k, j] for k in (0, 1) for j in range(m)) + u[s] for s in range(p))


def length(path: Path, f: list[int], b: list[int], u: list[int], links: list[Any]) -> int:
    total = sum(n * t for n, t in zip(path.forward, f, strict=True))
    total += sum(n * t for n, t in zip(path.backward, b, strict=True)) + u[path.update]
    total += sum(n * int(t[0]) for n, t in zip(path.sent_forward, links, strict=True))
    return total + sum(n * int(t[1]) for n, t in zip(path.sent_backward, links, strict=True))


@pytest.mark.parametrize("schedule", whole_stages())
@settings(max_examples=150, deadline=None)
@given(case=cases())
def test_step_events_bound_and_path_agree(schedule: str, case: Any) -> None:
    f, b, u, links, m = case
    step = step_time(schedule, f, b, u, links, m)
    assert step == by_events(schedule, f, b, u, links, m)
    timeline = simulate(schedule, f, b, u, links, m)
    assert timeline.step_s == step == max(e.end for e in timeline.events)
    assert step_bound(schedule, f, b, u, links, m) <= step
    assert length(critical_path(schedule, f, b, u, links, m), f, b, u, links) == step


@pytest.mark.parametrize("schedule", whole_stages())
@settings(max_examples=60, deadline=None)
@given(case=cases(), other=cases())
def test_every_critical_path_is_a_bound_for_all_durations(schedule: str, case: Any, other: Any) -> None:
    f, b, u, links, m = case
    path = critical_path(schedule, f, b, u, links, m)
    g = [(x + 7 * i) % 23 for i, x in enumerate(f)]
    c = [(3 * x + i) % 19 for i, x in enumerate(b)]
    v = [(x + other[4]) % 11 for x in u]
    assert length(path, g, c, v, links) <= step_time(schedule, g, c, v, links, m)


@pytest.mark.parametrize("schedule", whole_stages())
@settings(max_examples=60, deadline=None)
@given(case=cases(), stage=st.integers(0, 5), kind=st.integers(0, 2), more=st.integers(1, 9))
def test_longer_stage_never_shortens_the_step(schedule: str, case: Any, stage: int, kind: int, more: int) -> None:
    f, b, u, links, m = case
    before = step_time(schedule, f, b, u, links, m)
    (f, b, u)[kind][stage % len(f)] += more
    assert step_time(schedule, f, b, u, links, m) >= before


@settings(max_examples=60, deadline=None)
@given(f=st.integers(1, 9), b=st.integers(1, 9), u=st.integers(0, 9), p=st.integers(1, 6), m=st.integers(1, 9))
def test_closed_forms_of_equal_stages(f: int, b: int, u: int, p: int, m: int) -> None:
    free = [0] * (p - 1)
    for schedule in whole_stages():
        assert step_time(schedule, [f] * p, [b] * p, [u] * p, free, m) == (m + p - 1) * (f + b) + u
    assert step_time("1f1b", [f], [b], [u], [], m) == m * (f + b) + u


@pytest.mark.parametrize("schedule", whole_stages())
@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_no_stage_does_two_things_and_messages_arrive(schedule: str, case: Any) -> None:
    f, b, u, links, m = case
    timeline = simulate(schedule, f, b, u, links, m)
    ends = {(e.stage, e.kind, e.microbatch): e.end for e in timeline.events}
    starts = {(e.stage, e.kind, e.microbatch): e.start for e in timeline.events}
    assert len(ends) == len(timeline.events) == len(f) * (2 * m + 1)
    for s in range(len(f)):
        row = [e for e in timeline.events if e.stage == s]
        assert all(x.end <= y.start for x, y in pairwise(row))
        for j in range(m):
            assert starts[s, "backward", j] >= ends[s, "forward", j]
            if s:
                assert starts[s, "forward", j] >= ends[s - 1, "forward", j] + links[s - 1][0]
                assert starts[s - 1, "backward", j] >= ends[s, "backward", j] + links[s - 1][1]


def test_unequal_example_where_the_textbook_formula_is_no_bound() -> None:
    f, b, zero = [10, 1, 1, 1], [20, 1, 1, 1], [0] * 4
    step = step_time("1f1b", f, b, zero, [0] * 3, 4)
    assert step == 120
    assert step_bound("1f1b", f, b, zero, [0] * 3, 4) == 120
    assert (4 - 1) * 30 + sum(f) + sum(b) == 126  # (m - 1)·max t + Σ t


def test_slow_link_limits_the_rate() -> None:
    # 50 messages of 10 over one link: no faster than the link carries them
    assert step_time("gpipe", [1, 1], [1, 1], [0, 0], [10], 50) >= 50 * 10
    assert step_time("gpipe", [1, 1], [1, 1], [0, 0], [(10, 0)], 50) == 1 + 50 * 10 + 1 + 50 + 1


def test_busy_and_bubble() -> None:
    timeline = simulate("1f1b", [1, 1], [2, 2], [0, 0], [0], 4)
    assert timeline.step_s == 15
    assert timeline.busy == pytest.approx((12 / 15, 12 / 15))
    assert timeline.bubble == pytest.approx(3 / 15)


def test_arrays_are_many_scalar_cases() -> None:
    rng = np.random.default_rng(0)
    f, b, u = (rng.integers(1, 30, (3, 40)) for _ in range(3))
    steps = step_time("1f1b", list(f), list(b), list(u), [2, (3, 4)], 5)
    bounds = step_bound("1f1b", list(f), list(b), list(u), [2, (3, 4)], 5)
    for i in range(40):
        case = (f[:, i].tolist(), b[:, i].tolist(), u[:, i].tolist(), [2, (3, 4)], 5)
        assert steps[i] == step_time("1f1b", *case)
        assert bounds[i] == step_bound("1f1b", *case)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: step_time("zb", [1], [1], [1], [], 1), "allowed: gpipe, 1f1b"),
        (lambda: step_time("gpipe", [1], [1], [1], [], 0), "at least 1"),
        (lambda: step_time("gpipe", [1, 1], [1, 1], [1, 1], [], 1), "one per boundary"),
        (lambda: step_time("gpipe", [1], [1, 1], [1], [], 1), "one of each per stage"),
    ],
)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
