"""A transformer's forward graph while it is built: its builder, sizes, and what passes between devices of a group."""

from __future__ import annotations

from math import prod

from accmine.workload.forward import layers
from accmine.workload.forward.attention import AttentionShape
from accmine.workload.graph import GraphBuilder
from accmine.workload.importers.transformer_config import TransformerConfig
from accmine.workload.shard import Shard

__all__ = ["Net"]


class Net:
    """One graph being built.

    Attributes
    ----------
    b
        The builder.
    config
        The description, of what the device has.
    tokens, own
        (samples, tokens) of the microbatch, and those on which this device works between products; ``m`` is the
        number of all tokens.
    shape, masks
        Of attention.
    table
        The token embedding.
    """

    def __init__(
        self,
        config: TransformerConfig,
        name: str,
        batch: int,
        sequence: int,
        split: str,
        dropout: bool,
        dtype: str,
        shard: Shard,
    ) -> None:
        self.b = GraphBuilder(name)
        self.config = config
        self.shard = shard
        self.tokens = (batch, sequence)
        self.own = (batch, sequence // shard.tensor) if shard.sequence_parallel else self.tokens
        self.m = batch * sequence
        self.dropping = dropout
        self.dtype = dtype
        heads = (config.heads, config.kv_heads, config.head_width)
        self.shape = AttentionShape(batch, sequence, sequence, *heads, split, config.window)
        self.masks: list[int] = []
        self.table = -1

    def parameter(self, name: str, *shape: int) -> int:
        """A trained tensor."""
        return layers.parameter(self.b, name, shape, self.dtype)

    def linear(self, name: str, x: int, k: int, n: int, bias: bool) -> int:
        """A plain linear layer [b,s,k] -> [b,s,n] with its own parameters."""
        weight = self.parameter(f"{name}.weight", k, n)
        offset = self.parameter(f"{name}.bias", n) if bias else None
        rows = self.b.tensors[x].shape[:-1]
        return layers.linear(self.b, name, [x], weight, offset, [(*rows, n)], m=prod(rows))[0]

    def enter(self, name: str, x: int) -> int:
        """x[…,h] as the heads and columns of a device of the tensor group read it: on all tokens."""
        return self.gathered(name, x) if self.shard.sequence_parallel else self.copied(name, x)

    def copied(self, name: str, x: int) -> int:
        """What all devices of the tensor group have, for products that each does a part of."""
        if self.shard.tensor == 1:
            return x
        return layers.exchange(self.b, f"{name}.copy", "copy", x, self.b.tensors[x].shape)

    def gathered(self, name: str, x: int) -> int:
        """x[…,h] on all tokens, where a device has some of them."""
        if not self.shard.sequence_parallel:
            return x
        size = (*self.tokens, self.b.tensors[x].shape[-1])
        return layers.exchange(self.b, f"{name}.all-gather", "all-gather", x, size)

    def leave(self, name: str, y: int) -> int:
        """The sum over the tensor group of its parts y[…,h]: on all tokens, or on those of the device."""
        if self.shard.tensor == 1:
            return y
        kind = "reduce-scatter" if self.shard.sequence_parallel else "all-reduce"
        return layers.exchange(self.b, f"{name}.{kind}", kind, y, (*self.own, self.b.tensors[y].shape[-1]))

    def loss(self, logits: int, rows: tuple[int, ...]) -> None:
        """Cross entropy of logits over the vocabulary.

        With a vocabulary in parts, greatest logit, sum of exponentials and logit of the label of every row are those of
        the group (Shoeybi et al. 2019).
        """
        sums = []
        if self.shard.tensor > 1:
            for part in ("maximum", "sum", "label"):
                row = self.b.tensor(f"loss.{part}", rows, "fp32")
                self.b.operator(
                    f"loss.{part}",
                    "all-reduce",
                    (logits,),
                    (row,),
                    attributes={"group": "tensor"},
                    bytes_in=0,
                    bytes_out=0,
                )
                sums.append(row)
        labels = layers.input_tensor(self.b, "labels", rows, "int32")
        layers.cross_entropy(self.b, "loss", logits, labels, self.config.vocabulary, sums=sums)

    def norm(self, name: str, x: int) -> int:
        """The description's kind of norm over the last axis."""
        return layers.norm(self.b, name, self.config.norm, x)

    def dropout(self, name: str, x: int, rate: float) -> int:
        """Dropout, where there is any."""
        return layers.dropout(self.b, name, x, rate if self.dropping else 0.0)

    def ids(self, name: str, rows: tuple[int, ...]) -> int:
        """Whole numbers of the batch."""
        return layers.input_tensor(self.b, name, rows, "int32")
