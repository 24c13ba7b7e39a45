"""Ticks: what they lose, and that they stay within 64 bits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.problems.device_placement.numbers import MOST_TICKS, Way, numbers, replica_microbatches
from accmine.problems.device_placement.rules import score, shown
from accmine.solving import solve
from accmine.system import Cluster, Level
from tests.samples.device_placement_sample import random_placement


def test_rounding_is_below_a_millionth_of_a_thousandth() -> None:
    for seed in range(40):
        problem = random_placement(seed)
        table = numbers(problem)
        result = solve(problem, "chain")
        if result.solution is not None:
            step = score(problem, result.solution)
            assert 0 < step < MOST_TICKS
            assert table.rounding <= 1e-8 * step
            assert shown(problem, step) == pytest.approx(float(step / table.ticks))


def test_choices_do_not_change_ticks() -> None:
    """Sub-problems of a search speak of the same numbers."""
    problem = random_placement(7)
    fewer = replace(problem, data=(1,), pipeline=(1,), orders=problem.orders[:1], zero=problem.zero[:1])
    assert numbers(fewer).ticks == numbers(problem).ticks


def test_strides_follow_the_order_of_ranks() -> None:
    way = Way(2, 3, 5, ("tensor", "data", "pipeline"), 0)
    assert [way.stride(group) for group in way.order] == [1, 2, 6]
    other = Way(2, 3, 5, ("pipeline", "tensor", "data"), 0)
    assert [other.stride(group) for group in ("tensor", "data", "pipeline")] == [5, 10, 1]
    assert way.devices == 30


def test_messages_take_the_level_they_cross() -> None:
    nodes = Level("node", 4, 8.0, 1.0), Level("all", None, 2.0, 3.0)
    problem = random_placement(3, cluster=Cluster("two", nodes), devices=8)
    table, way = numbers(problem), Way(1, 1, 8, ("tensor", "data", "pipeline"), 0)
    sent = [ticks / float(table.ticks) for ticks in table.messages(16, way)]
    assert sent == pytest.approx([3, 3, 3, 11, 3, 3, 3, 11])
    assert table.message(16, way, 11) == table.messages(16, way)[3]


def test_replicas_share_microbatches() -> None:
    problem = random_placement(0, microbatches=7, devices=8)
    assert [replica_microbatches(problem, d) for d in (1, 2, 3, 7)] == [7, 4, 3, 1]


def test_tied_parameters_are_summed_between_the_ends_of_a_pipeline() -> None:
    problem = random_placement(3, cluster=Cluster("one", (Level("node", None, 8.0, 1.0),)), devices=8)
    plain = problem.layers[0].options[0]
    tied = replace(plain, tied_bytes=16)
    order = ("tensor", "data", "pipeline")
    table, alone, apart = numbers(problem), Way(1, 1, 1, order, 0), Way(1, 1, 4, order, 0)
    assert table.layer(tied, alone) == table.layer(plain, alone)
    more = [a - b for a, b in zip(table.layer(tied, apart), table.layer(plain, apart), strict=True)]
    assert (more[0], more[1], more[3]) == (0, 0, 0)
    assert more[2] / float(table.ticks) == pytest.approx(1 + 16 / 8)
