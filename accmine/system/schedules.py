"""Pipeline schedules: the order in which every stage works on its microbatches, and what follows from it.

A schedule is one object: what a study or a file calls by name is looked up in ``SCHEDULES``, and no name is compared
anywhere. All of them are synchronous (all gradients of a step come from the same weights) and not interleaved (a
device holds one contiguous stage). Sources: GPipe, Huang et al., NeurIPS 2019, figure 2c; 1F1B, the "PipeDream-Flush"
schedule of Narayanan et al., ICML 2021 (memory-efficient pipelines) and SC 2021.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from accmine.errors import InputError
from accmine.system.levels import FlowLine, Rounds, Seen, Times, exact_arrays
from accmine.system.long_chain import end_of_rounds
from accmine.system.passes import BACKWARD, FORWARD, Path, Step, walked

__all__ = [
    "DEFAULT_SCHEDULE",
    "SCHEDULES",
    "GPipe",
    "OneForwardOneBackward",
    "PipelineSchedule",
    "schedule_of",
    "topological_order",
]

Larger = Callable[[Any, Any], Any]
Durations = Sequence[Any]


class PipelineSchedule(ABC):
    """A schedule. A new one is a class with an order, its passes and what it holds; the rest is for long pipelines.

    Times are numbers, or arrays of equal shape for many cases; ``steps`` and ``edges`` take arrays of shape
    (stages, cases), and messages of shape (stages - 1, 2, cases).
    """

    name: ClassVar[str]

    @abstractmethod
    def order(self, stage: int, stages: int, microbatches: int) -> list[tuple[int, int]]:
        """(kind, microbatch) in the order in which ``stage`` executes them."""

    @abstractmethod
    def passes(self, stages: int, microbatches: int) -> Iterator[tuple[int, int]]:
        """(kind, stage) of all passes, such that each finds the message it waits for to be the last that arrived."""

    @abstractmethod
    def held(self, stage: int, stages: int, microbatches: int) -> int:
        """Microbatches whose stash a stage holds at the peak."""

    def _more_chains(self, stage: int, stages: int, microbatches: int) -> Iterator[Path]:
        """Chains through a stage that only this schedule has."""
        yield from ()

    def chains(self, stages: int, microbatches: int) -> Iterator[Path]:
        """Chains that every timeline has, whatever the durations.

        To stage s, m microbatches there, and back to stage 0 or not at all; then those of the schedule itself.
        """
        for s in range(stages):
            for end in {0, s}:
                there = tuple(microbatches if i == s else int(i < s) for i in range(stages))
                back = tuple(microbatches if i == s else int(end <= i < s) for i in range(stages))
                sent = tuple(int(k < s) for k in range(stages - 1))
                returned = tuple(int(end <= k < s) for k in range(stages - 1))
                yield Path(there, back, sent, returned, end)
            yield from self._more_chains(s, stages, microbatches)

    def bound(
        self,
        phases: tuple[Durations, Durations, Durations],
        sends: tuple[Durations, Durations],
        microbatches: int,
        larger: Larger,
    ) -> Any:
        """Lower bound of the step from one chain per pair of stages: those of ``chains`` to any stage i ≤ s.

        With t = f + b, stage s starts no earlier than the first microbatch has passed the stages before it, is then
        busy for m·t_s, and behind its last backward pass that microbatch still has to go back through the stages
        before it; the update of any stage i ≤ s ends the chain:

            max over s, i ≤ s of  Σ_{k<s} (f_k + cf_k) + m·t_s + Σ_{i≤k<s} (b_k + cb_k) + u_i

        Without transfers and updates this is max_s (Σ_{k<s} t_k + m·t_s).
        """
        (forward, backward, update), (there, back) = phases, sends
        best: Any = None
        arrived: Any = 0  # first microbatch at stage s
        tail: Any = None  # from the last backward pass of stage s to the end of the step, updates before s included
        for s in range(len(forward)):
            tail = update[s] if tail is None else larger(update[s], tail)
            length = arrived + microbatches * (forward[s] + backward[s]) + tail
            best = length if best is None else larger(best, length)
            if s + 1 < len(forward):
                arrived = arrived + forward[s] + there[s]
                tail = tail + backward[s] + back[s]
        return best

    def steps(self, forward: Times, backward: Times, update: Times, transfer: Times, microbatches: int) -> Times:
        """Steps of pipelines of equal shape; shape (cases,). Integers beyond 60 bits come as Python integers.

        Messages may be of shape (stages - 1, 2), the same for all cases.
        """
        given = np.asarray(transfer) if len(forward) > 1 else np.zeros((0, 2, 1), dtype=forward.dtype)
        links = given[:, :, None] if given.ndim == 2 else given
        forward, backward, update, links = exact_arrays(forward, backward, update, links, microbatches)
        return self._steps(forward, backward, update, links, microbatches)

    def _steps(self, forward: Times, backward: Times, update: Times, links: Times, microbatches: int) -> Times:
        sends = list(links[:, 0]), list(links[:, 1])
        free = walked(self.passes(len(forward), microbatches), (list(forward), list(backward)), sends, np.maximum)
        return np.asarray((np.array(free) + update).max(axis=0))

    def marked_end(self, marked: Sequence[Times], plain: Sequence[Times], microbatches: int, below: int) -> Any:
        """End of the step whose durations carry marks; see ``accmine.system.long_chain``."""
        del plain, below
        return self.steps(marked[0], marked[1], marked[2], marked[3], microbatches)[0]

    def edges(self, forward: Times, backward: Times, links: Times, microbatches: int, edge: int, seen: Seen) -> bool:
        """Tell every pass of the first and last microbatches, ``edge`` each, of a single case without walking between.

        False: there is no such way. Other passes may be told as well.
        """
        del forward, backward, links, microbatches, edge, seen
        return False


class GPipe(PipelineSchedule):
    """All forward passes, then all backward passes in reverse order."""

    name = "gpipe"

    def order(self, stage: int, stages: int, microbatches: int) -> list[tuple[int, int]]:
        """See the class."""
        del stage, stages
        return [(FORWARD, j) for j in range(microbatches)] + [(BACKWARD, j) for j in reversed(range(microbatches))]

    def passes(self, stages: int, microbatches: int) -> Iterator[tuple[int, int]]:
        """Microbatch by microbatch along the pipeline, and back."""
        for kind, line in ((FORWARD, range(stages)), (BACKWARD, range(stages - 1, -1, -1))):
            for _ in range(microbatches):
                for s in line:
                    yield kind, s

    def held(self, stage: int, stages: int, microbatches: int) -> int:
        """All of them, as every forward pass comes first."""
        del stage, stages
        return microbatches

    def _more_chains(self, stage: int, stages: int, microbatches: int) -> Iterator[Path]:
        """Through all stages and back, with m microbatches at one of them in both directions."""
        passes = tuple(microbatches if i == stage else 1 for i in range(stages))
        yield Path(passes, passes, (1,) * (stages - 1), (1,) * (stages - 1), 0)

    def _steps(self, forward: Times, backward: Times, update: Times, links: Times, microbatches: int) -> Times:
        return FlowLine(forward, backward, links, microbatches).finished(update)

    def edges(self, forward: Times, backward: Times, links: Times, microbatches: int, edge: int, seen: Seen) -> bool:
        """See the base."""
        FlowLine(forward, backward, links, microbatches).edges(edge, seen)
        return True


class OneForwardOneBackward(PipelineSchedule):
    """``min(m, p - 1 - stage)`` forward passes, then one forward and one backward pass in turn, then what is left."""

    name = "1f1b"

    def order(self, stage: int, stages: int, microbatches: int) -> list[tuple[int, int]]:
        """See the class."""
        warm = min(microbatches, stages - 1 - stage)
        order = [(FORWARD, j) for j in range(warm)]
        for j in range(microbatches - warm):
            order += [(FORWARD, warm + j), (BACKWARD, j)]
        return order + [(BACKWARD, j) for j in range(microbatches - warm, microbatches)]

    def passes(self, stages: int, microbatches: int) -> Iterator[tuple[int, int]]:
        """From the last stage, where backward passes follow each other at once."""
        for k in range(1 - stages, microbatches):
            for s in range(stages - 1, -1, -1):
                if 0 <= stages - 1 - s + k < microbatches:
                    yield FORWARD, s
                if k >= 0:
                    yield BACKWARD, s

    def held(self, stage: int, stages: int, microbatches: int) -> int:
        """At most one per stage from this one to the last (Narayanan et al., SC 2021)."""
        return min(microbatches, stages - stage)

    def _more_chains(self, stage: int, stages: int, microbatches: int) -> Iterator[Path]:
        """The way from a stage to the last one and back with the first and with the last microbatch.

        The stage then skips the passes of one kind that it does meanwhile.
        """
        later = stages - 1 - stage
        if later and microbatches >= later + 2:
            passes = tuple(microbatches - later if i == stage else 1 + (i > stage) for i in range(stages))
            sent = tuple(1 + (k >= stage) for k in range(stages - 1))
            yield Path(passes, passes, sent, sent, 0)

    def _steps(self, forward: Times, backward: Times, update: Times, links: Times, microbatches: int) -> Times:
        return Rounds(forward, backward, links, microbatches).finished(update)

    def marked_end(self, marked: Sequence[Times], plain: Sequence[Times], microbatches: int, below: int) -> Any:
        """See the base."""
        own = exact_arrays(plain[0], plain[1], plain[2], plain[3], microbatches)
        middle = Rounds(own[0], own[1], own[3], microbatches)
        ends = Rounds(marked[0], marked[1], marked[3], microbatches)
        return end_of_rounds(ends, middle, marked[2], below)

    def edges(self, forward: Times, backward: Times, links: Times, microbatches: int, edge: int, seen: Seen) -> bool:
        """See the base."""
        Rounds(forward, backward, links, microbatches).edges(edge, seen)
        return True


SCHEDULES: dict[str, PipelineSchedule] = {schedule.name: schedule for schedule in (GPipe(), OneForwardOneBackward())}
"""The schedules by name."""

DEFAULT_SCHEDULE = OneForwardOneBackward.name
"""Where none is named."""


def schedule_of(name: str, stages: int = 1, microbatches: int = 1, stage: int = 0) -> PipelineSchedule:
    """The schedule of this name, for so many stages and microbatches.

    Raises
    ------
    InputError
        If there is none, no such stage, or no microbatch.
    """
    if name not in SCHEDULES:
        raise InputError(f"unknown schedule {name!r}; allowed: {', '.join(SCHEDULES)}", field="schedule")
    if microbatches < 1:
        raise InputError(f"{microbatches} microbatches; at least 1 is needed", field="microbatches")
    if not 0 <= stage < stages:
        raise InputError(f"no stage {stage} in a pipeline of {stages} stages", field="stages")
    return SCHEDULES[name]


@lru_cache(maxsize=64)
def topological_order(schedule: str, stages: int, microbatches: int) -> tuple[Step, ...]:
    """All steps of all stages, each behind the steps it waits for.

    A forward pass waits for that of the stage before, a backward pass for that of the stage behind, and every
    step for the one before it on its stage.
    """
    own = schedule_of(schedule, stages, microbatches)
    orders = [own.order(s, stages, microbatches) for s in range(stages)]
    position = [0] * stages
    done = [[0, 0] for _ in range(stages)]  # passes of each kind finished; messages of a kind arrive in order
    rank = [[{j: i for i, j in enumerate(_of_kind(order, kind))} for kind in (FORWARD, BACKWARD)] for order in orders]
    steps: list[Step] = []
    total = 2 * stages * microbatches
    while len(steps) < total:
        before = len(steps)
        for s, order in enumerate(orders):
            while position[s] < len(order):
                kind, j = order[position[s]]
                sender = s - 1 if kind == FORWARD else s + 1
                if 0 <= sender < stages and done[sender][kind] <= rank[sender][kind][j]:
                    break
                steps.append(Step(s, kind, j))
                done[s][kind] += 1
                position[s] += 1
        if len(steps) == before:  # cannot happen for the schedules above; guards a wrong new one
            raise AssertionError(f"schedule {schedule!r} deadlocks at {stages} stages")
    return tuple(steps)


def _of_kind(order: list[tuple[int, int]], kind: int) -> list[int]:
    return [j for k, j in order if k == kind]
