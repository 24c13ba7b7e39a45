from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.workload import Vector
from accmine.workload.forward import layers
from accmine.workload.graph import GraphBuilder


@pytest.fixture
def builder() -> GraphBuilder:
    found = GraphBuilder("test")
    found.layer("only")
    return found


def windows(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Count the starts at which a whole window fits the padded axis."""
    starts = range(-padding, size + padding, stride)
    return sum(1 for start in starts if start + dilation * (kernel - 1) < size + padding)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 5), st.integers(0, 4), st.integers(1, 3))
def test_output_size_counts_windows(size: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    assert layers.output_size(size, kernel, stride, padding, dilation) == windows(
        size, kernel, stride, padding, dilation
    )


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 5), st.integers(0, 4))
def test_partial_windows_begin_inside(size: int, kernel: int, stride: int, padding: int) -> None:
    padding = min(padding, kernel // 2)
    floor = layers.output_size(size, kernel, stride, padding)
    ceil = layers.output_size(size, kernel, stride, padding, ceil=True)
    assert floor <= ceil <= floor + 1
    if ceil > 0:
        assert (ceil - 1) * stride < size + padding


def test_conv2d_is_its_im2col_product(builder: GraphBuilder) -> None:
    x = layers.input_tensor(builder, "x", (2, 8, 9, 7), "bf16")
    weight = layers.parameter(builder, "w", (12, 4, 3, 5), "bf16")
    y = layers.conv2d(builder, "conv", x, weight, None, stride=(2, 1), padding=(1, 2), groups=2)
    assert builder.tensors[y].shape == (2, 12, 5, 7)
    gemm = builder.operators[0].work.gemm
    assert gemm is not None
    assert (gemm.m, gemm.k, gemm.n, gemm.batch) == (2 * 5 * 7, 4 * 15, 6, 2)
    assert (gemm.a_elements, gemm.b_elements, gemm.c_elements) == (2 * 8 * 63, 12 * 60, 2 * 12 * 35)
    assert gemm.macs == 2 * 12 * 35 * 4 * 15
    assert builder.operators[0].attribute("stride") == (2, 1)
    assert (gemm.halo_elements, gemm.inserted) == (1 * 7 * 2 * 4, 0)
    with pytest.raises(ValueError, match="3 groups do not fit"):
        layers.conv2d(builder, "bad", x, weight, None, groups=3)


def test_conv2d_dilated_with_uneven_borders(builder: GraphBuilder) -> None:
    x = layers.input_tensor(builder, "x", (1, 3, 8, 8), "bf16")
    weight = layers.parameter(builder, "w", (5, 3, 3, 2), "bf16")
    y = layers.conv2d(builder, "conv", x, weight, None, stride=(1, 2), padding=(2, 1, 0, 1), dilation=(2, 1))
    assert builder.tensors[y].shape == (1, 5, 7, 4)
    gemm = builder.operators[0].work.gemm
    assert gemm is not None
    assert gemm.macs == 5 * 7 * 4 * 3 * 3 * 2
    assert gemm.inserted == 5 * 7 * 4 * 3 * (5 - 3) * 2
    assert gemm.halo_elements == 4 * 8 * 3
    assert builder.operators[0].attribute("padding") == (2, 1, 0, 1)


def test_linear_with_several_inputs_and_outputs(builder: GraphBuilder) -> None:
    xs = [layers.input_tensor(builder, f"x{i}", (2, 5, 3), "bf16") for i in range(4)]
    weight = layers.parameter(builder, "w", (12, 6), "bf16")
    bias = layers.parameter(builder, "b", (6,), "bf16")
    ys = layers.linear(builder, "linear", xs, weight, bias, [(2, 5, 2)] * 3, m=10)
    operator = builder.operators[0]
    assert operator.inputs == (*xs, weight, bias)
    assert operator.outputs == tuple(ys)
    assert operator.attribute("inputs_x") == 4
    assert (operator.attribute("x_split"), operator.attribute("y_split")) == ("k", "n")
    assert operator.work.macs == 10 * 12 * 6
    assert operator.work.vector == ()
    with pytest.raises(ValueError, match="do not hold 10 x 6"):
        layers.linear(builder, "bad", xs, weight, bias, [(2, 5, 2)], m=10)


def test_tied_weight_is_read_transposed(builder: GraphBuilder) -> None:
    x = layers.input_tensor(builder, "x", (5, 3), "bf16")
    table = layers.parameter(builder, "w", (7, 3), "bf16")
    layers.linear(builder, "linear", [x], table, None, [(5, 7)], m=5, transpose_b=1)
    gemm = builder.operators[0].work.gemm
    assert gemm is not None
    assert (gemm.m, gemm.k, gemm.n) == (5, 3, 7)


def test_matmul(builder: GraphBuilder) -> None:
    a = layers.input_tensor(builder, "a", (2, 4, 5, 3), "bf16")
    b = layers.input_tensor(builder, "b", (2, 4, 6, 3), "bf16")
    c = layers.matmul(builder, "scores", a, b, transpose_b=1)
    assert builder.tensors[c].shape == (2, 4, 5, 6)
    d = layers.matmul(builder, "back", a, c, transpose_a=1)
    assert builder.tensors[d].shape == (2, 4, 3, 6)
    assert [o.work.macs for o in builder.operators] == [8 * 5 * 3 * 6, 8 * 3 * 5 * 6]
    with pytest.raises(ValueError, match="cannot multiply"):
        layers.matmul(builder, "bad", a, b)


def test_norms_and_rows(builder: GraphBuilder) -> None:
    tokens = layers.input_tensor(builder, "tokens", (2, 5, 8), "bf16")
    image = layers.input_tensor(builder, "image", (2, 8, 3, 4), "bf16")
    layers.norm(builder, "ln", "layer-norm", tokens)
    layers.norm(builder, "rms", "rms-norm", tokens)
    layers.norm(builder, "bn", "batch-norm", image)
    works = [o.work.vector for o in builder.operators]
    assert works == [(Vector("layer-norm", 80, 8),), (Vector("rms-norm", 80, 8),), (Vector("batch-norm", 192, 24),)]
    assert [len(o.inputs) for o in builder.operators] == [3, 2, 3]
    assert sum(t.elements for t in builder.tensors if t.role == "parameter") == 16 + 8 + 16


def test_pools(builder: GraphBuilder) -> None:
    image = layers.input_tensor(builder, "image", (2, 8, 7, 7), "bf16")
    y = layers.pool(builder, "max", "max-pool", image, (3, 3), (2, 2), (1, 1))
    layers.pool(builder, "avg", "avg-pool", image, (7, 7), (1, 1))
    assert builder.tensors[y].shape == (2, 8, 4, 4)
    assert [len(o.outputs) for o in builder.operators] == [2, 1]
    assert builder.tensors[builder.operators[0].outputs[1]].dtype == "int8"
    assert builder.operators[0].work.vector == (Vector("max-pool", 2 * 8 * 16 * 9, 9),)  # windows overlap
    assert builder.operators[1].work.vector == (Vector("avg-pool", 2 * 8 * 49, 49),)


def test_dropout_writes_its_mask(builder: GraphBuilder) -> None:
    x = layers.input_tensor(builder, "x", (4, 6), "bf16")
    assert layers.dropout(builder, "none", x, 0.0) == x
    layers.dropout(builder, "dropout", x, 0.1)
    operator = builder.operators[0]
    assert [builder.tensors[t].dtype for t in operator.outputs] == ["bf16", "bool"]
    assert operator.work.bytes_out == 24 * 2 + 24
    assert operator.attribute("rate") == 0.1


def test_sums_and_concatenations(builder: GraphBuilder) -> None:
    xs = [layers.input_tensor(builder, f"x{i}", (2, 4), "bf16") for i in range(3)]
    assert builder.tensors[layers.add(builder, "add", xs)].shape == (2, 4)
    assert builder.operators[0].work.vector == (Vector("add", 8),) * 2
    assert builder.tensors[layers.concat(builder, "concat", xs, 1)].shape == (2, 12)
    assert builder.tensors[layers.concat(builder, "stack", xs, 1, stack=True)].shape == (2, 3, 4)


def test_embedding_reads_only_its_rows(builder: GraphBuilder) -> None:
    ids = layers.input_tensor(builder, "ids", (2, 5), "int32")
    table = layers.parameter(builder, "table", (1000, 8), "bf16")
    y = layers.embedding(builder, "embedding", ids, table)
    assert builder.tensors[y].shape == (2, 5, 8)
    assert builder.operators[0].work.bytes_in == 10 * 4 + 10 * 8 * 2


def test_lstm_cell_and_loss(builder: GraphBuilder) -> None:
    gates = layers.input_tensor(builder, "gates", (2, 32), "bf16")
    cell = layers.input_tensor(builder, "c", (2, 8), "bf16")
    h, c = layers.lstm_cell(builder, "cell", gates, cell)
    assert builder.tensors[h].shape == builder.tensors[c].shape == (2, 8)
    labels = layers.input_tensor(builder, "labels", (2,), "int32")
    loss = layers.cross_entropy(builder, "loss", gates, labels, 32, 0.4)
    assert builder.tensors[loss].dtype == "fp32"
    assert builder.operators[-1].work.vector == (Vector("cross-entropy", 64, 32),)
    assert builder.operators[-1].attribute("weight") == 0.4
