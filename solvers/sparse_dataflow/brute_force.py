"""Every combination of levels and foldings, one by one: the proof that needs no theory, for small problems."""

from __future__ import annotations

import math
from itertools import product

from accmine.errors import InputError
from accmine.problems.sparse_dataflow import Choice, Solution, check, score, tabulate
from accmine.record import Record
from accmine.result import StopReason

__all__ = ["MOST_DESIGNS", "BruteForce"]

MOST_DESIGNS = 1_000_000
"""Largest number of designs that is enumerated."""


class BruteForce:
    """Looks at all designs. ``stop.work`` is the number of designs looked at."""

    name = "brute-force"

    def search(self, record: Record[Solution]) -> StopReason:
        """Look at one design after the other, as the check of the problem sees it. The seed changes nothing.

        Raises
        ------
        InputError
            If there are more than :data:`MOST_DESIGNS`.
        """
        problem = record.problem
        tables = tabulate(problem)
        count = math.prod(own.cycles.size for own in tables)
        if count > MOST_DESIGNS:
            raise InputError(f"brute-force: {count} designs, at most {MOST_DESIGNS} are enumerated; take bisection")
        choices: list[list[Choice]] = [
            [own.choice(level, i) for level in range(len(own.cycles)) for i in range(len(own.rows))] for own in tables
        ]
        for design in product(*choices):
            if (record.stop.work is not None and record.work >= record.stop.work) or record.left() <= 0:
                return StopReason.TIME
            record.work += 1
            solution = Solution(design)
            better = record.best is None or score(problem, solution) < record.score
            if better and not check(problem, solution):
                record.offer(solution)
        if record.best is None:
            record.no_solution(f"all {count} designs")
        record.raise_bound(record.score, f"all {count} designs")
        return StopReason.PROVED
