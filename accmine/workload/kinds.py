"""The operator kinds: which engine runs them and how their vector work is named.

Tensor kinds are matrix products; vector kinds name an entry of the table of passes in
``accmine.cost.vector``. Backward kinds of a forward kind ``x`` are ``x-input-gradient`` and
``x-weight-gradient`` for tensor kinds and ``x-backward`` for vector kinds.

Operand order of forward kinds (inputs -> outputs); ``[]`` is optional, ``…`` repeated:

==================  ================================================================  =======================
kind                inputs                                                            outputs
==================  ================================================================  =======================
linear              x[…,k] or several x of one k-split, weight[k,n], [bias[n]]        y[…,n] or several y (n-split)
                    of experts: x[experts,rows,k], weight[experts,k,n]                y[experts,rows,n]
matmul              a, b (attributes transpose_a, transpose_b = 0/1)                  c
conv2d              x[b,c,h,w], weight[o,c/groups,kh,kw], [bias[o]]                   y[b,o,oh,ow]
embedding           ids, table[v,h]                                                   y
add                 a, b, …                                                           y
multiply            a, b (b may broadcast: squeeze-excite gates)                      y
relu … swish        x                                                                 y
softmax             x (row = last axis)                                               y
mask                x, mask (added to or filled into attention scores)                y
layer-norm          x, gamma, beta                                                    y
rms-norm            x, gamma                                                          y
batch-norm          x[b,c,h,w], gamma, beta                                           y
dropout             x                                                                 y, mask (bool)
max-pool, avg-pool  x                                                                 y [max-pool: y, indices int8]
concat              a, b, … (channels)                                                y
rotary              x                                                                 y
top-k               x (row = last axis)                                               y[…,k], indices[…,k] int32
gather              x[…,h], indices                                                   y[experts,rows,h]
combine             x[experts,rows,h], weights[…,k], indices                          y[…,h]
lstm-cell           gates[b,4h], c[b,h]                                               h', c'
cross-entropy       logits[…,v], labels, [row sums of the group]                      loss, probabilities
attention           q[…,r,d], k[…,s,d], v[…,s,e], [mask]                              o[…,r,e], log-sum-exp[…,r]
copy                x                                                                 x, its gradient is summed
all-reduce          x                                                                 y
all-gather          x[…,s/t,h]                                                        y[…,s,h]
reduce-scatter      x[…,s,h]                                                          y[…,s/t,h]
all-to-all          x                                                                 y
==================  ================================================================  =======================

Cross entropy holds the log-softmax. A linear layer may read its input as several tensors (attention
heads, whose columns together are k) and write its output as several (the heads of q, k and v): no
separate split or concatenation is needed.

The last five are exchanges of a device with its tensor or expert group (attribute ``group``). They cost no core and
no HBM: their time comes from the network, and graphs that are costed are without them
(``accmine.workload.collectives``). ``copy`` exchanges nothing in the forward pass.
"""

from __future__ import annotations

__all__ = ["ATTENTION_KINDS", "EXCHANGE_KINDS", "TENSOR_KINDS", "UPDATE_KINDS", "VECTOR_KINDS"]

TENSOR_KINDS: tuple[str, ...] = ("linear", "matmul", "conv2d")

ATTENTION_KINDS: tuple[str, ...] = ("attention", "attention-backward")
"""Fused attention: products and vector parts in one operator, with one backward operator for all its gradients."""

EXCHANGE_KINDS: tuple[str, ...] = ("copy", "all-reduce", "all-gather", "reduce-scatter", "all-to-all")
"""What a device does with the others of its group; the backward pass has the same kinds."""

_FORWARD_VECTOR: tuple[str, ...] = (
    "embedding",
    "add",
    "multiply",
    "bias",
    "relu",
    "relu6",
    "gelu",
    "silu",
    "sigmoid",
    "tanh",
    "hardswish",
    "hardsigmoid",
    "softmax",
    "mask",
    "scale",
    "layer-norm",
    "rms-norm",
    "batch-norm",
    "dropout",
    "max-pool",
    "avg-pool",
    "concat",
    "rotary",
    "top-k",
    "gather",
    "combine",
    "lstm-cell",
    "cross-entropy",
    "attention-softmax",
    "attention-rescale",
)

UPDATE_KINDS: tuple[str, ...] = tuple(
    f"{optimizer}-update" for optimizer in ("sgd", "adam", "adamw", "lamb", "adam-8bit", "adamw-8bit")
)

_SPLIT_NORM: tuple[str, ...] = ("batch-norm-statistics", "batch-norm-apply")

VECTOR_KINDS: tuple[str, ...] = (
    *_FORWARD_VECTOR,
    *(f"{kind}-backward" for kind in _FORWARD_VECTOR),
    "accumulate",
    "reduce",
    *_SPLIT_NORM,
    *(f"{kind}-backward" for kind in _SPLIT_NORM),
    *UPDATE_KINDS,
)
"""Every name a ``Vector`` may carry. ``bias`` is the addition of a bias vector behind a product and
``bias-backward`` its column sum; ``accumulate`` sums the gradients of a tensor with several consumers;
``reduce`` sums the partial results of a product split along k. Fusion makes a batch norm and its backward of
``batch-norm-statistics``, sums per channel, and ``batch-norm-apply``, which is element-wise.
``attention-softmax`` and ``attention-rescale`` are parts of fused attention only."""
