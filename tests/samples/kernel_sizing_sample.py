"""Small random kernel sizings, and the least cost of all counts."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from fractions import Fraction

from accmine.kernel.program import Issue, Program
from accmine.problems.kernel_sizing import Choice, Problem, Solution, rate_of, score
from tests.kernel.programs import random_program

__all__ = ["every", "least_cost", "random_sizing"]


def random_sizing(seed: int, most: int = 4) -> Problem:
    """A problem whose counts can all be looked at; its target lies between the rates of two of its designs."""
    draw = random.Random(f"sizing {seed}")
    program = random_program(draw.randrange(10**6), depth=0)
    used = _used(program)
    choices = []
    for what, name in draw.sample(used, min(len(used), draw.randint(1, most))):
        counts = sorted(draw.sample(range(1, 6), draw.randint(1, 4)))
        costs = [draw.randint(0, 9) for _ in counts]
        choices.append(
            Choice(what, name, tuple(zip(counts, sorted(costs) if draw.random() < 0.7 else costs, strict=True)))
        )
    problem = Problem(program, tuple(choices), Fraction(1000))
    rates = [rate_of(problem, Solution(tuple(draw.choice(own.counts) for own in problem.choices)))[0] for _ in range(4)]
    target = (
        min(rates)
        + (max(rates) - min(rates)) * Fraction(draw.randint(0, 4), 4)
        - Fraction(draw.choice([0, 0, 0, 1]), 7)
    )
    return replace(problem, target=max(target, Fraction(1, 3)))


def _used(program: Program) -> list[tuple[str, str]]:
    found = set()
    for issue in program.body:
        assert isinstance(issue, Issue)
        found |= {("station", name) for name in (issue.unit, *(step.station for step in issue.steps))}
        found |= {("port", own.port) for own in issue.accesses}
        found |= {("location", name) for name in (*issue.reads, *issue.writes, *issue.updates)}
    return sorted(found)


def every(problem: Problem) -> list[Solution]:
    """All counts."""
    return [Solution(counts) for counts in itertools.product(*(own.counts for own in problem.choices))]


def least_cost(problem: Problem) -> int | None:
    """The least cost of all counts that keep the rate."""
    kept = (score(problem, one) for one in every(problem) if rate_of(problem, one)[0] <= problem.target)
    return min(kept, default=None)
