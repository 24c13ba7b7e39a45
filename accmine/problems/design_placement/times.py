"""From schedules of layers to the times of stages, and from those to a device placement: pure arithmetic.

A stage of n layers of a class runs modules of k layers one after the other; which modules is a sum of coins, the least
one is taken, for each phase by itself. The seconds of a stage are divided evenly among its layers of the class, so
that ``accmine.problems.device_placement`` adds them up again and is the only evaluator of a step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import inf

from accmine.errors import InputError
from accmine.problems import device_placement
from accmine.problems.design_placement.problem import ModuleSchedule, Problem, Solution, Variant
from accmine.workload import OperatorGraph
from accmine.workload.layer_classes import module
from accmine.workload.shard import LayerClass

__all__ = [
    "Cycles",
    "LayerSeconds",
    "class_at",
    "composed",
    "microbatches_of",
    "module_graphs",
    "placed_problem",
    "problem_on",
    "stage_seconds",
    "takes_replicas",
    "takes_stages",
]

Cycles = tuple[int, int, int]
"""Makespans of forward, backward and update of a module."""

LayerSeconds = tuple[float, float, float]
"""Forward, backward and update of one layer."""


def class_at(variant: Variant) -> tuple[int, ...]:
    """Class of each layer of the chain."""
    found = [-1] * variant.layers
    for number, layer_class in enumerate(variant.classes):
        for layer in layer_class.layers:
            found[layer] = number
    return tuple(found)


def composed(layers: int, modules: Mapping[int, float]) -> float:
    """Least sum of modules that make so many layers; ``modules`` gives the time of each number; ``inf`` if none do."""
    least = [0.0] + [inf] * layers
    for n in range(1, layers + 1):
        least[n] = min((least[n - k] + time for k, time in modules.items() if k <= n), default=inf)
    return least[layers]


def microbatches_of(problem: Problem, variant: Variant) -> int:
    """Microbatches of a step, over all replicas."""
    return -(-problem.batch // variant.microbatch)


def takes_stages(problem: Problem, variant: Variant, stages: int) -> bool:
    """Whether a variant has layers and devices for so many stages, with the fewest chunks of them."""
    chunks = min(how.chunks for how in problem.pipelinings)
    return stages * chunks <= variant.layers and stages * variant.shard.tensor <= problem.devices


def takes_replicas(problem: Problem, variant: Variant, data: int) -> bool:
    """Whether a variant has microbatches and devices for so many replicas, and they hold whole expert groups."""
    most = min(problem.devices // variant.shard.tensor, microbatches_of(problem, variant))
    return data <= most and data % variant.shard.expert == 0


def problem_on(
    problem: Problem, variant: Variant, hbm_bytes: int, seconds: Sequence[LayerSeconds]
) -> device_placement.Problem:
    """The device placement of a variant on chips with so much HBM, from the seconds of each layer.

    Of the degrees to choose from it has those that the variant can take: its microbatches may be too few for some
    replicas, and its expert groups too large.
    """
    kinds = class_at(variant)
    # In stages of different lengths layers of a class take different times: then they are no class of the placement.
    equal = {kind: len({own for k, own in zip(kinds, seconds, strict=True) if k == kind}) == 1 for kind in set(kinds)}
    options = {pair: _option(variant, variant.classes[pair[0]], pair[1]) for pair in zip(kinds, seconds, strict=True)}
    layers = tuple(
        device_placement.Layer(f"{name}.{i}", (options[kind, own],), name if equal[kind] else "")
        for i, (kind, own) in enumerate(zip(kinds, seconds, strict=True))
        for name in (variant.classes[kind].name,)
    )
    edges = tuple(
        device_placement.Edge(i, i + 1, variant.classes[kind].sends_bytes) for i, kind in enumerate(kinds[:-1])
    )
    return device_placement.Problem(
        layers=layers,
        edges=edges,
        devices=problem.devices,
        microbatches=microbatches_of(problem, variant),
        memory_bytes=hbm_bytes,
        cluster=problem.cluster,
        pipelinings=problem.pipelinings,
        orders=problem.orders,
        zero=problem.zero,
        pipeline=tuple(n for n in problem.pipeline if takes_stages(problem, variant, n)) or problem.pipeline,
        data=tuple(d for d in problem.data if takes_replicas(problem, variant, d)) or problem.data,
        expert=variant.shard.expert,
        gradient_overlap=problem.gradient_overlap,
    )


def _option(variant: Variant, layer_class: LayerClass, seconds: LayerSeconds) -> device_placement.Option:
    memory = layer_class.memory
    return device_placement.Option(
        tensor=variant.shard.tensor,
        recompute=variant.recompute,
        forward_s=seconds[0],
        backward_s=seconds[1],
        update_s=seconds[2],
        forward_collectives=layer_class.forward_collectives,
        backward_collectives=layer_class.backward_collectives,
        weight_bytes=memory.weights,
        gradient_bytes=memory.gradients,
        optimizer_bytes=memory.optimizer,
        stash_bytes=memory.stash,
        working_bytes=memory.working,
        expert_weight_bytes=memory.expert_weights,
        expert_gradient_bytes=memory.expert_gradients,
        expert_optimizer_bytes=memory.expert_optimizer,
        tied_bytes=layer_class.tied_bytes,
    )


@lru_cache(maxsize=256)
def module_graphs(layer_class: LayerClass, repeats: int) -> tuple[OperatorGraph, OperatorGraph, OperatorGraph]:
    """Forward and backward pass of so many layers as one module, and the update of one layer."""
    if repeats == 1:
        return layer_class.forward, layer_class.backward, layer_class.update
    graph = module(layer_class, repeats)
    return graph.phase("forward"), graph.phase("backward"), layer_class.update


def stage_seconds(
    schedules: Sequence[ModuleSchedule],
    cycles: Sequence[Cycles],
    frequency_hz: int,
    counts: Mapping[str, int],
) -> dict[str, LayerSeconds]:
    """Seconds of one layer of each class in a stage with so many layers of each; infinite where no modules fit.

    ``cycles`` are the makespans of the schedules.
    """
    found = {}
    for name, layers in counts.items():
        own = [(s.repeats, c) for s, c in zip(schedules, cycles, strict=True) if s.layer_class == name]
        passes = [composed(layers, _shortest(own, phase)) / layers for phase in (0, 1)]
        update = min((c[2] for _, c in own), default=inf)
        found[name] = (passes[0] / frequency_hz, passes[1] / frequency_hz, update / frequency_hz)
    return found


def _shortest(modules: Sequence[tuple[int, Cycles]], phase: int) -> dict[int, float]:
    """The least cycles of a pass of each number of layers."""
    found: dict[int, float] = {}
    for repeats, cycles in modules:
        found[repeats] = min(found.get(repeats, inf), cycles[phase])
    return found


def placed_problem(problem: Problem, solution: Solution, cycles: Sequence[Cycles]) -> device_placement.Problem:
    """The device placement whose layers take what they take in the stages of a solution.

    Raises
    ------
    InputError
        If a layer is in no stage or out of range, or no modules make a stage.
    """
    variant, design = problem.variants[solution.variant], solution.design
    kinds = class_at(variant)
    seconds: list[LayerSeconds | None] = [None] * len(kinds)
    for number, stage in enumerate(solution.placement.stages):
        if any(not 0 <= layer < len(kinds) for layer in stage.layers):
            raise InputError(f"stage {number} has a layer outside of 0 to {len(kinds) - 1}")
        counts = Counter(variant.classes[kinds[layer]].name for layer in stage.layers)
        own = stage_seconds(solution.schedules, cycles, design.frequency_hz, counts)
        for layer in stage.layers:
            seconds[layer] = own[variant.classes[kinds[layer]].name]
    for layer, times in enumerate(seconds):
        if times is None or inf in times:
            name = variant.classes[kinds[layer]].name
            raise InputError(f"layer {layer} is in no stage" if times is None else f"no schedules make its {name}")
    return problem_on(problem, variant, design.hbm_bytes, [times for times in seconds if times is not None])
