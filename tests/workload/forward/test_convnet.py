from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.workload import OperatorGraph, forward_graph, load_model, training_graph
from accmine.workload.forward.convnet import ConvnetConfig, convnet_graph
from accmine.workload.importers.layer_list import read_layers


def build(layers: str, image: int = 8, channels: int = 4, batch: int = 2, loss: bool = True) -> OperatorGraph:
    config = ConvnetConfig(channels, read_layers(load_yaml(text=f"layers: {layers}", name="f.yaml")))
    return convnet_graph(config, "net", batch=batch, image=image, dropout=True, loss=loss, dtype="bf16")


def kinds(graph: OperatorGraph) -> list[str]:
    return [o.kind for o in graph.operators]


def last_shape(graph: OperatorGraph) -> tuple[int, ...]:
    return graph.tensors[graph.operators[-1].outputs[0]].shape


def test_links_of_the_chain() -> None:
    graph = build("[conv: {out: 8, kernel: 3}, relu, max-pool: {kernel: 2}, linear: {out: 5}]")
    assert graph.layers == ("conv0", "linear1")
    assert [o.layer for o in graph.operators] == [0, 0, 0, 1, 1]
    assert kinds(graph) == ["conv2d", "relu", "max-pool", "linear", "cross-entropy"]


def test_grouped_and_depthwise_convolution() -> None:
    graph = build("[conv: {out: 8, kernel: 3, groups: 2}, conv: {out: 8, kernel: 1, groups: depthwise, bias: false}]")
    grouped, depthwise = (o.work.gemm for o in graph.operators[:2])
    assert grouped is not None
    assert depthwise is not None
    assert (grouped.m, grouped.k, grouped.n, grouped.batch) == (2 * 36, 2 * 9, 4, 2)
    assert (depthwise.k, depthwise.n, depthwise.batch) == (1, 1, 8)
    assert graph.parameters == 8 * 2 * 9 + 8 + 8


def test_dilated_convolution() -> None:
    graph = build(
        "[conv: {out: 6, kernel: 3, dilation: 2, padding: same}, conv: {out: 6, kernel: 3, dilation: [1, 3]}]"
    )
    first, second = (o.work.gemm for o in graph.operators[:2])
    assert first is not None
    assert second is not None
    assert (first.m, first.k, first.n) == (2 * 64, 4 * 9, 6)
    assert first.inserted == 2 * 64 * 4 * 6 * (25 - 9)
    assert first.halo_elements == 4 * 8 * 4  # a window spans five rows
    assert graph.tensors[graph.operators[1].outputs[0]].shape == (2, 6, 6, 2)
    assert second.inserted == 2 * 12 * 6 * 6 * (3 * 7 - 9)


def test_uneven_borders() -> None:
    graph = build("[conv: {out: 6, kernel: 3, stride: 2, padding: [0, 1, 0, 1]}]", loss=False)  # even sizes halve
    assert last_shape(graph) == (2, 6, 4, 4)
    assert graph.operators[0].attribute("padding") == (0, 1, 0, 1)
    assert last_shape(build("[conv: {out: 6, kernel: 2, padding: [1, 0, 0, 1]}]", loss=False)) == (2, 6, 8, 8)


@pytest.mark.parametrize(
    ("shortcut", "body", "expected"),
    [
        ("identity", "{out: 4, kernel: 1}", ["conv2d", "add"]),
        ("auto", "{out: 4, kernel: 1}", ["conv2d", "add"]),
        ("auto", "{out: 8, kernel: 1, stride: 2}", ["conv2d", "conv2d", "batch-norm", "add"]),
        ("projection", "{out: 4, kernel: 1}", ["conv2d", "conv2d", "batch-norm", "add"]),
        ("same", "{out: 4, kernel: 1}", ["conv2d", "add"]),
        ("same", "{out: 8, kernel: 1}", ["conv2d"]),
        ("[relu]", "{out: 4, kernel: 1}", ["conv2d", "relu", "add"]),
    ],
)
def test_shortcuts(shortcut: str, body: str, expected: list[str]) -> None:
    graph = build(f"[residual: {{body: [conv: {body}], shortcut: {shortcut}}}]", loss=False)
    assert kinds(graph) == expected


def test_squeeze_excite() -> None:
    graph = build("[conv: {out: 8, kernel: 1}, squeeze-excite: {width: 2}]", loss=False)
    assert kinds(graph) == ["conv2d", "avg-pool", "conv2d", "relu", "conv2d", "hardsigmoid", "multiply"]
    image, gate = graph.operators[-1].inputs
    assert graph.tensors[image].shape == (2, 8, 8, 8)
    assert graph.tensors[gate].shape == (2, 8, 1, 1)


def test_branches_join_along_channels() -> None:
    graph = build(
        "[branches: [[conv: {out: 3, kernel: 1}], [max-pool: {kernel: 3, stride: 1, padding: 1}]]]", loss=False
    )
    assert last_shape(graph) == (2, 7, 8, 8)
    assert graph.operators[-1].attribute("axis") == 1


def test_pools() -> None:
    assert last_shape(build("[avg-pool: {kernel: 2}]", loss=False)) == (2, 4, 4, 4)
    assert last_shape(build("[avg-pool: {kernel: 3, stride: 2}]", loss=False)) == (2, 4, 3, 3)
    assert last_shape(build("[avg-pool: {kernel: 3, stride: 2, ceil: true}]", loss=False)) == (2, 4, 4, 4)
    assert last_shape(build("[global-avg-pool]", loss=False)) == (2, 4, 1, 1)
    assert kinds(build("[relu, adaptive-avg-pool: {size: 8}]", loss=False)) == ["relu"]


@given(st.integers(1, 30), st.integers(1, 30))
def test_adaptive_pool_has_the_wanted_size(image: int, size: int) -> None:
    layers = f"[relu, adaptive-avg-pool: {{size: {size}}}]"
    if image < size:
        with pytest.raises(InputError, match="too small"):
            build(layers, image, loss=False)
    else:
        assert last_shape(build(layers, image, loss=False)) == (2, 4, size, size)


def test_auxiliary_classifier_has_its_own_loss() -> None:
    layers = "[conv: {out: 8, kernel: 1}, auxiliary: {layers: [linear: {out: 5}], weight: 0.4}, linear: {out: 5}]"
    graph = build(layers)
    losses = [o for o in graph.operators if o.kind == "cross-entropy"]
    assert [o.attribute("weight") for o in losses] == [0.4, 1.0]
    assert losses[0].inputs[1] == losses[1].inputs[1]
    main = next(o for o in graph.operators if o.name == "linear1.linear0")
    assert graph.tensors[main.inputs[0]].name == "conv0.conv0.y"
    assert build(layers, loss=False).parameters == graph.parameters


def test_features_and_segmentation() -> None:
    features = build("[linear: {out: 16}, layer-norm, gelu, batch-norm, linear: {out: 3}]", image=1, channels=10)
    assert features.parameters == 10 * 16 + 16 + 32 + 32 + 16 * 3 + 3
    dense = build("[conv: {out: 6, kernel: 1}]")
    assert dense.operators[-1].work.vector[0].row == 6
    assert dense.tensors[dense.operators[-1].inputs[1]].shape == (2, 8, 8)


@pytest.mark.parametrize(
    ("layers", "complaint"),
    [
        ("[conv: {out: 8, kernel: 9}]", "layers.0.conv.kernel: the image is too small: a window of 9 (dilation 1)"),
        (
            "[conv: {out: 8, kernel: 5, dilation: 3, padding: [1, 2, 0, 0]}]",
            "layers.0.conv.kernel: the image is too small: a window of 5 (dilation 3) does not fit 8 pixels with a "
            "border of 1 and 2",
        ),
        ("[conv: {out: 6, kernel: 1, groups: 4}]", "layers.0.conv.groups: 4 groups must divide 4 input and 6 output"),
        ("[conv: {out: 6, kernel: 2, padding: same}]", "layers.0.conv.padding: same padding needs an odd window"),
        ("[linear: {out: 3}, conv: {out: 3, kernel: 1}]", "layers.1.conv: conv needs an image, but the layer before"),
        ("[layer-norm]", "layers.0: layer-norm needs features"),
        ("[max-pool: {kernel: 2, padding: 2}]", "layers.0.max-pool.padding: a border of (2, 2) is more than half"),
        ("[adaptive-avg-pool: {size: 9}]", "layers.0.adaptive-avg-pool.size: the image is too small: (8, 8)"),
        ("[residual: {body: [conv: {out: 3, kernel: 1}]}]", "layers.0.residual.shortcut: the shortcut gives (2, 4,"),
        ("[residual: {body: [linear: {out: 3}], shortcut: auto}]", "layers.0.residual: residual needs an image"),
        ("[branches: [[relu], [max-pool: {kernel: 2}]]]", "layers.0.branches: branches end in"),
    ],
)
def test_shapes_that_do_not_fit(layers: str, complaint: str) -> None:
    with pytest.raises(InputError) as error:
        build(layers)
    where, _, message = str(error.value).partition(": ")
    assert where.startswith("f.yaml:1:")
    assert message.startswith(complaint)


def test_image_too_small_for_the_model() -> None:
    with pytest.raises(InputError, match=r"workloads/inception-v3\.yaml:\d+:\d+: .*too small"):
        forward_graph(load_model("inception-v3"), batch=1, image=32)


@settings(max_examples=40, deadline=None)
@given(
    groups=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    border=st.tuples(*[st.integers(0, 2)] * 4),
    image=st.integers(5, 9),
)
def test_operands_of_a_training_step_are_their_tensors(
    groups: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    border: tuple[int, int, int, int],
    image: int,
) -> None:
    window = f"kernel: {list(kernel)}, stride: {list(stride)}, dilation: {list(dilation)}, padding: {list(border)}"
    layers = f"[conv: {{out: 6, kernel: 1}}, conv: {{out: {2 * groups}, groups: {groups}, bias: false, {window}}}]"
    graph = training_graph(build(layers, image, channels=6), accumulate=False)
    products = [o for o in graph.operators if o.work.gemm]
    assert [o.name.rpartition(".")[2] for o in products] == ["conv0", "conv0", "dx", "dw", "dw"]
    for operator in products:
        gemm, sizes = operator.work.gemm, [graph.tensors[t].elements for t in operator.inputs]
        assert gemm is not None
        assert [gemm.a_elements, gemm.b_elements] == sizes[:2]
        assert gemm.c_elements == graph.tensors[operator.outputs[0]].elements
        if operator.kind != "conv2d-input-gradient":  # whose overlapping windows are summed
            assert gemm.c_elements == gemm.batch * gemm.m * gemm.n
    second, dx, dw = products[1:4]
    assert second.work.macs == dx.work.macs == dw.work.macs
    spread = max(stride) > 1 and dw.work.gemm is not None and dw.work.gemm.inserted > 0
    rows_columns = graph.tensors[second.outputs[0]].shape[2:]
    assert spread == any(step > 1 and size > 1 for step, size in zip(stride, rows_columns, strict=True))


@settings(max_examples=40, deadline=None)
@given(
    channels=st.integers(1, 4),
    width=st.integers(1, 4),
    groups=st.integers(1, 3),
    kernel=st.sampled_from([1, 3, 5]),
    image=st.integers(5, 12),
)
def test_convolution_macs(channels: int, width: int, groups: int, kernel: int, image: int) -> None:
    layers = f"[conv: {{out: {width * groups}, kernel: {kernel}, padding: same, groups: {groups}, bias: false}}]"
    graph = build(layers, image, channels * groups)
    assert graph.macs == 2 * image * image * width * groups * channels * kernel * kernel
    assert graph.parameters == width * groups * channels * kernel * kernel
