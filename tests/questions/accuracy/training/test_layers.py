"""Layers of a run: collectives, calls, memory and parameters of a shard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.questions.accuracy.training.layers import Shape, run_layers

SHAPE = Shape(1024, 16, 512, 51_200, 2, 4, "none", False, "fp32")
MESSAGE = 2 * 2 * 512 * 1024


def test_collectives_of_a_layer_with_full_recomputation() -> None:
    layer = run_layers(replace(SHAPE, recompute="full"))["layer"]
    assert [(c.kind, c.message_bytes) for c in layer.forward.collectives] == [("all-reduce", MESSAGE)] * 2
    assert [(c.kind, c.message_bytes) for c in layer.backward.collectives] == [("all-reduce", MESSAGE)] * 4


def test_collectives_with_sequence_parallelism() -> None:
    layer = run_layers(replace(SHAPE, sequence_parallel=True))["layer"]
    assert sorted(c.kind for c in layer.forward.collectives) == ["all-gather"] * 2 + ["reduce-scatter"] * 2
    # Two of the four gathers fetch inputs again of which only the shard was kept.
    assert sorted(c.kind for c in layer.backward.collectives) == ["all-gather"] * 4 + ["reduce-scatter"] * 2


def test_one_device_speaks_to_nobody() -> None:
    for layer in run_layers(replace(SHAPE, tensor=1)).values():
        assert not layer.forward.collectives
        assert not layer.backward.collectives


@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
def test_what_is_run_again(recompute: str) -> None:
    plain = run_layers(SHAPE)["layer"].backward
    own = run_layers(replace(SHAPE, recompute=recompute))["layer"].backward
    more = {"none": 0, "selective": 2, "full": 6}[recompute]  # products: scores and values again, or all six
    products = [sum(k.work.gemm is not None for k in side.kernels) for side in (plain, own)]
    assert products[1] - products[0] == more
    assert own.calls >= plain.calls


def test_calls_include_collectives_and_the_optimiser_is_one() -> None:
    alone, shared = (run_layers(replace(SHAPE, tensor=t))["layer"] for t in (1, 4))
    assert shared.forward.calls == alone.forward.calls + 2
    assert shared.update.calls == 1


def test_parameters_and_states_of_a_shard() -> None:
    whole, part = (run_layers(replace(SHAPE, tensor=t))["layer"] for t in (1, 4))
    width = 1024
    assert whole.parameters == 12 * width**2 + 13 * width
    assert part.parameters == 12 * width**2 // 4 + (3 + 4) * width // 4 + 6 * width
    for layer in (whole, part):
        memory = layer.memory
        assert memory.weights + memory.gradients + memory.optimizer == 18 * layer.parameters
    half = run_layers(replace(SHAPE, gradients="fp16"))["layer"].memory
    assert 2 * half.gradients == part.memory.gradients


def test_stash_is_that_of_the_field() -> None:
    s, b, h, a, t = 512, 2, 1024, 16, 4
    stash = {r: run_layers(replace(SHAPE, recompute=r))["layer"].memory.stash for r in ("none", "full")}
    assert stash["none"] == s * b * h * (10 + 24 / t) + 5 * a * s * s * b / t
    assert stash["full"] == 2 * s * b * h
    both = replace(SHAPE, recompute="selective", sequence_parallel=True)
    assert run_layers(both)["layer"].memory.stash == 34 * s * b * h / t
