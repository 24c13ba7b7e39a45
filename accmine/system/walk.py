"""The walk from pass to pass as machine code, for schedules whose steps have no closed form and no levels.

The same timeline as ``accmine.system.passes.walked_steps``, for many cases side by side. Only numbers of 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from accmine.system.levels import Times
from accmine.system.schedule import PipelineSchedule

__all__ = ["ends_of", "walked_arrays"]

_njit: Any = numba.njit
_BLOCK = 1 << 21  # messages that are kept at a time: 16 MB

Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    """``function`` as machine code, kept on disk where there is a folder for it."""
    try:
        return cast(Function, _njit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # no folder that can be written to
        return cast(Function, _njit(error_model="numpy")(function))


@_compiled
def _sorted_rows(rows: Any, starts: Any, stages: int, microbatches: int) -> Any:
    """Rows (stage, kind, microbatch), given device by device, each behind the rows it waits for."""
    devices = len(starts) - 1
    at = starts[:-1].copy()
    done = np.zeros((2, stages, microbatches), np.bool_)
    found = np.empty_like(rows)
    count = 0
    while count < len(rows):
        before = count
        for turn in range(2 * devices):  # there and back, as messages go
            device = turn if turn < devices else 2 * devices - 1 - turn
            while at[device] < starts[device + 1]:
                s, kind, j = rows[at[device], 0], rows[at[device], 1], rows[at[device], 2]
                if kind == 0 and s > 0 and not done[0, s - 1, j]:
                    break
                if kind == 1 and (not done[0, s, j] or (s + 1 < stages and not done[1, s + 1, j])):
                    break
                if kind < 2:
                    done[kind, s, j] = True
                found[count] = rows[at[device]]
                count += 1
                at[device] += 1
        if count == before:
            break
    return found[:count]


@_compiled
def _walk(rows: Any, devices: int, durations: Any, sends: Any, microbatches: int, ends: Any) -> Any:
    """End of the last pass of each device; shapes (3, stages, cases), (2, stages - 1, cases) -> (devices, cases).

    ``ends`` takes the end of every row, where it has as many.
    """
    stages, cases = durations.shape[1], durations.shape[2]
    free = np.zeros((devices, cases), durations.dtype)
    queue = np.zeros((2, devices, cases), durations.dtype)
    arrived = np.zeros((2, stages, microbatches, cases), durations.dtype)
    for r in range(len(rows)):
        s, kind, j = rows[r, 0], rows[r, 1], rows[r, 2]
        device = s % devices
        waits = (kind == 0 and s > 0) or (kind == 1 and s + 1 < stages)
        sends_on = (kind == 0 and s + 1 < stages) or (kind == 1 and s > 0)
        for c in range(cases):
            end = free[device, c]
            if waits:
                end = max(end, arrived[kind, s, j, c])
            end += durations[kind, s, c]
            free[device, c] = end
            if sends_on:
                target = s + 1 if kind == 0 else s - 1
                sent = max(end, queue[kind, device, c]) + sends[kind, min(s, target), c]
                queue[kind, device, c] = sent
                arrived[kind, target, j, c] = sent
        if len(ends):
            ends[r] = free[device, 0]
    return free


@lru_cache(maxsize=4)
def _rows(own: PipelineSchedule, devices: int, microbatches: int, chunks: int) -> npt.NDArray[np.int32]:
    orders = [own.device_order(d, devices, microbatches, chunks).astype(np.int32) for d in range(devices)]
    starts = np.cumsum([0, *map(len, orders)])
    found = _sorted_rows(np.concatenate(orders), starts, devices * chunks, microbatches)
    if len(found) < starts[-1]:  # cannot happen for the schedules of the table; guards a wrong new one
        raise AssertionError(f"schedule {own.name!r} deadlocks at {devices} devices")
    return cast(npt.NDArray[np.int32], found)


def walked_arrays(
    own: PipelineSchedule, chunks: int, durations: Times, sends: Times, update: Times, microbatches: int
) -> Times:
    """Steps of many cases.

    Parameters
    ----------
    durations, sends
        Shapes (3, stages, cases) and (2, stages - 1, cases); integers whose sums stay below 2^63, or floats.
    update
        Of the devices; shape (devices, cases).
    """
    devices, cases = update.shape
    rows, none = _rows(own, devices, microbatches, chunks), np.zeros(0, durations.dtype)
    block = max(1, _BLOCK // (2 * durations.shape[1] * microbatches))
    found = np.empty(cases, durations.dtype)
    for first in range(0, cases, block):
        part = slice(first, first + block)
        lengths, messages = np.ascontiguousarray(durations[:, :, part]), np.ascontiguousarray(sends[:, :, part])
        found[part] = (_walk(rows, devices, lengths, messages, microbatches, none) + update[:, part]).max(axis=0)
    return found


def ends_of(
    own: PipelineSchedule, devices: int, chunks: int, durations: Times, sends: Times, microbatches: int
) -> tuple[npt.NDArray[np.int32], Times]:
    """(stage, kind, microbatch) of every pass of a single case, and when it ends."""
    rows = _rows(own, devices, microbatches, chunks)
    ends = np.empty(len(rows), durations.dtype)
    _walk(rows, devices, durations, sends, microbatches, ends)
    return rows, ends
