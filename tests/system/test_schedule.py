"""Every schedule of the table: orders, what devices hold, chains and bounds, closed forms, what is refused."""

from __future__ import annotations

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
    WEIGHT,
    Path,
    critical_path,
    schedule_of,
    simulate,
    step_bound,
    step_time,
    whole_stages,
)
from accmine.system.schedules import topological_order

SPLIT = tuple(name for name, own in SCHEDULES.items() if own.split_backward)


@st.composite
def shapes(draw: st.DrawFn) -> tuple[str, int, int, int]:
    """Schedule, devices, microbatches, chunks."""
    schedule, devices = draw(st.sampled_from(list(SCHEDULES))), draw(st.integers(1, 6))
    chunks = draw(st.integers(1, 4)) if SCHEDULES[schedule].chunked else 1
    microbatches = draw(st.integers(1, 14)) if chunks == 1 else devices * draw(st.integers(1, 4))
    return schedule, devices, microbatches, chunks


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of a step with unequal stages, updates, and messages that may be longer than the passes."""
    schedule, devices, microbatches, chunks = draw(shapes())
    stages = devices * chunks
    times = st.lists(st.integers(0, 20), min_size=stages, max_size=stages)
    forward, within, weight, update = (draw(times) for _ in range(4))
    link = st.tuples(st.integers(0, 30), st.integers(0, 30)) | st.just((0, 0))
    links = draw(st.lists(link, min_size=stages - 1, max_size=stages - 1))
    backward = [b + w for b, w in zip(within, weight, strict=True)]
    named = {"chunks": chunks, "weight_s": weight if SCHEDULES[schedule].split_backward else None}
    return (schedule, forward, backward, update, links, microbatches), named


def length(path: Path, asked: tuple[Any, ...], named: dict[str, Any]) -> int:
    """Length of a chain, by the formula of ``Path``."""
    _, forward, backward, update, links, _ = asked
    weight = named["weight_s"]
    within = backward if weight is None else [b - w for b, w in zip(backward, weight, strict=True)]
    rows = [(path.forward, forward), (path.backward, within), (path.weight, weight or [])]
    rows += [(path.sent_forward, [t for t, _ in links]), (path.sent_backward, [t for _, t in links])]
    devices = len(forward) // named["chunks"]
    ends = 0 if path.update < 0 else int(sum(update[path.update :: devices]))
    return ends + sum(int(n * t) for counts, times in rows for n, t in zip(counts, times, strict=True))


@settings(max_examples=200, deadline=None)
@given(shapes())
def test_every_pass_once_and_each_behind_what_it_waits_for(shape: tuple[str, int, int, int]) -> None:
    schedule, devices, microbatches, chunks = shape
    own, stages = SCHEDULES[schedule], devices * chunks
    kinds = (FORWARD, BACKWARD, WEIGHT) if own.split_backward else (FORWARD, BACKWARD)
    steps = topological_order(*shape)
    place = {tuple(step): i for i, step in enumerate(steps)}
    assert sorted(place) == [(s, k, j) for s in range(stages) for k in kinds for j in range(microbatches)]
    for (s, kind, j), at in place.items():
        if kind == FORWARD:
            assert not s or place[s - 1, FORWARD, j] < at
        elif kind == BACKWARD:
            assert place[s, FORWARD, j] < at
            assert s + 1 == stages or place[s + 1, BACKWARD, j] < at
        else:
            assert place[s, BACKWARD, j] < at
    for d in range(devices):
        mine = [tuple(step) for step in steps if step.stage % devices == d]
        assert mine == list(map(tuple, own.device_order(d, devices, microbatches, chunks).tolist()))


@settings(max_examples=200, deadline=None)
@given(shapes(), st.sampled_from([0.0, 0.25, 1.0]))
def test_what_a_device_holds_is_that_of_its_order(shape: tuple[str, int, int, int], share: float) -> None:
    schedule, devices, microbatches, chunks = shape
    own = SCHEDULES[schedule]
    for d in range(devices):
        whole, parts, most, largest = 0, 0.0, 0, 0.0
        for _, kind, _ in own.device_order(d, devices, microbatches, chunks).tolist():
            whole += 1 if kind == FORWARD else -1 if kind == (WEIGHT if own.split_backward else BACKWARD) else 0
            if kind == FORWARD:
                parts += 1
            elif kind == WEIGHT:
                parts -= share
            else:
                parts -= 1 - share if own.split_backward else 1
            most, largest = max(most, whole), max(largest, parts)
        assert whole == parts == 0
        assert own.held(d, devices, microbatches, chunks) == most
        assert own.stash(d, devices, microbatches, chunks, weight_share=share) == largest


def test_what_the_papers_say_a_device_holds() -> None:
    for p, m in ((4, 20), (8, 24)):
        for s in range(p):
            assert SCHEDULES["zb-h1"].held(s, p, m) == p
            assert SCHEDULES["zb-h2"].held(s, p, m) == 2 * p - 1
            assert SCHEDULES["zb-h1"].stash(s, p, m, weight_share=0) == SCHEDULES["1f1b"].held(s, p, m)
            for v in (2, 3):
                assert SCHEDULES["interleaved"].held(s, p, m, v) == 2 * (p - 1 - s) + (v - 1) * p + 1


def test_the_published_examples() -> None:
    """Four devices, eight microbatches: first device of figure 4, bottom, of Narayanan et al., SC 2021, whose second
    chunk is written with capitals; last and first device of ZB-H1, figure 3 of Qi et al., 2024."""
    order = SCHEDULES["interleaved"].device_order(0, 4, 8, 2)
    shown = " ".join(("fb" if stage < 4 else "FB")[kind] + str(j + 1) for stage, kind, j in order.tolist())
    assert shown.startswith("f1 f2 f3 f4 F1 F2 F3 F4 f5 f6 f7 B1 f8 B2 F5 B3 F6 B4 F7 b1")
    assert shown.endswith("b5 b6 b7 b8")
    last = "".join("fbw"[kind] for kind, _ in SCHEDULES["zb-h1"].order(3, 4, 8))
    assert last == "fb" * 3 + "fbw" * 5 + "www"
    first = "".join("fbw"[kind] for kind, _ in SCHEDULES["zb-h1"].order(0, 4, 8))
    assert first == "fff" + "fbw" * 5 + "bw" * 3


@settings(max_examples=400, deadline=None)
@given(cases())
def test_no_bound_and_no_chain_is_above_the_step(case: Any) -> None:
    asked, named = case
    schedule, forward, microbatches = asked[0], asked[1], asked[5]
    step = step_time(*asked, **named)
    assert simulate(*asked, **named).step_s == step
    bound = step_bound(*asked, **named)
    devices = len(forward) // named["chunks"]
    chains = [length(c, asked, named) for c in SCHEDULES[schedule].chains(devices, microbatches, named["chunks"])]
    if schedule not in whole_stages() and (named["chunks"] > 1 or named["weight_s"]):  # others have further chains
        assert max(chains) <= bound
    assert max(chains) <= step
    assert bound <= step
    path = critical_path(*asked, **named)
    assert length(path, asked, named) == step
    # a chain holds for all durations
    other = tuple([(3 * t + i) % 17 for i, t in enumerate(row)] for row in asked[1:4])
    weight = named["weight_s"] and [b % (i + 2) % (b + 1) for i, b in enumerate(other[1])]
    others = (schedule, *other, asked[4], microbatches), named | {"weight_s": weight}
    assert length(path, *others) <= step_time(*others[0], **others[1])


def many(schedule: str, rng: np.random.Generator, count: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of a step for ``count`` random cases of one random shape: equal or unequal stages, any messages."""
    own = SCHEDULES[schedule]
    devices, chunks = int(rng.integers(1, 9)), int(rng.integers(1, 5)) if own.chunked else 1
    microbatches = int(rng.integers(1, 20)) if chunks == 1 else devices * int(rng.integers(1, 5))
    stages = devices * chunks
    top = rng.choice([0, 3, 40, 1000], (6, 1, count))
    forward, within, weight, update, there, back = (rng.integers(0, 1000, (6, stages, count)) * top) // 1000
    links = list(zip(there[1:], back[1:], strict=True))
    named = {"chunks": chunks, "weight_s": list(weight) if own.split_backward else None}
    return (schedule, list(forward), list(within + weight), list(update), links, microbatches), named


def above(schedule: str, shapes: int, count: int) -> int:
    """Random cases whose bound is above the simulated step."""
    rng = np.random.default_rng([shapes, *map(ord, schedule)])
    wrong = 0
    for _ in range(shapes):
        asked, named = many(schedule, rng, count)
        wrong += int((step_bound(*asked, **named) > step_time(*asked, **named)).sum())
    return wrong


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_bound_of_every_schedule(schedule: str) -> None:
    assert above(schedule, 6, 50) == 0


@pytest.mark.full
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_bound_of_every_schedule_often(schedule: str) -> None:
    assert above(schedule, 100, 200) == 0


def test_the_bound_of_1f1b_is_none_of_others() -> None:
    """What the present bound of 1F1B says of interleaved and zero-bubble schedules is above many of their steps."""
    rng = np.random.default_rng(5)
    for schedule in ("interleaved", "zb-h1", "zb-h2"):
        wrong = 0
        for _ in range(6):
            asked, named = many(schedule, rng, 50)
            devices = len(asked[1]) // named["chunks"]
            whole: Any = [[sum(row[d::devices]) for d in range(devices)] for row in asked[1:4]]
            bound = step_bound("1f1b", whole[0], whole[1], whole[2], asked[4][: devices - 1], asked[5])
            wrong += int((bound > step_time(*asked, **named)).sum())
        assert wrong > 10, schedule


def equal(schedule: str, p: int, m: int, lengths: tuple[int, int, int], v: int = 1) -> tuple[int, int]:
    """(idle time of the step, longest idle time of a device between its first and its last pass), equal stages."""
    f, b, w = lengths
    stages = p * v
    arguments: Any = [f] * stages, [b + w] * stages, [0] * stages, [0] * (stages - 1), m
    found = simulate(schedule, *arguments, chunks=v, weight_s=[w] * stages)
    work = m * v * (f + b + w)
    passes = [[e for e in found.events if e.stage == d and e.kind != "update"] for d in range(p)]
    spans = [max(e.end for e in row) - min(e.start for e in row) for row in passes]
    assert found.work_s == (work,) * p
    return int(found.step_s) - work, int(max(spans)) - work


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 9), st.integers(1, 9), st.integers(0, 9), st.integers(1, 4))
def test_bubbles_of_equal_stages(p: int, groups: int, f: int, b: int, w: int, v: int) -> None:
    """1F1B: (p-1)(f+b+w); interleaved the same over v, counted in times of a device; ZB-H1 (p-1)(f+b-w) and ZB-H2
    (p-1)(f+b-2w) between the first and last pass of a device, where weight gradients are the shortest pass."""
    m = p * groups
    assert equal("1f1b", p, m, (f, b, w))[0] == (p - 1) * (f + b + w)
    assert equal("interleaved", p, m, (f, b, w), v)[0] == (p - 1) * (f + b + w)
    w = min(w, f, b)
    assert equal("zb-h1", p, m, (f, b, w)) == ((p - 1) * (f + b - w),) * 2
    m = max(m, 2 * p)
    whole, inside = equal("zb-h2", p, m, (f, b, w))
    assert inside == (p - 1) * max(f + b - 2 * w, 0)
    assert whole == (p - 1) * max(f, f + b - 2 * w)


def test_one_chunk_is_1f1b_and_one_device_takes_chunks_in_turn() -> None:
    for d in range(3):
        assert SCHEDULES["interleaved"].order(d, 3, 5) == SCHEDULES["1f1b"].order(d, 3, 5)
        assert SCHEDULES["interleaved"].held(d, 3, 5) == SCHEDULES["1f1b"].held(d, 3, 5)
    asked: Any = [3, 4, 5], [6, 1, 2], [1, 1, 1], [2, (3, 4)], 5
    assert step_time("interleaved", *asked) == step_time("1f1b", *asked)
    assert step_time("interleaved", [3, 4], [6, 1], [1, 2], [0], 5, chunks=2) == 5 * (3 + 4 + 6 + 1) + 3


@pytest.mark.parametrize(
    ("call", "field", "message"),
    [
        (lambda: schedule_of("interleaved", 4, 6, chunks=2), "microbatches", "groups of 4.*6 is no multiple"),
        (lambda: schedule_of("1f1b", 4, 6, chunks=2), "chunks", "1f1b has one stage per device, not 2"),
        (lambda: schedule_of("zb-h1", 4, 6, chunks=2), "chunks", "zb-h1 has one stage"),
        (lambda: schedule_of("interleaved", 4, 8, chunks=0), "chunks", "at least 1"),
        (lambda: step_time("interleaved", [1] * 3, [1] * 3, [1] * 3, [0] * 2, 4, chunks=2), "chunks", "3 stages"),
        (lambda: step_time("zb-h1", [1], [1], [1], [], 1), "weight_s", "zb-h1 splits them"),
        (lambda: step_time("zb-h2", [1], [1], [1], [], 1, weight_s=[1, 1]), "weight_s", "2 times"),
        (lambda: step_time("zb-h1", [1], [1], [1], [], 1, weight_s=[2]), "weight_s", "part of the backward pass"),
        (lambda: step_time("zb-h1", [1], [1], [1], [], 1, weight_s=[-1]), "weight_s", "part of the backward pass"),
    ],
)
def test_refused(call: Any, field: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert caught.value.complaints[0].field == field


def test_schedules_of_whole_stages() -> None:
    assert whole_stages() == ("gpipe", "1f1b")
    assert SPLIT == ("zb-h1", "zb-h2")
