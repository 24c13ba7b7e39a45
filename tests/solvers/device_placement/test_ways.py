"""Bounds of ways and of their memory, against every cut of each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.problems.device_placement import Pipelining, score
from accmine.problems.device_placement.numbers import Way
from accmine.result import Status
from accmine.solvers.device_placement.ways import Layers, all_ways
from accmine.solving import solve
from tests.samples.device_placement_sample import random_placement


@pytest.mark.parametrize("seed", range(16))
def test_no_cut_of_a_way_is_below_its_bound(seed: int) -> None:
    chain = seed % 2 == 0
    problem = random_placement(seed, chain=chain, layers=4, uniform=True)
    layers, seen = Layers(problem), 0
    for own in all_ways(layers):
        assert list(own.bound) == sorted(own.bound)
        for data, pipeline, bound in list(
            zip(own.data.tolist(), own.pipeline.tolist(), own.bound.tolist(), strict=True)
        )[:6]:
            options = [
                replace(layer, options=tuple(o for o in layer.options if (o.tensor, o.recompute) in own.kinds))
                for layer in problem.layers
            ]
            sub = replace(problem, data=(data,), pipeline=(pipeline,), orders=(own.order,), zero=(own.zero,))
            result = solve(sub, "brute-force")
            kinds = {(o.tensor, o.recompute) for layer in options for o in layer.options}
            way = Way(own.kinds[0][0], data, pipeline, own.order, own.zero)
            if result.solution is None:
                assert result.status is Status.INFEASIBLE
                assert not chain or not layers.fits(own.kinds, own.pipelining, way)
            elif {(plan.tensor, plan.recompute) for plan in result.solution.stages} <= kinds:
                assert bound <= score(sub, result.solution)
                assert layers.fits(own.kinds, own.pipelining, way) or not chain
                seen += 1
    assert seen or problem.memory_bytes < 200


def test_degrees_are_listed_once() -> None:
    problem = random_placement(5, devices=8, microbatches=6, uniform=True, zero=(0, 1))
    kinds, own = Layers(problem).kinds()[0], problem.pipelinings[0]
    rows = [
        (w.order, w.zero, d, p)
        for w in all_ways(Layers(problem))
        if (w.kinds, w.pipelining) == (kinds, own)
        for d, p in zip(w.data.tolist(), w.pipeline.tolist(), strict=True)
    ]
    assert len(set(rows)) == len(rows)
    assert all(d <= 6 and d * p * kinds[0][0] <= 8 and p <= len(problem.layers) for _, _, d, p in rows)
    assert not [row for row in rows if row[2] == 1 and row[1] == 1]  # one replica has nothing to shard


def test_messages_count_each_output_once() -> None:
    problem = random_placement(11, layers=5)
    layers = Layers(problem)
    sizes, place = layers.crossing(1)
    for cut in range(1, layers.count):
        sent: dict[int, int] = {}
        rank = {layer: i for i, layer in enumerate(layers.line)}
        for edge in problem.edges:
            if rank[edge.source] < cut <= rank[edge.target]:
                sent[edge.source] = max(edge.message_bytes, sent.get(edge.source, 0))
        assert sizes[place[cut]] == sum(sent.values())


def test_interleaved_takes_only_full_groups() -> None:
    problem = random_placement(
        0, layers=6, devices=6, microbatches=6, uniform=True, pipelinings=(Pipelining("interleaved", 2),)
    )
    for own in all_ways(Layers(problem)):
        for data, pipeline in zip(own.data.tolist(), own.pipeline.tolist(), strict=True):
            assert -(-6 // data) % pipeline == 0
