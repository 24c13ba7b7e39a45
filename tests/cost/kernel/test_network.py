"""Kernels of whole networks: every product once, with its count, and why others have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from accmine.cost.arrays.timing import array_cycles
from accmine.cost.kernel.network import network_kernels
from accmine.errors import InputError
from accmine.kernel.architecture import Instruction, Loop
from accmine.kernel.described.architecture_file import load_architecture
from accmine.kernel.described.resolve import resolve
from accmine.kernel.latency import latency
from accmine.workload import forward_graph, fuse, load_model, training_graph
from accmine.workload.forward import layers
from accmine.workload.graph import GraphBuilder

ROOT = Path(__file__).resolve().parents[3]


def test_resnet_50_takes_the_cycles_of_the_closed_form_on_the_systolic_array() -> None:
    graph = forward_graph(load_model("resnet-50"), batch=1)
    architecture = load_architecture("systolic-ws")
    found = network_kernels(graph, architecture)
    assert sum(item.count for item in found) == len(graph)
    total = sum(item.count * latency(resolve(architecture, item.kernel)) for item in found if item.kernel)
    products = [operator.work.gemm for operator in graph.operators if operator.work.gemm]
    assert total == sum(int(array_cycles(p.m, p.k, p.n, p.batch, 16, 16, "ws", "rtl-simple")) for p in products)
    assert all(bool(item.reason) == (item.kernel is None) for item in found)


def test_equal_products_occur_once_and_others_say_why_not() -> None:
    graph = forward_graph(load_model("bert-base"), batch=1, split="fused")
    found = network_kernels(graph, load_architecture("systolic-os"))
    reasons = {item.reason for item in found if item.kernel is None}
    assert any("attention" in reason for reason in reasons)
    assert any("no product" in reason for reason in reasons)
    shapes = [item.operator.work.gemm for item in found if item.kernel]
    assert len(set(shapes)) == len(shapes) < sum(item.count for item in found if item.kernel)


def test_channels_of_a_depthwise_convolution_are_products_one_after_the_other() -> None:
    graph = forward_graph(load_model("mobilenet-v3-large"), batch=1)
    architecture = load_architecture("systolic-ws")
    found = [
        x
        for x in network_kernels(graph, architecture)
        if x.kernel and x.operator.work.gemm and x.operator.work.gemm.batch > 1
    ]
    assert found
    for item in found:
        p = item.operator.work.gemm
        assert p is not None
        assert item.kernel is not None
        expected = int(array_cycles(p.m, p.k, p.n, p.batch, 16, 16, "ws", "rtl-simple"))
        assert latency(resolve(architecture, item.kernel)) == expected


@pytest.mark.parametrize("model", ["resnet-18", "mobilenet-v3-large"])
def test_a_network_on_an_array_of_taps_does_all_of_its_multiplications(model: str) -> None:
    """The shipped example: strips of every convolution, its taps one after the other, depthwise ones too."""
    architecture = load_architecture(ROOT / "examples/kernel-convolution.yaml")
    for fused in (False, True):
        graph = forward_graph(load_model(model), batch=2)
        found = network_kernels(fuse(graph) if fused else graph, architecture)
        assert sum(item.count * macs(item.kernel.body) for item in found if item.kernel) == graph.macs


def macs(body: Sequence[Instruction | Loop]) -> int:
    """Of the taps: rows × channels × channels."""
    total = 0
    for item in body:
        if isinstance(item, Loop):
            total += item.trips * macs(item.body)
        elif item.mnemonic == "tap":
            total += item.values["m"] * item.reads[1].size_bytes // 2
    return total


def test_convolutions_of_one_product_and_other_taps_are_apart_where_it_matters() -> None:
    """3 × 1 and 1 × 3 taps are the same product; their strips have other rows."""
    builder = GraphBuilder("pair")
    x = builder.tensor("x", (1, 8, 16, 16), "bf16", "input")
    weights = [builder.tensor(f"w{i}", (8, 8, *taps), "bf16", "parameter") for i, taps in enumerate([(3, 1), (1, 3)])]
    for i, (weight, padding) in enumerate(zip(weights, [(1, 0), (0, 1)], strict=True)):
        layers.conv2d(builder, f"conv{i}", x, weight, None, padding=padding)
    graph = builder.build()
    assert len(network_kernels(graph, load_architecture("systolic-ws"))) == 1
    assert len(network_kernels(graph, load_architecture(ROOT / "examples/kernel-convolution.yaml"))) == 2


def test_backward_products_of_a_training_graph_have_kernels_too() -> None:
    graph = training_graph(forward_graph(load_model("resnet-18"), batch=2))
    found = network_kernels(graph, load_architecture("systolic-ws"))
    assert {"forward", "backward"} <= {item.operator.phase for item in found if item.kernel}


def test_an_architecture_without_products_is_refused() -> None:
    graph = forward_graph(load_model("resnet-18"), batch=1)
    with pytest.raises(InputError, match="does not say how a product runs on it"):
        network_kernels(graph, replace(load_architecture("systolic-ws"), product=None))
