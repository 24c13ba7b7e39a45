"""The timeline of one training step of a pipeline: event simulation, step time and its lower bound.

What is simulated: every device runs the passes of its stages one at a time in the order of the named schedule;
activations go to the next stage and gradients to the one before; a device sends one message of each kind at a time,
which overlaps with computing (with one stage per device that is a full-duplex link per boundary; with several, a
ring of them); a device updates its weights after its last pass; the step ends with the last update. Durations may be
integers (the result is then exact), floats, or numpy arrays of equal shape for many cases at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from accmine.system.case import Case, Duration, Transfer, arrays_of, case_arrays, case_of
from accmine.system.levels import JUMP, LONG, Times, exact_arrays
from accmine.system.long_chain import long_chain
from accmine.system.passes import BACKWARD, FORWARD, WEIGHT, Path, Step, walked, walked_steps
from accmine.system.schedules import topological_order

__all__ = ["EDGE", "MOST_LISTED", "Event", "Timeline", "critical_path", "simulate", "step_bound", "step_time"]

MOST_LISTED = 100_000
"""Passes of a timeline that are all listed, at most."""

EDGE = 64
"""Microbatches at either end whose passes are listed of a longer one."""

COMPILED = 4096
"""Passes x cases from which the walk of any schedule is compiled."""


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of work of a device (``stage``); ``microbatch`` is -1 for the update. Times as the durations.

    ``kind`` is "forward", "backward", "update", or "weight" for gradients of weights where these are passes of their
    own; ``chunk`` says of which stage of a device that holds several.
    """

    stage: int
    kind: str
    microbatch: int
    start: float
    end: float
    chunk: int = 0


@dataclass(frozen=True)
class Timeline:
    """All events of a step, by stage and start.

    Attributes
    ----------
    step_s
        Time from the first forward pass to the end of the last update.
    stages, microbatches, schedule, chunks
        What was simulated: ``stages`` devices of ``chunks`` stages each.
    work_s
        Busy time of each device; shape (stages,).
    left_out
        Microbatches whose passes are not among the events: those in the middle of more than ``MOST_LISTED`` passes.
    """

    schedule: str
    stages: int
    microbatches: int
    events: tuple[Event, ...]
    step_s: float
    work_s: tuple[float, ...]
    left_out: range = range(0)
    chunks: int = 1

    @cached_property
    def busy(self) -> tuple[float, ...]:
        """Share of the step in which each stage works, 0 to 1; shape (stages,)."""
        return tuple(w / self.step_s if self.step_s else 0.0 for w in self.work_s)

    @property
    def bubble(self) -> float:
        """Idle share of the stages' time, 0 to 1: 1 - mean busy share."""
        return 1.0 - sum(self.busy) / self.stages


def step_time(
    schedule: str,
    forward_s: Sequence[Duration],
    backward_s: Sequence[Duration],
    update_s: Sequence[Duration],
    transfer_s: Sequence[Transfer],
    microbatches: int,
    *,
    chunks: int = 1,
    weight_s: Sequence[Duration] | None = None,
) -> Any:
    """Time of one step, without the list of events.

    Parameters
    ----------
    schedule
        Name of a schedule.
    forward_s, backward_s, update_s
        One value per stage; numpy arrays of equal shape simulate many cases at once. A device that holds several
        stages updates all of them after its last pass.
    transfer_s
        One value or (forward, backward) tuple per boundary; shape (stages - 1,). Of several stages per device also
        between the last device and the first.
    microbatches
        Microbatches of a step, at least 1.
    chunks
        Stages per device; stage i lies on device i mod (stages / chunks).
    weight_s
        Part of ``backward_s`` that makes gradients of weights, per stage. Needed by schedules that split the backward
        pass, and not looked at by others.

    Raises
    ------
    InputError
        If lengths differ, the schedule is unknown, or it is not made for such a pipeline.
    """
    case = case_of(schedule, (forward_s, backward_s, update_s), transfer_s, microbatches, chunks, weight_s)
    if not case.plain:
        return _any_step(case)
    stages, sends, own, larger = case.devices, case.sends, case.own, case.larger
    many = larger is np.maximum
    if microbatches - stages >= JUMP or (many and stages * microbatches >= LONG):
        times, cases = arrays_of((forward_s, backward_s, update_s), sends)
        steps = own.steps(*times, microbatches).reshape(cases)
        return steps if many else steps[0].item() if isinstance(steps[0], np.generic) else steps[0]
    free = walked(own.passes(stages, microbatches), (forward_s, backward_s), sends, larger)
    return _finished(free, update_s, larger)


def _finished(free: Sequence[Any], update: Sequence[Any], larger: Any) -> Any:
    last = free[0] + update[0]
    for own, end in zip(update[1:], free[1:], strict=True):
        last = larger(last, end + own)
    return last


def _any_step(case: Case) -> Any:
    """The step of any schedule."""
    passes = len(case.whole) * case.microbatches * (3 if case.own.split_backward else 2)
    lengths, sends, updates, cases = case_arrays(case)
    if lengths.dtype != object and passes * updates.shape[1] >= COMPILED:
        from accmine.system.walk import walked_arrays  # numba takes half a second to import

        steps = walked_arrays(case.own, case.chunks, lengths, sends, updates, case.microbatches)
        return steps.reshape(cases) if case.larger is np.maximum else steps[0].item()
    order = topological_order(case.own.name, case.devices, case.microbatches, case.chunks)
    free = walked_steps(order, case.devices, case.lengths, case.sends, case.larger)
    return _finished(free, case.updates, case.larger)


_KINDS = {FORWARD: "forward", BACKWARD: "backward", WEIGHT: "weight"}


def simulate(
    schedule: str,
    forward_s: Sequence[float],
    backward_s: Sequence[float],
    update_s: Sequence[float],
    transfer_s: Sequence[float | tuple[float, float]],
    microbatches: int,
    *,
    chunks: int = 1,
    weight_s: Sequence[float] | None = None,
) -> Timeline:
    """The events of one step; parameters as :func:`step_time`, scalars only.

    Of more than :data:`MOST_LISTED` passes those of the first and last :data:`EDGE` microbatches, without the ones
    between them.
    """
    case = case_of(schedule, (forward_s, backward_s, update_s), transfer_s, microbatches, chunks, weight_s)
    devices = case.devices
    passes = (3 if case.own.split_backward else 2) * len(forward_s) * microbatches
    left_out = range(0)
    if passes > MOST_LISTED and microbatches > 2 * (EDGE + devices):
        left_out = range(EDGE, microbatches - EDGE)
    ends = _edges(case, left_out) if left_out or (not case.plain and passes >= COMPILED) else {}
    if not ends:
        left_out = range(0)
        ends, _, _ = _trace(case)
    events = []
    finished: list[float] = [0] * devices
    for (stage, kind, j), end in ends.items():
        device, duration = stage % devices, case.lengths[kind][stage]
        events.append(Event(device, _KINDS[kind], j, end - duration, end, stage // devices))
        finished[device] = max(finished[device], end)
    updates = case.updates
    events += [Event(d, "update", -1, finished[d], finished[d] + updates[d]) for d in range(devices)]
    events.sort(key=lambda e: (e.stage, e.start, e.end))
    step = max(end + update for end, update in zip(finished, updates, strict=True))
    each = [microbatches * (f + b) for f, b in zip(forward_s, backward_s, strict=True)]
    busy = tuple(sum(each[d::devices]) + updates[d] for d in range(devices))
    return Timeline(schedule, devices, microbatches, tuple(events), step, busy, left_out, chunks)


def _edges(case: Case, left_out: range) -> dict[Step, float]:
    """End of every pass of the microbatches that are not left out; empty where the schedule cannot tell."""
    ends: dict[Step, float] = {}
    if case.plain:
        (forward, within, weight, links), _ = arrays_of(case.lengths, case.sends)
        forward, within, _, links = exact_arrays(forward, within, weight, links, case.microbatches)

        def seen(stage: int, kind: int, j: int, end: float) -> None:
            if j not in left_out:
                ends[Step(stage, kind, j)] = end

        case.own.edges(forward, within, links, case.microbatches, EDGE, seen)
        return ends
    lengths, sends, _, _ = case_arrays(case)
    if lengths.dtype != object:
        from accmine.system.walk import ends_of  # numba takes half a second to import

        rows, found = ends_of(case.own, case.devices, case.chunks, lengths, sends, case.microbatches)
        kept = (rows[:, 2] < left_out.start) | (rows[:, 2] >= left_out.stop)
        ends = {Step(*row): end for row, end in zip(rows[kept].tolist(), found[kept].tolist(), strict=True)}
    return ends


def critical_path(
    schedule: str,
    forward_s: Sequence[float],
    backward_s: Sequence[float],
    update_s: Sequence[float],
    transfer_s: Sequence[float | tuple[float, float]],
    microbatches: int,
    *,
    chunks: int = 1,
    weight_s: Sequence[float] | None = None,
) -> Path:
    """A longest chain of waiting events of the step; parameters as :func:`simulate`."""
    case = case_of(schedule, (forward_s, backward_s, update_s), transfer_s, microbatches, chunks, weight_s)
    if case.plain and microbatches - case.devices >= JUMP:

        def end_of(marked: Sequence[Times], plain: Sequence[Times], below: int) -> Any:
            return case.own.marked_end(marked, plain, microbatches, below)

        counts, end = long_chain(end_of, (forward_s, backward_s, update_s), case.sends, microbatches)
        return Path(tuple(counts[0]), tuple(counts[1]), tuple(counts[2]), tuple(counts[3]), end)
    _, waits, last = _trace(case)
    stages = len(forward_s)
    passes = [[0] * stages for _ in _KINDS]
    sent = [[0] * (stages - 1), [0] * (stages - 1)]
    node = waits["end", last]
    while node is not None:
        name, stage, kind, _ = node
        if name == "pass":
            passes[kind][stage] += 1
        else:
            sent[kind][stage if kind == FORWARD else stage - 1] += 1
        node = waits[node]
    weight = tuple(passes[WEIGHT]) if case.own.split_backward else ()
    return Path(tuple(passes[FORWARD]), tuple(passes[BACKWARD]), tuple(sent[0]), tuple(sent[1]), last, weight)


def _trace(case: Case) -> tuple[dict[Step, float], dict[Any, Any], int]:
    """(end of every pass in a topological order, what each pass and message waited for, device that ends the step)."""
    stages, devices, sends = len(case.whole), case.devices, case.sends
    ends: dict[Step, float] = {}
    arrivals: dict[Any, float] = {}
    waits: dict[Any, Any] = {}
    previous: list[Any] = [None] * devices  # last pass of each device
    carried: dict[tuple[int, int], Any] = {}  # last message of each kind from each device
    for step in topological_order(case.own.name, devices, case.microbatches, case.chunks):
        stage, kind, j = step
        device, node = stage % devices, ("pass", *step)
        before = previous[device]
        start = ends[before[1:]] if before else 0
        waits[node] = before
        sender = stage - 1 if kind == FORWARD else stage + 1
        message = ("sent", sender, kind, j)
        if message in arrivals and arrivals[message] > start:
            start = arrivals[message]
            waits[node] = message
        ends[step] = start + case.lengths[kind][stage]
        previous[device] = node
        target = stage + 1 if kind == FORWARD else stage - 1
        if kind != WEIGHT and 0 <= target < stages:
            message = ("sent", stage, kind, j)
            ready, waits[message] = ends[step], node
            queued = carried.get((device, kind))
            if queued and arrivals[queued] > ready:
                ready, waits[message] = arrivals[queued], queued
            arrivals[message] = ready + sends[kind][min(stage, target)]
            carried[device, kind] = message
    last = max(range(devices), key=lambda d: ends[previous[d][1:]] + case.updates[d])
    waits["end", last] = previous[last]
    return ends, waits, last


def step_bound(
    schedule: str,
    forward_s: Sequence[Duration],
    backward_s: Sequence[Duration],
    update_s: Sequence[Duration],
    transfer_s: Sequence[Transfer],
    microbatches: int,
    *,
    chunks: int = 1,
    weight_s: Sequence[Duration] | None = None,
) -> Any:
    """Lower bound of the step from a few chains of the schedule; parameters as :func:`step_time`."""
    case = case_of(schedule, (forward_s, backward_s, update_s), transfer_s, microbatches, chunks, weight_s)
    phases = forward_s, backward_s, update_s
    devices, weight = case.devices, case.weight
    return case.own.bound(phases, case.sends, microbatches, case.larger, devices=devices, weight=weight)
