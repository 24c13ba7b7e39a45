"""What a pipeline schedule is: an order of passes on every device, what follows from it, and its lower bound.

Stages are numbered along the pipeline. A device holds one of them, or ``chunks`` of them: stage i lies on device
i mod p. A schedule may split the backward pass of a microbatch in the gradients of its inputs, which the stage before
waits for, and those of its weights, which only the update waits for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from accmine.system.levels import Seen, Times, exact_arrays
from accmine.system.passes import BACKWARD, FORWARD, WEIGHT, Path, walked

__all__ = ["Durations", "IntArray", "Larger", "PipelineSchedule", "woven"]

Larger = Callable[[Any, Any], Any]
Durations = Sequence[Any]
IntArray = npt.NDArray[np.int64]


class PipelineSchedule(ABC):
    """A schedule. A new one is a class with an order and what it holds; the rest is for long pipelines.

    Times are numbers, or arrays of equal shape for many cases; ``steps`` and ``edges`` take arrays of shape
    (stages, cases), and messages of shape (stages - 1, 2, cases).

    Attributes
    ----------
    chunked
        Whether a device may hold several stages.
    split_backward
        Whether gradients of weights are passes of their own.
    """

    name: ClassVar[str]
    chunked: ClassVar[bool] = False
    split_backward: ClassVar[bool] = False

    @abstractmethod
    def order(self, stage: int, stages: int, microbatches: int) -> list[tuple[int, int]]:
        """(kind, microbatch) in the order in which ``stage`` executes them, with one stage per device."""

    @abstractmethod
    def held(self, stage: int, stages: int, microbatches: int, chunks: int = 1) -> int:
        """Microbatches whose stash a device holds at the peak, counted per chunk.

        The stash of a microbatch is held until its last pass, be it of weight gradients.
        """

    def device_order(self, device: int, devices: int, microbatches: int, chunks: int = 1) -> IntArray:
        """(stage, kind, microbatch) in the order in which a device executes them; shape (passes, 3)."""
        del chunks
        return np.array([(device, *own) for own in self.order(device, devices, microbatches)], dtype=np.int64)

    def passes(self, stages: int, microbatches: int) -> Iterator[tuple[int, int]]:
        """(kind, stage) of all passes, such that each finds the message it waits for to be the last that arrived.

        Only of schedules with one stage per device and whole backward passes.
        """
        raise NotImplementedError(f"{self.name} is walked by its device orders")

    def refusal(self, devices: int, microbatches: int, chunks: int) -> tuple[str, str] | None:
        """(field, why) of a shape that the schedule is not made for."""
        del devices, microbatches
        if chunks != 1 and not self.chunked:
            return "chunks", f"{self.name} has one stage per device, not {chunks}"
        return None

    def late(self, stage: int, stages: int, microbatches: int) -> int:
        """Weight gradients that a device makes behind its last backward pass."""
        del stage, stages, microbatches
        return 0

    def stash(
        self, device: int, devices: int, microbatches: int, chunks: int = 1, *, weight_share: float = 1.0
    ) -> float:
        """Largest stash of a device in stashes of one microbatch of one chunk, counted along its order.

        Parameters
        ----------
        weight_share
            Part of a stash that the gradients of weights need, 0 to 1: what is held from the backward pass to them.
        """
        kinds = self.device_order(device, devices, microbatches, chunks)[:, 1]
        freed = 1.0 - weight_share if self.split_backward else 1.0
        level = np.cumsum(np.array([1.0, -freed, -weight_share])[kinds])
        return float(level.max())

    def _more_chains(self, stage: int, stages: int, microbatches: int) -> Iterator[Path]:
        """Chains through a stage that only this schedule has, with one stage per device."""
        yield from ()

    def chains(self, stages: int, microbatches: int, chunks: int = 1) -> Iterator[Path]:
        """Chains that every timeline has, whatever the durations; ``stages`` counts devices.

        Those of ``bound`` to every device and from there back to stage 0 or not at all; then those of the schedule.
        """
        every = stages * chunks
        late = [self.late(s, stages, microbatches) for s in range(stages)] if self.split_backward else []
        for s, first, last in product(range(stages), range(chunks), range(chunks)):
            begin, turn = s + first * stages, s + last * stages
            for end in sorted({0, turn}):
                there, back = ([int(i < begin) for i in range(every)], [int(end <= i < turn) for i in range(every)])
                weight = [0] * len(late)
                for c, i in enumerate(range(s, every, stages)):
                    there[i] += microbatches - (stages if c < first else 0)
                    back[i] += microbatches - (stages if c < last else 0)
                for i in range(end % stages, end, stages):
                    back[i] += stages
                if late:
                    weight[s] += microbatches - late[s]
                    weight[end] += late[end]
                sent = tuple(int(k < begin) for k in range(every - 1))
                returned = tuple(int(end <= k < turn) for k in range(every - 1))
                yield Path(tuple(there), tuple(back), sent, returned, end % stages, tuple(weight))
            if chunks == 1:
                yield from self._more_chains(s, stages, microbatches)

    def bound(
        self,
        phases: tuple[Durations, Durations, Durations],
        sends: tuple[Durations, Durations],
        microbatches: int,
        larger: Larger,
        *,
        devices: int | None = None,
        weight: Durations | None = None,
    ) -> Any:
        """Lower bound of the step from one chain per pair of stages.

        The microbatch that all devices begin with comes to stage i of device s behind the forward passes of all stages
        before. Until then the device has made at most ``before`` of its passes: none on its first chunk, and forward
        passes of a group of p microbatches on each chunk before that of i. The microbatch that all devices end with
        leaves stage j of device s when ``behind`` of its passes are left: backward passes of a group on each chunk
        before that of j, or r_s weight gradients. Between the two the device makes all its other passes. The gradient
        then goes back to a stage k ≤ j, whose device has ``behind`` of its passes left, and its update. With t_s the
        time of all passes of a microbatch in all chunks of device s, the longest of

            Σ_{l<i} (f_l + cf_l) - before_i + m·t_s - behind_j + Σ_{k≤l<j} (b_l + cb_l) + behind_k + u_k

        where b is the backward pass without weight gradients if these are passes of their own. With one chunk, and
        without transfers, updates and late weight gradients, this is max_s (Σ_{l<s} t_l + m·t_s).

        Parameters
        ----------
        phases
            Of all stages: forward, backward (whole), update.
        devices
            How many, if a device holds several stages.
        weight
            Part of the backward pass that makes gradients of weights; needed if the schedule splits it.
        """
        (forward, backward, update), (there, back) = phases, sends
        count, every = devices or len(forward), len(forward)
        before, behind, within = self._aside(forward, backward, weight, count, microbatches)
        head: list[Any] = [None] * count  # longest way to a stage of the device, without what that has done meanwhile
        tail: list[Any] = [None] * count  # longest way from there on, without what the device has left
        arrived: Any = 0  # first microbatch at stage i
        rest: Any = None  # from the last backward pass of stage i to the end of the step
        for i in range(every):
            s = i % count
            end = behind[i] + sum(update[s::count])
            rest = end if rest is None else larger(end, rest)
            way, left = arrived - before[i], rest - behind[i]
            head[s], tail[s] = (way, left) if i < count else (larger(head[s], way), larger(tail[s], left))
            if i + 1 < every:
                arrived, rest = arrived + forward[i] + there[i], rest + within[i] + back[i]
        best: Any = None
        for s in range(count):
            work = sum(forward[i] + backward[i] for i in range(s, every, count))
            length = head[s] + microbatches * work + tail[s]
            best = length if best is None else larger(best, length)
        return best

    def _aside(
        self, forward: Durations, backward: Durations, weight: Durations | None, devices: int, microbatches: int
    ) -> tuple[list[Any], list[Any], Durations]:
        """``before`` and ``behind`` of all stages (see ``bound``), and backward passes that the stage before awaits."""
        if self.split_backward and weight is not None:
            late = [self.late(i, devices, microbatches) * w for i, w in enumerate(weight)]
            return [0] * len(late), late, [b - w for b, w in zip(backward, weight, strict=True)]
        before: list[Any] = [0] * len(forward)
        behind: list[Any] = [0] * len(forward)
        for i in range(devices, len(forward)):
            before[i] = before[i - devices] + devices * forward[i - devices]
            behind[i] = behind[i - devices] + devices * backward[i - devices]
        return before, behind, backward

    def steps(self, forward: Times, backward: Times, update: Times, transfer: Times, microbatches: int) -> Times:
        """Steps of pipelines of equal shape; shape (cases,). Integers beyond 60 bits come as Python integers.

        Messages may be of shape (stages - 1, 2), the same for all cases. One stage per device, whole backward passes.
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


def woven(
    warm: int, lag: int | None, forward: tuple[IntArray, IntArray], backward: tuple[IntArray, IntArray]
) -> IntArray:
    """(stage, kind, microbatch) of a device: ``warm`` forward passes, then forward and backward in turn, then the rest.

    Parameters
    ----------
    lag
        The weight gradients of a backward pass come behind the backward pass ``lag`` later; ``None``: within it.
    forward, backward
        Stages and microbatches of its passes in their order.
    """
    count = len(forward[0])
    at = np.arange(count)
    places = [3 * (at - warm), 3 * at + 1] + ([] if lag is None else [3 * (at + lag) + 2])
    kinds = (FORWARD, BACKWARD, WEIGHT)[: len(places)]
    passes = (forward, backward, backward)[: len(places)]
    rows = [np.stack([s, np.full(count, kind), j], axis=1) for kind, (s, j) in zip(kinds, passes, strict=True)]
    return np.asarray(np.concatenate(rows)[np.argsort(np.concatenate(places), kind="stable")])
