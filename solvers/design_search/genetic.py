"""A genetic search in the manner of ConfuciuX's second phase: local fine-tuning by small mutations and crossover.

ConfuciuX (Kao et al., MICRO 2020, arXiv 2009.02010) begins its genetic phase at what reinforcement learning found.
There is no first phase here: the first generation is drawn uniformly among feasible designs.
"""

from __future__ import annotations

from accmine.problems.design_search import Solution
from accmine.record import Record
from accmine.result import StopReason

from .space import Code, Looks, guide

__all__ = ["Genetic"]

_TRIES = 10
"""Children that may be known already before one is drawn at random."""


class Genetic:
    """Solver of design searches by a genetic algorithm; the best of parents and children stay.

    Parameters
    ----------
    population
        Designs of a generation.
    crossover
        Chance that a child has two parents.
    mutation
        Chance of each axis to take a step; one takes it at least.
    """

    name = "ga"

    def __init__(self, *, population: int = 10, crossover: float = 0.5, mutation: float = 0.15) -> None:
        self.population, self.crossover, self.mutation = population, crossover, mutation

    def search(self, record: Record[Solution]) -> StopReason:
        """Breed until the limits pass, or every feasible design was looked at."""
        looks = Looks(record)
        scored: dict[Code, float] = {code: guide(looks.problem, e) for code, e in looks.known.items()}
        while (reason := looks.over()) is None:
            parents = sorted(scored, key=lambda code: (scored[code], code))[: self.population]
            drawn = len(scored) < self.population
            for _ in range(1 if drawn else self.population // 2):
                code = looks.new() if drawn else self._child(looks, parents)
                scored[code] = guide(looks.problem, looks(code))
                if looks.over() is not None:
                    break
        return reason

    def _child(self, looks: Looks, parents: list[Code]) -> Code:
        """A new design from one or two parents, the better ones more often."""
        random = looks.random
        for _ in range(_TRIES):
            one, two = (parents[int(random.integers(len(parents), size=2).min())] for _ in range(2))
            child = one
            if random.random() < self.crossover:
                genes = [a if random.random() < 0.5 else b for a, b in zip(one, two, strict=True)]
                child = looks.space.repaired(genes)
            child = looks.moved(child, self.mutation)
            if child not in looks.known:
                return child
        return looks.new()
