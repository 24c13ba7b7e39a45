"""Why the rate of a loop can be believed: Howard against Karp, a proven steady state, and what a scalar test says.

The rate of ``analysis`` is Howard's on the event graph; the values it ends with leave no cycle a greater ratio. Here
Karp's formula has to give the same on another object, the matrix of an iteration as the latency uses it, reduced. The
steady state is that of the loop alone, from the empty machine on, and has to lead to the cycles of ``latency``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from accmine.errors import CheckError, InputError
from accmine.kernel.analysis import Analysis, InnerLoop, inner_loops
from accmine.kernel.cycle_ratio import karp_ratio
from accmine.kernel.events import machine
from accmine.kernel.latency import latency, symbolic
from accmine.kernel.matrix import NEVER, reduced
from accmine.kernel.program import Program, Repeat
from accmine.kernel.steady import FixedPoint, certify, scalar_fixed_point

__all__ = ["MOST_ITERATIONS", "MOST_LOOPS", "MOST_STATES", "Evidence", "evidence"]

MOST_STATES = 128
"""Of a loop that is looked at: some 0.1 s."""
MOST_LOOPS = 8
"""Of a program, those with most cycles."""
MOST_ITERATIONS = 1_000
"""That are played to find the steady state."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for the rate of a loop.

    Attributes
    ----------
    states
        Of the matrix of an iteration.
    karp
        Whether Karp's formula was asked, which then gave the same rate.
    cycles
        Of all iterations of the loop alone, in one visit; exact. ``None``: not asked.
    first, period
        From ``first`` iterations on, ``period`` more take ``period`` times the rate, for ever; proven. ``None``: not
        proven within ``MOST_ITERATIONS``.
    scalar
        Where a scalar test (two equal increments of the greatest finish) stops; ``None``: it does not.
    """

    loop: InnerLoop
    states: int
    karp: bool = False
    cycles: int | None = None
    first: int | None = None
    period: int | None = None
    scalar: FixedPoint | None = None

    @property
    def scalar_cycles(self) -> int | None:
        """``cycles`` by the scalar test; ``None``: it does not stop before the loop ends."""
        if self.scalar is None or self.scalar.iterations > self.loop.iterations:
            return None
        return self.scalar.predict(self.loop.iterations)


def evidence(program: Program, analysis: Analysis) -> tuple[Evidence, ...]:
    """Of every innermost loop, in the order of ``analysis.loops``; only the ``MOST_LOOPS`` longest are looked at.

    Raises
    ------
    CheckError
        If two ways to a rate, or to the cycles, differ: a defect.
    """
    longest = sorted(range(len(analysis.loops)), key=lambda index: -analysis.loops[index].cycles)[:MOST_LOOPS]
    texts = [text for _, _, text in inner_loops(program.body)]
    return tuple(
        _of(replace(program, body=(Repeat(loop.iterations, text.body),)), loop, index in longest)
        for index, (text, loop) in enumerate(zip(texts, analysis.loops, strict=True))
    )


def _of(alone: Program, loop: InnerLoop, looked_at: bool) -> Evidence:
    states = sum(machine(alone, endless=True).lengths.values())
    if states > MOST_STATES or not looked_at:
        return Evidence(loop, states)
    try:
        return _looked_at(alone, loop, states)
    except InputError:  # weights so long that a few iterations leave int64
        return Evidence(loop, states)


def _looked_at(alone: Program, loop: InnerLoop, states: int) -> Evidence:
    made = symbolic(alone)
    other = karp_ratio(reduced(made.matrix).core) or Fraction(0)
    if other != loop.rate:
        raise CheckError(f"{loop.name}: {loop.rate} cycles per iteration by Howard, {other} by Karp")
    end = made.cells.index(("end", "", 0))
    start = [0 if cell[0] in ("origin", "end") else NEVER for cell in made.cells]
    cycles = latency(alone)
    scalar = scalar_fixed_point(made.matrix, start, end, most=MOST_ITERATIONS)
    steady = certify(made.matrix, start, [end], MOST_ITERATIONS)
    if steady is None:
        return Evidence(loop, states, True, cycles, scalar=scalar)
    if steady.rates[end] != loop.rate or steady.predict(loop.iterations)[end] != cycles:
        raise CheckError(f"{loop.name}: the steady state does not lead to {loop.rate} cycles per iteration, {cycles}")
    return Evidence(loop, states, True, cycles, steady.first, steady.period, scalar)
