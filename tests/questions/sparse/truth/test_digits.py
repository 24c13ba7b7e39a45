"""The digits network is trained, counted and asked: nothing of it is made up."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.problems.sparse_dataflow import Budget, Problem, check
from accmine.questions.sparse.truth import End, Settings, digits_problem, true_loss_loop
from accmine.questions.sparse.truth.digits import Digits
from accmine.questions.sparse.truth.digits_network import SHAPES, forward, load_digits, one_thread, train
from accmine.sparse.layer import PARTS, POINT

BUDGET = Budget(dsp=96, lut=30_000, bram18=200, loss=POINT)


@cache
def small() -> tuple[Problem, Digits]:
    return digits_problem(BUDGET, levels=((0, 0), (40, 20), (80, 50)), epochs=5)


def test_parts_of_the_images_have_nothing_in_common() -> None:
    parts = load_digits()
    images = np.concatenate([own.images for own in parts.values()])
    assert images.shape == (1797, 1, 8, 8)
    assert {name: len(own.labels) for name, own in parts.items()} == {
        "train": 797,
        "calibration": 300,
        "validation": 350,
        "test": 350,
    }
    assert images.sum() == pytest.approx(
        load_digits(1)["train"].images.sum()
        + sum(own.images.sum() for name, own in load_digits(1).items() if name != "train")
    ), "another order of the same images"
    assert not np.array_equal(parts["train"].images, load_digits(1)["train"].images)


def test_accuracy_of_the_trained_network() -> None:
    parts = load_digits()
    with one_thread():
        network = train(parts["train"])
        test = forward(network, parts["test"].images)[1].argmax(axis=1)
    assert (test == parts["test"].labels).mean() >= 0.96


def test_gradients_are_those_of_differences() -> None:
    from accmine.questions.sparse.truth import digits_network

    split = load_digits()["train"]
    images, labels = split.images[:4], split.labels[:4]
    rng = np.random.default_rng(0)
    with one_thread():
        network = train(replace(split, images=images, labels=labels), epochs=1)
        wide = replace(network, weights=tuple(own.astype(np.float64) for own in network.weights))

    def lost(index: int, at: tuple[int, ...], by: float) -> float:
        weights = [own.copy() for own in wide.weights]
        weights[index][at] += by
        scores = forward(replace(wide, weights=tuple(weights)), images.astype(np.float64))[1]
        shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        return float(-np.log(shares[np.arange(4), labels]).mean())

    slopes = digits_network._slopes(wide, images.astype(np.float64), labels)
    for index, shape in enumerate(SHAPES):
        for _ in range(4):
            at = int(rng.integers(shape.channels_out)), int(rng.integers(shape.taps))
            steep = (lost(index, at, 1e-5) - lost(index, at, -1e-5)) / 2e-5
            assert slopes[index][at] == pytest.approx(steep, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("index", [1, 3])
def test_histograms_are_counts_of_zero_products(index: int) -> None:
    _, digits = small()
    few = replace(digits, splits={"calibration": replace(digits.splits["calibration"])})
    own = digits.splits["calibration"]
    few = replace(digits, splits={"calibration": replace(own, images=own.images[:3], labels=own.labels[:3])})
    chosen = [2 if i == index else 0 for i in range(len(SHAPES))]
    network, zeroed = few._pruned(chosen)
    read = forward(network, own.images[:3], zeroed)[0][index]
    shape, weights = SHAPES[index], network.weights[index]
    window = 9 if shape.size else 16
    found = few.histograms(chosen, index)
    for group in range(shape.taps // window):
        counts = [0] * (window + 1)
        for row in read:
            for channel in weights:
                own_slots = range(group * window, (group + 1) * window)
                counts[sum(row[i] == 0 or channel[i] == 0 for i in own_slots)] += 1
        shares = [Fraction(own, sum(counts)) * PARTS for own in counts]
        assert all(abs(a - b) < 1 for a, b in zip(found[group], shares, strict=True))


def test_problem_of_the_network() -> None:
    problem, digits = small()
    assert problem.layers[1].macs == 8 * 8 * 8 * 16 * 9
    assert sum(layer.macs for layer in problem.layers) == 156_480
    for layer in problem.layers:
        densities = [level.density for level in layer.levels]
        assert densities == sorted(densities, reverse=True)
        assert layer.levels[0].loss == 0
        assert {level.source for level in layer.levels} == {"arrays"}
        assert len(layer.levels[0].histograms) == layer.channels_in // layer.cluster
    assert set(digits.dense) == {"train", "calibration", "validation", "test"}


def test_answers_of_the_network() -> None:
    problem, digits = small()
    dense = digits({layer.name: layer.levels[0].name for layer in problem.layers})
    assert dense["value"] == digits.dense["validation"]
    assert dense["test_loss"] == 0
    pruned = digits({layer.name: layer.levels[-1].name for layer in problem.layers})
    assert pruned["value"] < dense["value"] - 20, "80 % of all weights at once are too many"
    layer = problem.layers[2]
    alone = {own.name: own.levels[-1 if own is layer else 0].name for own in problem.layers}
    lost = digits.dense["calibration"] - digits(alone)["calibration_accuracy"]
    assert layer.levels[-1].loss == round(POINT * max(0.0, lost))


def test_loop_on_a_small_version() -> None:
    problem, digits = small()
    outcome = true_loss_loop(problem, digits, Settings(rounds=3, reference=digits.dense["validation"]))
    best = outcome.best
    assert best is not None
    assert best.accuracy is not None
    assert digits.dense["validation"] - best.accuracy == best.true_loss <= 1
    assert outcome.table()[0][4:6] == ("true loss", "accuracy %")


def test_same_seed_same_problem() -> None:
    assert digits_problem(BUDGET, levels=((0, 0), (40, 20), (80, 50)), epochs=5)[0] == small()[0]


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match="digits needs scikit-learn: pip install"):
        digits_problem(BUDGET)


@pytest.mark.full
def test_true_constraint_holds_on_a_trained_network() -> None:
    """H10: the true constraint holds at the end, beside the proxy, within two minutes."""
    begun = time.process_time()
    problem, digits = digits_problem(BUDGET)
    reference = digits.dense["validation"]
    outcome = true_loss_loop(problem, digits, Settings(rounds=6, reference=reference))
    assert time.process_time() - begun < 120
    assert digits.dense["test"] >= 96
    best = outcome.best
    assert best is not None
    assert outcome.end in (End.ROUNDS, End.PROVED)
    levels = {layer.name: name for layer, name in zip(problem.layers, best.levels, strict=True)}
    assert reference - digits(levels)["value"] <= 1, "asked once more"
    assert not check(replace(problem, budget=replace(problem.budget, loss=None)), best.solution)
    assert any(own.true_loss != own.proxy_loss for own in outcome.rounds)
    slowest = best.interval
    assert outcome.bound is not None
    assert outcome.bound <= slowest
    sampling = 100 * 2 * (0.01 / len(digits.splits["test"].labels)) ** 0.5
    assert dict(best.others)["test_loss"] <= 1 + sampling, "no more on images that decided nothing, up to chance"
    assert digits.measured_interval(problem, levels, best.solution) <= 1.1 * slowest
