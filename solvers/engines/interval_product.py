"""Minimise the product of two linear quantities, a·p, exactly: intervals of a, each closed by a linear program.

For an interval lo ≤ a ≤ hi and an incumbent of value Z, every better point lies under the hyperbola a·p = Z, and so
under its chord between the two ends. Minimising the chord's direction a + r·p, r = lo·hi/Z, gives a limit σ, and with
it (a·(σ - a)/r is concave in a, least at an end)

    a·p ≥ min(lo·(σ - lo), hi·(σ - hi)) / r        and        a·p ≥ lo · min p.

An interval whose limit reaches Z is closed; ``hi`` shrinks to (Z - 1) div (min p), since a better point needs a·p < Z;
what is left is split at the geometric mean. All of it is integer or rational arithmetic; only the linear
programs are floating-point, and their limits come already moved to the safe side. Narrow intervals are asked of the
model's ``closing``, in integers: near the best there are few points, and the tolerances hide them.
"""

from __future__ import annotations

import heapq
import math
from fractions import Fraction
from typing import Any

from .highs_search import Search

__all__ = ["NARROW", "TIGHT", "chord_limit", "minimise_product"]

NARROW, TIGHT = 10**2, 10**8
"""Values of a per unit of width from which an interval is asked of the integers, and from which no linear program
tells its ends apart any more."""

_QUESTIONS = 32
"""About one interval, before its parts are bounded again."""

Factor = tuple[Any, int]
Interval = tuple[int, int, int, int]


def chord_limit(low: int, high: int, slope: Fraction, sigma: Fraction) -> int:
    """Lower limit of a·p over low ≤ a ≤ high and a + slope·p ≥ sigma, for integers a and p."""
    return math.ceil(min(low * (sigma - low), high * (sigma - high)) / slope)


def minimise_product(search: Search, factors: tuple[Factor, Factor]) -> None:
    """Close all intervals or stop with the search; what is found and proved goes into ``search``.

    Parameters
    ----------
    factors
        ((variable of a, its unit), (expression of p, its unit)): integer value per unit of the expression.
    """
    (a_var, a_unit), (p_expr, p_unit) = factors
    search.aim(a_var)
    limit, _ = search.settle()
    if limit is None or limit == math.inf:
        if limit == math.inf:
            search.none_left()
        return
    low = max(math.ceil(limit * a_unit), 1)
    search.aim(p_expr)
    limit, _ = search.settle()
    if limit is None or search.record.best is None:
        return
    power = max(math.ceil(limit * p_unit), 1)
    search.raise_bound(low * power)
    top = search.record.score if a_var.ub is None else math.floor(a_var.ub * a_unit)
    _Intervals(search, (a_var, a_unit), (p_expr, p_unit), low, top, power).run()


class _Intervals:
    """Open intervals as a heap of (limit of a·p, lo, hi, limit of p)."""

    def __init__(self, search: Search, a: Factor, p: Factor, low: int, high: int, power: int) -> None:
        self.search = search
        self.a, self.p = a, p
        self.open: list[Interval] = [(low * power, low, high, power)]
        self.stuck: list[int] = []  # limits of intervals too narrow to be split, which the tolerances keep open
        self.closing = search.model.closing()
        self.closed = False  # whether integers had the last word on any

    def run(self) -> None:
        """Work on the interval with the least limit until all are closed or the search ends."""
        while self.open and not self.search.finished():
            for child in self._work(*heapq.heappop(self.open)):
                heapq.heappush(self.open, child)
            bound = min([self._best(), *(entry[0] for entry in self.open[:1]), *self.stuck])
            if self.closed and bound == self._best():
                self.search.nothing_better()
            self.search.raise_bound(bound)

    def _asked(self, low: int, high: int) -> list[tuple[int, int]]:
        """The parts of an interval of which integers do not say, after a few questions, that nothing there is better.

        A better point that they show takes the best one's place.
        """
        left = [(low, high)]
        for _ in range(_QUESTIONS):
            if not left or self.closing is None:
                break
            answer, found = self.search.better(self.closing, left[-1])
            parts: list[tuple[int, int]] | None = left[-1:]
            if answer is None:
                self.closing = None  # beyond its range, or out of time
            elif not answer:
                parts = []
            elif not self.search.record.offer(found, doubtful=True):
                parts = self.closing.left(found, left[-1])
            if parts is None:
                self.closing = None
            else:
                left[-1:] = parts
        self.closed |= not left
        return left

    def _best(self) -> int:
        return int(self.search.record.score)  # given before the first interval

    def _aim(self, low: int, high: int, expression: Any) -> float | None:
        """Limit of an expression over low ≤ a ≤ high; infinity: no solution there, ``None``: nothing proved."""
        variable, unit = self.a
        variable.setlb(low / unit)
        variable.setub(high / unit)
        self.search.aim(expression)
        return self.search.settle()[0]

    def _work(self, limit: int, low: int, high: int, power: int) -> list[Interval]:
        """What is left open of an interval."""
        high = min(high, (self._best() - 1) // power)
        if low > high or limit >= self._best():
            return []
        if low < high:
            (a, a_unit), (p, p_unit) = self.a, self.p
            factor = low * high / self._best() * p_unit / a_unit
            slope = Fraction(factor) * a_unit / p_unit  # of p in its integer unit, exactly as the program has it
            found = self._aim(low, high, a + factor * p)
            if found == math.inf:
                return []
            if found is not None:
                sigma = Fraction(found) * a_unit
                power = max(power, math.ceil((sigma - high) / slope))
                limit = max(limit, chord_limit(low, high, slope, sigma), low * power)
            high = min(high, (self._best() - 1) // power)
            if low > high or limit >= self._best():
                return []
        found = self._aim(low, high, self.p[0])
        if found == math.inf:
            return []
        if found is not None:
            power = max(power, math.ceil(found * self.p[1]))
            limit = max(limit, low * power)
        high = min(high, (self._best() - 1) // power)
        if low > high or limit >= self._best():
            return []
        if self.search.finished():
            return [(limit, low, high, power)]
        if (high - low) * NARROW <= low and self.closing is not None:
            parts = self._asked(low, high)
            if parts != [(low, high)]:
                return [(limit, *part, power) for part in parts]
        if low == high or (high - low) * TIGHT <= low:
            self.stuck.append(limit)
            return []
        middle = max(low, min(math.isqrt(low * high), high - 1))
        return [(limit, low, middle, power), (max(limit, (middle + 1) * power), middle + 1, high, power)]
