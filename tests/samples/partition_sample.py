"""Small random device partitions, and the least load of all partitions."""

from __future__ import annotations

import itertools
import random

from accmine.problems.device_partition import Node, Problem, Solution, check, score

__all__ = ["least_load", "random_partition"]


def random_partition(seed: int, nodes: int = 6) -> Problem:
    """A problem whose partitions can all be looked at."""
    draw = random.Random(seed)
    count = draw.randint(1, nodes)
    rows = tuple(
        Node(f"n{i}", draw.randint(0, 30), draw.randint(0, 9), draw.randint(0, 9), draw.choice(["", "", "a", "b"]))
        for i in range(count)
    )
    edges = tuple((u, v) for v in range(count) for u in range(v) if draw.random() < 0.4)
    limit = draw.choice([None, draw.randint(5, 40)])
    return Problem(rows, edges, draw.randint(1, 3), limit, contiguous=draw.random() < 0.7)


def least_load(problem: Problem) -> int | None:
    """The least of the largest loads of all partitions."""
    every = itertools.product(range(problem.devices), repeat=len(problem.nodes))
    valid = (Solution(device) for device in every)
    return min((score(problem, one) for one in valid if not check(problem, one)), default=None)
