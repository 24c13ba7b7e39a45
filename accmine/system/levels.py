"""The step time of long pipelines, many at a time: passes that wait for nothing of each other in one array operation.

The same timeline as ``accmine.system.timeline.step_time``, evaluated level by level of its graph of waiting events:
a pipeline of S stages and m microbatches has 2·S·m passes, but only about 2·(S + m) levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.system.schedules import BACKWARD, FORWARD, topological_order

__all__ = ["LONG", "level_steps"]

IntArray = npt.NDArray[np.int64]

Times = npt.NDArray[Any]
"""Integers, or floats where a rough value will do."""

LONG = 512
"""Stages x microbatches from which levels are faster than one pass after the other."""


@lru_cache(maxsize=64)
def _levels(schedule: str, stages: int, microbatches: int) -> list[tuple[IntArray, IntArray, IntArray]]:
    """(stage, kind, microbatch) of the passes of every level; a stage has at most one pass in a level."""
    free = [0] * stages
    sent = [[[0] * microbatches for _ in range(stages)] for _ in (FORWARD, BACKWARD)]
    levels: list[list[tuple[int, int, int]]] = []
    for stage, kind, j in topological_order(schedule, stages, microbatches):
        level = max(free[stage], sent[kind][stage][j])
        free[stage] = level + 1
        target = stage + 1 if kind == FORWARD else stage - 1
        if 0 <= target < stages:
            sent[kind][target][j] = level + 1
        if level == len(levels):
            levels.append([])
        levels[level].append((stage, kind, j))
    columns = [np.array(level, dtype=np.int64).T for level in levels]
    return [(c[0], c[1], c[2]) for c in columns]


def level_steps(
    schedule: str,
    forward: Times,
    backward: Times,
    update: Times,
    transfer: Sequence[tuple[int, int]] | Times,
    microbatches: int,
) -> Times:
    """Step of each of several pipelines of equal shape.

    Parameters
    ----------
    forward, backward, update
        Durations; shape (stages, cases).
    transfer
        Message times per boundary, (forward, backward): shape (stages - 1, 2), or (stages - 1, 2, cases).

    Returns
    -------
    array
        Steps in the unit of the durations; shape (cases,).
    """
    stages, cases = forward.shape
    # row ``stages`` takes what is sent beyond the ends and is never read
    durations = np.stack([forward, backward])
    dtype = durations.dtype
    send = np.zeros((2, stages + 1, cases), dtype=dtype)  # by kind and receiver
    if stages > 1:
        links = np.asarray(transfer).reshape(stages - 1, 2, -1)
        send[FORWARD, 1:stages] = links[:, 0]
        send[BACKWARD, : stages - 1] = links[:, 1]
    free = np.zeros((stages, cases), dtype=dtype)
    link = np.zeros((2, stages + 1, cases), dtype=dtype)
    arrival = np.zeros((2, stages + 1, microbatches, cases), dtype=dtype)
    for stage, kind, j in _levels(schedule, stages, microbatches):
        end = np.maximum(free[stage], arrival[kind, stage, j]) + durations[kind, stage]
        free[stage] = end
        target = np.where(kind == FORWARD, stage + 1, stage - 1) % (stages + 1)
        arrived = np.maximum(end, link[kind, target]) + send[kind, target]
        link[kind, target] = arrived
        arrival[kind, target, j] = arrived
    return np.asarray((free + update).max(axis=0))
