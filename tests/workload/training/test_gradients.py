from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.workload import VECTOR_KINDS, OperatorGraph, training_graph
from accmine.workload.forward import layers
from accmine.workload.forward.convolution import Axis, Convolution
from accmine.workload.graph import Gemm, GraphBuilder, Operator
from accmine.workload.kinds import EXCHANGE_KINDS
from accmine.workload.training.gradients import RULES, kept
from tests.samples.training_sample import convnet, forward_graphs

SHAPE = (2, 3, 8)


def after(make: Callable[[GraphBuilder, int], int], shape: Sequence[int] = SHAPE) -> OperatorGraph:
    """Training graph of a linear layer, what ``make`` builds on its output ``x.y``, and a loss."""
    b = GraphBuilder("sample")
    b.layer("only")
    data = layers.input_tensor(b, "data", shape, "bf16")
    weight = layers.parameter(b, "weight", (shape[-1], shape[-1]), "bf16")
    rows = b.tensors[data].elements // shape[-1]
    x = layers.linear(b, "x", [data], weight, None, [shape], m=rows)[0]
    y = make(b, x)
    size = b.tensors[y].shape
    labels = layers.input_tensor(b, "labels", size[:-1], "int32")
    layers.cross_entropy(b, "loss", y, labels, size[-1])
    return training_graph(b.build(), accumulate=False)


def find(graph: OperatorGraph, name: str) -> Operator:
    return next(o for o in graph.operators if o.name == name)


def reads(graph: OperatorGraph, name: str) -> list[str]:
    return [graph.tensors[t].name for t in find(graph, name).inputs]


def writes(graph: OperatorGraph, name: str) -> list[str]:
    return [graph.tensors[t].name for t in find(graph, name).outputs]


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        *((kind, "op.y") for kind in ("relu", "relu6", "sigmoid", "tanh", "hardsigmoid")),
        *((kind, "x.y") for kind in ("gelu", "silu", "hardswish")),
        *((kind, None) for kind in ("scale", "rotary")),
    ],
)
def test_element_wise_kinds(kind: str, read: str | None) -> None:
    graph = after(lambda b, x: layers.elementwise(b, "op", kind, x))
    assert reads(graph, "op.bwd") == ["op.y.grad@loss.bwd", *([read] if read else [])]
    work = find(graph, "op.bwd").work
    assert [(v.kind, v.elements, v.row) for v in work.vector] == [(f"{kind}-backward", 48, 1)]
    assert work.bytes_in == 96 * (2 if read else 1)
    assert work.bytes_out == 96


def test_softmax_and_dropout() -> None:
    graph = after(lambda b, x: layers.dropout(b, "drop", layers.softmax(b, "soft", x), 0.1))
    assert reads(graph, "drop.bwd") == ["drop.y.grad@loss.bwd", "drop.mask"]
    assert find(graph, "drop.bwd").work.bytes_in == 96 + 48
    assert reads(graph, "soft.bwd") == ["soft.y.grad@drop.bwd", "soft.y"]
    assert find(graph, "soft.bwd").work.vector[0].row == 8


@pytest.mark.parametrize("kind", ["layer-norm", "rms-norm"])
def test_norms_write_all_their_gradients(kind: str) -> None:
    graph = after(lambda b, x: layers.norm(b, "norm", kind, x))
    assert reads(graph, "norm.bwd") == ["norm.y.grad@loss.bwd", "x.y", "norm.weight"]
    extra = ["norm.bias.grad@norm.bwd"] if kind == "layer-norm" else []
    assert writes(graph, "norm.bwd") == ["x.y.grad@norm.bwd", "norm.weight.grad@norm.bwd", *extra]
    assert find(graph, "norm.bwd").work.vector[0].row == 8
    assert find(graph, "norm.bwd").work.bytes_out == 96 + 32 * (1 + len(extra))  # gradients of parameters in fp32


def test_addition_and_mask_pass_the_gradient_on() -> None:
    def make(b: GraphBuilder, x: int) -> int:
        y = layers.elementwise(b, "gelu", "gelu", x)
        sum_ = layers.add(b, "add", (x, y))
        return layers.mask(b, "mask", sum_, layers.input_tensor(b, "padding", (2, 3), "bool"), 0)

    graph = after(make)
    names = {o.name for o in graph.operators}
    assert not {"add.bwd", "mask.bwd"} & names
    assert reads(graph, "gelu.bwd") == ["mask.y.grad@loss.bwd", "x.y"]
    sums = [o for o in graph.operators if o.kind == "accumulate"]
    assert len(sums) == 1
    assert set(sums[0].inputs) == {find(graph, "loss.bwd").outputs[0], find(graph, "gelu.bwd").outputs[0]}


def test_addition_of_a_trained_tensor_and_of_one_that_broadcasts() -> None:
    def make(b: GraphBuilder, x: int) -> int:
        return layers.add(b, "add", (x, layers.parameter(b, "position", (3, 8), "bf16")))

    operator = find(graph := after(make), "add.bwd1")
    assert (operator.kind, operator.work.vector[0].row) == ("add-backward", 2)
    assert graph.tensors[operator.outputs[0]].dtype == "fp32"
    assert graph.tensors[operator.outputs[0]].shape == (3, 8)


def test_product_of_two_and_with_a_gate() -> None:
    def both(b: GraphBuilder, x: int) -> int:
        return layers.add(b, "mul", (x, layers.elementwise(b, "silu", "silu", x)), kind="multiply")

    graph = after(both)
    assert reads(graph, "mul.bwd")[1:] == ["silu.y", "x.y"]
    assert [name.partition(".grad")[0] for name in writes(graph, "mul.bwd")] == ["x.y", "silu.y"]
    assert find(graph, "mul.bwd").work.vector[0].row == 1

    graph = training_graph(convnet())
    gated = find(graph, "block.excite.bwd")
    assert gated.work.vector[0].row == 16  # the gate of 1x1 spreads over 4x4
    assert [graph.tensors[t].shape for t in gated.outputs] == [(2, 8, 4, 4), (2, 8, 1, 1)]


def test_factor_that_is_data_gets_no_gradient() -> None:
    def make(b: GraphBuilder, x: int) -> int:
        return layers.add(b, "mul", (x, layers.input_tensor(b, "factor", SHAPE, "bf16")), kind="multiply")

    graph = after(make)
    assert reads(graph, "mul.bwd")[1:] == ["factor"]
    assert len(writes(graph, "mul.bwd")) == 1


def test_pools_and_concatenation() -> None:
    graph = training_graph(convnet(), accumulate=False)
    assert reads(graph, "stem.pool.bwd")[1:] == ["stem.pool.indices"]
    assert find(graph, "stem.pool.bwd").work.vector[0].elements == 2 * 8 * 8 * 8
    assert len(reads(graph, "head.pool.bwd")) == 1
    assert find(graph, "head.pool.bwd").work.vector[0].elements == 2 * 12 * 4 * 4
    assert [graph.tensors[t].shape[1] for t in find(graph, "block.concat.bwd").outputs] == [8, 4]
    assert reads(graph, "stem.norm.bwd")[1:] == ["stem.y", "stem.norm.weight"]
    assert find(graph, "stem.norm.bwd").work.vector[0].row == 2 * 8 * 8


def test_average_pools_add_to_every_element_of_their_windows() -> None:
    b = GraphBuilder("pool")
    b.layer("only")
    x = layers.input_tensor(b, "image", (1, 2, 5, 5), "bf16")
    x = layers.conv2d(b, "conv", x, layers.parameter(b, "w", (2, 2, 1, 1), "bf16"), None)
    y = layers.pool(b, "pool", "avg-pool", x, (3, 3), (1, 1), (1, 1))
    layers.cross_entropy(b, "loss", y, layers.input_tensor(b, "labels", (1, 5, 5), "int32"), 2)
    work = find(training_graph(b.build()), "pool.bwd").work
    assert [(v.kind, v.elements, v.row) for v in work.vector] == [("avg-pool-backward", 50 * 9, 1)]
    assert (work.bytes_in, work.bytes_out) == (100, 100)


def test_convolutions_run_again_as_they_were() -> None:
    graph = training_graph(convnet(), recompute="full")
    again = [o for o in graph.operators if o.name.endswith(".re")]
    assert any(o.work.gemm and o.work.gemm.halo_elements for o in again)
    assert all(o.work == find(graph, str(o.attribute("forward"))).work for o in again)


def test_lstm_cell_with_and_without_each_gradient() -> None:
    def make(b: GraphBuilder, x: int) -> int:
        cell = layers.input_tensor(b, "c0", (6, 2), "bf16")
        hidden, cell = layers.lstm_cell(b, "cell0", x, cell)
        return layers.lstm_cell(b, "cell1", x, layers.add(b, "add", (hidden, cell)))[0]

    graph = after(make, (6, 8))
    last, first = find(graph, "cell1.bwd"), find(graph, "cell0.bwd")
    assert reads(graph, "cell1.bwd")[1:] == ["x.y", "add.y", "cell1.c"]  # nobody reads the last cell state
    assert len(last.outputs) == 2
    assert reads(graph, "cell0.bwd")[2:] == ["x.y", "c0", "cell0.c"]
    assert len(first.outputs) == 1  # the initial state is data


def gemm_of(graph: OperatorGraph, name: str) -> tuple[int, int, int, int]:
    gemm = find(graph, name).work.gemm
    assert gemm is not None
    return (gemm.m, gemm.k, gemm.n, gemm.batch)


@pytest.mark.parametrize("a_stored", [0, 1])
@pytest.mark.parametrize("b_stored", [0, 1])
def test_matmul_gradients_follow_the_layout(a_stored: int, b_stored: int) -> None:
    m, k, n, batch = 3, 5, 7, 2

    def make(b: GraphBuilder, x: int) -> int:
        def project(name: str, shape: tuple[int, int]) -> int:
            weight = layers.parameter(b, f"{name}.weight", (8, shape[0] * shape[1]), "bf16")
            return layers.linear(b, name, [x], weight, None, [(batch, *shape)], m=batch)[0]

        left = project("a", (k, m) if a_stored else (m, k))
        right = project("b", (n, k) if b_stored else (k, n))
        return layers.matmul(b, "mm", left, right, transpose_a=a_stored, transpose_b=b_stored)

    graph = after(make, (2, 8))
    assert gemm_of(graph, "mm.da") == ((k, n, m, batch) if a_stored else (m, n, k, batch))
    assert gemm_of(graph, "mm.db") == ((n, m, k, batch) if b_stored else (k, m, n, batch))
    assert reads(graph, "mm.da")[1] == "b.y"
    assert reads(graph, "mm.db")[1] == "a.y"
    for name in ("mm.da", "mm.db"):
        rows, inner, cols, count = gemm_of(graph, name)
        sizes = (count * rows * inner, count * inner * cols, count * rows * cols)
        assert find(graph, name).work.gemm == Gemm(rows, inner, cols, count, *sizes)


def test_linear_gradients_follow_the_layout() -> None:
    def make(b: GraphBuilder, x: int) -> int:
        weight, bias = layers.parameter(b, "w", (5, 8), "bf16"), layers.parameter(b, "bias", (5,), "bf16")
        return layers.linear(b, "tied", [x], weight, bias, [(2, 3, 5)], m=6, transpose_b=1)[0]

    graph = after(make)
    assert gemm_of(graph, "tied.dx") == (6, 5, 8, 1)
    assert gemm_of(graph, "tied.dw") == (5, 6, 8, 1)  # [n,k], as the table is stored
    assert gemm_of(graph, "x.dw") == (8, 6, 8, 1)
    bias = find(graph, "tied.db")
    assert [(v.kind, v.elements, v.row) for v in bias.work.vector] == [("bias-backward", 30, 6)]
    assert bias.work.bytes_out == 5 * 4


def test_linear_over_several_tensors() -> None:
    def make(b: GraphBuilder, x: int) -> int:
        weight = layers.parameter(b, "w", (8, 8), "bf16")
        heads = layers.linear(b, "split", [x], weight, None, [(2, 3, 4)] * 2, m=6)
        weight = layers.parameter(b, "v", (8, 8), "bf16")
        return layers.linear(b, "join", heads, weight, None, [SHAPE], m=6)[0]

    graph = after(make)
    assert [graph.tensors[t].shape for t in find(graph, "join.dx").outputs] == [(2, 3, 4)] * 2
    assert reads(graph, "join.dw")[1:] == ["split.y0", "split.y1"]
    assert len(find(graph, "split.dx").inputs) == 3  # a gradient per head, and the weight
    assert find(graph, "split.dx").work.macs == find(graph, "split").work.macs


def test_outputs_without_use_have_no_gradient() -> None:
    def make(b: GraphBuilder, x: int) -> int:
        weight = layers.parameter(b, "w", (8, 8), "bf16")
        return layers.linear(b, "split", [x], weight, None, [(2, 3, 4)] * 2, m=6)[0]

    graph = after(make)
    assert len(find(graph, "split.dx").inputs) == 2
    assert find(graph, "split.dx").work.macs == find(graph, "split").work.macs


def test_rows_that_are_not_read_forward_are_not_read_backward() -> None:
    def make(b: GraphBuilder, x: int) -> int:
        weight = layers.parameter(b, "w", (8, 4), "bf16")
        return layers.linear(b, "pool", [x], weight, None, [(2, 4)], m=2, bytes_in=2 * (16 + 32))[0]

    graph = after(make)
    assert find(graph, "pool.dw").work.bytes_in == 2 * (2 * 4 + 16)  # the gradient, and two of six rows
    assert graph.tensors[find(graph, "pool.dx").outputs[0]].shape == SHAPE


def test_convolution_gradients() -> None:
    graph = training_graph(convnet(), accumulate=False)
    forward = find(graph, "block.depthwise").work.gemm
    halo = 2 * 4 * 8  # two rows of four pixels in eight channels
    assert forward == Gemm(32, 9, 1, 8, 256, 72, 256, halo_elements=halo, images=2)
    dx = Gemm(32, 1, 9, 8, 256, 72, 256, halo_elements=halo, images=2)
    assert find(graph, "block.depthwise.dx").work.gemm == dx
    dw = Gemm(1, 32, 9, 8, 256, 256, 72, halo_elements=halo, halo_axis="k", images=2)
    assert find(graph, "block.depthwise.dw").work.gemm == dw
    zeros = 2 * 3 * 8 * 9 * (15 * 15 - 8 * 8)  # between the 8 x 8 output gradients of a stride of 2
    stem = Gemm(8, 128, 27, 1, 1024, 1536, 216, inserted=zeros, halo_elements=16 * 3, halo_axis="k", images=2)
    assert find(graph, "stem.dw").work.gemm == stem
    assert find(graph, "stem.dw").work.bytes_in == 2 * (1024 + 1536)
    assert find(graph, "stem.dw").work.bytes_out == 4 * 216


def test_strided_and_dilated_convolutions_keep_their_geometry_backward() -> None:
    def graph_of(**window: tuple[int, ...]) -> OperatorGraph:
        b = GraphBuilder("conv")
        b.layer("only")
        x = layers.input_tensor(b, "image", (2, 4, 11, 9), "bf16")
        first = layers.parameter(b, "first", (4, 4, 1, 1), "bf16")
        x = layers.conv2d(b, "first", x, first, None)
        weight = layers.parameter(b, "weight", (6, 2, 3, 3), "bf16")
        y = layers.conv2d(b, "conv", x, weight, None, groups=2, **window)  # type: ignore[arg-type]
        layers.cross_entropy(b, "loss", y, layers.input_tensor(b, "labels", (2, *b.tensors[y].shape[2:]), "int32"), 6)
        return training_graph(b.build(), recompute="full")

    graph = graph_of(stride=(2, 1), padding=(1, 0, 2, 1), dilation=(1, 2))
    assert graph.tensors[find(graph, "conv").outputs[0]].shape == (2, 6, 5, 8)
    geometry = Convolution(2, 4, 6, 2, Axis(11, 3, 2, 1, 1, 0), Axis(9, 3, 1, 2, 2, 1))
    assert find(graph, "conv").work.gemm == geometry.product()
    assert find(graph, "conv.dx").work.gemm == geometry.input_gradient()
    assert find(graph, "conv.dw").work.gemm == geometry.weight_gradient()
    assert geometry.input_gradient().inserted > geometry.weight_gradient().inserted > 0


def test_embedding_touches_its_rows_only_when_it_adds() -> None:
    def embed(accumulate: bool) -> Operator:
        b = GraphBuilder("embedding")
        b.layer("only")
        ids = layers.input_tensor(b, "ids", (3,), "int32")
        x = layers.embedding(b, "embed", ids, layers.parameter(b, "table", (50, 8), "bf16"))
        layers.cross_entropy(b, "loss", x, layers.input_tensor(b, "labels", (3,), "int32"), 8)
        return find(training_graph(b.build(), accumulate=accumulate), "embed.dw")

    adding, fresh = embed(True), embed(False)
    assert (adding.work.bytes_in, adding.work.bytes_out) == (3 * 8 * 2 + 3 * 4 + 3 * 8 * 4, 3 * 8 * 4)
    assert (fresh.work.bytes_in, fresh.work.bytes_out) == (3 * 8 * 2 + 3 * 4, 50 * 8 * 4)


def test_every_kind_has_a_rule_and_known_vector_parts() -> None:
    forward = {kind for kind in VECTOR_KINDS if not kind.endswith(("-backward", "-update"))}
    made = {"accumulate", "reduce", "batch-norm-statistics", "batch-norm-apply"}  # never in a model
    made |= {"attention-softmax", "attention-rescale"}
    assert set(RULES) == (forward - made) | {"linear", "matmul", "conv2d", "attention", *EXCHANGE_KINDS}
    assert {v.kind for o in training_graph(convnet()).operators for v in o.work.vector} <= set(VECTOR_KINDS)


@settings(deadline=None, max_examples=60)
@given(forward_graphs(), st.sampled_from(("none", "full")))
def test_backward_reads_gradients_and_what_is_kept(forward: OperatorGraph, recompute: str) -> None:
    graph = training_graph(forward, recompute=recompute)
    names = {o.name: o for o in forward.operators}
    for operator in graph.operators:
        if operator.phase != "backward" or operator.kind == "accumulate" or operator.name.endswith(".re"):
            continue
        allowed = {forward.tensors[t].name for t in kept(names[str(operator.attribute("forward"))])}
        for t in operator.inputs:
            tensor = graph.tensors[t]
            assert tensor.role == "gradient" or tensor.name.removesuffix(".re") in allowed
