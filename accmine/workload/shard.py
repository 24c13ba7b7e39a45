"""What one device of a tensor or expert group does of a layer, and what it says to the others of its group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from accmine.errors import InputError
from accmine.workload.graph import OperatorGraph

__all__ = ["COLLECTIVES", "WHOLE", "Collective", "LayerClass", "LayerMemory", "Shard"]

COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all")


@dataclass(frozen=True, slots=True)
class Shard:
    """How a layer is divided among devices.

    Attributes
    ----------
    tensor
        Devices of a tensor group: each has 1/tensor of the heads, of the MLP's width and of the vocabulary.
    sequence_parallel
        Norms, dropout and residuals on 1/tensor of the tokens (Korthikanti et al. 2022).
    expert
        Devices of an expert group: each has 1/expert of the experts; 1 for dense models.
    """

    tensor: int = 1
    sequence_parallel: bool = False
    expert: int = 1

    def __post_init__(self) -> None:
        for field in ("tensor", "expert"):
            if getattr(self, field) < 1:
                raise InputError(f"{getattr(self, field)} devices; at least 1 is needed", field=field)


WHOLE = Shard()
"""A layer on one device."""


@dataclass(frozen=True, slots=True)
class Collective:
    """An exchange among the devices of a group. All work of a device waits for it.

    Attributes
    ----------
    kind
        One of ``COLLECTIVES``.
    message_bytes
        Bytes of the whole tensor: what every device has before and after an all-reduce, has after an all-gather, has
        before a reduce-scatter; what one device sends and keeps in an all-to-all.
    group
        Whose devices: ``tensor``, ``expert`` or ``data``.
    """

    kind: Literal["all-reduce", "all-gather", "reduce-scatter", "all-to-all"]
    message_bytes: int
    group: Literal["tensor", "expert", "data"] = "tensor"


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """Bytes that one device keeps of one layer.

    Attributes
    ----------
    weights, gradients, optimizer
        Parameters of the shard in compute precision, their gradients, master weights and optimiser state.
    expert_weights, expert_gradients, expert_optimizer
        The part of these that belongs to experts: it is summed among, and sharded over, data / expert devices.
    stash
        What the forward pass of one microbatch leaves for the backward one.
    working
        Peak of what else is alive while one microbatch runs.
    """

    weights: int
    gradients: int
    optimizer: int
    stash: int
    working: int
    expert_weights: int = 0
    expert_gradients: int = 0
    expert_optimizer: int = 0


@dataclass(frozen=True, eq=False)
class LayerClass:
    """Layers that are equal for every placement: all blocks of a GPT are one class.

    Attributes
    ----------
    name
        ``embeddings``, ``layer``, ``head``; numbered where a model has several kinds of blocks.
    layers
        Their places in the chain of layers, ascending.
    training
        Training graph of one of them on one device and one microbatch, fused, as a module of its own:
        what crosses its boundaries comes from outside. ``forward``, ``backward`` and ``update`` are its phases.
        Without the collectives, which stop a device and so add to the time of any schedule.
    through
        Operators of ``backward`` before which no gradient leaves the layer: all ancestors of that gradient, as
        positions in ``backward``. The others (weight gradients) may run beside the next layer.
    forward_collectives, backward_collectives
        In order, for one microbatch; those of recomputation are among the backward ones.
    memory
        Of one layer.
    sends_bytes
        Activations that leave it to the next layer, for one microbatch on one device; the gradients that come back
        are as large.
    macs
        Multiply-accumulates of the model itself, without recomputation, of one microbatch on one device, forward
        and backward.
    enters, leaves
        Tensors of ``training`` that a layer of this class hands to the next one, where they enter and where they
        leave, in the same order; ``gradients_enter`` and ``gradients_leave`` are their gradients. Empty but for
        blocks.
    waiting
        Operators of ``training`` that wait for what enters the layer in their phase without reading it: recomputation,
        and what reads it after an exchange.
    tied_bytes
        Gradients of parameters that layers of other classes hold as well (the table of an embedding that is also the
        head): where these are on other devices, both sum them once per step.
    """

    name: str
    layers: tuple[int, ...]
    training: OperatorGraph
    forward: OperatorGraph
    backward: OperatorGraph
    update: OperatorGraph
    through: tuple[int, ...]
    forward_collectives: tuple[Collective, ...]
    backward_collectives: tuple[Collective, ...]
    memory: LayerMemory
    sends_bytes: int
    macs: int
    enters: tuple[int, ...] = ()
    leaves: tuple[int, ...] = ()
    gradients_enter: tuple[int, ...] = ()
    gradients_leave: tuple[int, ...] = ()
    waiting: tuple[int, ...] = ()
    tied_bytes: int = 0
