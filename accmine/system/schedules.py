"""Pipeline schedules: the order in which every device works on its microbatches, and what follows from it.

A schedule is one object: what a study or a file calls by name is looked up in ``SCHEDULES``, and no name is compared
anywhere. All of them are synchronous (all gradients of a step come from the same weights). Sources: GPipe, Huang et
al., NeurIPS 2019, figure 2c; 1F1B, the "PipeDream-Flush" schedule of Narayanan et al., ICML 2021 (memory-efficient
pipelines) and SC 2021; interleaved, SC 2021 and Megatron-LM; ZB-H1 and ZB-H2, Qi et al., ICLR 2024.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from accmine.errors import InputError
from accmine.system.levels import FlowLine, Rounds, Seen, Times, exact_arrays
from accmine.system.long_chain import end_of_rounds
from accmine.system.passes import BACKWARD, FORWARD, Path, Step
from accmine.system.schedule import IntArray, PipelineSchedule, woven

__all__ = [
    "DEFAULT_SCHEDULE",
    "SCHEDULES",
    "GPipe",
    "Interleaved",
    "OneForwardOneBackward",
    "ZeroBubbleH1",
    "ZeroBubbleH2",
    "schedule_of",
    "topological_order",
    "whole_stages",
]


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

    def held(self, stage: int, stages: int, microbatches: int, chunks: int = 1) -> int:
        """All of them, as every forward pass comes first."""
        del stage, stages, chunks
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

    def held(self, stage: int, stages: int, microbatches: int, chunks: int = 1) -> int:
        """At most one per stage from this one to the last (Narayanan et al., SC 2021)."""
        del chunks
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


class Interleaved(OneForwardOneBackward):
    """1F1B over several chunks per device: the microbatches go through the chunks in groups of as many as devices.

    The order of Megatron-LM (``forward_backward_pipelining_with_interleaving``): 2(p - 1 - s) + (v - 1)p forward
    passes first; then one forward and one backward pass in turn. The k-th forward pass is of chunk ⌊k / p⌋ mod v,
    backward passes take the chunks from the last one. With one chunk it is 1F1B, as there. One device takes the chunks
    of a microbatch one after the other.
    """

    name = "interleaved"
    chunked = True

    def refusal(self, devices: int, microbatches: int, chunks: int) -> tuple[str, str] | None:
        """With several chunks the microbatches fill groups of as many as there are devices."""
        if chunks > 1 and microbatches % devices:
            return "microbatches", (
                f"{self.name} with {chunks} chunks takes microbatches in groups of {devices}, the devices of the "
                f"pipeline; {microbatches} is no multiple of it"
            )
        return None

    def device_order(self, device: int, devices: int, microbatches: int, chunks: int = 1) -> IntArray:
        """See the class."""
        if chunks == 1:
            return super().device_order(device, devices, microbatches)
        at = np.arange(microbatches * chunks)
        chunk = at // devices % chunks
        j = at // (devices * chunks) * devices + at % devices
        forward, backward = device + chunk * devices, device + (chunks - 1 - chunk) * devices
        return woven(self._warm(device, devices, chunks), None, (forward, j), (backward, j))

    def held(self, stage: int, stages: int, microbatches: int, chunks: int = 1) -> int:
        """min(mv, 2(p - 1 - s) + (v - 1)p + 1) chunks."""
        if chunks == 1:
            return super().held(stage, stages, microbatches)
        return min(microbatches * chunks, self._warm(stage, stages, chunks) + 1)

    def _warm(self, device: int, devices: int, chunks: int) -> int:
        return 2 * (devices - 1 - device) + (chunks - 1) * devices


class ZeroBubbleH1(PipelineSchedule):
    """1F1B whose device s makes weight gradients s backward passes late, so that all devices hold p microbatches.

    Backward passes begin earlier, since they need not wait for weight gradients, and what is late fills the end.
    """

    name = "zb-h1"
    split_backward = True

    def _warm(self, stage: int, stages: int) -> int:
        """Forward passes before the first backward pass is due, but for the one that goes with it."""
        return stages - 1 - stage

    def _lag(self, stage: int) -> int:
        """Backward passes between one and its weight gradients."""
        return stage

    def device_order(self, device: int, devices: int, microbatches: int, chunks: int = 1) -> IntArray:
        """See the class."""
        del chunks
        own = np.full(microbatches, device), np.arange(microbatches)
        return woven(self._warm(device, devices), self._lag(device), own, own)

    def order(self, stage: int, stages: int, microbatches: int) -> list[tuple[int, int]]:
        """See the class."""
        return [(kind, j) for _, kind, j in self.device_order(stage, stages, microbatches).tolist()]

    def held(self, stage: int, stages: int, microbatches: int, chunks: int = 1) -> int:
        """As many as the warm-up and the lag leave unfinished: p on every device."""
        del chunks
        return min(microbatches, self._warm(stage, stages) + 1 + self._lag(stage))

    def late(self, stage: int, stages: int, microbatches: int) -> int:
        """Those of the last backward pass and of the ones that lag behind it."""
        del stages
        return min(microbatches, self._lag(stage) + 1)


class ZeroBubbleH2(ZeroBubbleH1):
    """More forward passes before the first backward pass and later weight gradients: 2p - 1 microbatches are held.

    With equal passes and enough microbatches no device waits between its first and its last pass. That stages begin
    one after the other stays in the step, as the updates of this step and the first passes of the next do not overlap.
    """

    name = "zb-h2"

    def _warm(self, stage: int, stages: int) -> int:
        return 2 * (stages - 1 - stage)

    def _lag(self, stage: int) -> int:
        return 2 * stage


SCHEDULES: dict[str, PipelineSchedule] = {
    schedule.name: schedule
    for schedule in (GPipe(), OneForwardOneBackward(), Interleaved(), ZeroBubbleH1(), ZeroBubbleH2())
}
"""The schedules by name."""

DEFAULT_SCHEDULE = OneForwardOneBackward.name
"""Where none is named."""


def whole_stages() -> tuple[str, ...]:
    """Schedules with one stage per device and whole backward passes: three times of a stage say all about it."""
    return tuple(name for name, own in SCHEDULES.items() if not (own.chunked or own.split_backward))


def schedule_of(
    name: str, stages: int = 1, microbatches: int = 1, stage: int = 0, *, chunks: int = 1
) -> PipelineSchedule:
    """The schedule of this name, for so many devices (``stages``), microbatches, and stages per device (``chunks``).

    Raises
    ------
    InputError
        If there is none, no such stage, no microbatch, or if the schedule is not made for such a pipeline.
    """
    if name not in SCHEDULES:
        raise InputError(f"unknown schedule {name!r}; allowed: {', '.join(SCHEDULES)}", field="schedule")
    if microbatches < 1:
        raise InputError(f"{microbatches} microbatches; at least 1 is needed", field="microbatches")
    if not 0 <= stage < stages:
        raise InputError(f"no stage {stage} in a pipeline of {stages} stages", field="stages")
    if chunks < 1:
        raise InputError(f"{chunks} chunks per device; at least 1 is needed", field="chunks")
    refused = SCHEDULES[name].refusal(stages, microbatches, chunks)
    if refused is not None:
        raise InputError(refused[1], field=refused[0])
    return SCHEDULES[name]


@lru_cache(maxsize=64)
def topological_order(schedule: str, stages: int, microbatches: int, chunks: int = 1) -> tuple[Step, ...]:
    """All passes of all devices (``stages``), each behind those it waits for.

    A forward pass waits for that of the stage before, a backward pass for that of the stage behind (on the last stage
    for the forward pass), and every pass for the one before it on its device.
    """
    own = schedule_of(schedule, stages, microbatches, chunks=chunks)
    orders = [[Step(*row) for row in own.device_order(d, stages, microbatches, chunks).tolist()] for d in range(stages)]
    position = [0] * stages
    last = stages * chunks - 1
    done: set[Step] = set()
    steps: list[Step] = []
    total = sum(map(len, orders))
    while len(steps) < total:
        before = len(steps)
        for d, order in enumerate(orders):
            while position[d] < len(order):
                step = order[position[d]]
                s, kind, j = step
                if kind == FORWARD and s and Step(s - 1, kind, j) not in done:
                    break
                if kind == BACKWARD and (Step(s + 1, kind, j) if s < last else Step(s, FORWARD, j)) not in done:
                    break
                done.add(step)
                steps.append(step)
                position[d] += 1
        if len(steps) == before:  # cannot happen for the schedules above; guards a wrong new one
            raise AssertionError(f"schedule {schedule!r} deadlocks at {stages} stages")
    return tuple(steps)
