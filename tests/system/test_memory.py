"""Memory of a stage: sums, sharding over replicas, what it costs in messages, remedies."""

from __future__ import annotations

import random
from dataclasses import astuple, replace

import pytest

from accmine.errors import InputError
from accmine.system import Cluster, Level
from accmine.system.collectives import seconds
from accmine.system.memory import (
    ZERO_STAGES,
    Exchange,
    StageMemory,
    exchange_s,
    layer_states,
    stage_memory,
    zero_exchanges,
)
from accmine.workload.shard import LayerMemory

DENSE = LayerMemory(weights=200, gradients=400, optimizer=1200, stash=50, working=30)
MOE = replace(DENSE, expert_weights=160, expert_gradients=320, expert_optimizer=960)


def any_layers(draw: random.Random) -> list[LayerMemory]:
    def one() -> LayerMemory:
        expert, rest = draw.choice([0, draw.randint(1, 999)]), draw.randint(0, 999)
        whole = expert + rest
        held, working = draw.randint(0, 99), draw.randint(0, 99)
        return LayerMemory(2 * whole, 4 * whole, 12 * whole, held, working, 2 * expert, 4 * expert, 12 * expert)

    return [one() for _ in range(draw.randint(1, 5))]


@pytest.mark.parametrize(
    ("zero", "expected"),
    [
        # weights, gradients, optimizer, stash, working; two layers, three microbatches
        (0, (400, 800, 2400, 300, 30)),
        (1, (400, 800, 600, 300, 30)),
        (2, (400, 200, 600, 300, 30 + 300)),  # gradients of a layer of which three quarters belong to others
        (3, (100, 200, 600, 300, 30 + 300 + 150)),
    ],
)
def test_zero_of_dense_layers(zero: int, expected: tuple[int, ...]) -> None:
    got = stage_memory([DENSE, DENSE], in_flight=3, zero=zero, data=4)
    assert astuple(got) == expected
    assert got.total == sum(expected)
    assert got.fits(sum(expected))
    assert not got.fits(sum(expected) - 1)


def test_experts_are_shared_out_among_those_that_have_the_same() -> None:
    assert stage_memory([MOE], in_flight=1, zero=1, data=4, expert=2).optimizer == (1200 - 960) // 4 + 960 // 2
    assert stage_memory([MOE], in_flight=1, zero=1, data=4, expert=4).optimizer == (1200 - 960) // 4 + 960


def test_published_bytes_of_a_parameter() -> None:
    """ZeRO, table 1 and figure 1: 7.5e9 parameters, Adam in mixed precision, 64 replicas: 120, 31.4, 16.6, 1.9 GB."""
    parameters = 7_500_000_000
    pieces = [LayerMemory(parameters // 300 * 2, parameters // 300 * 2, parameters // 300 * 12, 0, 0)] * 300
    for zero, expected in zip(ZERO_STAGES, (120, 31.4, 16.6, 1.9), strict=True):
        got = stage_memory(pieces, in_flight=1, zero=zero, data=64)
        assert (got.total - got.working) / 1e9 == pytest.approx(expected, abs=0.05)


def test_each_layer_may_have_its_own_microbatches_in_flight() -> None:
    assert stage_memory([DENSE, DENSE], in_flight=[4, 2]).stash == 300
    with pytest.raises(ValueError, match="shorter"):
        stage_memory([DENSE, DENSE], in_flight=[4])


def test_laws() -> None:
    draw = random.Random(1)
    for _ in range(300):
        layers, held = any_layers(draw), draw.randint(1, 9)
        expert = draw.choice([1, 2, 3])
        data = expert * draw.randint(1, 8)
        kept = [stage_memory(layers, in_flight=held, zero=z, data=data, expert=expert) for z in ZERO_STAGES]
        rounding = 2 * 3 * len(layers)  # each share of dense and of expert parts is rounded up
        for less, more in zip(kept[1:], kept, strict=False):
            assert less.total <= more.total + rounding
        for zero in ZERO_STAGES:
            wider = stage_memory(layers, in_flight=held, zero=zero, data=2 * data, expert=expert)
            assert wider.total <= kept[zero].total + rounding
            assert (wider == kept[0]) if zero == 0 else True
            more = stage_memory(layers, in_flight=held + 1, zero=zero, data=data, expert=expert)
            assert more.total - kept[zero].total == sum(layer.stash for layer in layers)
            one = [stage_memory([v], in_flight=held, zero=zero, data=data, expert=expert) for v in layers]
            assert kept[zero].working == max(v.working for v in one)
            for name in ("weights", "gradients", "optimizer", "stash"):
                assert getattr(kept[zero], name) == sum(getattr(v, name) for v in one)


def test_shares_are_rounded_up() -> None:
    odd = LayerMemory(7, 7, 7, 0, 0, expert_weights=2, expert_gradients=2, expert_optimizer=2)
    assert layer_states(odd, zero=0, data=4) == (7, 7, 7)
    assert layer_states(odd, zero=2, data=4) == (7, 2 + 1, 2 + 1)
    assert layer_states(odd, zero=3, data=4, expert=4) == (2 + 2, 2 + 2, 2 + 2)


def test_no_layer_needs_nothing() -> None:
    assert stage_memory([], in_flight=3, zero=3, data=4) == StageMemory()


def test_exchanges_of_every_stage() -> None:
    two = [DENSE, DENSE]
    assert zero_exchanges(two, zero=0, microbatches=3) == (Exchange("all-reduce", 800, "data"),)
    assert zero_exchanges(two, zero=1, microbatches=3) == (
        Exchange("reduce-scatter", 800, "data"),
        Exchange("all-gather", 400, "data"),
    )
    assert zero_exchanges(two, zero=2, microbatches=3) == (
        Exchange("reduce-scatter", 400, "data", 3),
        Exchange("reduce-scatter", 400, "data", 3),
        Exchange("all-gather", 400, "data"),
    )
    assert zero_exchanges([DENSE], zero=3, microbatches=3) == (
        Exchange("reduce-scatter", 400, "data", 3),
        Exchange("all-gather", 200, "data", 6),
    )
    assert zero_exchanges([MOE], zero=0, microbatches=1) == (
        Exchange("all-reduce", 80, "data"),
        Exchange("all-reduce", 320, "data-expert"),
    )


def test_published_traffic_of_zero() -> None:
    """ZeRO, section 7: with one microbatch stages 0 to 2 move gradients and weights once, stage 3 half more."""
    cluster = Cluster("x", (Level("all", None, 1.0, 0.0),))
    half = LayerMemory(weights=1000, gradients=1000, optimizer=0, stash=0, working=0)
    times = [
        exchange_s(
            cluster, zero_exchanges([half] * 2, zero=z, microbatches=1), ("tensor", "data", "pipeline"), {"data": 8}
        )
        for z in ZERO_STAGES
    ]
    whole = float(seconds(cluster, "all-gather", [2000], 8)[0])
    assert times == pytest.approx([2 * whole, 2 * whole, 2 * whole, 3 * whole])


def test_exchanges_take_the_time_of_their_groups() -> None:
    cluster = Cluster("x", (Level("node", 4, 100.0, 1.0), Level("all", 16, 10.0, 2.0)))
    order, degrees = ("tensor", "data", "pipeline"), {"tensor": 2, "data": 8, "expert": 2}
    ones = [Exchange("all-reduce", 80, "data"), Exchange("all-gather", 320, "data-expert", 3)]
    expected = seconds(cluster, "all-reduce", [80], 8, 2)[0] + 3 * seconds(cluster, "all-gather", [320], 4, 4)[0]
    assert exchange_s(cluster, ones, order, degrees) == pytest.approx(expected)
    assert exchange_s(cluster, ones, order, {"data": 1}) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [({"zero": 4}, "zero: stage 4; allowed: 0, 1, 2, 3"), ({"data": 4, "expert": 3}, "expert: 3 devices")],
)
def test_refusals(change: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        stage_memory([DENSE], in_flight=1, **change)
    if "zero" in change:
        with pytest.raises(InputError, match=message):
            zero_exchanges([DENSE], zero=4, microbatches=1)
