"""The chain bound: the longest chain that every timeline of a schedule has, and the least of it over all cuts.

Stages of a pipeline are contiguous. From the back, with m microbatches, t = f + b of a stage, messages there and back
c and c', updates u, and of schedules that split the backward pass the part w of b for weights, of which r come behind
the last backward pass (else w = r = 0), a pipeline is two numbers: X, a chain that comes back to its first stage,
without what is late and the update, and Y, a chain that ends with an update anywhere. Of one stage

    X = m t - r w,                                    Y = m t + u

and of a stage before a pipeline of (X', Y')

    X = max(m t - r w, f + c + X' + c' + b - w),
    Y = max(m t + u, f + c + Y', f + c + X' + c' + b - w + r w + u).

Y of all stages is the bound of the schedule (``accmine.system.PipelineSchedule.bound``) with one stage per device. Both
numbers grow with X' and Y', so of all cuts of the rest of the layers only those count whose (X', Y') no other one
reaches: the recursion over such lists is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.system import DEFAULT_SCHEDULE, SCHEDULES

__all__ = ["Front", "Rows", "best_plan", "chain_fronts", "least_chain"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Rows:
    """What stages are made of, for one way to run the layers.

    Attributes
    ----------
    forward, backward, update
        Of a layer, in any unit of time, integers or floats; those of a stage are sums. Shape (layers,).
    there, back
        Message over a boundary in front of a layer: numbers, shape (layers,), or shape (stages, layers), whose row
        r - 1 is in front of the r-th stage from the end.
    reach
        Row r - 1: for the r-th stage from the end, by its first layer, the layer behind the longest stage that fits
        in memory; shape (stages, layers). ``None``: all fit.
    width
        Devices of a stage, where they are counted; 0: they are not.
    weight
        Part of ``backward`` that makes gradients of weights, where the schedule splits it; shape (layers,).
    late
        Entry r - 1: weight gradients behind the last backward pass of the r-th stage from the end.
    """

    forward: Array
    backward: Array
    update: Array
    there: Any = 0
    back: Any = 0
    reach: Array | None = None
    width: int = 0
    weight: Array | None = None
    late: Sequence[int] = ()
    _sums: dict[str, Array] = field(default_factory=dict, init=False, repr=False)

    def of_stages(self, name: str) -> Array:
        """A phase of all stages, [first layer, layer behind]; shape (layers, layers + 1), negative where empty."""
        if name not in self._sums:
            each = np.asarray(getattr(self, name))
            total = np.concatenate([np.zeros(1, dtype=each.dtype), np.cumsum(each)])
            self._sums[name] = total[None, :] - total[:-1, None]
        return self._sums[name]

    def weights(self, r: int) -> tuple[Any, Any]:
        """(w, r w) of all stages that are the r-th from the end; (0, 0) where the backward pass is not split."""
        if self.weight is None:
            return 0, 0
        each = self.of_stages("weight")
        return each, self.late[r - 1] * each

    def message(self, name: str, r: int) -> Array:
        """Message in front of each layer, where that begins the r-th stage from the end; shape (layers,)."""
        given = np.asarray(getattr(self, name))
        return np.broadcast_to(given[r - 1] if given.ndim == 2 else given, (len(self.forward),))


@dataclass(frozen=True, eq=False)
class Front:
    """Undominated (X, Y) of r stages from each layer to the end, with the devices they have.

    Attributes
    ----------
    x, y
        Shape (layers, most); ``never`` where there is nothing.
    option, cut, entry
        How the first stage runs, the layer behind it, and which entry of the front of the rest continues.
    """

    x: Array
    y: Array
    option: Array
    cut: Array
    entry: Array
    rest: Array  # devices of the rest


def _never(rows: Sequence[Rows]) -> Any:
    """Larger than any chain; sums of it with chains are as well, and stay within the type."""
    whole = all(np.asarray(r.forward).dtype.kind == "i" for r in rows)
    return np.int64(1 << 61) if whole else np.inf


def chain_fronts(
    rows: Sequence[Rows],
    stages: int,
    microbatches: int,
    *,
    budget: int = 0,
    below: Any = None,
    fronts: list[dict[int, Front]] | None = None,
) -> list[dict[int, Front]]:
    """Fronts of 1 to ``stages`` stages, by number of devices (0 where they are not counted).

    Parameters
    ----------
    rows
        One for each way to run a stage; each stage takes any of them.
    budget
        Devices at most.
    below
        Only chains below this are kept.
    fronts
        Those of fewer stages, to which the others are added.
    """
    never = _never(rows)
    layers = len(rows[0].forward)
    limit = never if below is None else min(below, never)
    fronts = [] if fronts is None else fronts
    for r in range(len(fronts) + 1, stages + 1):
        pieces: dict[int, list[tuple[Array, ...]]] = {}
        for o, own in enumerate(rows):
            f, b, u = (own.of_stages(name) for name in ("forward", "backward", "update"))
            fits = np.arange(layers + 1)[None, :] > np.arange(layers)[:, None]
            if own.reach is not None:
                fits &= np.arange(layers + 1)[None, :] <= own.reach[r - 1][:, None]
            busy = microbatches * (f + b)
            weight, late = own.weights(r)
            if r == 1:
                x, y = (busy - late)[:, -1:], (busy + u)[:, -1:]
                ok = fits[:, -1:] & (y < limit)
                _collect(pieces, own.width, budget, (x, y, ok), (o, np.full((1, 1), layers), np.zeros((1, 1), int), 0))
                continue
            there, back = own.message("there", r - 1), own.message("back", r - 1)
            for used, rest in fronts[-1].items():
                width = rest.x.shape[1]
                on, off = (f[:, :-1] + there)[:, :, None], ((b - weight)[:, :-1] + back)[:, :, None]
                way = on + rest.x + off
                x = np.maximum((busy - late)[:, :-1, None], way)
                y = np.maximum((busy + u)[:, :-1, None], on + rest.y)
                y = np.maximum(y, way + (u + late)[:, :-1, None])
                ok = fits[:, :-1, None] & (rest.y < limit)[None] & (y < limit)
                shape = layers, layers * width
                where = np.divmod(np.arange(layers * width)[None, :], width)
                found = (x.reshape(shape), y.reshape(shape), ok.reshape(shape))
                _collect(pieces, used + own.width, budget, found, (o, where[0], where[1], used))
        fronts.append({used: front for used, own_pieces in pieces.items() if (front := _front(own_pieces, never))})
    return fronts


def _collect(
    pieces: dict[int, list[tuple[Array, ...]]],
    used: int,
    budget: int,
    found: tuple[Array, Array, Array],
    origin: tuple[int, Array, Array, int],
) -> None:
    if used > budget:
        return
    option, cut, entry, rest = origin
    marks = (np.full((1, 1), option), cut, entry, np.full((1, 1), rest))
    columns = np.flatnonzero(found[2].any(axis=0))  # of what is left, as most of it is not
    if len(columns):
        wide = [np.broadcast_to(mark, found[0].shape)[:, columns] for mark in marks]
        pieces.setdefault(used, []).append((*(part[:, columns] for part in found), *wide))


def _front(pieces: list[tuple[Array, ...]], never: Any) -> Front | None:
    """The undominated of all pieces, row by row."""
    x, y, ok, *marks = (np.concatenate(parts, axis=1) for parts in zip(*pieces, strict=True))
    x, y = np.where(ok, x, never), np.where(ok, y, never)
    order = np.lexsort((y, x), axis=1)
    x, y = np.take_along_axis(x, order, 1), np.take_along_axis(y, order, 1)
    least = np.minimum.accumulate(y, axis=1)
    kept = y < never
    kept[:, 1:] &= y[:, 1:] < least[:, :-1]
    most = int(kept.sum(axis=1).max(initial=0))
    if not most:
        return None
    row, column = np.nonzero(kept)
    place = (np.cumsum(kept, axis=1) - 1)[row, column]
    packed = []
    for values, fill in ((x, never), (y, never), *((np.take_along_axis(mark, order, 1), 0) for mark in marks)):
        table = np.full((len(x), most), fill, dtype=values.dtype)
        table[row, place] = values[row, column]
        packed.append(table)
    return Front(*packed)


def best_plan(fronts: Sequence[dict[int, Front]], stages: int) -> tuple[Any, tuple[int, ...], tuple[int, ...]] | None:
    """(least chain bound, first layers of the stages, their options) of all layers in ``stages`` stages."""
    found = [(front.y[0].min(), used) for used, front in fronts[stages - 1].items()]
    if not found:
        return None
    least, used = min(found)
    front = fronts[stages - 1][used]
    if front.cut[0].max() == 0:  # nothing starts at the first layer
        return None
    layer, entry = 0, int(front.y[0].argmin())
    firsts, options = [], []
    for r in range(stages, 0, -1):
        front = fronts[r - 1][used]
        firsts.append(layer)
        options.append(int(front.option[layer, entry]))
        layer, entry, used = (int(table[layer, entry]) for table in (front.cut, front.entry, front.rest))
    return least, tuple(firsts), tuple(options)


def least_chain(
    forward: Sequence[float] | Array,
    backward: Sequence[float] | Array,
    update: Sequence[float] | Array,
    *,
    stages: int,
    microbatches: int,
    there: Any = 0,
    back: Any = 0,
    reach: Array | None = None,
    schedule: str = DEFAULT_SCHEDULE,
    weight: Sequence[float] | Array | None = None,
) -> tuple[Any, tuple[int, ...] | None]:
    """The least chain bound over all cuts of a chain of layers, and the cut that has it; one stage per device.

    Parameters
    ----------
    forward, backward, update
        Time of each layer, of one microbatch and of a step; integers or floats. Shape (layers,).
    there, back
        Message in front of a layer, of one microbatch, that begins a stage; a number, shape (layers,), or shape
        (stages, layers) as in ``Rows``.
    reach
        Shape (stages, layers), by position from the *end*: row r - 1 holds for the r-th stage from the end, by its
        first layer i, the largest j such that layers i to j - 1 fit in its memory. ``None``: all fit.
    weight
        Part of ``backward`` that makes gradients of weights; needed by schedules that split the backward pass.

    Returns
    -------
    tuple
        (bound, first layer of each stage); (infinite, ``None``) where no cut fits, which includes more stages than
        layers.

    Raises
    ------
    InputError
        If the schedule splits the backward pass and ``weight`` is not given.
    """
    own = SCHEDULES[schedule]
    if own.split_backward and weight is None:
        raise InputError(f"schedule {schedule!r} splits the backward pass; weight is needed", field="weight")
    late = [own.late(stages - r, stages, microbatches) for r in range(1, stages + 1)] if own.split_backward else []
    part = np.asarray(weight) if own.split_backward else None
    rows = Rows(np.asarray(forward), np.asarray(backward), np.asarray(update), there, back, reach, 0, part, late)
    if stages > len(rows.forward):
        return np.inf, None
    found = best_plan(chain_fronts([rows], stages, microbatches), stages)
    return (np.inf, None) if found is None else (found[0].item(), found[1])
