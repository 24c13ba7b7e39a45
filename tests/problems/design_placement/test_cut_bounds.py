"""Bounds over all cuts at once, against every cut."""

from __future__ import annotations

from itertools import combinations, pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from accmine.problems.design_placement.cut_bounds import Pairs, cut_bounds, joined, reached
from accmine.system import step_time


def column(values: Any) -> Any:
    return np.array([[value] for value in values], dtype=float)


def case(rng: Random) -> tuple[Pairs, float, str]:
    """A random pipeline and its least simulated step over all cuts that fit in memory; infinite if none does."""
    blocks = rng.randint(1, 6)
    kinds = [0, *[1] * blocks, 2]
    layers, microbatches = len(kinds), rng.randint(1, 14)
    stages = rng.randint(1, min(5, layers))
    schedule = rng.choice(("1f1b", "gpipe"))
    forward, backward, update = ([rng.uniform(0.1, 4) for _ in range(3)] for _ in range(3))
    message, memory = rng.choice((0.0, 0.1, 1.0)), rng.choice((1e9, 30.0))
    held = [min(microbatches, stages - s) if schedule == "1f1b" else microbatches for s in range(stages)]
    least = np.inf
    for cut in combinations(range(1, layers), stages - 1):
        parts = [kinds[a:b] for a, b in pairwise((0, *cut, layers))]
        if any(len(part) * (3 + h) > memory for part, h in zip(parts, held, strict=True)):
            continue
        f, b, u = ([sum(row[k] for k in part) for part in parts] for row in (forward, backward, update))
        least = min(least, step_time(schedule, f, b, u, [message] * (stages - 1), microbatches))
    pairs = Pairs(
        runs=((0, 1), (1, blocks), (2, 1)),
        stages=np.array([stages]),
        microbatches=np.array([microbatches]),
        forward_s=column(forward),
        backward_s=column(backward),
        update_s=column(update),
        transfer_s=column((message, message)),
        memory_bytes=np.array([memory]),
        static_bytes=column((3, 3, 3)),
        stash_bytes=column((1, 1, 1)),
        held=np.array(held)[:, None],
        windows=np.array([schedule == "1f1b"]),
    )
    return pairs, float(least), schedule


@pytest.mark.parametrize("seed", range(3))
def test_no_cut_is_below_the_bound(seed: int) -> None:
    rng, loss = Random(seed), []
    for _ in range(150):
        pairs, least, schedule = case(rng)
        if least == np.inf:
            assert cut_bounds(pairs, np.zeros(1), 1e6)[0] == np.inf
            continue
        found = cut_bounds(pairs, np.array([0.2 * least]), 1.5 * least)[0]
        assert found <= least * (1 + 1e-9), schedule
        loss.append(1 - found / least)
    assert np.mean(loss) < 0.08


def test_pairs_that_reach_the_limit_are_left_out() -> None:
    rng = Random(5)
    for _ in range(100):
        pairs, least, _ = case(rng)
        if least < np.inf:
            known = cut_bounds(pairs, np.zeros(1), 2 * least)[0]
            assert cut_bounds(pairs, np.zeros(1), 0.9 * known)[0] == np.inf


def test_many_pairs_are_bounded_as_each_alone() -> None:
    rng = Random(7)
    rows = [row for row in (case(rng) for _ in range(200)) if row[0].runs == ((0, 1), (1, 4), (2, 1))]
    assert len(rows) > 10
    together = joined([pairs for pairs, _, _ in rows])
    low = np.zeros(len(rows))
    found = cut_bounds(together, low, 200.0)
    assert found.tolist() == [cut_bounds(pairs, np.zeros(1), 200.0)[0] for pairs, _, _ in rows]


def test_a_walk_makes_a_cut() -> None:
    pairs, least, _ = case(Random(3))
    layers, ends = reached(pairs, np.array([3 * least]), cuts=True)
    assert layers[0] == pairs.layers
    last = ends[: int(pairs.stages[0]), 0].tolist()
    assert last == sorted(set(last))
    assert last[-1] == pairs.layers
