"""Multi-head attention: scores, scale, mask, softmax, dropout and values, at three granularities.

``split`` says how many operator chains stand for the attention of one layer: ``none`` one batched chain
over samples and heads, ``heads`` one per head over all samples, ``samples`` one per sample over all heads.
Multiply-accumulates are the same. Causal models compute the full square of scores, as a dense kernel does.

With fewer key heads than query heads, each key head serves a group of query heads: their rows are folded
into the rows of one product under ``none`` and ``samples``; under ``heads`` the chains share the tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accmine.errors import InputError
from accmine.workload.forward import layers
from accmine.workload.graph import GraphBuilder

__all__ = ["SPLITS", "AttentionShape", "attention", "padding_masks"]

SPLITS = ("none", "heads", "samples")


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
    """

    batch: int
    queries: int
    keys: int
    heads: int
    kv_heads: int
    head_width: int
    split: str

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


def attention(
    builder: GraphBuilder,
    name: str,
    queries: Sequence[int],
    keys: Sequence[int],
    values: Sequence[int],
    masks: Sequence[int],
    *,
    factor: float,
    causal: bool,
    dropout: float,
) -> list[int]:
    """The chains of one attention layer.

    Parameters
    ----------
    queries, keys, values
        Tensors per chain; fewer keys than queries are shared by consecutive chains.
    masks
        One mask for all chains, or one per chain.
    factor
        What scores are multiplied by, 1/sqrt(head width).
    dropout
        Rate on the attention probabilities.

    Returns
    -------
    list of int
        What each chain reads out, of the shape of its queries.
    """
    group = len(queries) // len(keys)
    outputs = []
    for i, query in enumerate(queries):
        chain = name if len(queries) == 1 else f"{name}.{i}"
        scores = layers.matmul(builder, f"{chain}.scores", query, keys[i // group], transpose_b=1)
        scaled = layers.elementwise(builder, f"{chain}.scale", "scale", scores, factor)
        masked = layers.mask(builder, f"{chain}.mask", scaled, masks[i % len(masks)], int(causal))
        weights = layers.softmax(builder, f"{chain}.softmax", masked)
        kept = layers.dropout(builder, f"{chain}.softmax.dropout", weights, dropout)
        outputs.append(layers.matmul(builder, f"{chain}.values", kept, values[i // group]))
    return outputs
