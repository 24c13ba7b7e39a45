"""Minimise the product of two linear quantities, a·p, exactly: intervals of a, each closed by a linear program.

For an interval lo ≤ a ≤ hi and an incumbent of value Z, every better point lies under the hyperbola a·p = Z, and so
under its chord between the two ends. Minimising the chord's direction a + r·p, r = lo·hi/Z, gives a limit σ, and with
it (a·(σ - a)/r is concave in a, least at an end)

    a·p ≥ min(lo·(σ - lo), hi·(σ - hi)) / r        and        a·p ≥ lo · min p.

An interval whose limit reaches Z is closed; ``hi`` shrinks to (Z - 1) div (min p), since a better point needs a·p < Z;
what is left is split at the geometric mean. All of it is integer or rational arithmetic; only the linear
programs are floating-point, and their limits come already moved to the safe side. Intervals too narrow for their
tolerances are asked of the model's ``closing``, in integers.
"""

from __future__ import annotations

import heapq
import math
from fractions import Fraction
from typing import Any

from .highs_search import Search

__all__ = ["NARROW", "chord_limit", "minimise_product"]

NARROW = 10**8
"""Values of a per unit of width of an interval that no linear program tells apart any more."""

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
        self.stuck: list[Interval] = []  # too narrow to be split; the tolerances keep them open

    def run(self) -> None:
        """Work on the interval with the least limit until all are closed or the search ends."""
        while self.open and not self.search.finished():
            for child in self._work(*heapq.heappop(self.open)):
                heapq.heappush(self.open, child)
            limits = [entry[0] for entry in (*self.open[:1], *self.stuck)]
            self.search.raise_bound(min([self._best(), *limits]))
        if self.stuck and not self.open and self.search.near():
            self._close()

    def _close(self) -> None:
        """Ask what is left for a better point in integers; one that was found leaves the parts beside it."""
        closing = self.search.model.closing()
        left = [(low, high) for _, low, high, _ in self.stuck] if closing is not None else []
        while left:
            low, high = left.pop()
            answer, found = self.search.better(closing, (low, high))
            if answer is None:
                return
            if answer and not self.search.record.offer(found, doubtful=True):
                parts = closing.left(found, (low, high))
                if parts is None:
                    return
                left += parts
            elif answer:
                left.append((low, high))
        if closing is not None:
            self.search.nothing_better()

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
        if (high - low) * NARROW <= low:
            self.stuck.append((limit, low, high, power))
            return []
        middle = max(low, min(math.isqrt(low * high), high - 1))
        return [(limit, low, middle, power), (max(limit, (middle + 1) * power), middle + 1, high, power)]
