"""Orders of GPipe and 1F1B against their definitions in the papers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.system import BACKWARD, FORWARD, SCHEDULES, stage_order
from accmine.system.schedules import check_schedule, topological_order

SHAPES = (st.sampled_from(SCHEDULES), st.integers(1, 7), st.integers(1, 12))


@settings(max_examples=120, deadline=None)
@given(*SHAPES)
def test_every_pass_once_and_forward_before_backward(schedule: str, stages: int, microbatches: int) -> None:
    for stage in range(stages):
        order = stage_order(schedule, stage, stages, microbatches)
        assert sorted(order) == [(kind, j) for kind in (FORWARD, BACKWARD) for j in range(microbatches)]
        place = {step: i for i, step in enumerate(order)}
        assert all(place[FORWARD, j] < place[BACKWARD, j] for j in range(microbatches))


@settings(max_examples=120, deadline=None)
@given(*SHAPES)
def test_the_activations_that_wait_are_those_of_the_papers(schedule: str, stages: int, microbatches: int) -> None:
    """GPipe keeps all microbatches; 1F1B (PipeDream-Flush) no more than there are stages from here on."""
    for stage in range(stages):
        waiting, most = 0, 0
        for kind, _ in stage_order(schedule, stage, stages, microbatches):
            waiting += 1 if kind == FORWARD else -1
            most = max(most, waiting)
        assert waiting == 0
        assert most == (microbatches if schedule == "gpipe" else min(microbatches, stages - stage))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.integers(1, 12))
def test_the_last_stage_of_1f1b_alternates_and_gpipe_turns_round(stages: int, microbatches: int) -> None:
    alternating = [(kind, j) for j in range(microbatches) for kind in (FORWARD, BACKWARD)]
    assert stage_order("1f1b", stages - 1, stages, microbatches) == alternating
    order = stage_order("gpipe", 0, stages, microbatches)
    assert [j for _, j in order] == [*range(microbatches), *reversed(range(microbatches))]


@settings(max_examples=120, deadline=None)
@given(*SHAPES)
def test_the_topological_order_waits_for_everything_it_must(schedule: str, stages: int, microbatches: int) -> None:
    steps = topological_order(schedule, stages, microbatches)
    place = {(s.stage, s.kind, s.microbatch): i for i, s in enumerate(steps)}
    assert len(place) == len(steps) == 2 * stages * microbatches
    for stage in range(stages):
        own = [(kind, j) for s, kind, j in steps if s == stage]
        assert own == stage_order(schedule, stage, stages, microbatches)
        for j in range(microbatches):
            if stage:
                assert place[stage - 1, FORWARD, j] < place[stage, FORWARD, j]
                assert place[stage, BACKWARD, j] < place[stage - 1, BACKWARD, j]


def test_the_published_example() -> None:
    """Four stages, eight microbatches: figure 4, top, of Narayanan et al., SC 2021 (first and third device)."""

    def shown(stage: int) -> str:
        return " ".join(f"{'fb'[kind]}{j + 1}" for kind, j in stage_order("1f1b", stage, 4, 8))

    assert shown(0) == "f1 f2 f3 f4 b1 f5 b2 f6 b3 f7 b4 f8 b5 b6 b7 b8"
    assert shown(2) == "f1 f2 b1 f3 b2 f4 b3 f5 b4 f6 b5 f7 b6 f8 b7 b8"


@pytest.mark.parametrize(
    ("schedule", "stage", "stages", "microbatches", "field", "says"),
    [
        ("zb", 0, 1, 1, "schedule", "unknown schedule 'zb'; allowed: gpipe, 1f1b"),
        ("gpipe", 0, 1, 0, "microbatches", "0 microbatches; at least 1"),
        ("1f1b", 0, 1, -3, "microbatches", "-3 microbatches"),
        ("1f1b", 2, 2, 1, "stages", "no stage 2 in a pipeline of 2 stages"),
        ("1f1b", -1, 2, 1, "stages", "no stage -1"),
        ("gpipe", 0, 0, 1, "stages", "no stage 0 in a pipeline of 0 stages"),
    ],
)
def test_what_is_no_schedule_is_refused(
    schedule: str, stage: int, stages: int, microbatches: int, field: str, says: str
) -> None:
    with pytest.raises(InputError, match=says) as error:
        stage_order(schedule, stage, stages, microbatches)
    assert error.value.complaints[0].field == field


def test_all_schedules_are_allowed_and_refused_alike_without_a_stage() -> None:
    for schedule in SCHEDULES:
        check_schedule(schedule, 1)
        with pytest.raises(InputError):
            check_schedule(schedule, 0)
    with pytest.raises(InputError, match="unknown schedule 'GPipe'"):
        check_schedule("GPipe", 1)
