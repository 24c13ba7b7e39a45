"""Multi-head attention: fused into one operator, or scores, scale, mask, softmax, dropout and values.

``split`` says what stands for the attention of one layer: ``fused`` one operator that stores no scores and
makes none that a causal mask or a window hides; or chains of operators that store them: ``none`` one batched chain
over samples and heads, ``heads`` one per head over all samples, ``samples`` one per sample over all heads.
Multiply-accumulates of the chains are the same. They compute the full square of scores, as a dense kernel does.

With fewer key heads than query heads, each key head serves a group of query heads: their rows are folded
into the rows of one product under ``fused``, ``none`` and ``samples``; under ``heads`` the chains share the tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from accmine.errors import InputError
from accmine.workload.forward import layers
from accmine.workload.graph import Attention, GraphBuilder, Vector

__all__ = ["FUSED", "SPLITS", "AttentionShape", "attention", "fused", "head_norms", "padding_masks"]

FUSED = "fused"
SPLITS = (FUSED, "none", "heads", "samples")


@dataclass(frozen=True)
class AttentionShape:
    """Sizes of one attention layer, and the tensors its chains exchange.

    Attributes
    ----------
    batch, queries, keys
        Samples, and tokens on either side of the scores.
    heads, kv_heads
        Query heads, and key and value heads that they share.
    head_width
        Columns per head.
    split
        Granularity.
    window
        Most keys that a query sees under a causal mask; 0 for all.
    """

    batch: int
    queries: int
    keys: int
    heads: int
    kv_heads: int
    head_width: int
    split: str
    window: int = 0

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise InputError(f"unknown split {self.split!r}; allowed: {', '.join(SPLITS)}", field="split")

    @property
    def axis(self) -> str:
        """How the tensors of the chains lie side by side in the projections: ``n`` columns or ``m`` rows."""
        return "m" if self.split == "samples" else "n"

    @property
    def query_shapes(self) -> list[tuple[int, ...]]:
        """Shape of the queries, and of the values read out, of every chain."""
        rows = self.heads // self.kv_heads * self.queries
        if self.split == "heads":
            return [(self.batch, self.queries, self.head_width)] * self.heads
        if self.split == "samples":
            return [(self.kv_heads, rows, self.head_width)] * self.batch
        return [(self.batch, self.kv_heads, rows, self.head_width)]

    @property
    def key_shapes(self) -> list[tuple[int, ...]]:
        """Shape of the keys, and of the values, that the chains read."""
        if self.split == "heads":
            return [(self.batch, self.keys, self.head_width)] * self.kv_heads
        if self.split == "samples":
            return [(self.kv_heads, self.keys, self.head_width)] * self.batch
        return [(self.batch, self.kv_heads, self.keys, self.head_width)]


def padding_masks(builder: GraphBuilder, shape: AttentionShape) -> list[int]:
    """Padding masks of the batch: one tensor [b,s], or one [s] per sample when chains are per sample."""
    if shape.split == "samples":
        return [layers.input_tensor(builder, f"padding-mask{i}", (shape.keys,), "bool") for i in range(shape.batch)]
    return [layers.input_tensor(builder, "padding-mask", (shape.batch, shape.keys), "bool")]


def head_norms(builder: GraphBuilder, name: str, kind: str, tensors: Sequence[int]) -> list[int]:
    """A norm over the columns of a head in every chain, all with the same parameters."""
    tensor = builder.tensors[tensors[0]]
    weights = layers.norm_weights(builder, name, kind, tensor.shape[-1], tensor.dtype)
    return [layers.norm(builder, f"{name}{i}", kind, t, weights) for i, t in enumerate(tensors)]


def attention(
    builder: GraphBuilder,
    name: str,
    queries: Sequence[int],
    keys: Sequence[int],
    values: Sequence[int],
    masks: Sequence[int],
    *,
    shape: AttentionShape,
    factor: float,
    causal: bool,
    dropout: float,
) -> list[int]:
    """The operators of one attention layer.

    Parameters
    ----------
    queries, keys, values
        Tensors per chain; fewer keys than queries are shared by consecutive chains.
    masks
        One mask for all chains, or one per chain; none where attention is fused and causal.
    factor
        What scores are multiplied by, 1/sqrt(head width).
    dropout
        Rate on the attention probabilities.

    Returns
    -------
    list of int
        What each chain reads out, of the shape of its queries.
    """
    if shape.split == FUSED:
        read = fused(
            builder,
            name,
            queries[0],
            keys[0],
            values[0],
            masks[0] if masks else None,
            queries=shape.queries,
            factor=factor,
            causal=causal,
            window=shape.window,
            rate=dropout,
        )
        return [read]
    group = len(queries) // len(keys)
    outputs = []
    for i, query in enumerate(queries):
        chain, first = name if len(queries) == 1 else f"{name}.{i}", len(builder.operators)
        scores = layers.matmul(builder, f"{chain}.scores", query, keys[i // group], transpose_b=1)
        scaled = layers.elementwise(builder, f"{chain}.scale", "scale", scores, factor)
        masked = layers.mask(builder, f"{chain}.mask", scaled, masks[i % len(masks)], int(causal))
        weights = layers.softmax(builder, f"{chain}.softmax", masked)
        kept = layers.dropout(builder, f"{chain}.softmax.dropout", weights, dropout)
        outputs.append(layers.matmul(builder, f"{chain}.values", kept, values[i // group]))
        builder.mark(range(first, len(builder.operators)), "core", i + 1)
    return outputs


def fused(
    builder: GraphBuilder,
    name: str,
    query: int,
    key: int,
    value: int,
    mask: int | None,
    *,
    queries: int,
    factor: float,
    causal: bool,
    window: int = 0,
    rate: float = 0.0,
) -> int:
    """Fused attention of q[…,r,d] on k[…,s,d] and v[…,s,e]: what it reads out, […,r,e].

    Parameters
    ----------
    mask
        Of padding; a causal mask is no tensor, as positions tell it.
    queries
        Tokens among the r rows, which hold those of all query heads of a key head.
    factor, rate
        What scores are multiplied by; rate of dropout on the probabilities.
    causal, window
        As for ``accmine.workload.work.Attention``.
    """
    q, k, v = (builder.tensors[t] for t in (query, key, value))
    rows, keys = q.shape[-2], k.shape[-2]
    work = Attention(
        batch=prod(q.shape[:-2]),
        group=rows // queries,
        queries=queries,
        keys=keys,
        width=q.shape[-1],
        value_width=v.shape[-1],
        causal=causal,
        window=window,
        dropout=rate > 0,
    )
    o = builder.tensor(f"{name}.o", (*q.shape[:-1], v.shape[-1]), q.dtype)
    sums = builder.tensor(f"{name}.log-sum-exp", q.shape[:-1], "fp32")
    masks = () if mask is None and not causal else (Vector("mask", work.scores),)
    builder.operator(
        name,
        "attention",
        (query, key, value) if mask is None else (query, key, value, mask),
        (o, sums),
        attention=work,
        vector=(*work.parts, *masks),
        attributes={"causal": int(causal), "factor": factor, "rate": float(rate), "window": window},
    )
    return o
