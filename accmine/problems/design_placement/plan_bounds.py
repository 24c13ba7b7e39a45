"""Bounds of a step for all pairs of designs and plans at once, each valid for every cut into stages.

A plan is a placement without its cut: a variant, p stages, replicas, rank order, schedule, ZeRO stage. Backward passes
are whole, so on every device the last pass of a step is a backward one, and for every stage s

    step ≥ Σ_{k<s} (f_k + b_k + 2c) + m t_s + u_0        t = f + b, m microbatches, u_0 update of the first stage
    step ≥ Σ_{k<s} (f_k + c) + m t_s + u_s

in every schedule. With T and U the sums over all layers, q the layers of the fullest stage, h the last layer:

==================================  ========================================================================
(m T + U) / p                       the mean of the second over all stages
T / (1 - (1 - 1/m)^p) + u_0         the first with weights ∝ (1 - 1/m)^(p - 1 - s), which make all stages equal
T + (m - 1) h + u_0 + 2 (p - 1) c   the first for the last stage
q (m τ + υ)                         layers of one class alone, τ and υ of one of them
τ G(p, m) + u_0                     the same in the first; G is the least of such chains in whole layers
==================================  ========================================================================

With several chunks of a model on a device the second and the fifth do not hold and are left out; in the others p is
the number of devices in a row.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from accmine.problems.design_placement.layer_bounds import BACKWARD, FORWARD, UPDATE

__all__ = ["Floor", "Plans", "cheap_bounds", "floor_of", "least_chain_of_equals"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plans:
    """Plans of one variant; arrays over plans.

    Attributes
    ----------
    layers
        Layers of each class; shape (classes,).
    first, last
        Class of the first and of the last layer of the chain.
    stages, microbatches, data, data_most, chunks
        Devices of a pipeline, microbatches of the fullest replica, least and most replicas, chunks of a device; shape
        (plans,).
    order, pipelining, zero
        Positions in what the problem lets choose from; shape (plans,).
    collective_s
        Seconds of collectives of forward and backward pass of one layer; shape (plans, classes, 2).
    gradient_s
        Seconds that a layer adds to the update: sum of its gradients and the like; shape (plans, classes).
    shards
        Replicas that share the work of the optimiser; shape (plans,).
    transfer_s
        Least seconds of a message to the next stage and back; shape (plans,).
    """

    layers: IntArray
    first: int
    last: int
    stages: IntArray
    microbatches: IntArray
    data: IntArray
    data_most: IntArray
    chunks: IntArray
    order: IntArray
    pipelining: IntArray
    zero: IntArray
    collective_s: FloatArray
    gradient_s: FloatArray
    shards: IntArray
    transfer_s: FloatArray

    def __len__(self) -> int:
        return len(self.stages)

    @cached_property
    def chained(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What a whole pass, messages of all boundaries, and one of equal layers count in the longest of all chains.

        Shape (plans,) each; nothing with several chunks on a device.
        """
        weight, moved = _weights(self.stages, self.microbatches)
        layers, rows = int(self.layers.max()), zip(self.stages.tolist(), self.microbatches.tolist(), strict=True)
        chain = np.array([least_chain_of_equals(layers, s, m) for s, m in rows], dtype=np.float64)
        plain = self.chunks == 1
        return np.where(plain, weight, 0.0), np.where(plain, moved, 0.0), np.where(plain, chain, 0.0)

    def take(self, which: npt.NDArray[np.bool_] | IntArray) -> Plans:
        """Some of the plans."""
        names = [f.name for f in fields(self)][3:]
        return Plans(self.layers, self.first, self.last, **{name: getattr(self, name)[which] for name in names})


def cheap_bounds(plans: Plans, seconds: FloatArray, fullest: IntArray | None = None) -> FloatArray:
    """Bound of the step of every plan on every design; shape (plans, designs).

    Parameters
    ----------
    seconds
        Bounds of forward, backward and update of one layer of each class; shape (classes, 3, designs).
    fullest
        Layers that some stage must hold of the class with most layers; shape (plans, designs) or (plans, 1). Default:
        as many as the stages need whatever their memory.
    """
    one, layers = seconds[:, FORWARD] + seconds[:, BACKWARD], plans.layers.astype(np.float64)
    m, p = plans.microbatches[:, None].astype(np.float64), plans.stages[:, None].astype(np.float64)
    collective = plans.collective_s.sum(axis=2)  # (plans, classes)
    whole = layers @ one + (collective @ layers)[:, None]
    shards = plans.shards[:, None]
    update = layers @ seconds[:, UPDATE] / shards + (plans.gradient_s @ layers)[:, None]
    first_update = seconds[plans.first, UPDATE] / shards + plans.gradient_s[:, plans.first, None]
    head = one[plans.last] + collective[:, plans.last, None]
    transfer = plans.transfer_s[:, None]
    bound = np.maximum((m * whole + update) / p, whole + (m - 1) * head + first_update + (p - 1) * transfer)
    main = int(layers.argmax())
    layer = one[main] + collective[:, main, None]
    own = seconds[main, UPDATE] / shards + plans.gradient_s[:, main, None]
    most = -(-plans.layers[main] // plans.stages)[:, None] if fullest is None else fullest
    np.maximum(bound, most * (m * layer + own), out=bound)
    weight, moved, chain = plans.chained
    np.maximum(bound, weight[:, None] * whole + (moved[:, None] * transfer + first_update), out=bound)
    np.maximum(bound, chain[:, None] * layer + first_update, out=bound)
    return bound


@dataclass(frozen=True, eq=False)
class Floor:
    """What all plans of a variant have in common, for bounds of many designs: rows of plans that no other one beats.

    Attributes
    ----------
    whole, layer
        Least multiples of a whole pass, and of a layer of the class with most layers, that a step takes; shape (rows,).
    collective_s
        Least seconds of collectives of one layer, both passes; shape (classes,).
    """

    layers: IntArray
    whole: FloatArray
    layer: FloatArray
    collective_s: FloatArray

    def bounds(self, seconds: FloatArray) -> FloatArray:
        """Bound of the step of every plan; ``seconds`` as for ``cheap_bounds``; shape (designs,)."""
        one = seconds[:, FORWARD] + seconds[:, BACKWARD] + self.collective_s[:, None]
        if not len(self.whole):
            return np.full(one.shape[1], np.inf)
        whole, layer = self.layers @ one, one[int(self.layers.argmax())]
        rows = np.maximum(self.whole[:, None] * whole, self.layer[:, None] * layer)
        return np.asarray(rows.min(axis=0))


def floor_of(plans: Plans, fullest: FloatArray) -> Floor:
    """The floor of plans; ``fullest`` as for ``cheap_bounds``, infinite for what fits no memory; shape (plans,)."""
    at = np.flatnonzero(np.isfinite(fullest))
    plans, fullest = plans.take(at), fullest[at]
    weight, _ = _weights(plans.stages, plans.microbatches)
    weight = np.where(plans.chunks == 1, weight, 1.0)
    rows = np.stack([np.maximum(plans.microbatches / plans.stages, weight), plans.microbatches * fullest], axis=1)
    kept: list[FloatArray] = []
    for row in rows[np.lexsort((rows[:, 1], rows[:, 0]))]:
        if not kept or row[1] < kept[-1][1]:
            kept.append(row)
    table = np.array(kept).reshape(-1, 2)
    least = plans.collective_s.sum(axis=2).min(axis=0, initial=np.inf)
    return Floor(plans.layers, table[:, 0], table[:, 1], np.where(np.isfinite(least), least, 0.0))


def _weights(stages: IntArray, microbatches: IntArray) -> tuple[FloatArray, FloatArray]:
    """What the whole pass counts in the weighted mean of all chains, and how many boundaries; shape (plans,)."""
    total, moved = np.empty(len(stages)), np.empty(len(stages))
    for i, (p, m) in enumerate(zip(stages.tolist(), microbatches.tolist(), strict=True)):
        total[i], moved[i] = _weight(p, m)
    return total, moved


@lru_cache(maxsize=1 << 16)
def _weight(stages: int, microbatches: int) -> tuple[float, float]:
    shrink = 1 - 1 / microbatches
    total = 1 / (1 - shrink**stages)
    weights = total / microbatches * shrink ** np.arange(stages - 1, -1, -1.0)
    return total, float(weights @ np.arange(stages))


@lru_cache(maxsize=1 << 16)
def least_chain_of_equals(layers: int, stages: int, microbatches: int) -> int:
    """Least over all cuts of the longest of the chains (layers before a stage) + m · (layers of the stage).

    Stages may be empty. Within a limit every stage takes what it can: what stands before the next one is most then, and
    the next one ends no earlier for it.
    """
    low, high = layers * microbatches // stages, layers * microbatches
    while low < high:
        limit, before = (low + high) // 2, 0
        for _ in range(stages):
            before += (limit - before) // microbatches
        low, high = (low, limit) if before >= layers else (limit + 1, high)
    return low
