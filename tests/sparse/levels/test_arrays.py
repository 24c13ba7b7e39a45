"""Levels of a file of arrays: a small network whose weights and inputs are known, and files that do not fit."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.sparse.layer import Layer, Level, binomial
from accmine.sparse.levels import (
    ARRAYS,
    ARRAYS_PROXY,
    Thresholds,
    levels_of_arrays,
    sources_of,
    synthetic_levels,
    zero_products,
)
from accmine.sparse.network import network_layers
from accmine.workload import forward_graph, load_model

LAYERS = (
    Layer("a.conv", 2, 3, (1, 2), (2, 3), (2, 2), levels=(Level("dense", (binomial(2, Fraction(1)),)),)),
    Layer("fc", 3, 2, cluster=3, levels=(Level("dense", (binomial(3, Fraction(1)),)),), zeros=Fraction(1, 2)),
)


def contents(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    found: dict[str, Any] = {
        "a.conv.weight": rng.normal(size=(3, 2, 1, 2)),
        "a.conv.input": rng.normal(size=(4, 2, 2, 3)).astype(np.float32),
        "fc.weight": rng.normal(size=(2, 3)),
        "fc.input": np.maximum(rng.normal(size=(4, 3)), 0),
    }
    found |= {key.replace("__", "."): value for key, value in changes.items()}
    return {key: value for key, value in found.items() if value is not None}


def written(tmp_path: Path, **changes: Any) -> Path:
    file = tmp_path / "net.npz"
    np.savez_compressed(file, **contents(**changes))
    return file


def test_thresholds_are_chosen_where_there_are_none(tmp_path: Path) -> None:
    conv, fc = levels_of_arrays(written(tmp_path), LAYERS, 3)
    assert len(conv.levels) == len(fc.levels) == 3
    assert sources_of([conv, fc]) == (ARRAYS_PROXY,)
    assert conv.levels[0].loss == fc.levels[0].loss == 0
    assert conv.levels[0].density == 1
    share = (contents()["fc.input"] > 0).mean()
    assert float(fc.levels[0].density) == pytest.approx(share, abs=1e-6)
    assert len(levels_of_arrays(written(tmp_path), LAYERS)[0].levels) == 8


def test_thresholds_and_losses_of_the_file(tmp_path: Path) -> None:
    own: dict[str, Any] = {"a.conv.thresholds": [[0, 0], [0.5, 0.2]], "fc.thresholds": [[1, 0]]}
    losses: dict[str, Any] = {"a.conv.losses": [0, 1.5], "fc.losses": [2]}
    file = tmp_path / "net.npz"
    np.savez(file, **contents(), **own, **losses)
    conv, fc = levels_of_arrays(file, LAYERS)
    assert [level.loss for level in (*conv.levels, *fc.levels)] == [0, 1_500_000, 2_000_000]
    assert sources_of([conv, fc]) == (ARRAYS,)
    given = contents()
    expected = zero_products(LAYERS[0], given["a.conv.weight"], given["a.conv.input"], Thresholds(0.5, 0.2))
    assert conv.levels[1].histograms == expected
    options: tuple[dict[str, Any], ...] = ({"count": 4}, {"most_pruned": 0.5})
    for option in options:
        with pytest.raises(InputError, match=f"{next(iter(option))}: has no effect: the file has thresholds"):
            levels_of_arrays(file, LAYERS, **option)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fc__weight": None}, "net.npz: weight: missing for fc"),
        ({"a__conv__input": None, "fc__input": None}, "net.npz: input: missing for a.conv, fc"),
        ({"fc__thresholds": [[0, 0]]}, "net.npz: thresholds: missing for a.conv"),
        ({"a__conv__losses": [0]}, "net.npz: losses: missing for fc"),
        ({"fc__weights": [0]}, "net.npz: fc.weights: is no array of a layer; did you mean 'fc.weight'"),
        ({"fc__weight": np.ones((3, 2))}, "net.npz: fc.weight: has the shape (3, 2); (2, 3, 1, 1) is needed"),
        ({"fc__weight": np.ones((0, 3))}, "net.npz: fc.weight: holds nothing"),
        ({"fc__input": np.array([[1.0, np.nan, 0]])}, "net.npz: fc.input: holds infinities or NaN"),
        ({"fc__thresholds": [0, 1], "a__conv__thresholds": [[0, 0]]}, "fc.thresholds: has the shape (2,)"),
        ({"fc__losses": [[0]], "a__conv__losses": [0]}, "fc.losses: has the shape (1, 1); (levels,) is needed"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        levels_of_arrays(written(tmp_path, **changes), LAYERS)
    assert message in str(caught.value)


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 levels are not allowed"):
        levels_of_arrays(written(tmp_path), LAYERS, 0)
    with pytest.raises(InputError, match="1 is not allowed; above 0 and below 1"):
        levels_of_arrays(written(tmp_path), LAYERS, most_pruned=1)


def test_a_network_of_the_zoo(tmp_path: Path) -> None:
    """Random weights on small images: the geometry of every layer is that of the graph."""
    graph = forward_graph(load_model("mobilenet-v3-small"), batch=1, image=32, dropout=False, loss=False)
    layers, _ = network_layers(graph)
    rng = np.random.default_rng(0)
    given: dict[str, Any] = {}
    for layer in layers:
        shape = (layer.channels_out, layer.channels_in // layer.groups, *layer.kernel)
        given[f"{layer.name}.weight"] = rng.normal(size=shape).astype(np.float32)
        given[f"{layer.name}.input"] = rng.normal(size=(1, layer.channels_in, *layer.size_in)).astype(np.float32)
    file = tmp_path / "zoo.npz"
    np.savez(file, **given)
    found = levels_of_arrays(file, layers, 2, most_pruned=0.5)
    for layer in found:
        inner = layer.padding == (0, 0, 0, 0)
        assert not inner or layer.levels[0].density == 1
        assert layer.levels[1].density < layer.levels[0].density


def test_drawn_arrays_have_the_levels_that_are_made_up(tmp_path: Path) -> None:
    """Laplace weights and half-normal inputs, half of them 0: what ``synthetic_levels`` assumes, counted."""
    dense = Level("dense", (binomial(9, Fraction(1)),))
    layers = (
        Layer("image", 3, 32, (3, 3), (34, 34), (32, 32), levels=(dense,)),
        Layer("behind", 32, 64, (3, 3), (34, 34), (32, 32), levels=(dense,), zeros=Fraction(1, 2)),
    )
    rng = np.random.default_rng(7)
    file = tmp_path / "drawn.npz"
    given: dict[str, Any] = {}
    for layer in layers:
        shape = (layer.channels_out, layer.channels_in, *layer.kernel)
        given[f"{layer.name}.weight"] = 3 * rng.laplace(size=shape)
        inputs = 5 * np.abs(rng.normal(size=(2, layer.channels_in, *layer.size_in)))
        given[f"{layer.name}.input"] = inputs * (rng.random(inputs.shape) >= float(layer.zeros))
    np.savez(file, **given)
    for counted, assumed in zip(levels_of_arrays(file, layers, 6), synthetic_levels(layers, 6), strict=True):
        for own, other in zip(counted.levels, assumed.levels, strict=True):
            assert float(own.density) == pytest.approx(float(other.density), abs=0.01)
            assert own.loss / 1e6 == pytest.approx(other.loss / 1e6, rel=0.25, abs=0.05)
