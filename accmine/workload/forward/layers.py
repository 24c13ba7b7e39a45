"""Forward operators: one function per kind of ``accmine.workload.kinds``, over a ``GraphBuilder``.

Every function adds one operator, computes its work, and returns the tensor(s) it writes. The operands
stand in the order of ``accmine.workload.kinds``. Attributes say what a backward operator needs:

===========  =========================================================================================
kind         attributes
===========  =========================================================================================
linear       ``inputs_x``: number of x inputs. ``x_split``, ``y_split``: along which axis of the product
             several x (``"k"`` columns or ``"m"`` rows) or several y (``"n"`` or ``"m"``) lie side by
             side; absent when there is one. ``transpose_b``: 1 when the weight is stored as [n,k] (a
             tied embedding table), else 0
matmul       ``transpose_a``, ``transpose_b``: 1 when the operand is stored transposed
conv2d       ``kernel``, ``stride``, ``padding``, ``dilation``: (h, w); ``groups``. ``padding`` is (top,
             bottom, left, right) where the sides differ
max-pool,    ``kernel``, ``stride``, ``padding``: (h, w); ``ceil``: 1 when the last, partial window counts
avg-pool
dropout      ``rate``
scale        ``factor``
mask         ``causal``: 1 for the lower triangle, 0 for padding
attention    ``causal``: 1 or 0; ``factor``; ``rate`` of dropout on probabilities; ``window``: keys, 0 for all
concat       ``axis``; ``stack``: 1 when it is a new axis (time steps become a sequence)
lstm-cell    ``width``
cross-       ``weight``: factor of this loss in the loss of training
entropy
exchanges    ``group``: ``tensor`` or ``expert``
others       none
===========  =========================================================================================

The bias of a linear layer or convolution is added where the product leaves the array: it is part of the
operator, and no vector work. The x of a linear layer may have any shape of m·k elements: flattening and
reshaping are views and cost nothing.

``Vector.elements`` counts the main tensor: the larger one of input and output; for pooling it is the sum of
all windows, outputs·kh·kw, which is more than the input where windows overlap. ``Vector.row`` is the
reduced length: the last axis for softmax, norms and cross entropy, images·height·width for batch norm,
the window for pooling.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from accmine.workload.forward.convolution import Axis, Border, Convolution, borders, output_size
from accmine.workload.graph import BYTES, GraphBuilder, Role, Vector

__all__ = [
    "Pair",
    "add",
    "concat",
    "conv2d",
    "cross_entropy",
    "dropout",
    "elementwise",
    "embedding",
    "exchange",
    "input_tensor",
    "linear",
    "lstm_cell",
    "mask",
    "matmul",
    "norm",
    "norm_weights",
    "output_size",
    "parameter",
    "pool",
    "softmax",
]

Pair = tuple[int, int]
"""(height, width)."""


def parameter(builder: GraphBuilder, name: str, shape: Sequence[int], dtype: str) -> int:
    """A trained tensor. Names that begin with ``head.`` are of training heads outside the checkpoint body."""
    return builder.tensor(name, shape, dtype, "parameter")


def input_tensor(builder: GraphBuilder, name: str, shape: Sequence[int], dtype: str, role: Role = "input") -> int:
    """A tensor of the batch: token ids, masks, images, labels, or the zeros a recurrence starts from.

    One that is the same for all batches has the role ``constant``.
    """
    return builder.tensor(name, shape, dtype, role)


def exchange(builder: GraphBuilder, name: str, kind: str, x: int, shape: Sequence[int], group: str = "tensor") -> int:
    """What the devices of a group make of their ``x`` by ``kind``, one of ``EXCHANGE_KINDS``; of ``shape``."""
    y = builder.tensor(f"{name}.y", shape, builder.tensors[x].dtype)
    builder.operator(name, kind, (x,), (y,), attributes={"group": group}, bytes_in=0, bytes_out=0)
    return y


def linear(
    builder: GraphBuilder,
    name: str,
    x: Sequence[int],
    weight: int,
    bias: int | None,
    outputs: Sequence[Sequence[int]],
    *,
    m: int,
    transpose_b: int = 0,
    x_split: str = "k",
    y_split: str = "n",
    bytes_in: int | None = None,
) -> list[int]:
    """The product x · weight + bias over ``m`` rows.

    Parameters
    ----------
    x
        One tensor, or several that lie side by side along ``x_split`` (``k`` columns, ``m`` rows).
    weight
        [k,n], or [n,k] with ``transpose_b``.
    outputs
        Shape of each output; several lie side by side along ``y_split`` (``n`` columns, ``m`` rows).
    m
        Rows of the product: all leading dimensions.
    bytes_in
        Bytes read where that is less than all inputs.
    """
    shape = builder.tensors[weight].shape
    k, n = reversed(shape) if transpose_b else shape
    dtype = builder.tensors[x[0]].dtype
    ys = [
        builder.tensor(f"{name}.y" if len(outputs) == 1 else f"{name}.y{i}", size, dtype)
        for i, size in enumerate(outputs)
    ]
    if sum(builder.tensors[y].elements for y in ys) != m * n:
        raise ValueError(f"{name}: outputs {[tuple(size) for size in outputs]} do not hold {m} x {n} elements")
    attributes: dict[str, int | float | str | tuple[int, ...]] = {"inputs_x": len(x), "transpose_b": transpose_b}
    if len(x) > 1:
        attributes["x_split"] = x_split
    if len(ys) > 1:
        attributes["y_split"] = y_split
    inputs = [*x, weight] if bias is None else [*x, weight, bias]
    builder.operator(name, "linear", inputs, ys, gemm=(m, k, n, 1), attributes=attributes, bytes_in=bytes_in)
    return ys


def matmul(builder: GraphBuilder, name: str, a: int, b: int, *, transpose_a: int = 0, transpose_b: int = 0) -> int:
    """The batched product of [batch…,m,k] and [batch…,k,n]; a transposed operand has its last two axes swapped."""
    a_shape, b_shape = builder.tensors[a].shape, builder.tensors[b].shape
    lead = a_shape[:-2]
    m, k = a_shape[-2:][::-1] if transpose_a else a_shape[-2:]
    k_of_b, n = b_shape[-2:][::-1] if transpose_b else b_shape[-2:]
    if lead != b_shape[:-2] or k != k_of_b:
        raise ValueError(f"{name}: cannot multiply {a_shape} and {b_shape}")
    c = builder.tensor(f"{name}.c", (*lead, m, n), builder.tensors[a].dtype)
    builder.operator(
        name,
        "matmul",
        (a, b),
        (c,),
        gemm=(m, k, n, prod(lead)),
        attributes={"transpose_a": transpose_a, "transpose_b": transpose_b},
    )
    return c


def conv2d(
    builder: GraphBuilder,
    name: str,
    x: int,
    weight: int,
    bias: int | None,
    *,
    stride: Pair = (1, 1),
    padding: Border = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> int:
    """Convolution of x[b,c,h,w] with weight[o,c/groups,kh,kw], as its im2col product.

    ``padding`` is (height, width), or (top, bottom, left, right) where the sides differ.
    """
    images, channels, height, width = builder.tensors[x].shape
    out, per_group, kh, kw = builder.tensors[weight].shape
    if per_group * groups != channels or out % groups:
        raise ValueError(f"{name}: {groups} groups do not fit {channels} input and {out} output channels")
    top, bottom, left, right = borders(padding)
    rows = Axis(height, kh, stride[0], dilation[0], top, bottom)
    columns = Axis(width, kw, stride[1], dilation[1], left, right)
    convolution = Convolution(images, channels, out, groups, rows, columns)
    y = builder.tensor(f"{name}.y", (images, out, rows.outputs, columns.outputs), builder.tensors[x].dtype)
    builder.operator(
        name,
        "conv2d",
        (x, weight) if bias is None else (x, weight, bias),
        (y,),
        gemm=convolution.product(),
        attributes={
            "kernel": (kh, kw),
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
        },
    )
    return y


def elementwise(builder: GraphBuilder, name: str, kind: str, x: int, factor: float | None = None) -> int:
    """An element-wise kind of one input: activations, ``scale`` (by ``factor``) and ``rotary``."""
    tensor = builder.tensors[x]
    y = builder.tensor(f"{name}.y", tensor.shape, tensor.dtype)
    attributes: dict[str, int | float | str | tuple[int, ...]] = {} if factor is None else {"factor": factor}
    builder.operator(name, kind, (x,), (y,), vector=(Vector(kind, tensor.elements),), attributes=attributes)
    return y


def add(builder: GraphBuilder, name: str, inputs: Sequence[int], kind: str = "add") -> int:
    """Sum of tensors of equal shape; or, with ``kind="multiply"``, the product of two (the second may broadcast).

    n inputs are n - 1 passes of vector work.
    """
    tensor = builder.tensors[inputs[0]]
    y = builder.tensor(f"{name}.y", tensor.shape, tensor.dtype)
    work = (Vector(kind, tensor.elements),) * (len(inputs) - 1)
    builder.operator(name, kind, inputs, (y,), vector=work)
    return y


def mask(builder: GraphBuilder, name: str, x: int, mask: int, causal: int) -> int:
    """Attention scores with what must not be seen filled with minus infinity; the mask broadcasts."""
    tensor = builder.tensors[x]
    y = builder.tensor(f"{name}.y", tensor.shape, tensor.dtype)
    work = (Vector("mask", tensor.elements),)
    builder.operator(name, "mask", (x, mask), (y,), vector=work, attributes={"causal": causal})
    return y


def softmax(builder: GraphBuilder, name: str, x: int) -> int:
    """Softmax along the last axis."""
    tensor = builder.tensors[x]
    y = builder.tensor(f"{name}.y", tensor.shape, tensor.dtype)
    builder.operator(name, "softmax", (x,), (y,), vector=(Vector("softmax", tensor.elements, tensor.shape[-1]),))
    return y


def dropout(builder: GraphBuilder, name: str, x: int, rate: float) -> int:
    """Dropout with its mask of one byte per element; ``x`` itself when ``rate`` is 0."""
    if rate == 0:
        return x
    tensor = builder.tensors[x]
    y = builder.tensor(f"{name}.y", tensor.shape, tensor.dtype)
    keep = builder.tensor(f"{name}.mask", tensor.shape, "bool")
    work = (Vector("dropout", tensor.elements),)
    builder.operator(name, "dropout", (x,), (y, keep), vector=work, attributes={"rate": rate})
    return y


def norm(builder: GraphBuilder, name: str, kind: str, x: int, weights: Sequence[int] = ()) -> int:
    """``layer-norm`` or ``rms-norm`` over the last axis, or ``batch-norm`` over all but axis 1.

    Its parameters are made here, or are ``weights``, which several norms may share.
    Running statistics of a batch norm are no parameters and cost nothing worth counting.
    """
    tensor = builder.tensors[x]
    width = tensor.shape[1] if kind == "batch-norm" else tensor.shape[-1]
    row = tensor.elements // width if kind == "batch-norm" else width
    weights = weights or norm_weights(builder, name, kind, width, tensor.dtype)
    y = builder.tensor(f"{name}.y", tensor.shape, tensor.dtype)
    builder.operator(name, kind, (x, *weights), (y,), vector=(Vector(kind, tensor.elements, row),))
    return y


def norm_weights(builder: GraphBuilder, name: str, kind: str, width: int, dtype: str) -> list[int]:
    """Parameters of a norm over ``width`` columns."""
    names = ("weight",) if kind == "rms-norm" else ("weight", "bias")
    return [parameter(builder, f"{name}.{suffix}", (width,), dtype) for suffix in names]


def pool(
    builder: GraphBuilder,
    name: str,
    kind: str,
    x: int,
    kernel: Pair,
    stride: Pair,
    padding: Pair = (0, 0),
    ceil: bool = False,
) -> int:
    """``max-pool`` or ``avg-pool`` of x[b,c,h,w]; a max pool also writes the int8 position of each maximum.

    Every window is reduced by itself: nothing is shared between windows that overlap.
    """
    images, channels, height, width = builder.tensors[x].shape
    oh = output_size(height, kernel[0], stride[0], padding[0], ceil=ceil)
    ow = output_size(width, kernel[1], stride[1], padding[1], ceil=ceil)
    shape = (images, channels, oh, ow)
    outputs = [builder.tensor(f"{name}.y", shape, builder.tensors[x].dtype)]
    if kind == "max-pool":
        outputs.append(builder.tensor(f"{name}.indices", shape, "int8"))
    builder.operator(
        name,
        kind,
        (x,),
        outputs,
        vector=(Vector(kind, prod(shape) * kernel[0] * kernel[1], kernel[0] * kernel[1]),),
        attributes={"kernel": kernel, "stride": stride, "padding": padding, "ceil": int(ceil)},
    )
    return outputs[0]


def concat(builder: GraphBuilder, name: str, inputs: Sequence[int], axis: int, stack: bool = False) -> int:
    """Tensors side by side along ``axis``, or along a new ``axis`` with ``stack``."""
    first = builder.tensors[inputs[0]]
    if stack:
        shape = (*first.shape[:axis], len(inputs), *first.shape[axis:])
    else:
        total = sum(builder.tensors[t].shape[axis] for t in inputs)
        shape = (*first.shape[:axis], total, *first.shape[axis + 1 :])
    y = builder.tensor(f"{name}.y", shape, first.dtype)
    work = (Vector("concat", prod(shape)),)
    builder.operator(name, "concat", inputs, (y,), vector=work, attributes={"axis": axis, "stack": int(stack)})
    return y


def embedding(builder: GraphBuilder, name: str, ids: int, table: int) -> int:
    """Rows of ``table`` [v,h] by ``ids``; only the rows that are looked up are read."""
    tokens, rows = builder.tensors[ids], builder.tensors[table]
    y = builder.tensor(f"{name}.y", (*tokens.shape, rows.shape[1]), rows.dtype)
    elements = tokens.elements * rows.shape[1]
    builder.operator(
        name,
        "embedding",
        (ids, table),
        (y,),
        vector=(Vector("embedding", elements),),
        bytes_in=tokens.nbytes + elements * BYTES[rows.dtype],
    )
    return y


def lstm_cell(builder: GraphBuilder, name: str, gates: int, cell: int) -> tuple[int, int]:
    """(hidden, cell) state of the next time step, from gates[b,4h] before their activations and cell[b,h]."""
    tensor = builder.tensors[cell]
    hidden = builder.tensor(f"{name}.h", tensor.shape, tensor.dtype)
    after = builder.tensor(f"{name}.c", tensor.shape, tensor.dtype)
    work = (Vector("lstm-cell", builder.tensors[gates].elements),)
    builder.operator(
        name, "lstm-cell", (gates, cell), (hidden, after), vector=work, attributes={"width": tensor.shape[-1]}
    )
    return hidden, after


def cross_entropy(
    builder: GraphBuilder,
    name: str,
    logits: int,
    labels: int,
    classes: int,
    weight: float = 1.0,
    sums: Sequence[int] = (),
) -> int:
    """Mean cross entropy of the log-softmax of ``logits`` over ``classes``; the loss is one fp32 number.

    ``weight`` is its factor in the loss of training; ``sums`` are what a tensor group knows of each row together, where
    its devices have some of the classes.
    """
    tensor = builder.tensors[logits]
    loss = builder.tensor(f"{name}.loss", (1,), "fp32")
    probabilities = builder.tensor(f"{name}.probabilities", tensor.shape, tensor.dtype)
    work = (Vector("cross-entropy", tensor.elements, classes),)
    outputs = (loss, probabilities)
    builder.operator(
        name, "cross-entropy", (logits, labels, *sums), outputs, vector=work, attributes={"weight": float(weight)}
    )
    return loss
