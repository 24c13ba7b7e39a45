"""Mixture of experts: a router, and the products of the experts that tokens are sent to.

A router scores every expert for every token; the best ``experts_per_token`` are taken. Rows of tokens are gathered
expert by expert, the experts of a device are one batched product for each of their weights, and what they make is
combined, weighed, to one row per token (Shazeer et al. 2017; Fedus et al. 2021; Jiang et al. 2024, Mixtral;
DeepSeek-AI 2024, DeepSeek-V2). Weights of all experts are one parameter, whose name contains ``.experts.``.

Assumptions: the load is balanced, so every expert has ⌈tokens · experts_per_token / experts⌉ rows and drops none.
The auxiliary loss that balances it is left out: a few operations for each score of the router. Under expert
parallelism rows are exchanged all to all between the gathering and the products, and again before the combining.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from accmine.errors import InputError
from accmine.workload.forward import layers
from accmine.workload.graph import GraphBuilder, Vector
from accmine.workload.importers.transformer_config import TransformerConfig
from accmine.workload.shard import WHOLE, Shard

__all__ = ["combine", "expert_rows", "gather", "grouped_linear", "routed_experts", "top_k"]


def expert_rows(config: TransformerConfig, tokens: int, shard: Shard = WHOLE) -> tuple[int, int]:
    """(experts on a device, rows of each) for ``tokens`` tokens on each device of the expert group.

    Raises
    ------
    InputError
        If the devices of the group do not divide the experts.
    """
    if config.experts % shard.expert:
        allowed = ", ".join(str(n) for n in range(1, config.experts + 1) if config.experts % n == 0)
        message = f"{shard.expert} devices do not divide {config.experts} experts; allowed: {allowed}"
        raise InputError(message, field="expert")
    rows = -(-tokens * config.experts_per_token * shard.expert // config.experts)
    return config.experts // shard.expert, rows


def routed_experts(
    builder: GraphBuilder, name: str, x: int, config: TransformerConfig, dtype: str, shard: Shard = WHOLE
) -> int:
    """What the routed experts make of x[…,h], of its shape; a device of a shard has the part of its experts.

    Raises
    ------
    InputError
        If the experts, or their columns, cannot be shared by the devices of ``shard``.
    """
    *lead, width = builder.tensors[x].shape
    tokens = prod(lead)
    local, rows = expert_rows(config, tokens, shard)
    if config.expert_width % shard.tensor:
        message = f"{shard.tensor} devices do not divide the {config.expert_width} columns of an expert"
        raise InputError(f"{message}; allowed: their divisors", field="tensor")
    inner = config.expert_width // shard.tensor
    router = layers.parameter(builder, f"{name}.router.weight", (width, config.experts), dtype)
    scores = layers.linear(builder, f"{name}.router", [x], router, None, [(*lead, config.experts)], m=tokens)[0]
    # The softmax of the scores that were taken is the softmax of all, divided by the sum of those taken.
    if not config.normalized_routing:
        scores = layers.softmax(builder, f"{name}.router.softmax", scores)
    weights, indices = top_k(builder, f"{name}.router.top-k", scores, config.experts_per_token)
    if config.normalized_routing:
        weights = layers.softmax(builder, f"{name}.router.softmax", weights)

    def product(part: str, rows_in: int, k: int, n: int) -> int:
        weight = layers.parameter(builder, f"{name}.experts.{part}.weight", (local, k, n), dtype)
        return grouped_linear(builder, f"{name}.experts.{part}", rows_in, weight)

    def exchanged(part: str, rows_in: int) -> int:
        if shard.expert == 1:
            return rows_in
        shape = (local, rows, width)
        return layers.exchange(builder, f"{name}.experts.{part}", "all-to-all", rows_in, shape, "expert")

    gathered = exchanged("send", gather(builder, f"{name}.experts.gather", x, indices, (local, rows, width)))
    act = config.activation
    if config.gated:
        gate = layers.elementwise(builder, f"{name}.experts.{act}", act, product("gate", gathered, width, inner))
        up = product("up", gathered, width, inner)
        hidden = layers.add(builder, f"{name}.experts.multiply", (gate, up), kind="multiply")
    else:
        hidden = layers.elementwise(builder, f"{name}.experts.{act}", act, product("up", gathered, width, inner))
    made = exchanged("return", product("down", hidden, inner, width))
    return combine(builder, f"{name}.experts.combine", made, weights, indices)


def top_k(builder: GraphBuilder, name: str, x: int, k: int) -> tuple[int, int]:
    """(values, positions) of the ``k`` largest of each row of ``x``, found one after the other."""
    tensor = builder.tensors[x]
    shape = (*tensor.shape[:-1], k)
    values, indices = builder.tensor(f"{name}.y", shape, tensor.dtype), builder.tensor(f"{name}.i", shape, "int32")
    work = (Vector("top-k", tensor.elements, tensor.shape[-1]),) * k
    builder.operator(name, "top-k", (x,), (values, indices), vector=work, attributes={"k": k})
    return values, indices


def gather(builder: GraphBuilder, name: str, x: int, indices: int, shape: Sequence[int]) -> int:
    """Rows of x[…,h] laid out as ``shape``, [experts, rows, h]."""
    y = builder.tensor(f"{name}.y", shape, builder.tensors[x].dtype)
    builder.operator(name, "gather", (x, indices), (y,), vector=(Vector("gather", prod(shape)),))
    return y


def grouped_linear(builder: GraphBuilder, name: str, x: int, weight: int) -> int:
    """x[experts,rows,k] and weight[experts,k,n] -> [experts,rows,n]: a linear layer of each expert."""
    (batch, m, k), n = builder.tensors[x].shape, builder.tensors[weight].shape[-1]
    y = builder.tensor(f"{name}.y", (batch, m, n), builder.tensors[x].dtype)
    attributes: dict[str, int | float | str | tuple[int, ...]] = {"inputs_x": 1, "transpose_b": 0}
    builder.operator(name, "linear", (x, weight), (y,), gemm=(m, k, n, batch), attributes=attributes)
    return y


def combine(builder: GraphBuilder, name: str, x: int, weights: int, indices: int) -> int:
    """Sum of the rows x[experts,rows,h] of each token, times weights[…,k]: [*…,h]."""
    rows = builder.tensors[x]
    y = builder.tensor(f"{name}.y", (*builder.tensors[weights].shape[:-1], rows.shape[-1]), rows.dtype)
    work = (Vector("combine", rows.elements),)
    builder.operator(name, "combine", (x, weights, indices), (y,), vector=work)
    return y
