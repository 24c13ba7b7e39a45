"""What a longest chain of waiting events of a long pipeline contains, without walking along it.

Every duration carries a mark in digits below its own: adding durations then counts them, and comparing sums compares
the lengths first. So the end of the step, computed with such durations, tells what leads to it. The thousands of equal
rounds in the middle of 1F1B are taken from the powers of their matrix without marks: which entries a longest chain
passes is found by halving it, and marks are added up along those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from accmine.system.levels import Rounds, Times

__all__ = ["Marked", "end_of_rounds", "long_chain"]

Marked = Callable[[Sequence[Times], Sequence[Times], int], Any]
"""End of the step with marks, from (forward, backward, update, messages) with and without them, and the digits of a
mark; arrays of Python integers for one case, shape (stages, 1), messages (stages - 1, 2, 1)."""


def long_chain(
    end_of: Marked, phases: Sequence[Sequence[float]], sends: Sequence[Sequence[float]], microbatches: int
) -> tuple[list[list[int]], int]:
    """How often each duration is on a longest chain, and the stage whose update ends it.

    Parameters
    ----------
    end_of
        How the schedule computes its end.
    phases, sends, microbatches
        (forward, backward, update) times of the stages, and (forward, backward) messages of the boundaries.

    Returns
    -------
    tuple[list[list[int]], int]
        Counts of forward passes, backward passes, messages forward and messages backward; the stage.
    """
    exact = [[Fraction(value) for value in row] for row in (*phases, *sends)]
    scale = math.lcm(*(value.denominator for row in exact for value in row))
    plain = [[int(value * scale) for value in row] for row in exact]
    digits = (2 * microbatches).bit_length()
    below = digits * sum(map(len, plain))
    marks = iter(range(0, below, digits))
    marked = [[(value << below) + (1 << next(marks)) for value in row] for row in plain]
    end = end_of(_arrays(marked), _arrays(plain), below)
    count = (int(end) >> at & (1 << digits) - 1 for at in range(0, below, digits))
    forward, backward, update, there, back = ([next(count) for _ in row] for row in plain)
    return [forward, backward, there, back], update.index(1)


def _arrays(rows: Sequence[Sequence[int]]) -> tuple[Times, Times, Times, Times]:
    """Forward, backward and update times and messages as arrays of Python integers, for one case."""
    forward, backward, update, there, back = (np.array(row, dtype=object)[:, None] for row in rows)
    return forward, backward, update, np.stack([there, back], axis=1)


def end_of_rounds(marked: Rounds, plain: Rounds, update: Times, below: int) -> Any:
    """End of the step of 1F1B with marks; ``plain`` is the same pipeline without them."""
    stages, last = plain.stages, 2 * plain.microbatches
    state = marked.state()
    marked.levels(state, 1 - stages, stages)
    powers, once = [power[:, :, 0] for power in plain.powers(plain.microbatches - stages)], marked.matrix()[:, :, 0]

    @cache
    def chain(bit: int, row: int, column: int) -> Any:
        """A longest chain of 2^bit rounds from one entry of the state to another."""
        if not bit:
            return once[row, column]
        middle = int((powers[bit - 1][row] + powers[bit - 1][:, column]).argmax())
        return chain(bit - 1, row, middle) + chain(bit - 1, middle, column)

    for bit, power in enumerate(powers):
        if (plain.microbatches - stages) >> bit & 1:
            lengths = np.array([int(value) >> below for value in state[:, 0]], dtype=power.dtype)
            origin = (power + lengths).argmax(axis=1).tolist()
            state = np.array([[state[k, 0] + chain(bit, row, k)] for row, k in enumerate(origin)], dtype=object)
    marked.levels(state, last - stages, last + stages)
    return (state[:stages] + update[::-1]).max()
