"""Projections of multi-head latent attention: keys and values of all heads are made from few columns.

DeepSeek-AI 2024 (DeepSeek-V2), section 2.1, as it is trained: one product makes ``kv_rank`` columns and one rotated
key that all heads share; a norm and a second product make the keys that are not rotated, and the values. Queries may
be made from ``query_rank`` columns in the same way. Rotated and other columns are laid side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from accmine.workload.forward import layers
from accmine.workload.forward.attention import AttentionShape
from accmine.workload.graph import GraphBuilder
from accmine.workload.importers.transformer_config import TransformerConfig

__all__ = ["latent_projections"]


def latent_projections(
    builder: GraphBuilder, name: str, x: int, config: TransformerConfig, shape: AttentionShape, dtype: str
) -> tuple[list[int], list[int], list[int]]:
    """Queries, keys (both rotated) and values per chain of ``shape``, from x[b,s,h]."""
    lead = builder.tensors[x].shape[:-1]
    plain, heads = config.head_width - config.rotary_width, shape.heads

    def shapes(width: int) -> list[tuple[int, ...]]:
        return replace(shape, head_width=width).query_shapes

    def linear(part: str, source: int, n: int, outputs: Sequence[Sequence[int]], axis: str = "n") -> list[int]:
        k = builder.tensors[source].shape[-1]
        weight = layers.parameter(builder, f"{name}.{part}.weight", (k, n), dtype)
        rows = builder.tensors[source].elements // k
        return layers.linear(builder, f"{name}.{part}", [source], weight, None, outputs, m=rows, y_split=axis)

    def few(part: str, width: int, others: Sequence[Sequence[int]] = ()) -> tuple[int, list[int]]:
        """``width`` columns behind their norm, and what the same product makes beside them."""
        columns = width + (config.rotary_width if others else 0)
        found, *rest = linear(f"{part}.down", x, columns, [(*lead, width), *others])
        return layers.norm(builder, f"{name}.{part}.norm", config.norm, found), rest

    def rotated(part: str, tensors: Sequence[int]) -> list[int]:
        return [layers.elementwise(builder, f"{name}.{part}.rotary{i}", "rotary", t) for i, t in enumerate(tensors)]

    def beside(part: str, tensors: Sequence[int], turned: Sequence[int]) -> list[int]:
        pairs = [(t, turned[i % len(turned)]) for i, t in enumerate(tensors)]
        axis = len(builder.tensors[tensors[0]].shape) - 1
        return [layers.concat(builder, f"{name}.{part}.concat{i}", pair, axis) for i, pair in enumerate(pairs)]

    source = few("q", config.query_rank)[0] if config.query_rank else x
    outputs = [*shapes(plain), *shapes(config.rotary_width)]
    queries = linear("q", source, heads * config.head_width, outputs, shape.axis)
    count = len(queries) // 2
    queries = beside("q", queries[:count], rotated("q", queries[count:]))
    of_one = replace(shape, heads=1, kv_heads=1, head_width=config.rotary_width).key_shapes
    compressed, shared = few("kv", config.kv_rank, of_one)
    outputs = [*shapes(plain), *shapes(config.value_width)]
    found = linear("kv", compressed, heads * (plain + config.value_width), outputs, shape.axis)
    return queries, beside("k", found[:count], rotated("k", shared)), found[count:]
