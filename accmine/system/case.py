"""What is simulated: a schedule with the durations of all stages, checked and as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from accmine.errors import InputError
from accmine.system.levels import LARGEST, Times
from accmine.system.schedule import PipelineSchedule
from accmine.system.schedules import schedule_of

__all__ = ["Case", "Duration", "Transfer", "arrays_of", "case_arrays", "case_of"]

Duration = Any
"""int, float or numpy array; all durations of one call are of one kind."""

Transfer = Duration | tuple[Duration, Duration]
"""Time of one message over a boundary: one value, or (activations forward, gradients backward)."""


@dataclass(frozen=True)
class Case:
    """What is simulated: the schedule, and durations by stage.

    ``lengths`` are those of forward passes, of backward passes as the schedule makes them, and of weight gradients,
    zeros where these are within the backward pass; ``whole`` are the whole backward passes, and ``weight`` the part of
    them that is gradients of weights, for those who split them.
    """

    own: PipelineSchedule
    devices: int
    chunks: int
    microbatches: int
    lengths: tuple[Sequence[Duration], Sequence[Duration], Sequence[Duration]]
    whole: Sequence[Duration]
    update: Sequence[Duration]
    sends: tuple[list[Duration], list[Duration]]
    weight: Sequence[Duration] | None

    @property
    def plain(self) -> bool:
        """One stage per device, and whole backward passes."""
        return self.chunks == 1 and not self.own.split_backward

    @cached_property
    def updates(self) -> list[Duration]:
        """Of the devices: those of all their stages."""
        if self.chunks == 1:
            return list(self.update)
        return [sum(self.update[d :: self.devices]) for d in range(self.devices)]

    @property
    def larger(self) -> Any:
        """``max``, or that of arrays."""
        every = (*self.lengths, self.update, *self.sends)
        return np.maximum if any(isinstance(value, np.ndarray) for row in every for value in row) else max


def _links(transfer_s: Sequence[Transfer], stages: int) -> tuple[list[Duration], list[Duration]]:
    if len(transfer_s) != stages - 1:
        raise InputError(
            f"{len(transfer_s)} transfer times for {stages} stages; one per boundary, {stages - 1}, is needed",
            field="transfer_s",
        )
    pairs = [t if isinstance(t, tuple) else (t, t) for t in transfer_s]
    return [p[0] for p in pairs], [p[1] for p in pairs]


def case_of(
    schedule: str,
    phases: tuple[Sequence[Duration], Sequence[Duration], Sequence[Duration]],
    transfer_s: Sequence[Transfer],
    microbatches: int,
    chunks: int = 1,
    weight_s: Sequence[Duration] | None = None,
) -> Case:
    """Phases are (forward, backward, update) times; the rest as of ``accmine.system.step_time``.

    Raises
    ------
    InputError
        If lengths differ, the schedule is unknown, or it is not made for such a pipeline.
    """
    forward, backward, update = phases
    stages = len(forward)
    if not stages or len(backward) != stages or len(update) != stages:
        raise InputError(
            f"{stages} forward, {len(backward)} backward and {len(update)} update times; "
            "one of each per stage, for at least one stage, is needed"
        )
    if chunks > 0 and stages % chunks:
        raise InputError(f"{stages} stages cannot be {chunks} on every device", field="chunks")
    own = schedule_of(schedule, stages // max(chunks, 1), microbatches, chunks=chunks)
    sends = _links(transfer_s, stages)
    within, weights = backward, [0] * stages
    if own.split_backward:
        if weight_s is None or len(weight_s) != stages:
            known = "no" if weight_s is None else len(weight_s)
            raise InputError(
                f"{known} times of weight gradients for {stages} stages; {own.name} splits them from the backward pass",
                field="weight_s",
            )
        weights = list(weight_s)
        within = [b - w for b, w in zip(backward, weights, strict=True)]
        if any(np.any(np.less(row, 0)) for row in (*within, *weights)):
            raise InputError("weight gradients are part of the backward pass: 0 to backward_s", field="weight_s")
    split = weights if own.split_backward else None
    devices = stages // chunks
    return Case(own, devices, chunks, microbatches, (forward, within, weights), backward, update, sends, split)


def arrays_of(
    phases: Sequence[Sequence[Duration]], sends: Sequence[Sequence[Duration]], cases: tuple[int, ...] = (1,)
) -> tuple[tuple[Times, Times, Times, Times], tuple[int, ...]]:
    """(times of three kinds, shape (stages, cases), and messages, (stages - 1, 2, cases)), shape of cases."""
    every = [value for row in (*phases, *sends) for value in row]
    cases = np.broadcast_shapes(cases, *(np.shape(value) for value in every))
    kinds = {np.asarray(value).dtype.kind for value in every}
    dtype = np.dtype(np.float64 if "f" in kinds else np.int64 if kinds <= {"i", "b"} else object)  # huge Python ints
    rows = [np.array([np.broadcast_to(np.asarray(v, dtype), cases).ravel() for v in row], dtype) for row in phases]
    links = np.array([np.broadcast_to(np.asarray(v, dtype), cases).ravel() for row in sends for v in row], dtype)
    links = links.reshape(2, len(sends[0]), -1 if len(sends[0]) else 1).swapaxes(0, 1)
    return (rows[0], rows[1], rows[2], links), cases


def case_arrays(case: Case) -> tuple[Times, Times, Times, tuple[int, ...]]:
    """Lengths (3, stages, cases), messages (2, stages - 1, cases) and updates (devices, cases); shape of cases.

    Floats, integers whose sums stay below 2^60, or else Python's.
    """
    (forward, within, weight, links), cases = arrays_of(case.lengths, case.sends)
    (update, _, _, _), cases = arrays_of((case.updates, [], []), ([], []), cases)
    lengths, sends = np.stack([forward, within, weight]), links.transpose(1, 0, 2)
    dtype: Any = np.float64
    if "f" not in (lengths.dtype.kind, update.dtype.kind):
        most = sum(rows.shape[1] * max(int(own.max(initial=0)) for own in rows) for rows in (lengths, sends))
        total = 3 * case.microbatches * most + len(update) * int(update.max(initial=0))
        dtype = np.int64 if total < LARGEST else object
    count = int(np.prod(cases))
    every = [np.broadcast_to(rows, (*rows.shape[:-1], count)).astype(dtype) for rows in (lengths, sends, update)]
    return every[0], every[1], every[2], cases
