"""Pipeline schedules: the order in which every stage works on its microbatches.

Both schedules are synchronous (all gradients of a step come from the same weights) and not interleaved
(a device holds one contiguous stage). Sources: GPipe, Huang et al., NeurIPS 2019, figure 2c; 1F1B, the
"PipeDream-Flush" schedule of Narayanan et al., ICML 2021 (memory-efficient pipelines) and SC 2021.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from accmine.errors import InputError

__all__ = ["BACKWARD", "FORWARD", "SCHEDULES", "Step", "check_schedule", "stage_order", "topological_order"]

SCHEDULES = ("gpipe", "1f1b")
"""Names of the schedules."""

FORWARD, BACKWARD = 0, 1


class Step(NamedTuple):
    """Forward (0) or backward (1) pass of one microbatch on one stage."""

    stage: int
    kind: int
    microbatch: int


def check_schedule(schedule: str, microbatches: int) -> None:
    """Refuse an unknown schedule, or one of nothing.

    Raises
    ------
    InputError
        If the schedule is unknown, or there is no microbatch.
    """
    if schedule not in SCHEDULES:
        raise InputError(f"unknown schedule {schedule!r}; allowed: {', '.join(SCHEDULES)}", field="schedule")
    if microbatches < 1:
        raise InputError(f"{microbatches} microbatches; at least 1 is needed", field="microbatches")


def stage_order(schedule: str, stage: int, stages: int, microbatches: int) -> list[tuple[int, int]]:
    """(kind, microbatch) in the order in which ``stage`` executes them.

    ``gpipe`` runs all forward passes, then all backward passes in reverse order. ``1f1b`` starts with
    ``min(m, p - 1 - stage)`` forward passes, then alternates one forward with one backward pass, and ends with
    the backward passes left.

    Raises
    ------
    InputError
        If the schedule is unknown, or there is no stage or no microbatch.
    """
    check_schedule(schedule, microbatches)
    if not 0 <= stage < stages:
        raise InputError(f"no stage {stage} in a pipeline of {stages} stages", field="stages")
    forward = [(FORWARD, j) for j in range(microbatches)]
    if schedule == "gpipe":
        return forward + [(BACKWARD, j) for j in reversed(range(microbatches))]
    warm = min(microbatches, stages - 1 - stage)
    order = forward[:warm]
    for j in range(microbatches - warm):
        order += [(FORWARD, warm + j), (BACKWARD, j)]
    return order + [(BACKWARD, j) for j in range(microbatches - warm, microbatches)]


@lru_cache(maxsize=64)
def topological_order(schedule: str, stages: int, microbatches: int) -> tuple[Step, ...]:
    """All steps of all stages, each behind the steps it waits for.

    A forward pass waits for that of the stage before, a backward pass for that of the stage behind, and every
    step for the one before it on its stage.
    """
    orders = [stage_order(schedule, s, stages, microbatches) for s in range(stages)]
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
