"""The step time of long pipelines, many at a time: levels of passes, and thousands of them in one matrix.

The same timeline as ``accmine.system.passes.walked``, evaluated for all stages of a level in one array operation,
with memory that does not depend on the number of microbatches.

**GPipe.** The forward passes are a flow line of stages and links, each taking equal pieces in their order: piece j
leaves it at Σ p + j · max p. The backward passes are the same line the other way; it starts when the last stage has
finished, and then every stage has. So the step is a closed form.

**1F1B.** Counted from the last stage, stage d makes its k-th backward pass in level 2k + d + 1 and the forward pass
before it in level 2k + d: every pass waits for passes of the level before only. Between warm-up and the end two levels
hold one pass of each kind of every stage, and change the state (ends and arrivals) by one linear map over (max, +).
Thousands of them are one power of its matrix, by repeated squaring; integers stay exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.system.passes import BACKWARD, FORWARD

__all__ = ["JUMP", "LARGEST", "LONG", "FlowLine", "Rounds", "Seen", "Times", "exact_arrays"]

Times = npt.NDArray[Any]
"""Integers, floats where a rough value will do, or Python integers of any size."""

Seen = Callable[[int, int, int, Any], None]
"""Called with (stage, kind, microbatch, end) of a pass."""

LONG = 512
"""Stages x microbatches from which levels are faster than one pass after the other, for arrays of cases."""

JUMP = 1024
"""Microbatches from which the matrix is faster than all levels."""

_WIDE = 32  # stages from which that number grows with their square, as a level costs much less than a matrix

LARGEST = 1 << 60
"""Sums of a timeline stay below in 64 bits."""


def exact_arrays(
    forward: Times, backward: Times, update: Times, links: Times, microbatches: int
) -> tuple[Times, Times, Times, Times]:
    """The same durations, integers such that no sum of a timeline leaves their type: 64 bits, or Python's own.

    Messages are of shape (stages - 1, 2, cases). Floats stay as they are.
    """
    every = forward, backward, update, links
    if forward.dtype.kind == "f":
        return every
    dtype = np.int64 if _total(forward, backward, update, links, microbatches) < LARGEST else object
    return forward.astype(dtype), backward.astype(dtype), update.astype(dtype), links.astype(dtype)


def _total(forward: Times, backward: Times, update: Times, links: Times, microbatches: int) -> int:
    """No chain of the timeline is longer."""
    most = sum(len(x) * int(x.max(initial=0)) for x in (forward, backward, links[:, 0], links[:, 1]))
    return microbatches * most + int(update.max(initial=0))


class FlowLine:
    """GPipe in closed form; see the module. Rows count stages from the first one; shapes (stages, cases)."""

    def __init__(self, forward: Times, backward: Times, links: Times, microbatches: int) -> None:
        self.microbatches = microbatches
        self.there, self.slowest = _line(forward, links[:, 0])
        back, slower = _line(backward[::-1], links[::-1, 1])
        self.back, self.slower = back[::-1], slower[::-1]

    def end(self, kind: int, place: int) -> Times:
        """End of the pass at a place of the order of its kind on every stage; shape (stages, cases)."""
        if kind == FORWARD:
            return np.asarray(self.there + place * self.slowest)
        return np.asarray(self.end(FORWARD, self.microbatches - 1)[-1] + self.back + place * self.slower)

    def finished(self, update: Times) -> Times:
        """End of the last update of each case; shape (cases,)."""
        return np.asarray((self.end(BACKWARD, self.microbatches - 1) + update).max(axis=0))

    def edges(self, edge: int, seen: Seen) -> None:
        """Every pass of the first and of the last microbatches, ``edge`` each, of a single case."""
        count = self.microbatches
        for kind in (FORWARD, BACKWARD):
            for place in (*range(edge), *range(count - edge, count)):
                for s, end in enumerate(self.end(kind, place)[:, 0].tolist()):
                    seen(s, kind, place if kind == FORWARD else count - 1 - place, end)


def _line(passes: Times, messages: Times) -> tuple[Times, Times]:
    """(Σ, max) of the pieces of work up to the end of each stage."""
    pieces = np.empty((2 * len(passes) - 1, passes.shape[1]), dtype=passes.dtype)
    pieces[::2], pieces[1::2] = passes, messages
    return np.add.accumulate(pieces)[::2], np.maximum.accumulate(pieces)[::2]


class Rounds:
    """The timeline of 1F1B level by level; see the module.

    Rows count stages from the last one. The state holds the end of the last pass of every stage, and the last arrival
    of each kind at every stage; beyond both ends of the pipeline there is a row that nobody reads.
    """

    def __init__(self, forward: Times, backward: Times, links: Times, microbatches: int) -> None:
        self.stages, self.microbatches = len(forward), microbatches
        self.passes = forward[::-1], backward[::-1]
        none = np.zeros((1, links.shape[2]), dtype=forward.dtype)
        self.sent = np.concatenate([none, links[::-1, 0]]), np.concatenate([links[::-1, 1], none])

    def state(self) -> Times:
        """Nothing has run yet; shape (state, cases)."""
        return np.zeros((3 * self.stages + 2, self.passes[0].shape[1]), dtype=self.passes[0].dtype)

    def levels(self, state: Times, first: int, stop: int, seen: Seen | None = None) -> None:
        """Change the state by the passes of the levels ``first`` to before ``stop``; ``seen``: of a single case."""
        count, last = self.stages, 2 * self.microbatches
        extra = (1,) * (state.ndim - 2)  # states of many beginnings at once
        passes, sent = ([x.reshape(len(x), *extra, -1) for x in own] for own in (self.passes, self.sent))
        free, arrived = state[:count], (state[count : 2 * count + 1], state[2 * count + 1 :])
        for t in range(first, stop):
            for kind in (FORWARD, BACKWARD):
                low, high = (max(0, -t), min(count, last - t)) if kind == FORWARD else (max(0, t - last), min(count, t))
                low += (low - t - kind) & 1
                if low >= high:
                    continue
                rows = slice(low, high, 2)
                # activations go to the row before, from which backward passes come to the row behind
                own = arrived[kind][low + 1 : high + 1 : 2] if kind == FORWARD else arrived[kind][rows]
                end = np.maximum(free[rows], own) + passes[kind][rows]
                free[rows] = end
                if seen is not None:
                    for d, own_end in zip(range(low, high, 2), end[:, 0].tolist(), strict=True):
                        seen(count - 1 - d, kind, (t + d if kind == FORWARD else t - d - 1) // 2, own_end)
                target = arrived[kind][rows] if kind == FORWARD else arrived[kind][low + 1 : high + 1 : 2]
                np.add(np.maximum(end, target), sent[kind][rows], out=target)

    def after(self, rounds: int) -> Times:
        """The state after warm-up and so many pairs of levels in the middle."""
        state = self.state()
        self.levels(state, 1 - self.stages, self.stages)
        for bit, power in enumerate(self.powers(rounds)):
            if rounds >> bit & 1:
                state = (power + state[None]).max(axis=1)
        return state

    def finished(self, update: Times) -> Times:
        """End of the last update of each case; shape (cases,)."""
        count, last = self.stages, 2 * self.microbatches
        if self.microbatches - count < JUMP * max(1.0, (count / _WIDE) ** 2):
            state = self.state()
            self.levels(state, 1 - count, last + count)
        else:
            state = self.after(self.microbatches - count)
            self.levels(state, last - count, last + count)
        return np.asarray((state[:count] + update[::-1]).max(axis=0))

    def edges(self, edge: int, seen: Seen) -> None:
        """Every pass of the first and of the last microbatches, ``edge`` each, of a single case; some others too."""
        count, last = self.stages, 2 * self.microbatches
        self.levels(self.state(), 1 - count, 2 * edge + count, seen)
        state = self.after(self.microbatches - count - edge)
        self.levels(state, last - count - 2 * edge, last + count, seen)

    def matrix(self) -> Times:
        """What two levels in the middle do: shape (state, state before, cases); below 0 where nothing is waited for."""
        size, cases = 3 * self.stages + 2, self.passes[0].shape[1]
        never = self.never()
        found = np.full((size, size, cases), never, dtype=self.passes[0].dtype)
        found[np.arange(size), np.arange(size)] = 0
        middle = Rounds.__new__(Rounds)
        middle.__dict__ |= self.__dict__ | {"microbatches": 2 * self.stages}
        middle.levels(found, self.stages, self.stages + 2)
        found[found < 0] = never
        return found

    def never(self) -> Any:
        """What no sum makes positive."""
        if self.passes[0].dtype.kind == "f":
            return -np.inf
        return -2 * _total(*self.passes, self.passes[0][:0], np.stack(self.sent, axis=1), self.microbatches) - 1

    def powers(self, rounds: int) -> Iterator[Times]:
        """The matrices of 1, 2, 4, … pairs of levels, as many as so many pairs need."""
        power, never = self.matrix(), self.never()
        yield power
        for _ in range(rounds.bit_length() - 1):
            square = power[:, 0, None] + power[None, 0]
            for k in range(1, len(power)):
                np.maximum(square, power[:, k, None] + power[None, k], out=square)
            square[square < 0] = never
            power = square
            yield power
