"""Transformers: BERT, GPT-2 (and GPT-3), OPT and Llama as one description with family presets.

The forward graph follows the published architectures as they are trained: token, position and type
embeddings; attention with separate or fused query, key and value projections; a plain or gated MLP;
norms before or behind; dropout behind the embedding, on attention probabilities and on both branches;
the head of pre-training or of a task with its loss. Sources: Devlin et al. 2018 (BERT), Radford et al. 2019 (GPT-2),
Brown et al. 2020 (GPT-3; its locally banded attention layers are taken as dense), Zhang et al. 2022 (OPT),
Touvron et al. 2023 (Llama 2).

Parameters of the masked-LM, next-sentence and label heads are not in the checkpoint body: their names begin
with ``head.``. The masked-LM head works on a share of the tokens of each sequence, which it gathers.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, prod, sqrt

from accmine.workload.forward import layers
from accmine.workload.forward.attention import FUSED, attention, head_norms, padding_masks
from accmine.workload.forward.experts import routed_experts
from accmine.workload.forward.latent_attention import latent_projections
from accmine.workload.forward.net import Net
from accmine.workload.graph import OperatorGraph
from accmine.workload.importers.transformer_config import TransformerConfig
from accmine.workload.shard import WHOLE, Shard

__all__ = ["transformer_graph", "transformer_operators"]


def transformer_graph(
    config: TransformerConfig,
    name: str,
    *,
    batch: int,
    sequence: int,
    split: str,
    dropout: bool,
    loss: bool,
    dtype: str,
    masked: float = 1.0,
    shard: Shard = WHOLE,
) -> OperatorGraph:
    """Forward graph; its layer chain is the embeddings, every transformer layer, and the head.

    Parameters are those of ``accmine.workload.importers.models.forward_graph``; ``config`` is what one device of
    ``shard`` has (``accmine.workload.forward.shards.part_of``).
    """
    net = Net(config, name, batch, sequence, split, dropout, dtype, shard)
    net.b.layer("embeddings")
    x = _embeddings(net)
    if config.causal and split == FUSED:
        net.masks = []  # positions tell what is hidden
    elif config.causal:
        net.masks = [layers.input_tensor(net.b, "causal-mask", (sequence, sequence), "bool", "constant")]
    else:
        net.masks = padding_masks(net.b, net.shape)
    for index in range(config.layers):
        net.b.layer(f"layer{index}")
        x = _layer(net, f"layer{index}", x)
    net.b.layer("head")
    _head(net, x, loss, ceil(masked * sequence))
    return net.b.build()


def transformer_operators(
    config: TransformerConfig, *, batch: int, split: str, dropout: bool = True, loss: bool = True
) -> int:
    """Operators of ``transformer_graph``, counted before it is built: the sequence does not change them.

    Layers are equal, but for the dense ones in front of experts, so graphs of one and two tell the rest; a chain of
    attention beyond the first (fused there is one) has five operators, a dropout and a rotary embedding for queries
    and one for keys.
    """

    def count(of: int, dense: int) -> int:
        less = config.model_copy(update={"layers": of, "dense_layers": dense, "window": 0})
        return _counted(less, FUSED if split == FUSED else "none", dropout, loss)

    one = count(1, 0)
    total = one + (config.layers - 1) * (count(2, 0) - one)
    if config.dense_layers:
        total += config.dense_layers * (count(1, 1) - one)
    chains = {FUSED: (1, 1), "none": (1, 1), "heads": (config.heads, config.kv_heads), "samples": (batch, batch)}
    queries, keys = chains[split]
    more = (queries - 1) * (5 + int(dropout and config.attention_dropout > 0))
    if config.qk_norm:
        more += queries - 1 + keys - 1
    if config.kv_rank:  # of keys, the rotated columns are one for all heads
        more += 3 * (queries - 1) + (0 if split == "heads" else keys - 1)
    elif config.position_embedding == "rotary":
        more += queries - 1 + keys - 1
    return total + config.layers * more


@lru_cache(maxsize=256)  # shards of a model are counted for every microbatch and every way to run them
def _counted(config: TransformerConfig, split: str, dropout: bool, loss: bool) -> int:
    graph = transformer_graph(config, "", batch=1, sequence=1, split=split, dropout=dropout, loss=loss, dtype="bf16")
    return len(graph)


def _embeddings(net: Net) -> int:
    config = net.config
    net.table = net.parameter("embeddings.word.weight", config.vocabulary, config.embedding_width)
    x = net.leave("embeddings", layers.embedding(net.b, "embeddings.word", net.ids("token-ids", net.tokens), net.table))
    if config.embedding_width != config.width:
        x = net.linear("embeddings.project", x, config.embedding_width, config.width, bias=False)
    if config.embedding_scale:
        x = layers.elementwise(net.b, "embeddings.scale", "scale", x, sqrt(config.width))
    parts = [x]
    if config.position_embedding == "learned":
        table = net.parameter("embeddings.position.weight", config.positions + config.position_offset, config.width)
        parts.append(layers.embedding(net.b, "embeddings.position", net.ids("position-ids", net.own), table))
    if config.token_types:
        table = net.parameter("embeddings.type.weight", config.token_types, config.width)
        parts.append(layers.embedding(net.b, "embeddings.type", net.ids("token-type-ids", net.own), table))
    if len(parts) > 1:
        x = layers.add(net.b, "embeddings.add", parts)
    if config.embedding_norm:
        x = net.norm("embeddings.norm", x)
    return net.dropout("embeddings.dropout", x, config.embedding_dropout)


def _layer(net: Net, name: str, x: int) -> int:
    """One transformer layer: attention and MLP, each with dropout, residual and norm."""
    config = net.config
    for branch, build in (("attention", _attention), ("mlp", _mlp)):
        part = f"{name}.{branch}"
        inside = net.norm(f"{part}.norm", x) if config.pre_norm else x
        y = net.leave(part, build(net, part, net.enter(part, inside)))
        y = net.dropout(f"{part}.dropout", y, config.dropout)
        x = layers.add(net.b, f"{part}.add", (x, y))
        if not config.pre_norm:
            x = net.norm(f"{part}.norm", x)
    return x


def _attention(net: Net, name: str, x: int) -> int:
    config, shape, b = net.config, net.shape, net.b
    inner, kv_inner = config.heads * config.head_width, config.kv_heads * config.head_width
    if config.kv_rank:
        queries, keys, values = latent_projections(b, name, x, config, shape, net.dtype)
    else:
        queries, keys, values = _projections(net, name, x, inner, kv_inner)
    if config.qk_norm:
        queries = head_norms(b, f"{name}.q.norm", config.norm, queries)
        keys = head_norms(b, f"{name}.k.norm", config.norm, keys)
    if config.position_embedding == "rotary" and not config.kv_rank:
        queries = [layers.elementwise(b, f"{name}.q.rotary{i}", "rotary", q) for i, q in enumerate(queries)]
        keys = [layers.elementwise(b, f"{name}.k.rotary{i}", "rotary", k) for i, k in enumerate(keys)]
    read = attention(
        b,
        name,
        queries,
        keys,
        values,
        net.masks,
        shape=shape,
        factor=1 / sqrt(config.head_width),
        causal=config.causal,
        dropout=config.attention_dropout if net.dropping else 0.0,
    )
    values_width = net.b.tensors[values[0]].shape[-1]
    weight = net.parameter(f"{name}.output.weight", config.heads * values_width, config.width)
    bias = net.parameter(f"{name}.output.bias", config.width) if config.output_bias else None
    size = (*net.tokens, config.width)
    x_split = "m" if shape.axis == "m" else "k"
    return layers.linear(b, f"{name}.output", read, weight, bias, [size], m=net.m, x_split=x_split)[0]


def _projections(net: Net, name: str, x: int, inner: int, kv_inner: int) -> tuple[list[int], list[int], list[int]]:
    """Queries, keys and values per chain: three linear layers as in the checkpoints, or a fused one."""
    shape, biased = net.shape, net.config.attention_bias
    if net.config.fused_qkv:
        outputs = [*shape.query_shapes, *shape.key_shapes, *shape.key_shapes]
        weight = net.parameter(f"{name}.qkv.weight", net.config.width, inner + 2 * kv_inner)
        bias = net.parameter(f"{name}.qkv.bias", inner + 2 * kv_inner) if biased else None
        ys = layers.linear(net.b, f"{name}.qkv", [x], weight, bias, outputs, m=net.m, y_split=shape.axis)
        third = len(ys) // 3
        return ys[:third], ys[third : 2 * third], ys[2 * third :]
    found = []
    for part, n, outputs in (
        ("q", inner, shape.query_shapes),
        ("k", kv_inner, shape.key_shapes),
        ("v", kv_inner, shape.key_shapes),
    ):
        weight = net.parameter(f"{name}.{part}.weight", net.config.width, n)
        bias = net.parameter(f"{name}.{part}.bias", n) if biased else None
        found.append(layers.linear(net.b, f"{name}.{part}", [x], weight, bias, outputs, m=net.m, y_split=shape.axis))
    return found[0], found[1], found[2]


def _mlp(net: Net, name: str, x: int) -> int:
    """The MLP of the layer that was opened last; experts in its place behind the dense layers."""
    config = net.config
    if not config.experts or len(net.b.layers) - 2 < config.dense_layers:
        return _dense(net, name, x, config.mlp_width)
    y = routed_experts(net.b, name, x, config, net.dtype, net.shard)
    if not config.shared_expert_width:
        return y
    shared = _dense(net, f"{name}.shared", x, config.shared_expert_width)
    return layers.add(net.b, f"{name}.shared.add", (y, shared))


def _dense(net: Net, name: str, x: int, inner: int) -> int:
    config = net.config
    width, bias = config.width, config.mlp_bias
    if config.gated:
        gate = net.linear(f"{name}.gate", x, width, inner, bias)
        gate = layers.elementwise(net.b, f"{name}.{config.activation}", config.activation, gate)
        up = net.linear(f"{name}.up", x, width, inner, bias)
        hidden = layers.add(net.b, f"{name}.multiply", (gate, up), kind="multiply")
    else:
        up = net.linear(f"{name}.up", x, width, inner, bias)
        hidden = layers.elementwise(net.b, f"{name}.{config.activation}", config.activation, up)
    return net.linear(f"{name}.down", hidden, inner, width, bias)


def _decoder(net: Net, name: str, x: int, bias: bool) -> int:
    """Logits over the vocabulary, by the token embedding when it is tied."""
    config = net.config
    if config.tied:
        weight, transpose_b = net.table, 1
    else:
        weight, transpose_b = net.parameter(f"{name}.weight", config.embedding_width, config.vocabulary), 0
    offset = net.parameter(f"{name}.bias", config.vocabulary) if bias else None
    rows = net.b.tensors[x].shape[:-1]
    size, m = (*rows, config.vocabulary), prod(rows)
    return layers.linear(net.b, name, [x], weight, offset, [size], m=m, transpose_b=transpose_b)[0]


def _head(net: Net, x: int, loss: bool, masked: int) -> None:
    """The head of ``config.head`` with its losses; without a head, what is behind the last layer."""
    config = net.config
    if config.final_norm:
        x = net.norm("final-norm", x)
    if config.embedding_width != config.width:
        x = net.linear("project-out", x, config.width, config.embedding_width, bias=False)
    if config.head == "lm":
        logits = _decoder(net, "lm-head", net.enter("lm-head", x), bias=False)
        if loss:
            net.loss(logits, net.tokens)
        return
    x = net.gathered("head", x)  # what follows is small, and every device of a tensor group does it
    if config.head == "mlm":
        _mlm_head(net, x, loss, masked)
    elif config.head == "none":
        if config.pooler:
            _pooled(net, x)
    else:
        _labels_head(net, x, loss)


def _mlm_head(net: Net, x: int, loss: bool, masked: int) -> None:
    """Masked LM on ``masked`` tokens of a sequence, and with a pooler next-sentence prediction from the first one."""
    config, b = net.config, net.b
    batch, width = net.tokens[0], config.width
    y = _some_tokens(net, "head.transform", x, (batch, masked), width, True)
    y = layers.elementwise(b, f"head.transform.{config.activation}", config.activation, y)
    y = net.norm("head.transform.norm", y)
    logits = _decoder(net, "head.decoder", net.copied("head.decoder", y), bias=True)
    following = _first_token(net, "head.next-sentence", _pooled(net, x), 2, True) if config.pooler else None
    if loss:
        net.loss(logits, (batch, masked))
        if following is not None:
            order = layers.input_tensor(b, "next-sentence-labels", (batch,), "int32")
            layers.cross_entropy(b, "next-sentence-loss", following, order, 2)


def _labels_head(net: Net, x: int, loss: bool) -> None:
    """Scores of a sequence, of every token, or of every token as the first and the last one of an answer.

    Without a pooler a sequence is scored by one token of it. Published code scores all tokens and keeps that
    one, which is more work only by labels / width of a projection.
    """
    config, b = net.config, net.b
    (batch, sequence), width = net.tokens, config.embedding_width
    if config.pooler:
        x = _pooled(net, x)
    x = net.dropout("head.dropout", x, config.head_dropout)
    labels = config.labels or 2
    rows: tuple[int, ...] = (batch,)
    if config.head == "sequence":
        logits = _first_token(net, "head.labels", x, labels, config.pooler)
        classes = labels
    else:
        logits = net.linear("head.labels", x, width, labels, bias=True)
        rows, classes = (net.tokens, labels) if config.head == "tokens" else ((batch, 2), sequence)
    if loss:
        layers.cross_entropy(b, "loss", logits, layers.input_tensor(b, "labels", rows, "int32"), classes)


def _pooled(net: Net, x: int) -> int:
    """The pooled first token of every sample, [b,h]."""
    pooled = _first_token(net, "pooler", x, net.config.width, True)
    return layers.elementwise(net.b, "pooler.tanh", "tanh", pooled)


def _first_token(net: Net, name: str, x: int, n: int, bias: bool) -> int:
    """A linear layer [b,h] or [b,s,h] -> [b,n] on one token of every sample."""
    return _some_tokens(net, name, x, net.tokens[:1], n, bias)


def _some_tokens(net: Net, name: str, x: int, rows: tuple[int, ...], n: int, bias: bool) -> int:
    """A linear layer [rows…,h] -> [rows…,n] on some tokens of every sample."""
    tensor, m = net.b.tensors[x], prod(rows)
    k = tensor.shape[-1]
    weight = net.parameter(f"{name}.weight", k, n)
    offset = net.parameter(f"{name}.bias", n) if bias else None
    # Only these tokens of every sample are read, so less than the whole input tensor.
    read = (m * k + k * n + (n if bias else 0)) * tensor.nbytes // tensor.elements
    return layers.linear(net.b, name, [x], weight, offset, [(*rows, n)], m=m, bytes_in=read)[0]
