"""The timeline of one training step of a pipeline: event simulation, step time and its lower bound.

What is simulated: every stage runs its forward and backward passes one at a time in the order of the named
schedule; activations go to the next stage and gradients to the one before over a full-duplex link per
boundary, which carries one message per direction at a time and overlaps with computing; a stage updates its
weights after its last backward pass; the step ends with the last update. Durations may be integers (the result
is then exact), floats, or numpy arrays of equal shape for many cases at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from accmine.errors import InputError
from accmine.system.levels import JUMP, LONG, Times, exact_arrays
from accmine.system.long_chain import long_chain
from accmine.system.passes import FORWARD, Path, walked
from accmine.system.schedules import PipelineSchedule, schedule_of, topological_order

__all__ = ["EDGE", "MOST_LISTED", "Event", "Timeline", "critical_path", "simulate", "step_bound", "step_time"]

MOST_LISTED = 100_000
"""Passes of a timeline that are all listed, at most."""

EDGE = 64
"""Microbatches at either end whose passes are listed of a longer one."""

Duration = Any
"""int, float or numpy array; all durations of one call are of one kind."""

Transfer = Duration | tuple[Duration, Duration]
"""Time of one message over a boundary: one value, or (activations forward, gradients backward)."""


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of work of a stage; ``microbatch`` is -1 for the update. Times in the unit of the durations."""

    stage: int
    kind: str
    microbatch: int
    start: float
    end: float


@dataclass(frozen=True)
class Timeline:
    """All events of a step, by stage and start.

    Attributes
    ----------
    step_s
        Time from the first forward pass to the end of the last update.
    stages, microbatches, schedule
        What was simulated.
    work_s
        Busy time of each stage; shape (stages,).
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

    @cached_property
    def busy(self) -> tuple[float, ...]:
        """Share of the step in which each stage works, 0 to 1; shape (stages,)."""
        return tuple(w / self.step_s if self.step_s else 0.0 for w in self.work_s)

    @property
    def bubble(self) -> float:
        """Idle share of the stages' time, 0 to 1: 1 - mean busy share."""
        return 1.0 - sum(self.busy) / self.stages


def _links(transfer_s: Sequence[Transfer], stages: int) -> tuple[list[Duration], list[Duration]]:
    if len(transfer_s) != stages - 1:
        raise InputError(
            f"{len(transfer_s)} transfer times for {stages} stages; one per boundary, {stages - 1}, is needed",
            field="transfer_s",
        )
    pairs = [t if isinstance(t, tuple) else (t, t) for t in transfer_s]
    return [p[0] for p in pairs], [p[1] for p in pairs]


def _larger(*groups: Sequence[Duration]) -> Any:
    vector = any(isinstance(value, np.ndarray) for group in groups for value in group)
    return np.maximum if vector else max


def _check(forward_s: Sequence[Duration], backward_s: Sequence[Duration], update_s: Sequence[Duration]) -> int:
    stages = len(forward_s)
    if not stages or len(backward_s) != stages or len(update_s) != stages:
        raise InputError(
            f"{stages} forward, {len(backward_s)} backward and {len(update_s)} update times; "
            "one of each per stage, for at least one stage, is needed"
        )
    return stages


def step_time(
    schedule: str,
    forward_s: Sequence[Duration],
    backward_s: Sequence[Duration],
    update_s: Sequence[Duration],
    transfer_s: Sequence[Transfer],
    microbatches: int,
) -> Any:
    """Time of one step, without the list of events.

    Parameters
    ----------
    schedule
        Name of a schedule.
    forward_s, backward_s, update_s
        One value per stage; numpy arrays of equal shape simulate many cases at once.
    transfer_s
        One value or (forward, backward) tuple per boundary; shape (stages - 1,).
    microbatches
        Microbatches of a step, at least 1.

    Raises
    ------
    InputError
        If lengths differ or the schedule is unknown.
    """
    stages = _check(forward_s, backward_s, update_s)
    sends = _links(transfer_s, stages)
    own = schedule_of(schedule, stages, microbatches)
    larger = _larger(forward_s, backward_s, update_s, *sends)
    many = larger is np.maximum
    if microbatches - stages >= JUMP or (many and stages * microbatches >= LONG):
        times, cases = _arrays((forward_s, backward_s, update_s), sends)
        steps = own.steps(*times, microbatches).reshape(cases)
        return steps if many else steps[0].item() if isinstance(steps[0], np.generic) else steps[0]
    free = walked(own.passes(stages, microbatches), (forward_s, backward_s), sends, larger)
    last = free[0] + update_s[0]
    for stage in range(1, stages):
        last = larger(last, free[stage] + update_s[stage])
    return last


def _arrays(
    phases: Sequence[Sequence[Duration]], sends: Sequence[Sequence[Duration]]
) -> tuple[tuple[Times, Times, Times, Times], tuple[int, ...]]:
    """(forward, backward and update times, shape (stages, cases), messages, (stages - 1, 2, cases)), shape of cases."""
    every = [value for row in (*phases, *sends) for value in row]
    cases = np.broadcast_shapes((1,), *(np.shape(value) for value in every))
    kinds = {np.asarray(value).dtype.kind for value in every}
    dtype = np.dtype(np.float64 if "f" in kinds else np.int64 if kinds <= {"i", "b"} else object)  # huge Python ints
    rows = [np.array([np.broadcast_to(np.asarray(v, dtype), cases).ravel() for v in row], dtype) for row in phases]
    links = np.array([np.broadcast_to(np.asarray(v, dtype), cases).ravel() for row in sends for v in row], dtype)
    links = links.reshape(2, len(sends[0]), -1 if len(sends[0]) else 1).swapaxes(0, 1)
    return (rows[0], rows[1], rows[2], links), cases


def simulate(
    schedule: str,
    forward_s: Sequence[float],
    backward_s: Sequence[float],
    update_s: Sequence[float],
    transfer_s: Sequence[float | tuple[float, float]],
    microbatches: int,
) -> Timeline:
    """The events of one step; parameters as :func:`step_time`, scalars only.

    Of more than :data:`MOST_LISTED` passes those of the first and last :data:`EDGE` microbatches, without the ones
    between them.
    """
    stages = _check(forward_s, backward_s, update_s)
    sends = _links(transfer_s, stages)
    own = schedule_of(schedule, stages, microbatches)
    left_out = range(0)
    if 2 * stages * microbatches > MOST_LISTED and microbatches > 2 * (EDGE + stages):
        left_out = range(EDGE, microbatches - EDGE)
    ends = _edges(own, (forward_s, backward_s, update_s), sends, microbatches, left_out) if left_out else {}
    if not ends:
        left_out = range(0)
        ends, _, _ = _trace(schedule, forward_s, backward_s, update_s, transfer_s, microbatches)
    events = []
    finished: list[float] = [0] * stages
    for (stage, kind, j), end in ends.items():
        duration = forward_s[stage] if kind == FORWARD else backward_s[stage]
        events.append(Event(stage, "forward" if kind == FORWARD else "backward", j, end - duration, end))
        finished[stage] = max(finished[stage], end)
    events += [Event(s, "update", -1, finished[s], finished[s] + update_s[s]) for s in range(stages)]
    events.sort(key=lambda e: (e.stage, e.start, e.end))
    step = max(end + update for end, update in zip(finished, update_s, strict=True))
    work = zip(forward_s, backward_s, update_s, strict=True)
    busy = tuple(microbatches * (f + b) + u for f, b, u in work)
    return Timeline(schedule, stages, microbatches, tuple(events), step, busy, left_out)


def _edges(
    own: PipelineSchedule,
    phases: Sequence[Sequence[float]],
    sends: Sequence[Sequence[float]],
    microbatches: int,
    left_out: range,
) -> dict[tuple[int, int, int], float]:
    """End of every pass of the microbatches that are not left out; empty where the schedule cannot tell."""
    (forward, backward, update, links), _ = _arrays(phases, sends)
    forward, backward, _, links = exact_arrays(forward, backward, update, links, microbatches)
    ends: dict[tuple[int, int, int], float] = {}

    def seen(stage: int, kind: int, j: int, end: float) -> None:
        if j not in left_out:
            ends[stage, kind, j] = end

    own.edges(forward, backward, links, microbatches, EDGE, seen)
    return ends


def critical_path(
    schedule: str,
    forward_s: Sequence[float],
    backward_s: Sequence[float],
    update_s: Sequence[float],
    transfer_s: Sequence[float | tuple[float, float]],
    microbatches: int,
) -> Path:
    """A longest chain of waiting events of the step; parameters as :func:`simulate`."""
    if microbatches - len(forward_s) >= JUMP:
        stages = _check(forward_s, backward_s, update_s)
        sends = _links(transfer_s, stages)
        own = schedule_of(schedule, stages, microbatches)

        def end_of(marked: Sequence[Times], plain: Sequence[Times], below: int) -> Any:
            return own.marked_end(marked, plain, microbatches, below)

        counts, end = long_chain(end_of, (forward_s, backward_s, update_s), sends, microbatches)
        return Path(tuple(counts[0]), tuple(counts[1]), tuple(counts[2]), tuple(counts[3]), end)
    _, waits, last = _trace(schedule, forward_s, backward_s, update_s, transfer_s, microbatches)
    stages = len(forward_s)
    passes = [[0] * stages, [0] * stages]
    sent = [[0] * (stages - 1), [0] * (stages - 1)]
    node = waits["end", last]
    while node is not None:
        name, stage, kind, _ = node
        if name == "pass":
            passes[kind][stage] += 1
        else:
            sent[kind][stage if kind == FORWARD else stage - 1] += 1
        node = waits[node]
    return Path(tuple(passes[0]), tuple(passes[1]), tuple(sent[0]), tuple(sent[1]), last)


def _trace(
    schedule: str,
    forward_s: Sequence[float],
    backward_s: Sequence[float],
    update_s: Sequence[float],
    transfer_s: Sequence[float | tuple[float, float]],
    microbatches: int,
) -> tuple[dict[Any, float], dict[Any, Any], int]:
    """(end of every pass in stage order, what each pass and message waited for, stage that ends the step)."""
    stages = _check(forward_s, backward_s, update_s)
    sends = _links(transfer_s, stages)
    durations = (forward_s, backward_s)
    ends: dict[Any, float] = {}
    arrivals: dict[Any, float] = {}
    waits: dict[Any, Any] = {}
    previous: list[Any] = [None] * stages  # last pass of each stage
    carried: dict[tuple[int, int], Any] = {}  # last message of each kind from each stage
    for step in topological_order(schedule, stages, microbatches):
        stage, kind, j = step
        node = ("pass", stage, kind, j)
        before = previous[stage]
        start = ends[before[1:]] if before else 0
        waits[node] = before
        sender = stage - 1 if kind == FORWARD else stage + 1
        message = ("sent", sender, kind, j)
        if message in arrivals and arrivals[message] > start:
            start = arrivals[message]
            waits[node] = message
        ends[stage, kind, j] = start + durations[kind][stage]
        previous[stage] = node
        target = stage + 1 if kind == FORWARD else stage - 1
        if 0 <= target < stages:
            message = ("sent", stage, kind, j)
            ready, waits[message] = ends[stage, kind, j], node
            queued = carried.get((stage, kind))
            if queued and arrivals[queued] > ready:
                ready, waits[message] = arrivals[queued], queued
            arrivals[message] = ready + sends[kind][min(stage, target)]
            carried[stage, kind] = message
    last = max(range(stages), key=lambda s: ends[previous[s][1:]] + update_s[s])
    waits["end", last] = previous[last]
    return ends, waits, last


def step_bound(
    schedule: str,
    forward_s: Sequence[Duration],
    backward_s: Sequence[Duration],
    update_s: Sequence[Duration],
    transfer_s: Sequence[Transfer],
    microbatches: int,
) -> Any:
    """Lower bound of the step from a few chains of the schedule; parameters as :func:`step_time`."""
    stages = _check(forward_s, backward_s, update_s)
    sends = _links(transfer_s, stages)
    own = schedule_of(schedule, stages, microbatches)
    larger = _larger(forward_s, backward_s, update_s, *sends)
    return own.bound((forward_s, backward_s, update_s), sends, microbatches, larger)
