"""Bounds of beginnings of cuts into several chunks per device."""

from __future__ import annotations

import itertools

import pytest

from accmine.problems.device_placement import Pipelining, check, score
from accmine.problems.device_placement.numbers import Way
from accmine.solvers.device_placement.chunks import Chunked
from accmine.solvers.device_placement.ways import Layers
from tests.samples.device_placement_sample import random_placement


@pytest.mark.parametrize(("seed", "devices", "chunks"), [(s, *pc) for s in range(8) for pc in ((1, 2), (2, 2), (2, 3))])
def test_no_cut_is_below_the_bound_of_its_beginning(seed: int, devices: int, chunks: int) -> None:
    own = Pipelining("interleaved", chunks)
    problem = random_placement(
        seed + 50, layers=7, uniform=True, microbatches=4, devices=8, memory_bytes=10**6, pipelinings=(own,)
    )
    layers = Layers(problem)
    if layers.count < devices * chunks:
        return
    kind = layers.kinds()[0][0]
    chunked = Chunked.of(layers, kind, own, Way(kind[0], 1, devices, problem.orders[0], problem.zero[0]))
    for cut in itertools.combinations(range(1, layers.count), devices * chunks - 1):
        firsts = (0, *cut)
        plan = chunked.plan(firsts, layers.line)
        assert check(problem, plan) == ()
        step, before = score(problem, plan), 0
        for known in range(devices * chunks):
            bounds = {(f, end): b for b, f, end in chunked.next_cuts(firsts[:known], firsts[known])}
            end = firsts[known + 1] if known + 1 < len(firsts) else layers.count
            bound = bounds[firsts[: known + 1], end]
            assert before <= bound <= step
            before = bound


def test_balanced_cuts_are_cuts() -> None:
    for seed in range(20):
        problem = random_placement(seed, layers=9, uniform=True)
        layers = Layers(problem)
        kind, stages = layers.kinds()[0][0], min(2, layers.count)
        way = Way(kind[0], 1, stages, problem.orders[0], problem.zero[0])
        for chunks in range(1, layers.count // stages + 1):
            firsts = Chunked.of(layers, kind, Pipelining("interleaved", chunks), way).balanced()
            assert len(firsts) == stages * chunks
            assert firsts[0] == 0
            assert all(a < b for a, b in itertools.pairwise((*firsts, layers.count)))
