"""Tiny design placements: a transformer with three blocks, few designs, few plans, so that all can be tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from accmine.cost import CostLibrary, splits_for
from accmine.hardware import Design
from accmine.problems import device_placement
from accmine.problems.design_placement import Problem, Variant, problem_on
from accmine.problems.design_placement.layer_bounds import classes_of, layer_seconds
from accmine.problems.design_placement.times import class_at
from accmine.problems.design_search.space_bound import blocks
from accmine.system import Cluster, Level
from accmine.workload import TransformerConfig, load_model
from accmine.workload.layer_classes import layer_classes
from accmine.workload.shard import LayerClass, Shard
from tests.samples.search_sample import technology, template

CLUSTER = Cluster("small", (Level("node", 4, 4e9, 1e-6), Level("all", 16, 1e9, 3e-6)))

Placement = device_placement.Solution


@lru_cache
def classes(layers: int, tensor: int, microbatch: int, recompute: str) -> tuple[LayerClass, ...]:
    """Layer classes of a model of width 32."""
    model = load_model("gpt2-xl")
    assert isinstance(model.config, TransformerConfig)
    numbers = {"layers": layers, "width": 32, "heads": 4, "kv_heads": 4, "head_width": 8, "mlp_width": 64}
    numbers |= {"vocabulary": 96, "embedding_width": 32, "positions": 16}
    small = replace(model, config=model.config.model_copy(update=numbers), sequence=16)
    return layer_classes(small, microbatch=microbatch, shard=Shard(tensor), recompute=recompute)


def placement_problem(
    *,
    layers: int = 3,
    tensor: Sequence[int] = (1, 2),
    microbatch: Sequence[int] = (1, 2),
    recompute: Sequence[str] = ("none", "full"),
    space: dict[str, Any] | None = None,
    **more: Any,
) -> Problem:
    """A tiny problem: variants of all these, 8 samples on 4 devices, and the space of ``search_sample.template``."""
    variants = tuple(
        Variant(Shard(t), m, r, classes(layers, t, m, r)) for t in tensor for m in microbatch for r in recompute
    )
    designs = template(**({"tensor_cores": (1, 2), "hbm_bytes": (16 << 20,)} | (space or {})))
    graphs = [graph for v in variants for c in v.classes for graph in (c.forward, c.backward, c.update)]
    counts = (*designs.tensor_cores, *designs.vector_cores)
    library = CostLibrary(graphs, splits_for(counts, "even"), "tpu-like", technology())
    given = {"batch": 8, "devices": 4, "cluster": CLUSTER}
    return Problem(variants, template=designs, technology=technology(), library=library, **(given | more))


def layer_times(problem: Problem) -> Iterator[tuple[Design, int, list[tuple[float, float, float]]]]:
    """Every design with every variant: bounds of the seconds of its layers along the chain."""
    found = classes_of(problem)
    several = list(blocks(found.work))
    for block, rows in zip(several, layer_seconds(found, several, paths=True), strict=True):
        for column, flat in enumerate(np.flatnonzero(block.fits)):
            for v, variant in enumerate(problem.variants):
                own = rows[list(found.at[v])][:, :, column]
                times = [tuple(own[kind].tolist()) for kind in class_at(variant)]
                yield block.design(int(flat)), v, times


def every_placement(problem: Problem, variant: Variant) -> Iterator[Placement]:
    """Every placement of a variant: stages, replicas, orders, schedules, ZeRO stages and cuts."""
    layers = variant.layers
    for stages in problem.pipeline or range(1, layers + 1):
        for data in problem.data or range(1, problem.devices + 1):
            if data * stages * variant.shard.tensor > problem.devices:
                continue
            for cut in combinations(range(1, layers), stages - 1):
                edges = (0, *cut, layers)
                plans = tuple(
                    device_placement.StagePlan(tuple(range(a, b)), variant.shard.tensor, variant.recompute)
                    for a, b in pairwise(edges)
                )
                for order in problem.orders:
                    for pipelining in problem.pipelinings:
                        for zero in problem.zero:
                            yield Placement(plans, data, order, pipelining, zero)


def simulated(problem: Problem, design: Design, variant: int, times: Any) -> Iterator[tuple[Placement, float]]:
    """The step of every valid placement with these times of layers."""
    placed = problem_on(problem, problem.variants[variant], design.hbm_bytes, times)
    for placement in every_placement(problem, problem.variants[variant]):
        if not device_placement.check(placed, placement):
            yield placement, float(device_placement.shown(placed, device_placement.score(placed, placement)))
