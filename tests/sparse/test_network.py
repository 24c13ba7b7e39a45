"""Networks as layers and edges: the multiply-accumulates and weights of the reference, and what joins what."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.sparse.layer import PARTS, Layer
from accmine.sparse.network import DENSE_LEVEL, network_layers
from accmine.workload import forward_graph, load_model, training_graph

REFERENCE = {
    "resnet-18": 1814.1,
    "mobilenet-v2": 300.8,
    "mobilenet-v3-large": 216.6,
    "mobilenet-v3-small": 56.5,
    "resnet-34": 3663.8,
    "resnet-50": 4089.2,
    "vgg-16": 15470.3,
    "efficientnet-b0": 385.8,
}
"""Millions of multiply-accumulates of an image: convolutions and linear layers, squeeze-and-excite included."""


def layers_of(name: str | Path, **options: object) -> tuple[tuple[Layer, ...], tuple[tuple[int, int], ...]]:
    graph = forward_graph(load_model(name), batch=1, dropout=False, loss=False, **options)  # type: ignore[arg-type]
    return network_layers(graph)


def of_text(tmp_path: Path, layers: str, image: int = 8) -> tuple[tuple[Layer, ...], set[tuple[str, str]]]:
    file = tmp_path / "net.yaml"
    file.write_text(f"family: convnet\nimage: {image}\nlayers:\n{layers}")
    found, edges = layers_of(file)
    return found, {(found[a].name, found[b].name) for a, b in edges}


@pytest.mark.parametrize(("name", "millions"), REFERENCE.items())
def test_products_are_those_of_the_reference(name: str, millions: float) -> None:
    model = load_model(name)
    layers, edges = layers_of(name)
    assert sum(layer.macs for layer in layers) / 1e6 == pytest.approx(millions, abs=0.05)
    assert sum(layer.macs for layer in layers) == forward_graph(model, batch=1, dropout=False, loss=False).macs
    fed = {b for _, b in edges}
    assert fed == set(range(1, len(layers))), "only the first layer reads the image"
    assert {a for a, _ in edges} == set(range(len(layers) - 1)), "only the last layer feeds nothing"
    assert all(a < b for a, b in edges)
    assert all(1 <= layer.cluster <= 16 and (layer.cluster == 1 or layer.kernel == (1, 1)) for layer in layers)


def test_weights_are_the_parameters_without_biases_and_norms() -> None:
    graph = forward_graph(load_model("mobilenet-v3-small"), batch=1, dropout=False, loss=False)
    layers, _ = network_layers(graph)
    weights = [t for t in graph.tensors if t.role == "parameter" and t.name.removesuffix(".weight").split(".")[-1]]
    products = {t.name: t.elements for t in weights if len(t.shape) > 1}
    assert {f"{layer.name}.weight": layer.parameters for layer in layers} == products


def test_a_layer_is_dense_until_something_is_known() -> None:
    layer = layers_of("resnet-18")[0][1]
    (level,) = layer.levels
    assert (level.name, level.loss, level.density) == (DENSE_LEVEL, 0, Fraction(1))
    assert level.histograms == ((PARTS, *(0,) * 9),)


def test_a_chain_contracts_norms_and_pools(tmp_path: Path) -> None:
    text = "  - conv: {out: 6, kernel: 3, stride: 2, padding: 1}\n  - batch-norm\n  - relu\n"
    text += "  - max-pool: {kernel: 2}\n  - conv: {out: 4, kernel: 1}\n  - relu\n  - linear: {out: 10}\n"
    (first, second, last), edges = of_text(tmp_path, text)
    assert edges == {("conv0.conv0", "conv1.conv0"), ("conv1.conv0", "linear2.linear0")}
    assert (first.size_in, first.size_out, first.stride, first.padding) == ((8, 8), (4, 4), (2, 2), (1, 1, 1, 1))
    assert (second.cluster, second.window, second.size_in) == (6, 6, (2, 2))
    assert (last.channels_in, last.cluster, last.size_out, last.words) == (16, 16, (1, 1), (16, 10))
    assert [layer.zeros for layer in (first, second, last)] == [0, Fraction(1, 16), Fraction(1, 2)]


def test_both_ways_of_a_block_lead_on(tmp_path: Path) -> None:
    block = "  - residual: {body: [conv: {out: 3, kernel: 3, padding: 1}], shortcut: identity}\n"
    _, edges = of_text(tmp_path, "  - conv: {out: 3, kernel: 1}\n" + 4 * block + "  - linear: {out: 2}\n")
    a, b, c, d, e, f = "conv0.conv0", *(f"residual{i}.conv0" for i in (1, 2, 3, 4)), "linear5.linear0"
    straight = {(a, b), (b, c), (c, d), (d, e), (e, f)}
    assert edges == straight | {(a, c), (b, d), (c, e), (d, f)}, "a shortcut has the width of the sum that it starts at"


def test_a_gate_is_fed_and_feeds(tmp_path: Path) -> None:
    text = "  - conv: {out: 8, kernel: 1}\n  - relu\n  - squeeze-excite: {width: 2}\n  - conv: {out: 4, kernel: 1}\n"
    layers, edges = of_text(tmp_path, text)
    a, down, up, b = [layer.name for layer in layers]
    assert edges == {(a, down), (down, up), (up, b), (a, b)}
    assert [layer.zeros for layer in layers] == [0, 0, Fraction(1, 2), Fraction(1, 2)]
    assert layers[1].size_in == (1, 1)


def test_branches_that_are_put_side_by_side_all_feed(tmp_path: Path) -> None:
    text = "  - branches: [[conv: {out: 4, kernel: 1}, relu], [conv: {out: 12, kernel: 1}]]\n  - linear: {out: 2}\n"
    layers, edges = of_text(tmp_path, text)
    assert edges == {(layers[0].name, layers[2].name), (layers[1].name, layers[2].name)}
    assert layers[2].zeros == Fraction(1, 8), "half of a quarter of the words"


def test_side_classifiers_are_left_out() -> None:
    layers, _ = layers_of("inception-v3")
    whole = forward_graph(load_model("inception-v3"), batch=1, dropout=False, loss=False)
    names = {operator.name for operator in whole.operators if operator.kind in ("conv2d", "linear")}
    assert len(names - {layer.name for layer in layers}) == 3, "two convolutions and a linear layer"


def test_a_loss_and_dropout_change_nothing() -> None:
    graph = forward_graph(load_model("vgg-16"), batch=1)
    assert network_layers(graph) == layers_of("vgg-16")


def test_the_cluster_can_be_limited() -> None:
    graph = forward_graph(load_model("mobilenet-v2"), batch=1, dropout=False, loss=False)
    layers, _ = network_layers(graph, most_cluster=5)
    assert {layer.cluster for layer in layers if layer.kernel == (1, 1)} <= {1, 2, 3, 4, 5}
    assert {layer.cluster for layer in network_layers(graph, 1)[0]} == {1}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bert-base", {"sequence": 8}, "is of kind embedding; a dataflow accelerator takes"),
        ("gnmt-4", {"sequence": 2}, "a dataflow accelerator takes forward graphs"),
        ("resnet-18", {"batch": 2, "image": 32}, "2 images; a batch of 1 is needed"),
    ],
)
def test_what_is_no_network_of_convolutions(name: str, options: dict[str, int], message: str) -> None:
    graph = forward_graph(load_model(name), **{"batch": 1, **options}, dropout=False, loss=False)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        network_layers(graph)


def test_dilated_windows_and_training_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"conv0\.conv0 has dilated windows"):
        of_text(tmp_path, "  - conv: {out: 3, kernel: 3, dilation: 2}\n")
    with pytest.raises(InputError, match="has no convolution"):
        of_text(tmp_path, "  - relu\n")
    graph = training_graph(forward_graph(load_model("resnet-18"), batch=1, image=32))
    with pytest.raises(InputError, match="forward graphs"):
        network_layers(graph)
