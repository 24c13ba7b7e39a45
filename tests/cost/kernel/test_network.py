"""Kernels of whole networks: every product once, with its count, and why others have none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.cost.arrays.timing import array_cycles
from accmine.cost.kernel.network import network_kernels
from accmine.errors import InputError
from accmine.kernel.described.architecture_file import load_architecture
from accmine.kernel.described.resolve import resolve
from accmine.kernel.latency import latency
from accmine.workload import forward_graph, load_model, training_graph


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


def test_backward_products_of_a_training_graph_have_kernels_too() -> None:
    graph = training_graph(forward_graph(load_model("resnet-18"), batch=2))
    found = network_kernels(graph, load_architecture("systolic-ws"))
    assert {"forward", "backward"} <= {item.operator.phase for item in found if item.kernel}


def test_an_architecture_without_products_is_refused() -> None:
    graph = forward_graph(load_model("resnet-18"), batch=1)
    with pytest.raises(InputError, match="does not say how a product runs on it"):
        network_kernels(graph, replace(load_architecture("systolic-ws"), product=None))
