"""Small pipelines for orders of passes, and every order of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

from accmine.problems.pipeline_schedule import Problem, Solution, Stage, check, score

__all__ = ["best_of_all", "random_pipeline"]


def random_pipeline(rng: random.Random, stages: int, microbatches: int, *, split: bool = True) -> Problem:
    """Unequal stages, messages up to three passes long, memory from one microbatch on."""
    rows = []
    for s in range(stages):
        times = [rng.randint(1, 9) for _ in range(3)]
        parts = rng.randint(0, 3), rng.randint(0, 3)
        memory = sum(parts) * rng.randint(1, microbatches) + rng.randint(0, 3)
        rows.append(Stage(f"s{s}", times[0], times[1], times[2], rng.randint(0, 6), parts[0], parts[1], memory))
    links = tuple((rng.choice([0, rng.randint(0, 25)]), rng.choice([0, rng.randint(0, 25)])) for _ in rows[1:])
    return Problem(tuple(rows), links, microbatches, split)


def _orders(problem: Problem, ascending: bool) -> list[tuple[tuple[int, int], ...]]:
    """Every order of a device in which a microbatch goes forward first."""
    kinds = len(problem.kinds)

    def more(done: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], ...]]:
        if all(n == kinds for n in done):
            yield ()
        for j, n in enumerate(done):
            if n < kinds and not (ascending and j and done[j - 1] <= n):
                for rest in more((*done[:j], n + 1, *done[j + 1 :])):
                    yield ((n, j), *rest)

    return list(more((0,) * problem.microbatches))


def best_of_all(problem: Problem, *, ascending: bool = False) -> int | None:
    """The least step of all orders; ``ascending``: of those that take equal microbatches in turn."""
    every = _orders(problem, ascending)
    solutions = (Solution(orders) for orders in product(every, repeat=len(problem.stages)))
    return min((score(problem, own) for own in solutions if not check(problem, own)), default=None)
