"""The walk from pass to pass: hand-made steps, and the waiting rules written out as a recursion."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.system import BACKWARD, FORWARD, SCHEDULES, whole_stages
from accmine.system.passes import walked

Lists = list[list[int]]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Lists, Lists, int]:
    """Durations and messages of both kinds of a few stages, and microbatches."""
    stages = draw(st.integers(1, 4))
    times = st.lists(st.integers(0, 20), min_size=stages, max_size=stages)
    links = st.lists(st.integers(0, 30), min_size=stages - 1, max_size=stages - 1)
    return [draw(times), draw(times)], [draw(links), draw(links)], draw(st.integers(1, 5))


def by_rules(schedule: str, durations: Lists, sends: Lists, microbatches: int) -> list[int]:
    """End of each stage: a pass waits for the pass before it, and for its message, which waits for the one before."""
    stages = len(durations[0])
    orders = [SCHEDULES[schedule].order(s, stages, microbatches) for s in range(stages)]

    @cache
    def end(s: int, kind: int, j: int) -> int:
        at = orders[s].index((kind, j))
        before = end(s, *orders[s][at - 1]) if at else 0
        own = end(s, FORWARD, j) if kind == BACKWARD else 0
        return max(before, own, arrival(s, kind, j)) + durations[kind][s]

    @cache
    def arrival(s: int, kind: int, j: int) -> int:
        source = s + 1 if kind == BACKWARD else s - 1
        if not 0 <= source < stages:
            return 0
        sent = [i for k, i in orders[source] if k == kind]
        at = sent.index(j)
        before = arrival(s, kind, sent[at - 1]) if at else 0
        return max(before, end(source, kind, j)) + sends[kind][min(s, source)]

    return [end(s, *orders[s][-1]) for s in range(stages)]


@pytest.mark.parametrize("schedule", whole_stages())
@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_the_walk_keeps_the_waiting_rules(schedule: str, case: tuple[Lists, Lists, int]) -> None:
    durations, sends, microbatches = case
    passes = SCHEDULES[schedule].passes(len(durations[0]), microbatches)
    found = walked(passes, (durations[0], durations[1]), (sends[0], sends[1]), max)
    assert found == by_rules(schedule, durations, sends, microbatches)


def test_one_microbatch_goes_there_and_back() -> None:
    there_and_back = [(FORWARD, 0), (FORWARD, 1), (FORWARD, 2), (BACKWARD, 2), (BACKWARD, 1), (BACKWARD, 0)]
    found = walked(there_and_back, ([1, 2, 3], [10, 20, 30]), ([100, 200], [1000, 2000]), max)
    last = 1 + 100 + 2 + 200 + 3 + 30
    assert found == [last + 2000 + 20 + 1000 + 10, last + 2000 + 20, last]


def test_messages_of_a_boundary_queue_one_behind_the_other() -> None:
    # Forward passes end at 1, 2 and 3; a message takes 10, so that they arrive at 11, 21 and 31.
    passes = [(FORWARD, s) for _ in range(3) for s in (0, 1)]
    assert walked(passes, ([1, 4], [0, 0]), ([10], [0]), max) == [3, 35]


def test_who_has_no_pass_is_free_from_the_start() -> None:
    assert walked([], ([5, 5], [5, 5]), ([1], [1]), max) == [0, 0]
    assert walked([(FORWARD, 0)], ([5, 5], [5, 5]), ([1], [1]), max) == [5, 0]


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_arrays_are_cases_side_by_side(data: st.DataObject) -> None:
    shape = (2, 3, 6)  # kinds, stages, cases
    size = int(np.prod(shape))
    numbers = data.draw(st.lists(st.integers(0, 20), min_size=2 * size, max_size=2 * size))
    times, links = np.array(numbers[:size]).reshape(shape), np.array(numbers[size:]).reshape(shape)[:, :2]
    for schedule in (SCHEDULES[name] for name in whole_stages()):
        passes = list(schedule.passes(3, 4))
        found = walked(passes, (list(times[0]), list(times[1])), (list(links[0]), list(links[1])), np.maximum)
        for c in range(shape[2]):
            one = [part[:, :, c].tolist() for part in (times, links)]
            assert [int(end[c]) for end in found] == walked(passes, (one[0][0], one[0][1]), (one[1][0], one[1][1]), max)
