"""Backward operators of every forward kind: one rule per kind, and what each reads of the forward pass.

What a rule reads is what has to be kept between forward and backward:

===============================================  =========================================================
kind                                             read by its backward, beside the gradient of its output
===============================================  =========================================================
linear, conv2d                                   weight (input gradient), x (weight gradient)
matmul                                           the other operand
relu, relu6, sigmoid, tanh, hardsigmoid          output
softmax                                          output
gelu, silu, hardswish                            input
dropout, max-pool                                mask, indices
layer-norm, rms-norm, batch-norm                 input and gamma; mean and deviation of each row are kept
                                                 too, at most 8 bytes a row, which are not counted
multiply                                         the other factor
lstm-cell                                        gates, and the cell state before and after
embedding                                        ids
cross-entropy                                    probabilities and labels
attention                                        inputs, output and the log-sum-exp of each row; the seed of
                                                 its dropout is not counted
top-k, gather                                    indices
combine                                          all inputs
scale, rotary, avg-pool, concat, add, mask       nothing
copy, all-reduce, all-gather, reduce-scatter,    nothing: whoever reads what was gathered gathers it again, from
all-to-all                                       the shard that is kept
===============================================  =========================================================

``add`` passes the gradient of its output on as it is: no operator. So does ``mask``, because the softmax
behind it returns a zero wherever a score was filled. An input that broadcasts, and a parameter, take a
reducing ``add-backward``.

Products: with C = A·B, dA = dC·Bᵀ and dB = Aᵀ·dC, laid out as the operand is stored; each has exactly the
multiply-accumulates of the forward product. A convolution's input gradient is the product of the output
gradient with the weights, [images·OH·OW, Cout/groups]·[Cout/groups, Cin/groups·kh·kw], whose overlapping
windows are summed where it leaves the array (col2im). Its weight gradient is
[Cout/groups, images·OH·OW]·[images·OH·OW, Cin/groups·kh·kw]. The zeros that a stride inserts in both are
counted, not executed (``accmine.workload.forward.convolution``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from accmine.errors import InputError
from accmine.workload.forward.convolution import convolution_of
from accmine.workload.graph import BYTES, Operator, Vector
from accmine.workload.kinds import EXCHANGE_KINDS
from accmine.workload.training.tape import Tape

__all__ = ["RULES", "differentiate", "kept"]

Rule = Callable[[Tape, Operator, list[int]], None]
"""Adds the backward operators of an operator, given the gradients of its outputs."""

_KEPT: dict[str, str] = {
    **dict.fromkeys(("linear", "conv2d", "matmul", "multiply", "embedding", "combine"), "inputs"),
    **dict.fromkeys(("layer-norm", "rms-norm", "batch-norm"), "inputs"),
    **dict.fromkeys(("gelu", "silu", "hardswish"), "inputs"),
    **dict.fromkeys(("relu", "relu6", "sigmoid", "tanh", "hardsigmoid", "softmax"), "output"),
    **dict.fromkeys(("dropout", "max-pool", "top-k"), "second output"),
    **dict.fromkeys(("scale", "rotary", "avg-pool", "concat", "add", "mask", "bias", *EXCHANGE_KINDS), "nothing"),
    "gather": "second input",
    "lstm-cell": "inputs and second output",
    "cross-entropy": "second output and labels",
    "attention": "inputs and outputs",
}
"""Forward kind -> what its backward reads of it: the table above."""


def kept(operator: Operator) -> tuple[int, ...]:
    """Tensors of the forward pass that the backward of ``operator`` reads."""
    inputs, outputs = operator.inputs, operator.outputs
    return {
        "inputs": inputs,
        "output": outputs[:1],
        "second output": outputs[1:2],
        "second input": inputs[1:2],
        "nothing": (),
        "inputs and second output": (*inputs, *outputs[1:2]),
        "inputs and outputs": (*inputs, *outputs),
        "second output and labels": (*outputs[1:2], *inputs[1:2]),
    }[_KEPT[operator.kind]]


def _linear(tape: Tape, operator: Operator, dy: list[int]) -> None:
    gemm = operator.work.gemm
    assert gemm is not None
    count = int(str(operator.attribute("inputs_x", 1)))
    xs, weight, bias = operator.inputs[:count], operator.inputs[count], operator.inputs[count + 1 :]
    tensors = tape.forward.tensors
    if wants := tape.wanted(xs):
        size = (gemm.m, gemm.n, gemm.k, gemm.batch)
        elements = (gemm.c_elements, gemm.b_elements, gemm.a_elements)
        reads = [*dy, tape.read(operator, weight)]
        tape.emit(operator, "dx", "linear-input-gradient", reads, wants, gemm=size, elements=elements)
    if wants := tape.wanted([weight]):
        # The weight is stored [k,n], or [n,k] where it is an embedding table: the product follows the layout.
        if operator.attribute("transpose_b"):
            size = (gemm.n, gemm.m, gemm.k, gemm.batch)
            elements = (gemm.c_elements, gemm.a_elements, gemm.b_elements)
        else:
            size = (gemm.k, gemm.m, gemm.n, gemm.batch)
            elements = (gemm.a_elements, gemm.c_elements, gemm.b_elements)
        # An operator that reads only some rows of x (the first token) reads no more of it here.
        x_bytes = operator.work.bytes_in - sum(tensors[t].nbytes for t in {weight, *bias})
        tape.emit(
            operator,
            "dw",
            "linear-weight-gradient",
            [*dy, *(tape.read(operator, x) for x in xs)],
            wants,
            gemm=size,
            elements=elements,
            read_bytes=x_bytes + sum(tape.builder.tensors[t].nbytes for t in dy),
        )
    _bias(tape, operator, dy, bias)


def _conv2d(tape: Tape, operator: Operator, dy: list[int]) -> None:
    x, weight, *bias = operator.inputs
    convolution = convolution_of(operator, tape.forward.tensors)
    if wants := tape.wanted([x]):
        reads = [*dy, tape.read(operator, weight)]
        tape.emit(operator, "dx", "conv2d-input-gradient", reads, wants, gemm=convolution.input_gradient())
    if wants := tape.wanted([weight]):
        reads = [*dy, tape.read(operator, x)]
        tape.emit(operator, "dw", "conv2d-weight-gradient", reads, wants, gemm=convolution.weight_gradient())
    _bias(tape, operator, dy, tuple(bias))


def _bias(tape: Tape, operator: Operator, dy: list[int], bias: tuple[int, ...]) -> None:
    """Column sums of the output gradient."""
    if wants := tape.wanted(bias):
        elements = sum(tape.builder.tensors[t].elements for t in dy)
        row = max(1, elements // tape.forward.tensors[bias[0]].elements)
        tape.emit(operator, "db", "bias-backward", dy, wants, vector=(Vector("bias-backward", elements, row),))


def _matmul(tape: Tape, operator: Operator, dy: list[int]) -> None:
    gemm = operator.work.gemm
    assert gemm is not None
    a, b = operator.inputs
    kind = "matmul-input-gradient"
    if wants := tape.wanted([a]):
        swap = operator.attribute("transpose_a")
        rows, cols = (gemm.k, gemm.m) if swap else (gemm.m, gemm.k)
        first, second = (gemm.b_elements, gemm.c_elements) if swap else (gemm.c_elements, gemm.b_elements)
        size = (rows, gemm.n, cols, gemm.batch)
        elements = (first, second, gemm.a_elements)
        tape.emit(operator, "da", kind, [*dy, tape.read(operator, b)], wants, gemm=size, elements=elements)
    if wants := tape.wanted([b]):
        swap = operator.attribute("transpose_b")
        rows, cols = (gemm.n, gemm.k) if swap else (gemm.k, gemm.n)
        first, second = (gemm.c_elements, gemm.a_elements) if swap else (gemm.a_elements, gemm.c_elements)
        size = (rows, gemm.m, cols, gemm.batch)
        elements = (first, second, gemm.b_elements)
        tape.emit(operator, "db", kind, [*dy, tape.read(operator, a)], wants, gemm=size, elements=elements)


def _unary(tape: Tape, operator: Operator, dy: list[int]) -> None:
    x, forward = operator.inputs[0], operator.work.vector[0]
    # Pools and the best of a row scatter, without a row.
    row = 1 if operator.kind.endswith(("-pool", "top-k")) else forward.row
    # An average pool adds to every element of every window, a max pool writes each element of its input.
    elements = forward.elements if operator.kind == "avg-pool" else tape.forward.tensors[x].elements
    reads = [*dy, *(tape.read(operator, t) for t in kept(operator))]
    _vector(tape, operator, reads, [x], elements, row)


def _vector(tape: Tape, operator: Operator, reads: list[int], wants: list[int], elements: int, row: int = 1) -> None:
    """One ``<kind>-backward`` operator that writes all gradients of ``wants`` that are needed."""
    kind = f"{operator.kind}-backward"
    if found := tape.wanted(wants):
        tape.emit(operator, "bwd", kind, reads, found, vector=(Vector(kind, elements, row),))


def _identity(tape: Tape, operator: Operator, dy: list[int]) -> None:
    """The gradient of the output is that of every input of its size; what broadcasts or is trained is reduced."""
    kind = f"{operator.kind}-backward"
    size = tape.builder.tensors[dy[0]].elements
    for position, t in enumerate(operator.inputs):
        tensor = tape.forward.tensors[t]
        if not tape.needed[t]:
            continue
        if tensor.role != "parameter" and tensor.elements == size:
            tape.contribute(t, dy[0], operator.layer)
        else:
            work = Vector(kind, size, max(1, size // tensor.elements))
            tape.emit(operator, f"bwd{position}", kind, dy, [t], vector=(work,))


def _norm(tape: Tape, operator: Operator, dy: list[int]) -> None:
    x, gamma = operator.inputs[:2]
    forward = operator.work.vector[0]
    reads = [*dy, tape.read(operator, x), tape.read(operator, gamma)]
    _vector(tape, operator, reads, list(operator.inputs), forward.elements, forward.row)


def _multiply(tape: Tape, operator: Operator, dy: list[int]) -> None:
    a, b = operator.inputs
    size = tape.builder.tensors[dy[0]].elements
    factors = [tape.read(operator, other) for t, other in ((a, b), (b, a)) if tape.needed[t]]
    smallest = min(tape.forward.tensors[t].elements for t in tape.wanted([a, b]))
    _vector(tape, operator, [*dy, *factors], [a, b], size, max(1, size // smallest))


def _concat(tape: Tape, operator: Operator, dy: list[int]) -> None:
    _vector(tape, operator, dy, list(operator.inputs), tape.builder.tensors[dy[0]].elements)


def _gather(tape: Tape, operator: Operator, dy: list[int]) -> None:
    x, indices = operator.inputs
    _vector(tape, operator, [*dy, tape.read(operator, indices)], [x], tape.builder.tensors[dy[0]].elements)


def _combine(tape: Tape, operator: Operator, dy: list[int]) -> None:
    rows = tape.forward.tensors[operator.inputs[0]]
    reads = [*dy, *(tape.read(operator, t) for t in operator.inputs)]
    _vector(tape, operator, reads, list(operator.inputs[:2]), rows.elements, rows.shape[-1])


def _embedding(tape: Tape, operator: Operator, dy: list[int]) -> None:
    ids, table = operator.inputs
    if not tape.wanted([table]):
        return
    tensor, elements = tape.forward.tensors[table], tape.builder.tensors[dy[0]].elements
    # Only the rows that were looked up are added to, at most all of the table.
    rows = min(elements, tensor.elements) * BYTES[tape.policy.gradient]
    kind = "embedding-backward"
    reads = [*dy, tape.read(operator, ids)]
    tape.emit(operator, "dw", kind, reads, [table], vector=(Vector(kind, elements),), rows_bytes=rows)


def _lstm_cell(tape: Tape, operator: Operator, dy: list[int]) -> None:
    gates, cell = operator.inputs
    reads = [*dy, *(tape.read(operator, t) for t in kept(operator))]
    _vector(tape, operator, reads, [gates, cell], tape.forward.tensors[gates].elements)


def _cross_entropy(tape: Tape, operator: Operator, dy: list[int]) -> None:
    # The gradient of the loss itself is its weight, a constant.
    logits = operator.inputs[0]
    reads = [tape.read(operator, t) for t in kept(operator)]
    row = operator.work.vector[0].row
    _vector(tape, operator, reads, [logits], tape.forward.tensors[logits].elements, row)


def _attention(tape: Tape, operator: Operator, dy: list[int]) -> None:
    """One operator for the gradients of queries, keys and values: the scores are made again, once for all."""
    forward = operator.work.attention
    assert forward is not None
    attention = replace(forward, backward=True)
    reads = [*dy, *(tape.read(operator, t) for t in kept(operator))]
    masks = tuple(part for part in operator.work.vector if part.kind == "mask")
    parts = (*attention.parts, *masks)
    wants = tape.wanted(operator.inputs[:3])
    tape.emit(operator, "bwd", "attention-backward", reads, wants, attention=attention, vector=parts)


def _exchange(tape: Tape, operator: Operator, dy: list[int]) -> None:
    """The gradient of what is exchanged is exchanged the other way; that of a sum goes to every part as it is."""
    x, kind = operator.inputs[0], _BACK[operator.kind]
    if tape.needed[x]:
        gradient = tape.exchange(operator, "bwd", kind, dy[0], x) if kind else dy[0]
        tape.contribute(x, gradient, operator.layer)


_BACK = {
    "copy": "all-reduce",
    "all-reduce": "",
    "all-gather": "reduce-scatter",
    "reduce-scatter": "all-gather",
    "all-to-all": "all-to-all",
}

RULES: dict[str, Rule] = {
    "linear": _linear,
    "matmul": _matmul,
    "conv2d": _conv2d,
    **dict.fromkeys(("relu", "relu6", "sigmoid", "tanh", "hardsigmoid", "softmax", "gelu", "silu"), _unary),
    **dict.fromkeys(("hardswish", "dropout", "max-pool", "scale", "rotary", "avg-pool", "top-k"), _unary),
    **dict.fromkeys(("add", "mask", "bias"), _identity),
    **dict.fromkeys(("layer-norm", "rms-norm", "batch-norm"), _norm),
    "multiply": _multiply,
    "concat": _concat,
    "gather": _gather,
    "combine": _combine,
    "embedding": _embedding,
    "lstm-cell": _lstm_cell,
    "cross-entropy": _cross_entropy,
    "attention": _attention,
    **dict.fromkeys(EXCHANGE_KINDS, _exchange),
}
"""Forward kind -> its rule."""


def differentiate(tape: Tape, operator: Operator) -> None:
    """Add the backward operators of ``operator``; its consumers have to be done already.

    Nothing is added where no gradient arrives (an output that no loss depends on) or none is needed (the
    data of the batch).

    Raises
    ------
    InputError
        If the kind has no rule.
    """
    if operator.kind not in RULES:
        raise InputError(f"{operator.name}: kind {operator.kind!r} has no gradient; known: {', '.join(RULES)}")
    tape.enter(operator, kept)
    dy = tape.gradients(operator)
    if dy or operator.kind == "cross-entropy":
        RULES[operator.kind](tape, operator, dy)
