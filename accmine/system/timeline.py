"""The timeline of one training step of a pipeline: event simulation, step time and its lower bound.

What is simulated: every stage runs its forward and backward passes one at a time in the order of the named
schedule; activations go to the next stage and gradients to the one before over a full-duplex link per
boundary, which carries one message per direction at a time and overlaps with computing; a stage updates its
weights after its last backward pass; the step ends with the last update. Durations may be integers (the result
is then exact), floats, or numpy arrays of equal shape for many cases at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from accmine.errors import InputError
from accmine.system.levels import JUMP, LONG, level_steps
from accmine.system.long_chain import long_chain
from accmine.system.schedules import BACKWARD, FORWARD, check_schedule, topological_order

__all__ = ["Event", "Path", "Timeline", "critical_path", "simulate", "step_bound", "step_time"]

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
    """

    schedule: str
    stages: int
    microbatches: int
    events: tuple[Event, ...]
    step_s: float

    @cached_property
    def busy(self) -> tuple[float, ...]:
        """Share of the step in which each stage works, 0 to 1; shape (stages,)."""
        work = [0.0] * self.stages
        for event in self.events:
            work[event.stage] += event.end - event.start
        return tuple(w / self.step_s if self.step_s else 0.0 for w in work)

    @property
    def bubble(self) -> float:
        """Idle share of the stages' time, 0 to 1: 1 - mean busy share."""
        return 1.0 - sum(self.busy) / self.stages


@dataclass(frozen=True)
class Path:
    """What a chain of waiting events contains: its length is linear in the durations.

    length = Σ_s forward[s]·f_s + backward[s]·b_s + Σ_k sent_forward[k]·cf_k + sent_backward[k]·cb_k + u_update.
    Every chain of the schedule is a lower bound of the step for *all* durations, and the critical one of given
    durations equals the step time for these.

    Attributes
    ----------
    forward, backward
        Passes of each stage on the path; shape (stages,).
    sent_forward, sent_backward
        Messages over each boundary on the path; shape (stages - 1,).
    update
        Stage whose update ends the path.
    """

    forward: tuple[int, ...]
    backward: tuple[int, ...]
    sent_forward: tuple[int, ...]
    sent_backward: tuple[int, ...]
    update: int


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
        ``gpipe`` or ``1f1b``.
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
    check_schedule(schedule, microbatches)
    larger = _larger(forward_s, backward_s, update_s, *sends)
    many = larger is np.maximum
    if microbatches - stages >= JUMP or (many and stages * microbatches >= LONG):
        steps = _level_steps(schedule, (forward_s, backward_s, update_s), sends, microbatches)
        return steps if many else steps[0].item() if isinstance(steps[0], np.generic) else steps[0]
    free: list[Duration] = [0] * stages  # end of the last pass of each stage
    arrived: list[list[Duration]] = [[0] * (stages + 1) for _ in (FORWARD, BACKWARD)]  # last of each kind at a stage
    for kind, s in _passes(schedule, stages, microbatches):
        free[s] = end = larger(free[s], arrived[kind][s]) + (backward_s if kind else forward_s)[s]
        target = s - 1 if kind else s + 1  # row ``stages`` is that of nobody
        if 0 <= target < stages:
            arrived[kind][target] = larger(end, arrived[kind][target]) + sends[kind][min(s, target)]
    last = free[0] + update_s[0]
    for stage in range(1, stages):
        last = larger(last, free[stage] + update_s[stage])
    return last


def _passes(schedule: str, stages: int, microbatches: int) -> Iterator[tuple[int, int]]:
    """(kind, stage) of all passes, such that each finds the message it waits for to be the last that arrived."""
    if schedule == "gpipe":
        for kind, line in ((FORWARD, range(stages)), (BACKWARD, range(stages - 1, -1, -1))):
            for _ in range(microbatches):
                for s in line:
                    yield kind, s
        return
    for k in range(1 - stages, microbatches):  # from the last stage: backward passes follow each other at once
        for s in range(stages - 1, -1, -1):
            if 0 <= stages - 1 - s + k < microbatches:
                yield FORWARD, s
            if k >= 0:
                yield BACKWARD, s


def _level_steps(
    schedule: str, phases: Sequence[Sequence[Duration]], sends: Sequence[Sequence[Duration]], microbatches: int
) -> Any:
    """Steps of one or many long pipelines; shape (cases,)."""
    every = [value for row in (*phases, *sends) for value in row]
    cases = np.broadcast_shapes((1,), *(np.shape(value) for value in every))
    kinds = {np.asarray(value).dtype.kind for value in every}
    dtype = np.dtype(np.float64 if "f" in kinds else np.int64 if kinds <= {"i", "b"} else object)  # huge Python ints
    rows = [np.array([np.broadcast_to(np.asarray(v, dtype), cases).ravel() for v in row], dtype) for row in phases]
    links = np.array([np.broadcast_to(np.asarray(v, dtype), cases).ravel() for row in sends for v in row], dtype)
    links = links.reshape(2, len(sends[0]), -1 if len(sends[0]) else 1).swapaxes(0, 1)
    return level_steps(schedule, rows[0], rows[1], rows[2], links, microbatches).reshape(cases)


def simulate(
    schedule: str,
    forward_s: Sequence[float],
    backward_s: Sequence[float],
    update_s: Sequence[float],
    transfer_s: Sequence[float | tuple[float, float]],
    microbatches: int,
) -> Timeline:
    """Every event of one step; parameters as :func:`step_time`, scalars only."""
    ends, _, last = _trace(schedule, forward_s, backward_s, update_s, transfer_s, microbatches)
    stages = len(forward_s)
    events = []
    finished: list[float] = [0] * stages
    for (stage, kind, j), end in ends.items():
        duration = forward_s[stage] if kind == FORWARD else backward_s[stage]
        events.append(Event(stage, "forward" if kind == FORWARD else "backward", j, end - duration, end))
        finished[stage] = end
    events += [Event(s, "update", -1, finished[s], finished[s] + update_s[s]) for s in range(stages)]
    events.sort(key=lambda e: (e.stage, e.start, e.end))
    return Timeline(schedule, stages, microbatches, tuple(events), finished[last] + update_s[last])


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
        check_schedule(schedule, microbatches)
        sends = _links(transfer_s, _check(forward_s, backward_s, update_s))
        counts, end = long_chain(schedule, (forward_s, backward_s, update_s), sends, microbatches)
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
    forward_s: Sequence[Duration],
    backward_s: Sequence[Duration],
    update_s: Sequence[Duration],
    transfer_s: Sequence[Transfer],
    microbatches: int,
) -> Any:
    """Lower bound of the step of GPipe and 1F1B, from one chain per pair of stages.

    With t = f + b, stage s starts no earlier than the first microbatch has passed the stages before it, is then
    busy for m·t_s, and behind its last backward pass that microbatch still has to go back through the stages
    before it; the update of any stage i ≤ s ends the chain:

        max over s, i ≤ s of  Σ_{k<s} (f_k + cf_k) + m·t_s + Σ_{i≤k<s} (b_k + cb_k) + u_i

    Without transfers and updates this is max_s (Σ_{k<s} t_k + m·t_s). Parameters as :func:`step_time`.
    """
    stages = _check(forward_s, backward_s, update_s)
    there, back = _links(transfer_s, stages)
    larger = _larger(forward_s, backward_s, update_s, there, back)
    best: Any = None
    arrived: Any = 0  # first microbatch at stage s
    tail: Any = None  # from the last backward pass of stage s to the end of the step, the updates before s included
    for s in range(stages):
        tail = update_s[s] if tail is None else larger(update_s[s], tail)
        length = arrived + microbatches * (forward_s[s] + backward_s[s]) + tail
        best = length if best is None else larger(best, length)
        if s + 1 < stages:
            arrived = arrived + forward_s[s] + there[s]
            tail = tail + backward_s[s] + back[s]
    return best
