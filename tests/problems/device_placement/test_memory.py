"""Memory of a device with one and with several chunks."""

from __future__ import annotations

import pytest

from accmine.problems.device_placement import Option, Pipelining
from accmine.problems.device_placement.memory import device_bytes, held_microbatches, layer_bytes, state_bytes
from tests.samples.device_placement_sample import random_placement

OPTION = Option(1, "none", 1.0, 1.0, 0.0, weight_bytes=8, gradient_bytes=4, optimizer_bytes=12, stash_bytes=10,
                working_bytes=3)  # fmt: skip


@pytest.mark.parametrize(("zero", "states"), [(0, 24), (1, 15), (2, 12), (3, 6)])
def test_zero_shards_states(zero: int, states: int) -> None:
    assert state_bytes(random_placement(0), OPTION, 4, zero) == states
    assert layer_bytes(random_placement(0), OPTION, 4, zero)[1] >= 3


def test_chunks_are_counted_along_the_order() -> None:
    problem, own = random_placement(0), Pipelining("interleaved", 2)
    held = held_microbatches(own, 0, 2, 4)
    assert held == 2 * 1 + 2 + 1
    bytes_used = device_bytes(problem, [[OPTION], [OPTION]], own, (0, 2, 4), (1, 0))
    assert bytes_used == 2 * 24 + 3 + held * 10
    light = Option(1, "none", 1.0, 1.0, 0.0)
    assert device_bytes(problem, [[OPTION], [light]], own, (0, 2, 4), (1, 0)) == 24 + 3 + 4 * 10 - 10 * _done_by_then()


def _done_by_then() -> int:
    """Microbatches of the first chunk that are back before the last one of it begins."""
    from accmine.system import SCHEDULES

    level = most = 0
    for stage, kind, _ in SCHEDULES["interleaved"].device_order(0, 2, 4, 2).tolist():
        if stage == 0:
            level += 1 if kind == 0 else -1
            most = max(most, level)
    return 4 - most
