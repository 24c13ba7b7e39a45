"""A model as it was read, and the forward graph that it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from accmine.errors import InputError
from accmine.workload.forward.attention import SPLITS
from accmine.workload.forward.convnet import ConvnetConfig, convnet_graph
from accmine.workload.forward.recurrent import RecurrentConfig, recurrent_graph, recurrent_operators
from accmine.workload.forward.shards import part_of
from accmine.workload.forward.transformer import transformer_graph, transformer_operators
from accmine.workload.graph import MOST_OPERATORS, OperatorGraph, collector_paused
from accmine.workload.importers.transformer_config import TransformerConfig
from accmine.workload.importers.values import LARGEST
from accmine.workload.shard import WHOLE, Shard

__all__ = ["DTYPES", "ModelDescription", "forward_graph", "refuse_many", "summary"]

DTYPES = ("bf16", "fp16", "fp32")
"""Element types a forward graph can be built in."""


@dataclass(frozen=True)
class ModelDescription:
    """A model: what it is called, what it is made of, and where its numbers come from.

    Attributes
    ----------
    name, family
        Its name, and the family whose structure it has.
    config
        Its numbers and layers.
    sequence, image
        Default tokens per sample, or pixels per side of its images; one of the two is set.
    description, source
        In words; where the numbers come from.
    published
        (name, value) of published reference numbers: ``parameters`` of the checkpoint body and
        ``forward_macs`` of one sample at the default size.
    where
        File it was read from.
    """

    name: str
    family: str
    config: TransformerConfig | RecurrentConfig | ConvnetConfig
    sequence: int | None
    image: int | None
    description: str = ""
    source: str = ""
    published: tuple[tuple[str, int], ...] = ()
    where: str = ""

    @property
    def kind(self) -> str:
        """What a sample is: ``image`` or ``sequence``."""
        return "image" if isinstance(self.config, ConvnetConfig) else "sequence"

    @property
    def masked(self) -> float | None:
        """Share of the tokens that it is trained to fill in (Devlin et al. 2018); ``None`` for other models."""
        return 0.15 if isinstance(self.config, TransformerConfig) and self.config.head == "mlm" else None

    @cached_property
    def _counts(self) -> tuple[int, int]:
        window = self.config.window if isinstance(self.config, TransformerConfig) else 0
        sequence = None if self.kind == "image" else max(1, window)
        graph = forward_graph(self, batch=1, sequence=sequence, split="none", dropout=False, loss=False)
        heads = sum(t.elements for t in graph.tensors if t.role == "parameter" and t.name.startswith("head."))
        return graph.parameters - heads, heads

    @property
    def parameters(self) -> int:
        """Trained elements of the checkpoint body, counted in the graph: no head that is dropped after training."""
        return self._counts[0]

    @property
    def head_parameters(self) -> int:
        """Trained elements of heads outside the checkpoint body (masked LM and next sentence of BERT)."""
        return self._counts[1]


def forward_graph(
    model: ModelDescription,
    *,
    batch: int,
    sequence: int | None = None,
    image: int | None = None,
    split: str = "heads",
    dropout: bool = True,
    loss: bool = True,
    dtype: str = "bf16",
    masked: float | None = None,
    shard: Shard = WHOLE,
) -> OperatorGraph:
    """Forward graph of one microbatch, with the training head.

    Parameters
    ----------
    model
        From ``load_model``.
    batch
        Samples in the microbatch.
    sequence, image
        Tokens per sample, or pixels per side; the model's default when ``None``.
    split
        Granularity of attention: ``fused`` (one operator that stores no scores), ``none`` (one batched chain of
        operators), ``heads`` (a chain per head) or ``samples`` (a chain per sample). Models without attention are
        the same for all.
    dropout
        Whether dropout operators are there.
    loss
        Whether the graph ends in its cross-entropy operator(s).
    dtype
        Of weights and activations: ``bf16``, ``fp16`` or ``fp32``.
    masked
        Share of the tokens that a masked-LM head works on, above 0 up to 1: rounded up to whole tokens of each
        sequence. All of them when ``None``; models without such a head take nothing else.
    shard
        The share of one device of a tensor group; transformers only.

    Raises
    ------
    InputError
        If an argument does not fit the model; says what is allowed.
    """
    for field, value in (("batch", batch), ("sequence", sequence), ("image", image)):
        if value is not None and (type(value) is not int or not 1 <= value <= LARGEST):
            raise InputError(f"must be a whole number of 1 to {LARGEST}, got {value!r}", field=field)
    for field, text, allowed in (("split", split, SPLITS), ("dtype", dtype, DTYPES)):
        if text not in allowed:
            raise InputError(f"unknown {field} {text!r}; allowed: {', '.join(allowed)}", field=field)
    if masked is not None:
        if model.masked is None:
            raise InputError(f"{model.name} is not trained on masked tokens; leave it out", field="masked")
        if not 0 < masked <= 1:
            raise InputError(f"must be above 0 and at most 1, got {masked!r}", field="masked")
    with collector_paused():
        return _forward_graph(model, batch, sequence, image, split, dropout, loss, dtype, masked or 1.0, shard)


def _forward_graph(
    model: ModelDescription,
    batch: int,
    sequence: int | None,
    image: int | None,
    split: str,
    dropout: bool,
    loss: bool,
    dtype: str,
    masked: float,
    shard: Shard,
) -> OperatorGraph:
    config = model.config
    if shard != WHOLE and not isinstance(config, TransformerConfig):
        raise InputError(f"{model.name} is no transformer, whose layers alone are divided; allowed: 1", field="tensor")
    if isinstance(config, ConvnetConfig):
        if sequence is not None:
            raise InputError(f"{model.name} is a model of images; allowed: image", field="sequence")
        pixels = image or model.image or 0
        return convnet_graph(config, model.name, batch=batch, image=pixels, dropout=dropout, loss=loss, dtype=dtype)
    if image is not None:
        raise InputError(f"{model.name} is a model of sequences; allowed: sequence", field="image")
    tokens = sequence or model.sequence or 1
    sizes: dict[str, Any] = {"batch": batch, "sequence": tokens, "split": split}
    sizes |= {"dropout": dropout, "loss": loss, "dtype": dtype}
    if isinstance(config, TransformerConfig):
        _check_sequence(config, tokens)
        config = part_of(config, shard, tokens)
        if loss and config.head == "none":
            raise InputError(f"{model.name} has no head, and so no loss to train", where=model.where, field="head")
    refuse_many(config, batch, tokens, split, dropout, loss)
    if isinstance(config, RecurrentConfig):
        return recurrent_graph(config, model.name, **sizes)
    return transformer_graph(config, model.name, **sizes, masked=masked, shard=shard)


def summary(model: ModelDescription) -> dict[str, str | int]:
    """Figures of a model for a listing, JSON-ready.

    Returns
    -------
    dict
        ``name``, ``family``, ``parameters`` and ``head_parameters``; ``forward_macs`` of one sample at the
        default ``sequence`` or ``image``, heads included; ``layers`` of the chain at which a pipeline may
        be cut; ``operators`` of the forward graph with ``split: none``.
    """
    trained = not isinstance(model.config, TransformerConfig) or model.config.head != "none"
    graph = forward_graph(model, batch=1, split="none", loss=trained)
    size = model.image if model.kind == "image" else model.sequence
    return {
        "name": model.name,
        "family": model.family,
        model.kind: size or 0,
        "parameters": model.parameters,
        "head_parameters": model.head_parameters,
        "forward_macs": graph.macs,
        "layers": len(graph.layers),
        "operators": len(graph),
    }


def refuse_many(
    config: TransformerConfig | RecurrentConfig, batch: int, sequence: int, split: str, dropout: bool, loss: bool
) -> None:
    """Refuse more operators than a graph may have, before one is built."""
    allowed = f"allowed: at most {MOST_OPERATORS:,}"
    if isinstance(config, RecurrentConfig):
        count = recurrent_operators(config, sequence=sequence, dropout=dropout, loss=loss)
        keys = {"encoder_layers": config.encoder_layers, "decoder_layers": config.decoder_layers, "sequence": sequence}
        if count > MOST_OPERATORS:
            key = max(keys, key=lambda name: keys[name])
            raise InputError(f"{keys[key]} makes a graph of {count:,} operators; {allowed}", field=key)
        return
    count = transformer_operators(config, batch=batch, split="none", dropout=dropout, loss=loss)
    if count > MOST_OPERATORS:
        most = MOST_OPERATORS * config.layers // count
        raise InputError(f"{config.layers} layers are {count:,} operators; {allowed}, of {most} layers", field="layers")
    count = transformer_operators(config, batch=batch, split=split, dropout=dropout, loss=loss)
    if count > MOST_OPERATORS:
        raise InputError(f"{split} makes a graph of {count:,} operators; {allowed}, as with none", field="split")


def _check_sequence(config: TransformerConfig, sequence: int) -> None:
    """Refuse more tokens than there are learned positions, and fewer than a window of attention has."""
    if sequence < config.window:
        message = f"{sequence} tokens are less than a window of {config.window}; allowed: at least these, or no window"
        raise InputError(message, field="sequence")
    if config.position_embedding == "learned" and sequence > config.positions:
        message = f"{sequence} tokens are more than the {config.positions} learned positions; allowed: at most these"
        raise InputError(message, field="sequence")
