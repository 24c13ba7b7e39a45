"""Memory of a stage: what one device keeps in HBM, by purpose, and what sharding it over replicas costs in messages.

ZeRO (Rajbhandari et al., "ZeRO: memory optimizations toward training trillion parameter models", SC 2020) spreads over
the d replicas of a stage: 1 the state of the optimiser, 2 also gradients, 3 also weights. Experts have d / e replicas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from accmine.errors import InputError
from accmine.system.cluster import Cluster
from accmine.system.collectives import collective_lines, group_ranks
from accmine.workload.shard import LayerMemory

__all__ = [
    "ZERO_STAGES",
    "Exchange",
    "StageMemory",
    "exchange_s",
    "layer_states",
    "stage_memory",
    "zero_exchanges",
]

ZERO_STAGES = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class StageMemory:
    """Bytes of HBM of one device of a stage, by purpose."""

    weights: int = 0
    gradients: int = 0
    optimizer: int = 0
    stash: int = 0
    working: int = 0

    @property
    def total(self) -> int:
        """All of it at the worst moment."""
        return self.weights + self.gradients + self.optimizer + self.stash + self.working

    def fits(self, limit_bytes: float) -> bool:
        """Whether a device with so much HBM holds it."""
        return self.total <= limit_bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A collective among the replicas of a stage, ``times`` times in a step.

    Attributes
    ----------
    group
        ``data``, or ``data-expert`` for what belongs to experts.
    """

    kind: Literal["all-reduce", "all-gather", "reduce-scatter"]
    message_bytes: int
    group: Literal["data", "data-expert"]
    times: int = 1


def layer_states(layer: LayerMemory, *, zero: int, data: int, expert: int = 1) -> tuple[int, int, int]:
    """Bytes of weights, gradients and optimiser of a layer on one device; shares are rounded up.

    Parameters and errors as of ``stage_memory``.
    """
    _check(zero, data, expert)

    def mine(whole: int, of_experts: int, first: int) -> int:
        shared = zero >= first
        owners, expert_owners = (data, data // expert) if shared else (1, 1)
        return -(-(whole - of_experts) // owners) - (-of_experts // expert_owners)

    return (
        mine(layer.weights, layer.expert_weights, 3),
        mine(layer.gradients, layer.expert_gradients, 2),
        mine(layer.optimizer, layer.expert_optimizer, 1),
    )


def stage_memory(
    layers: Sequence[LayerMemory],
    *,
    in_flight: int | Sequence[int],
    zero: int = 0,
    data: int = 1,
    expert: int = 1,
) -> StageMemory:
    """Bytes of one device of a stage, by purpose.

    Layers run one after another, so the working set is that of the largest. What of its gradients (from ZeRO 2 on)
    and weights (3) belongs to other devices is there as long as a layer runs: it counts as working set.

    Parameters
    ----------
    layers
        Of the stage, all chunks together.
    in_flight
        Microbatches whose stash is kept, of all layers or of each.
    zero
        One of ``ZERO_STAGES``.
    data, expert
        Replicas, and devices of an expert group, which divide them.

    Raises
    ------
    InputError
        For another ZeRO stage, or an expert degree that does not divide the replicas.
    """
    states = [layer_states(layer, zero=zero, data=data, expert=expert) for layer in layers]
    weights, gradients, optimizer = (sum(column) for column in zip(*states, strict=True)) if states else (0, 0, 0)
    borrowed = [layer.weights + layer.gradients - w - g for layer, (w, g, _) in zip(layers, states, strict=True)]
    working = max((layer.working + more for layer, more in zip(layers, borrowed, strict=True)), default=0)
    flights = [in_flight] * len(layers) if isinstance(in_flight, int) else list(in_flight)
    stash = sum(layer.stash * held for layer, held in zip(layers, flights, strict=True))
    return StageMemory(weights, gradients, optimizer, stash, working)


def zero_exchanges(layers: Sequence[LayerMemory], *, zero: int, microbatches: int) -> tuple[Exchange, ...]:
    """What the replicas of a stage say to one another in a step.

    0: one sum of all gradients. 1: gradients are summed once, each device its part, and the new weights gathered. 2:
    gradients have no place to wait in, so each microbatch sums them layer by layer. 3: as 2, and every layer gathers
    its weights before its forward and again before its backward pass, of each microbatch, as FSDP does (PyTorch's
    ``FULL_SHARD``, without ``no_sync``); there is nothing left to gather at the end.

    Parameters
    ----------
    layers
        Of the stage.
    zero
        One of ``ZERO_STAGES``.
    microbatches
        Of a step and replica.

    Raises
    ------
    InputError
        For another ZeRO stage.
    """
    _check(zero, 1, 1)
    found: list[Exchange] = []
    for group in ("data", "data-expert"):
        gradients, weights = (
            [
                getattr(m, f"expert_{name}")
                if group == "data-expert"
                else getattr(m, name) - getattr(m, f"expert_{name}")
                for m in layers
            ]
            for name in ("gradients", "weights")
        )
        if zero == 0:
            found.append(Exchange("all-reduce", sum(gradients), group))
        elif zero == 1:
            found.append(Exchange("reduce-scatter", sum(gradients), group))
        else:
            found += [Exchange("reduce-scatter", size, group, microbatches) for size in gradients]
        if zero in (1, 2):
            found.append(Exchange("all-gather", sum(weights), group))
        if zero == 3:
            found += [Exchange("all-gather", size, group, 2 * microbatches) for size in weights]
    return tuple(one for one in found if one.message_bytes)


def exchange_s(
    cluster: Cluster,
    exchanges: Sequence[Exchange],
    order: Sequence[str],
    degrees: Mapping[str, int],
    *,
    devices: int | None = None,
) -> float:
    """Seconds of exchanges among replicas, one after another.

    Parameters
    ----------
    order, degrees
        As of ``accmine.system.collectives.group_ranks``.
    devices
        In use; as of ``accmine.system.collectives.seconds``.
    """
    total = 0.0
    for one in exchanges:
        ranks, stride = group_ranks(order, degrees, one.group)
        lines = collective_lines(cluster, one.kind, ranks, stride, devices=devices)
        total += one.times * min(fixed + slope * one.message_bytes for fixed, slope in lines)
    return total


def _check(zero: int, data: int, expert: int) -> None:
    if zero not in ZERO_STAGES:
        raise InputError(f"stage {zero!r}; allowed: {', '.join(map(str, ZERO_STAGES))}", field="zero")
    if data < 1 or expert < 1 or data % expert:
        raise InputError(f"{expert} devices of an expert group do not divide {data} replicas", field="expert")
