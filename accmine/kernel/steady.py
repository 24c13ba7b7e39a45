"""The steady state of x(k + 1) = A ⊗ x(k): when it is reached, proven, and what follows from it for any k.

Units that are not the bottleneck fall behind or idle, so that states advance at unlike rates and a state as a whole
never repeats. ``certify`` therefore compares each state with its own rate and looks at which terms the maxima are
attained by. ``scalar_fixed_point`` looks at one number, and may be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from accmine.kernel.cycle_ratio import components, howard, matrix_graph
from accmine.kernel.matrix import NEVER, Matrix, product

__all__ = ["FixedPoint", "Steady", "certify", "cycle_times", "scalar_fixed_point"]

MOST_ITERATIONS = 10_000
"""That ``certify`` plays by default."""


@dataclass(frozen=True)
class FixedPoint:
    """What a scalar test takes for the steady state.

    Attributes
    ----------
    iterations
        After which it was accepted.
    value
        Of the output then.
    increment
        Cycles per iteration from there on.
    """

    iterations: int
    value: int
    increment: int

    def predict(self, k: int) -> int:
        """The output after ``k`` ≥ ``iterations`` iterations, if the test is right."""
        return self.value + (k - self.iterations) * self.increment


@dataclass(frozen=True)
class Steady:
    """A proven steady state: from ``first`` on every state advances ``period`` times its rate in ``period`` iterations.

    Attributes
    ----------
    rates
        Cycles per iteration of each state in the long run; ``None``: it stays ``NEVER``, or is not looked at.
    states
        After 0 … ``first`` + ``period`` − 1 iterations; negative: ``NEVER``.
    """

    first: int
    period: int
    rates: tuple[Fraction | None, ...]
    states: tuple[tuple[int, ...], ...]

    def predict(self, k: int) -> tuple[int, ...]:
        """States after ``k`` ≥ 0 iterations, exact; ``NEVER`` also for those that are not looked at."""
        turns = max(0, k - self.first) // self.period
        out = []
        for value, rate in zip(self.states[k - turns * self.period], self.rates, strict=True):
            ahead = 0 if rate is None else rate * turns * self.period
            out.append(int(value + ahead) if value >= 0 else NEVER)
        return tuple(out)


def cycle_times(a: Matrix, start: Sequence[int]) -> tuple[Fraction | None, ...]:
    """Cycles per iteration of each state in the long run: the greatest cycle mean among those upstream of it.

    Parameters
    ----------
    a
        Matrix of an iteration, n × n.
    start
        The n states before the first; upstream counts what is not ``NEVER`` in the end.

    Returns
    -------
    tuple
        ``None`` for states that are ``NEVER`` in the long run.
    """
    edges = a >= 0
    alive = np.asarray(start, np.int64) >= 0
    while True:
        further = alive | (edges & alive).any(axis=1)
        if (further == alive).all():
            break
        alive = further
    live = np.where(np.outer(alive, alive), a, NEVER)
    targets, sources = np.nonzero(live >= 0)
    rates: list[Fraction | None] = [None] * len(a)
    for part in reversed(components(len(a), zip(sources.tolist(), targets.tolist(), strict=True))):
        own = howard(matrix_graph(live[np.ix_(part, part)]))
        upstream = np.flatnonzero((live[part] >= 0).any(axis=0)).tolist()
        known = [rate for j in upstream if (rate := rates[j]) is not None]
        if own.cycle:
            known.append(own.ratio)
        for i in part:
            rates[i] = max(known, default=None)
    return tuple(rates)


def certify(
    a: Matrix, start: Sequence[int], outputs: Sequence[int] | None = None, most: int = MOST_ITERATIONS
) -> Steady | None:
    """Play iterations until a steady state is proven.

    The window from k to k + p is accepted if x_i(k + p) = x_i(k) + p · χ_i, χ the rates of ``cycle_times``, for every
    state i that can reach an output, and if in each of its steps every maximum is attained by a term j with χ_j = χ_i.
    Then it repeats for ever: what i waits for has χ_j ≤ χ_i, terms of equal rates keep their distances, and slower ones
    only recede.

    Parameters
    ----------
    outputs
        States that matter; default: all.
    most
        Iterations to play.

    Returns
    -------
    Steady or None
        ``None``: it is not reached within ``most`` iterations.

    Raises
    ------
    InputError
        If cycles reach 2^62.
    """
    looked_at = _upstream(a, range(len(a)) if outputs is None else outputs)
    a = np.where(np.outer(looked_at, looked_at), a, NEVER)
    x = np.where(looked_at, np.asarray(start, np.int64), NEVER)[:, None]
    rates = cycle_times(a, x[:, 0].tolist())
    kinds = {rate: number for number, rate in enumerate(dict.fromkeys(rates))}
    kind = np.array([kinds[rate] for rate in rates], np.int64)
    alike = np.where(kind[:, None] == kind[None, :], a, NEVER)
    passing = np.array([rate is None for rate in rates], bool)
    steps = [(0, 1) if rate is None else (rate.numerator, rate.denominator) for rate in rates]
    states: list[tuple[int, ...]] = []
    seen: dict[tuple[int | None, ...], int] = {}
    good_since = 0
    for k in range(most + 1):
        now = tuple(x[:, 0].tolist())
        if (x[passing] >= 0).any():  # it will be NEVER
            good_since = k + 1
        else:
            ahead = tuple(
                None if value < 0 else per * value - k * rate for value, (rate, per) in zip(now, steps, strict=True)
            )
            before = seen.get(ahead, -1)
            if before >= good_since:
                return Steady(before, k - before, rates, tuple(states))
            seen[ahead] = k
        states.append(now)
        following = product(a, x)
        if (np.maximum(product(alike, x), NEVER) != following).any():
            good_since = k + 1
        x = following
    return None


def _upstream(a: Matrix, outputs: Sequence[int]) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(a), bool)
    found[list(outputs)] = True
    while True:
        further = found | (a[found] >= 0).any(axis=0)
        if (further == found).all():
            return found
        found = further


def scalar_fixed_point(
    a: Matrix, start: Sequence[int], output: int, equal: int = 2, most: int = MOST_ITERATIONS
) -> FixedPoint | None:
    """Play iterations until ``equal`` increments in a row of one state are the same, and trust that they remain.

    The manner of test that waits for a number to stop changing, for comparison: it is wrong on plateaus, and never
    fires where increments alternate. Made here: the criterion of the published models built on it is not known to be
    this one.

    Returns
    -------
    FixedPoint or None
        ``None``: no such increments within ``most`` iterations.
    """
    x = np.asarray(start, np.int64)[:, None]
    last, increment, count = int(x[output, 0]), -1, 0
    for k in range(1, most + 1):
        x = product(a, x)
        value = int(x[output, 0])
        if value < 0 or last < 0:
            count = 0
        else:
            count = count + 1 if value - last == increment and count else 1
            increment = value - last
        if count >= equal:
            return FixedPoint(k, value, increment)
        last = value
    return None
