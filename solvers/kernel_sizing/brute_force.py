"""Every choice of counts, one by one: the proof that needs no theory, for small problems."""

from __future__ import annotations

import math
from itertools import product

from accmine.errors import InputError
from accmine.problems.kernel_sizing import Solution, bound, rate_of, score
from accmine.record import Record
from accmine.result import StopReason

__all__ = ["MOST_CHOICES", "BruteForce"]

MOST_CHOICES = 1_000_000
"""Largest number of choices that is enumerated."""


class BruteForce:
    """Looks at all choices of counts that are cheaper than the best so far.

    ``stop.work`` is the number of choices looked at.
    """

    name = "brute-force"

    def search(self, record: Record[Solution]) -> StopReason:
        """Look at one choice after the other. The seed changes nothing.

        Raises
        ------
        InputError
            If there are more than :data:`MOST_CHOICES`.
        """
        problem = record.problem
        count = math.prod(len(own.costs) for own in problem.choices)
        if count > MOST_CHOICES:
            raise InputError(f"brute-force: {count} choices, at most {MOST_CHOICES} are enumerated; take cp-sat")
        record.raise_bound(*bound(problem))
        for counts in product(*(own.counts for own in problem.choices)):
            if (record.stop.work is not None and record.work >= record.stop.work) or record.left() <= 0:
                return StopReason.TIME
            record.work += 1
            solution = Solution(counts)
            cheaper = record.best is None or score(problem, solution) < record.score
            if cheaper and rate_of(problem, solution)[0] <= problem.target:
                record.offer(solution)
        if record.best is None:
            record.no_solution(f"all {count} choices")
        record.raise_bound(record.score, f"all {count} choices")
        return StopReason.PROVED
