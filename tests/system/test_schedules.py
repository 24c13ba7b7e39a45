"""Pipeline schedules: orders, what a stage holds, and a schedule of one's own as one class."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.problems.stage_selection import Candidate, Pipeline, Problem, Stage
from accmine.solving import solve
from accmine.system import (
    BACKWARD,
    FORWARD,
    SCHEDULES,
    PipelineSchedule,
    critical_path,
    schedule_of,
    simulate,
    step_time,
    whole_stages,
)
from accmine.system import timeline as timeline_module
from accmine.system.schedules import topological_order
from tests.system.test_long_chain import length


@pytest.mark.parametrize("schedule", whole_stages())
def test_orders_hold_every_pass_once(schedule: str) -> None:
    for p, m in ((1, 1), (4, 2), (3, 7)):
        for s in range(p):
            order = SCHEDULES[schedule].order(s, p, m)
            assert sorted(order) == sorted((k, j) for k in (FORWARD, BACKWARD) for j in range(m))
        assert len(set(topological_order(schedule, p, m))) == 2 * p * m


@pytest.mark.parametrize("schedule", whole_stages())
def test_what_a_stage_holds_is_that_of_its_order(schedule: str) -> None:
    for p, m in ((1, 5), (4, 2), (4, 16), (3, 3)):
        for s in range(p):
            held = most = 0
            for kind, _ in SCHEDULES[schedule].order(s, p, m):
                held += 1 if kind == FORWARD else -1
                most = max(most, held)
            assert SCHEDULES[schedule].held(s, p, m) == most


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("zigzag", 1, 1, 0), "allowed: gpipe, 1f1b"),
        (("gpipe", 2, 1, 2), "no stage 2"),
        (("gpipe", 2, 1, -1), "no stage -1"),
        (("1f1b", 2, 0, 0), "0 microbatches"),
    ],
)
def test_no_schedule(asked: tuple[str, int, int, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        schedule_of(*asked)


class OneByOne(PipelineSchedule):
    """A microbatch goes there and back before the next one starts."""

    name = "one-by-one"

    def order(self, stage: int, stages: int, microbatches: int) -> list[tuple[int, int]]:
        return [(kind, j) for j in range(microbatches) for kind in (FORWARD, BACKWARD)]

    def passes(self, stages: int, microbatches: int) -> Iterator[tuple[int, int]]:
        for _ in range(microbatches):
            yield from ((FORWARD, s) for s in range(stages))
            yield from ((BACKWARD, s) for s in reversed(range(stages)))

    def held(self, stage: int, stages: int, microbatches: int, chunks: int = 1) -> int:
        return 1


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(SCHEDULES, OneByOne.name, OneByOne())
    return OneByOne.name


def test_a_further_schedule_is_one_class(one_by_one: str) -> None:
    f, b, u, links = [3, 5, 2], [4, 9, 1], [2, 0, 7], [(1, 2), (3, 1)]
    for m in (1, 4, 2000):  # also long ones
        step = step_time(one_by_one, f, b, u, links, m)
        assert step == m * (sum(f) + sum(b) + 1 + 2 + 3 + 1) + 2
        assert simulate(one_by_one, f, b, u, links, m).step_s == step
        assert length(critical_path(one_by_one, f, b, u, links, m), (f, b, u, links)) == step
        for path in SCHEDULES[one_by_one].chains(3, m):
            assert length(path, (f, b, u, links)) <= step
    cases = [np.array([t, 2 * t]) for t in (3, 5)]
    found = step_time(one_by_one, cases, cases, cases, [1], 600)
    assert found.tolist() == [
        step_time(one_by_one, [k * 3, k * 5], [k * 3, k * 5], [k * 3, k * 5], [1], 600) for k in (1, 2)
    ]


@pytest.mark.parametrize("aggregate", ["worst", "mean"])
def test_a_selection_under_a_further_schedule(one_by_one: str, aggregate: str) -> None:
    rows = [Candidate("a", 0.2, 0.3, 0.1, 9.0, 1.0), Candidate("b", 0.1, 0.2, 0.1, 20.0, 2.0)]
    stages = tuple(Stage(f"s{i}", tuple(rows)) for i in range(3))
    pipes = [Pipeline(n, stages, 6, one_by_one, ((0.01, 0.02),) * 2, reference_s=1.0) for n in ("p", "q")]
    problem = Problem(tuple(pipes), aggregate=aggregate)
    best = solve(problem, "brute-force").objective
    for solver in ("auto", "highs", "cp-sat"):
        assert solve(problem, solver).objective == best


@pytest.mark.parametrize("schedule", whole_stages())
def test_a_long_timeline_lists_its_ends_only(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        stages, m = int(rng.integers(1, 6)), int(rng.integers(60, 90))
        f, b, u = (rng.integers(0, 30, stages).tolist() for _ in range(3))
        links = [(int(x), int(y)) for x, y in rng.integers(0, 20, (stages - 1, 2))]
        whole = simulate(schedule, f, b, u, links, m)
        with monkeypatch.context() as patch:
            patch.setattr(timeline_module, "MOST_LISTED", 10)
            patch.setattr(timeline_module, "EDGE", 7)
            ends = simulate(schedule, f, b, u, links, m)
        assert ends.left_out == range(7, m - 7)
        assert ends.events == tuple(e for e in whole.events if e.microbatch not in ends.left_out)
        assert (ends.step_s, ends.busy, ends.bubble) == (whole.step_s, whole.busy, whole.bubble)
        assert not whole.left_out


@pytest.mark.parametrize("schedule", whole_stages())
def test_events_of_a_million_microbatches_take_no_memory(schedule: str) -> None:
    times: tuple[Any, Any, Any] = ([0.01, 0.012, 0.011], [0.02, 0.021, 0.023], [0.1, 0.1, 0.1])
    tracemalloc.start()
    timeline = simulate(schedule, *times, [0.001, 0.001], 10**6)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 22
    assert timeline.step_s == pytest.approx(step_time(schedule, *times, [0.001, 0.001], 10**6), rel=1e-12)
    assert len(timeline.events) == 3 * (2 * 2 * timeline_module.EDGE + 1)


SHAPES = (st.sampled_from(whole_stages()), st.integers(1, 7), st.integers(1, 12))


@settings(max_examples=120, deadline=None)
@given(*SHAPES)
def test_every_pass_once_and_forward_before_backward(schedule: str, stages: int, microbatches: int) -> None:
    for stage in range(stages):
        order = SCHEDULES[schedule].order(stage, stages, microbatches)
        assert sorted(order) == [(kind, j) for kind in (FORWARD, BACKWARD) for j in range(microbatches)]
        place = {step: i for i, step in enumerate(order)}
        assert all(place[FORWARD, j] < place[BACKWARD, j] for j in range(microbatches))


@settings(max_examples=120, deadline=None)
@given(*SHAPES)
def test_the_activations_that_wait_are_those_of_the_papers(schedule: str, stages: int, microbatches: int) -> None:
    """GPipe keeps all microbatches; 1F1B (PipeDream-Flush) no more than there are stages from here on."""
    for stage in range(stages):
        waiting, most = 0, 0
        for kind, _ in SCHEDULES[schedule].order(stage, stages, microbatches):
            waiting += 1 if kind == FORWARD else -1
            most = max(most, waiting)
        assert waiting == 0
        assert most == (microbatches if schedule == "gpipe" else min(microbatches, stages - stage))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.integers(1, 12))
def test_the_last_stage_of_1f1b_alternates_and_gpipe_turns_round(stages: int, microbatches: int) -> None:
    alternating = [(kind, j) for j in range(microbatches) for kind in (FORWARD, BACKWARD)]
    assert SCHEDULES["1f1b"].order(stages - 1, stages, microbatches) == alternating
    order = SCHEDULES["gpipe"].order(0, stages, microbatches)
    assert [j for _, j in order] == [*range(microbatches), *reversed(range(microbatches))]


@settings(max_examples=120, deadline=None)
@given(*SHAPES)
def test_the_topological_order_waits_for_everything_it_must(schedule: str, stages: int, microbatches: int) -> None:
    steps = topological_order(schedule, stages, microbatches)
    place = {(s.stage, s.kind, s.microbatch): i for i, s in enumerate(steps)}
    assert len(place) == len(steps) == 2 * stages * microbatches
    for stage in range(stages):
        own = [(kind, j) for s, kind, j in steps if s == stage]
        assert own == SCHEDULES[schedule].order(stage, stages, microbatches)
        for j in range(microbatches):
            if stage:
                assert place[stage - 1, FORWARD, j] < place[stage, FORWARD, j]
                assert place[stage, BACKWARD, j] < place[stage - 1, BACKWARD, j]


def test_the_published_example() -> None:
    """Four stages, eight microbatches: figure 4, top, of Narayanan et al., SC 2021 (first and third device)."""

    def shown(stage: int) -> str:
        return " ".join(f"{'fb'[kind]}{j + 1}" for kind, j in SCHEDULES["1f1b"].order(stage, 4, 8))

    assert shown(0) == "f1 f2 f3 f4 b1 f5 b2 f6 b3 f7 b4 f8 b5 b6 b7 b8"
    assert shown(2) == "f1 f2 b1 f3 b2 f4 b3 f5 b4 f6 b5 f7 b6 f8 b7 b8"
