"""Forward graphs for the tests of training: a strategy of random ones, and a small transformer by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from accmine.workload import OperatorGraph
from accmine.workload.forward import layers
from accmine.workload.forward.attention import fused
from accmine.workload.graph import GraphBuilder

Draw = Callable[[st.SearchStrategy[Any]], Any]
UNARY = ("relu", "gelu", "silu", "hardswish", "sigmoid", "tanh", "hardsigmoid", "relu6", "rotary")
VOCABULARY = 24


class _Sampler:
    """Random layers over tensors [b,s,h]; every tensor ends in the loss."""

    def __init__(self, draw: Draw, batch: int) -> None:
        self.draw = draw
        self.b = GraphBuilder("random")
        self.batch, self.s, self.h = batch, 4, 8
        self.alive: list[int] = []
        self.unused: set[int] = set()
        self.weights: list[int] = []
        self.count = 0

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def take(self) -> int:
        t: int = self.draw(st.sampled_from(self.alive[-5:]))
        self.unused.discard(t)
        return t

    def give(self, t: int) -> None:
        self.alive.append(t)
        self.unused.add(t)

    def linear(self) -> None:
        name = self.name("linear")
        if self.weights and self.draw(st.booleans()):
            weight = self.draw(st.sampled_from(self.weights))  # tied
        else:
            weight = layers.parameter(self.b, f"{name}.weight", (self.h, self.h), "bf16")
            self.weights.append(weight)
        bias = layers.parameter(self.b, f"{name}.bias", (self.h,), "bf16") if self.draw(st.booleans()) else None
        size, m = (self.batch, self.s, self.h), self.batch * self.s
        x = self.take()
        self.give(layers.linear(self.b, name, [x], weight, bias, [size], m=m)[0])

    def attention(self) -> None:
        name = self.name("attention")
        q, k, v = self.take(), self.take(), self.take()
        scores = layers.matmul(self.b, f"{name}.scores", q, k, transpose_b=1)
        scaled = layers.elementwise(self.b, f"{name}.scale", "scale", scores, 0.5)
        weights = layers.softmax(self.b, f"{name}.softmax", scaled)
        kept = layers.dropout(self.b, f"{name}.dropout", weights, 0.1)
        self.give(layers.matmul(self.b, f"{name}.values", kept, v))

    def fused(self) -> None:
        operands = (self.take(), self.take(), self.take())
        causal, rate = self.draw(st.booleans()), self.draw(st.sampled_from((0.0, 0.1)))
        name, sizes = self.name("fused"), {"queries": self.s, "window": self.s if causal else 0}
        self.give(fused(self.b, name, *operands, None, factor=0.5, causal=causal, rate=rate, **sizes))

    def one(self) -> None:
        pick = self.draw(
            st.sampled_from(("linear", "attention", "fused", "add", "multiply", "dropout", "norm", *UNARY))
        )
        if pick == "linear":
            self.linear()
        elif pick in ("attention", "fused"):
            self.attention() if pick == "attention" else self.fused()
        elif pick in ("add", "multiply"):
            self.give(layers.add(self.b, self.name(pick), (self.take(), self.take()), kind=pick))
        elif pick == "dropout":
            self.give(layers.dropout(self.b, self.name(pick), self.take(), 0.1))
        elif pick == "norm":
            kind = self.draw(st.sampled_from(("layer-norm", "rms-norm")))
            self.give(layers.norm(self.b, self.name(kind), kind, self.take()))
        else:
            self.give(layers.elementwise(self.b, self.name(pick), pick, self.take()))


def _graph(draw: Draw, batch: int, most_layers: int) -> OperatorGraph:
    net = _Sampler(draw, batch)
    net.b.layer("embedding")
    ids = layers.input_tensor(net.b, "ids", (batch, net.s), "int32")
    table = layers.parameter(net.b, "table", (VOCABULARY, net.h), "bf16")
    net.give(layers.embedding(net.b, "embedding", ids, table))
    for index in range(draw(st.integers(1, most_layers))):
        net.b.layer(f"layer{index}")
        for _ in range(draw(st.integers(1, 7))):
            net.one()
    net.b.layer("head")
    left = sorted(net.unused)
    x = layers.add(net.b, "join", left) if len(left) > 1 else left[0]
    size, m = (batch, net.s, VOCABULARY), batch * net.s
    logits = layers.linear(net.b, "lm-head", [x], table, None, [size], m=m, transpose_b=1)[0]
    labels = layers.input_tensor(net.b, "labels", (batch, net.s), "int32")
    layers.cross_entropy(net.b, "loss", logits, labels, VOCABULARY)
    return net.b.build()


@st.composite
def forward_graphs(draw: st.DrawFn, most_layers: int = 4) -> OperatorGraph:
    """Random forward graphs with branches, ties, and skips over layers."""
    return _graph(draw, draw(st.integers(1, 3)), most_layers)


class _Replay:
    """Draws, and gives the same choices again once it is rewound."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.seen: list[Any] = []
        self.at: int | None = None

    def __call__(self, strategy: st.SearchStrategy[Any]) -> Any:
        if self.at is None:
            self.seen.append(self.draw(strategy))
            return self.seen[-1]
        self.at += 1
        return self.seen[self.at - 1]


@st.composite
def batch_pairs(draw: st.DrawFn) -> tuple[OperatorGraph, OperatorGraph]:
    """The same random model with a batch of 1 and of 3."""
    replay = _Replay(draw)
    first = _graph(replay, 1, 3)
    replay.at = 0
    return first, _graph(replay, 3, 3)


def convnet() -> OperatorGraph:
    """A convolution network with a residual, pools, squeeze-excite, groups and a concatenation."""
    b = GraphBuilder("convnet")
    b.layer("stem")
    x = layers.input_tensor(b, "image", (2, 3, 16, 16), "bf16")

    def conv(name: str, x: int, out: int, kernel: int, groups: int = 1, **more: Any) -> int:
        shape = (out, b.tensors[x].shape[1] // groups, kernel, kernel)
        weight = layers.parameter(b, f"{name}.weight", shape, "bf16")
        return layers.conv2d(b, name, x, weight, None, groups=groups, **more)

    x = conv("stem", x, 8, 3, stride=(2, 2), padding=(1, 1))
    x = layers.elementwise(b, "stem.relu", "relu", layers.norm(b, "stem.norm", "batch-norm", x))
    x = layers.pool(b, "stem.pool", "max-pool", x, (2, 2), (2, 2))
    b.layer("block")
    y = conv("block.depthwise", x, 8, 3, groups=8, padding=(1, 1))
    y = layers.elementwise(b, "block.hardswish", "hardswish", layers.norm(b, "block.norm", "batch-norm", y))
    gate = layers.pool(b, "block.pool", "avg-pool", y, (4, 4), (4, 4))
    gate = layers.elementwise(b, "block.gate", "hardsigmoid", conv("block.squeeze", gate, 8, 1))
    y = layers.add(b, "block.excite", (y, gate), kind="multiply")
    y = layers.add(b, "block.add", (x, conv("block.project", y, 8, 1)))
    y = layers.concat(b, "block.concat", (y, conv("block.branch", x, 4, 1)), 1)
    b.layer("head")
    y = layers.pool(b, "head.pool", "avg-pool", y, (4, 4), (4, 4))
    weight, bias = layers.parameter(b, "head.weight", (12, 5), "bf16"), layers.parameter(b, "head.bias", (5,), "bf16")
    logits = layers.linear(b, "head", [y], weight, bias, [(2, 5)], m=2)[0]
    layers.cross_entropy(b, "loss", logits, layers.input_tensor(b, "labels", (2,), "int32"), 5)
    return b.build()


def is_ordered(graph: OperatorGraph) -> bool:
    """Whether every operator stands behind those it waits for, and every tensor has one producer."""
    outputs = [t for operator in graph.operators for t in operator.outputs]
    edges = graph.edges
    return len(outputs) == len(set(outputs)) and bool((edges[:, 0] < edges[:, 1]).all())
