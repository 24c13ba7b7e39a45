"""GNMT: LSTM encoder and decoder with attention (Wu et al. 2016), in the form it is trained on accelerators.

- The input projections of an LSTM layer are one product over all time steps; the recurrent products are
  one per step: a real chain of linear, addition and cell operators.
- The first encoder layer is bidirectional; residuals from the third layer of either side on; dropout at
  the input of every layer.
- Attention is scaled dot-product ("Luong") attention with a learned query projection, from the outputs of
  the first decoder layer to those of the encoder; its context is a second input of every later decoder
  layer. The normalised Bahdanau form of the paper adds a hyperbolic tangent per pair of positions.
- Two biases per LSTM layer and direction, as in cuDNN and PyTorch. Source and target have a vocabulary of
  their own size and separate embeddings; the output projection is not tied.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Self

from pydantic import Field, model_validator

from accmine.errors import InputError
from accmine.files import FieldsError, derived
from accmine.workload.forward import layers
from accmine.workload.forward.attention import AttentionShape, attention, padding_masks
from accmine.workload.graph import GraphBuilder, OperatorGraph
from accmine.workload.importers.values import Part, Rate, Size

__all__ = ["RecurrentConfig", "recurrent_graph", "recurrent_operators"]

RESIDUAL_FROM = 2
"""Index of the first LSTM layer, on either side, with a residual connection."""


class RecurrentConfig(Part):
    """Numbers of a GNMT-like translator; the keys of its description."""

    encoder_layers: Size = Field(description="LSTM layers of the encoder; the first is bidirectional.")
    decoder_layers: Size = Field(description="LSTM layers of the decoder; the second reads the context.")
    width: Size = Field(description="Hidden units per layer and direction, and columns of the embeddings.")
    vocabulary: Size = Field(description="Rows of the source embedding.")
    target_vocabulary: Size = Field(
        default_factory=derived(lambda data: data["vocabulary"]), description="Rows of the target embedding."
    )
    dropout: Rate = Field(default=0.2, description="Rate at the input of every LSTM layer.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        whys = {"encoder_layers": "the first is bidirectional", "decoder_layers": "the second reads the context"}
        few = [key for key in whys if dict(self)[key] < 2]
        if few:
            raise FieldsError([((key,), f"at least 2 are needed: {whys[key]}") for key in few])
        return self


def recurrent_operators(config: RecurrentConfig, *, sequence: int, dropout: bool, loss: bool) -> int:
    """Operators of ``recurrent_graph``, counted before anything is built; batch and split do not change them."""
    e, d, drop = config.encoder_layers, config.decoder_layers, int(dropout and config.dropout > 0)
    steps = 3 * sequence * (e + d + 1)  # product, addition and cell
    encoder = (5 + drop) + (2 + 2 * drop) + (3 + drop) * (e - 2)
    decoder = (3 + drop) + (2 + 2 * drop) + (3 + 2 * drop) * (d - 2)
    attention, head = 6, 1 + int(loss)
    return steps + encoder + decoder + attention + head


class _Net:
    """One graph being built: the builder, the description, and the sizes of the batch."""

    def __init__(
        self, config: RecurrentConfig, name: str, batch: int, sequence: int, dropout: bool, dtype: str
    ) -> None:
        self.b = GraphBuilder(name)
        self.config = config
        self.batch, self.sequence = batch, sequence
        self.rate = config.dropout if dropout else 0.0
        self.dtype = dtype

    def parameter(self, name: str, *shape: int) -> int:
        return layers.parameter(self.b, name, shape, self.dtype)

    def embed(self, name: str, vocabulary: int) -> int:
        ids = layers.input_tensor(self.b, f"{name}.ids", (self.batch, self.sequence), "int32")
        table = self.parameter(f"{name}.weight", vocabulary, self.config.width)
        return layers.embedding(self.b, name, ids, table)

    def lstm(self, name: str, x: Sequence[int], reverse: bool = False) -> list[int]:
        """Hidden states per time step, in the order of the sequence, of one LSTM over the sequence ``x``.

        Several ``x`` [b,s,…] lie side by side in columns.
        """
        b, h = self.b, self.config.width
        k = sum(b.tensors[t].shape[-1] for t in x)
        gates = [(self.batch, 4 * h)] * self.sequence
        weight, bias = self.parameter(f"{name}.input.weight", k, 4 * h), self.parameter(f"{name}.input.bias", 4 * h)
        m = self.batch * self.sequence
        inputs = layers.linear(b, f"{name}.input", x, weight, bias, gates, m=m, y_split="m")
        weight = self.parameter(f"{name}.recurrent.weight", h, 4 * h)
        bias = self.parameter(f"{name}.recurrent.bias", 4 * h)
        hidden = layers.input_tensor(b, f"{name}.h0", (self.batch, h), self.dtype)
        cell = layers.input_tensor(b, f"{name}.c0", (self.batch, h), self.dtype)
        steps = [-1] * self.sequence
        order = range(self.sequence - 1, -1, -1) if reverse else range(self.sequence)
        for t in order:
            step = f"{name}.{t}"
            y = layers.linear(b, f"{step}.recurrent", [hidden], weight, bias, [gates[0]], m=self.batch)[0]
            y = layers.add(b, f"{step}.add", (y, inputs[t]))
            hidden, cell = layers.lstm_cell(b, f"{step}.cell", y, cell)
            steps[t] = hidden
        return steps

    def stack(self, name: str, steps: Sequence[int]) -> int:
        """The sequence [b,s,h] of the hidden states of all steps."""
        return layers.concat(self.b, f"{name}.stack", steps, 1, stack=True)

    def dropout(self, name: str, x: int) -> int:
        return layers.dropout(self.b, f"{name}.dropout", x, self.rate)


def recurrent_graph(
    config: RecurrentConfig,
    name: str,
    *,
    batch: int,
    sequence: int,
    split: str,
    dropout: bool,
    loss: bool,
    dtype: str,
) -> OperatorGraph:
    """Forward graph; its layer chain is every LSTM layer (the first ones with their embedding) and the head.

    Source and target have ``sequence`` tokens each. Attention has one head: ``none`` and ``heads`` are the
    same, and ``samples`` is not offered.

    Raises
    ------
    InputError
        If ``split`` is ``samples`` or unknown.
    """
    if split == "samples":
        raise InputError("attention of gnmt is one chain; allowed: fused, none, heads", field="split")
    shape = AttentionShape(batch, sequence, sequence, 1, 1, config.width, split)
    net = _Net(config, name, batch, sequence, dropout, dtype)
    memory = _encoder(net)
    x = _decoder(net, memory, shape)
    net.b.layer("head")
    m, h, v = batch * sequence, config.width, config.target_vocabulary
    weight, bias = net.parameter("output.weight", h, v), net.parameter("output.bias", v)
    logits = layers.linear(net.b, "output", [x], weight, bias, [(batch, sequence, v)], m=m)[0]
    if loss:
        labels = layers.input_tensor(net.b, "labels", (batch, sequence), "int32")
        layers.cross_entropy(net.b, "loss", logits, labels, v)
    return net.b.build()


def _encoder(net: _Net) -> int:
    """Outputs [b,s,h] of the last encoder layer."""
    net.b.layer("encoder0")
    x = net.dropout("encoder0", net.embed("source-embedding", net.config.vocabulary))
    inputs = [
        net.stack("encoder0.forward", net.lstm("encoder0.forward", [x])),
        net.stack("encoder0.reverse", net.lstm("encoder0.reverse", [x], reverse=True)),
    ]
    for index in range(1, net.config.encoder_layers):
        name = f"encoder{index}"
        net.b.layer(name)
        dropped = [net.dropout(f"{name}.{i}", t) for i, t in enumerate(inputs)]
        y = net.stack(name, net.lstm(name, dropped))
        x = layers.add(net.b, f"{name}.add", (y, x)) if index >= RESIDUAL_FROM else y
        inputs = [x]
    return x


def _decoder(net: _Net, memory: int, shape: AttentionShape) -> int:
    """Outputs [b,s,h] of the last decoder layer."""
    b, h = net.b, net.config.width
    b.layer("decoder0")
    x = net.dropout("decoder0", net.embed("target-embedding", net.config.target_vocabulary))
    x = net.stack("decoder0", net.lstm("decoder0", [x]))
    weight = net.parameter("attention.query.weight", h, h)
    m = net.batch * net.sequence
    query = layers.linear(b, "attention.query", [x], weight, None, [(net.batch, net.sequence, h)], m=m)
    masks = padding_masks(b, shape)
    keys, factor = [memory], 1 / sqrt(h)
    context = attention(b, "attention", query, keys, keys, masks, shape=shape, factor=factor, causal=False, dropout=0.0)
    for index in range(1, net.config.decoder_layers):
        name = f"decoder{index}"
        b.layer(name)
        inputs = [net.dropout(name, x), net.dropout(f"{name}.context", context[0])]
        y = net.stack(name, net.lstm(name, inputs))
        x = layers.add(b, f"{name}.add", (y, x)) if index >= RESIDUAL_FROM else y
    return x
