"""The passes of a pipeline step, chains of waiting events among them, and the walk from pass to pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["BACKWARD", "FORWARD", "WEIGHT", "Path", "Step", "walked", "walked_steps"]

FORWARD, BACKWARD, WEIGHT = 0, 1, 2


class Step(NamedTuple):
    """Forward (0) or backward (1) pass of one microbatch on one stage; or its weight gradients (2), where a schedule
    splits them from the backward pass.
    """

    stage: int
    kind: int
    microbatch: int


@dataclass(frozen=True)
class Path:
    """What a chain of waiting events contains: its length is linear in the durations.

    length = Σ_s forward[s]·f_s + backward[s]·b_s + weight[s]·w_s + Σ_k sent_forward[k]·cf_k + sent_backward[k]·cb_k
    + u_update. Every chain of the schedule is a lower bound of the step for *all* durations, and the critical one of
    given durations equals the step time for these.

    Attributes
    ----------
    forward, backward
        Passes of each stage on the path; shape (stages,). Of a schedule that splits the backward pass, ``backward``
        counts its first part alone.
    sent_forward, sent_backward
        Messages over each boundary on the path; shape (stages - 1,).
    update
        Device whose update ends the path; -1 for none. Devices are stages but for several chunks per device.
    weight
        Passes of weight gradients of each stage; empty for schedules that do not split the backward pass.
    """

    forward: tuple[int, ...]
    backward: tuple[int, ...]
    sent_forward: tuple[int, ...]
    sent_backward: tuple[int, ...]
    update: int
    weight: tuple[int, ...] = ()


def walked(
    passes: Iterable[tuple[int, int]],
    durations: tuple[Sequence[Any], Sequence[Any]],
    sends: tuple[Sequence[Any], Sequence[Any]],
    larger: Callable[[Any, Any], Any],
) -> list[Any]:
    """End of the last pass of each stage, pass by pass.

    Parameters
    ----------
    passes
        (kind, stage), such that each finds the message it waits for to be the last that arrived.
    durations, sends
        Of forward and backward passes of the stages, and of the messages over the boundaries.
    larger
        ``max``, or that of arrays.
    """
    stages = len(durations[0])
    free: list[Any] = [0] * stages  # end of the last pass of each stage
    arrived: list[list[Any]] = [[0] * (stages + 1) for _ in (FORWARD, BACKWARD)]  # last of each kind at a stage
    for kind, s in passes:
        free[s] = end = larger(free[s], arrived[kind][s]) + durations[kind][s]
        target = s - 1 if kind else s + 1  # row ``stages`` is that of nobody
        if 0 <= target < stages:
            arrived[kind][target] = larger(end, arrived[kind][target]) + sends[kind][min(s, target)]
    return free


def walked_steps(
    steps: Iterable[Step],
    devices: int,
    durations: Sequence[Sequence[Any]],
    sends: Sequence[Sequence[Any]],
    larger: Callable[[Any, Any], Any],
) -> list[Any]:
    """End of the last pass of each device, pass by pass, for any schedule.

    Parameters
    ----------
    steps
        Each behind those it waits for; stage i lies on device i mod ``devices``.
    durations, sends
        Of forward passes, backward passes and weight gradients of the stages, and of messages of both kinds.
    larger
        ``max``, or that of arrays.
    """
    stages = len(durations[0])
    free: list[Any] = [0] * devices
    queue: list[list[Any]] = [[0] * devices, [0] * devices]  # end of the last message of a kind from a device
    arrived: dict[Step, Any] = {}
    for step in steps:
        s, kind, j = step
        device = s % devices
        end = free[device]
        if step in arrived:
            end = larger(end, arrived.pop(step))
        free[device] = end = end + durations[kind][s]
        target = s + 1 if kind == FORWARD else s - 1
        if kind != WEIGHT and 0 <= target < stages:
            sent = larger(end, queue[kind][device]) + sends[kind][min(s, target)]
            queue[kind][device] = arrived[Step(target, kind, j)] = sent
    return free
