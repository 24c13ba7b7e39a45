"""A pipeline of layers simulated window by window: random windows, slack, streams, FIFOs of finite depth.

What ``accmine.sparse.rate`` and ``accmine.sparse.stalls`` say in formulas is measured here by other means: nothing of
them is used. Rules, with ``step`` i of a layer the i-th window of each of its engines:

- an engine starts step i when it is done with step i - 1, the layer is done with step i - slack, and the words of the
  step are there; it takes max(1, ⌈(window - z) / fine⌉) cycles with z drawn from its histogram, independently of all
  others, or window / fine in a dense engine;
- the layer is done with a step when its slowest engine is, and when the words of the step before have left, those of
  the last step but one of the next layer where that is longer;
- words of a step go into the FIFO in front of the next layer at up to ``streams_in`` words per cycle, and stay for as
  long as the kernel needs them. It holds what the kernel covers, the rows between the first and the last word of a
  window, and ``depth`` words more; where several paths meet again the shorter ones hold an image more;
- a layer without edges into it always finds words, one without edges out of it is never held up;
- words and steps of an image are spread evenly over each other: step i of W needs the share (i + 1) / W of the image
  and the kernel's share ahead of it. Images follow one another without a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from accmine.errors import InputError
from accmine.sparse.folding import DENSE, Folding
from accmine.sparse.layer import PARTS, Layer, Level

__all__ = ["DEPTH", "Measured", "simulate"]

F = TypeVar("F")
_njit: Any = numba.njit

DEPTH = 64
"""Words per stream that a FIFO holds beyond what the kernel covers."""

Stage = tuple[Layer, Level, Folding]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def _compiled(function: F) -> F:
    try:
        return cast(F, _njit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # no folder to keep it in
        return cast(F, _njit(error_model="numpy")(function))


@dataclass(frozen=True, slots=True)
class Measured:
    """Cycles between two images, and the standard error of it.

    Attributes
    ----------
    interval
        Of the slowest of the layers without edges out of them.
    error
        By means of batches of images, one standard deviation.
    layers
        Interval of each layer.
    """

    interval: float
    error: float
    layers: tuple[float, ...]


def simulate(
    stages: Sequence[Stage],
    edges: Sequence[tuple[int, int]] = (),
    *,
    images: int = 40,
    depth: int = DEPTH,
    seed: int = 0,
) -> Measured:
    """Simulate a pipeline.

    Parameters
    ----------
    stages
        (layer, its level, its folding), in an order in which edges go forward.
    edges
        (from, to) indices of stages.
    images
        That are measured, after a quarter of so many in which the pipeline fills.
    depth
        Words per stream of each FIFO, see ``DEPTH``.

    Raises
    ------
    InputError
        For edges that go back, less than 4 images, and FIFOs that hold less than a step.
    """
    if images < 4:
        raise InputError(f"{images} images are not allowed; at least 4")
    if wrong := [edge for edge in edges if not 0 <= edge[0] < edge[1] < len(stages)]:
        raise InputError(f"edge {wrong[0]} is not allowed; from a stage to a later one of {len(stages)}")
    warm = -(-images // 4)
    steps = np.array([layer.windows // folding.engines for layer, _, folding in stages], dtype=np.int64)
    ports = _ports(stages, edges, steps, depth)
    if (ports.hold <= ports.ahead).any():
        raise InputError(f"FIFOs of {depth} words per stream hold less than a step of the layer behind them")
    engines = np.array([folding.engines for *_, folding in stages], dtype=np.int64)
    slack = np.array([folding.slack for *_, folding in stages], dtype=np.int64)
    done, stuck = _run(steps, engines, slack, ports, _windows(stages), warm + images, seed)
    if stuck:
        raise InputError(f"FIFOs of {depth} words per stream are too small: nothing moves")
    each = np.diff(done[:, warm - 1 :], axis=1)
    last = [k for k in range(len(stages)) if all(source != k for source, _ in edges)]
    slowest = max(last, key=lambda k: float(each[k].mean()))
    batches = np.array([part.mean() for part in np.array_split(each[slowest], min(10, images))])
    error = float(batches.std(ddof=1)) / len(batches) ** 0.5
    return Measured(float(each[slowest].mean()), error, tuple(each.mean(axis=1).tolist()))


class _Ports(NamedTuple):
    """Where words go into a layer, sorted by layer: one for each edge, and one for each layer without.

    ``first`` and ``out`` index the ports into and out of each layer; ``ahead`` is what a step needs ahead of its own
    share, ``hold`` what the FIFO and the kernel's rows hold, both in steps; ``gap`` cycles are taken by a step's words.
    """

    source: Ints
    target: Ints
    first: Ints
    out: Ints
    ahead: Ints
    hold: Ints
    gap: Floats


def _ports(stages: Sequence[Stage], edges: Sequence[tuple[int, int]], steps: Ints, depth: int) -> _Ports:
    count = len(stages)
    fed = {target for _, target in edges}
    ends = sorted([*edges, *((-1, k) for k in range(count) if k not in fed)], key=lambda own: own[1])
    far = [0] * count
    for source, target in ends:
        far[target] = max(far[target], far[source] + 1 if source >= 0 else 0)
    ahead, hold, gap = [], [], []
    for source, target in ends:
        layer, _, folding = stages[target]
        per_step = layer.words[0] / int(steps[target])
        row = layer.size_in[1] * layer.channels_in
        before = layer.kernel[0] // 2 * row + layer.kernel[1] // 2 * layer.channels_in
        covered = (layer.kernel[0] - 1) * row + (layer.kernel[1] - 1) * layer.channels_in
        streams = folding.streams_in(layer)
        held = (covered + depth * streams) / per_step
        if source >= 0 and far[target] - far[source] > 1:  # a shorter path waits for the longer one
            held += int(steps[target])
        ahead.append(min(int(-(-before // per_step)), int(steps[target])))
        hold.append(int(held))
        gap.append(per_step / streams)
    source_of, target_of = np.array(ends, dtype=np.int64).T.copy()
    out = np.full((count, max(1, len(ends))), -1, dtype=np.int64)
    for k in range(count):
        own = np.flatnonzero(source_of == k)
        out[k, : len(own)] = own
    first = np.searchsorted(target_of, np.arange(count + 1))
    return _Ports(source_of, target_of, first, out, np.array(ahead), np.array(hold), np.array(gap))


def _dealt(costs: Sequence[float], hands: int) -> list[list[int]]:
    """In a snake by descending cost, as the hardware is wired."""
    found: list[list[int]] = [[] for _ in range(hands)]
    for turn, i in enumerate(sorted(range(len(costs)), key=lambda i: (-costs[i], i))):
        at = turn % hands if turn // hands % 2 == 0 else hands - 1 - turn % hands
        found[at].append(i)
    return found


class _Windows(NamedTuple):
    """What engines draw from.

    Engines of a row share input channels; each goes through its channels, and with each through its filters.
    ``thresholds`` and ``cycles`` are those of each histogram; ``which`` of them a layer's row of engines uses in each
    of its turns; ``shape`` has a layer's rows, turns and filters.
    """

    thresholds: Ints
    cycles: Ints
    which: Ints
    shape: Ints


def _cycles(layer: Layer, folding: Folding) -> list[int]:
    """Of a window, by its zero products."""
    if folding.engine == DENSE:
        return [layer.window // folding.fine] * (layer.window + 1)
    return [max(1, -(-(layer.window - z) // folding.fine)) for z in range(layer.window + 1)]


def _rows(stage: Stage) -> list[list[int]]:
    """Histograms that each row of engines goes through: groups are dealt to engines, then channels of each group."""
    layer, level, folding = stage
    if len(level.histograms) == 1:
        return [[0]]
    every = _cycles(layer, folding)
    costs = [sum(count * own for count, own in zip(histogram, every, strict=True)) for histogram in level.histograms]
    size = len(costs) // layer.groups
    of_group = [costs[g * size : (g + 1) * size] for g in range(layer.groups)]
    found: list[list[int]] = []
    for groups in _dealt([sum(own) for own in of_group], folding.coarse_group):
        hands: list[list[int]] = [[] for _ in range(folding.coarse_in)]
        for g in groups:  # the dearest part of a group to the engines that have least so far
            parts = [[g * size + i for i in own] for own in _dealt(of_group[g], folding.coarse_in)]
            parts.sort(key=lambda part: -sum(costs[i] for i in part))
            hands.sort(key=lambda hand: sum(costs[i] for i in hand))
            hands = [[*hand, *part] for hand, part in zip(hands, parts, strict=True)]
        found += hands
    return found


def _windows(stages: Sequence[Stage]) -> _Windows:
    rows: list[list[tuple[int, int]]] = []
    turns, shape = [], []
    for stage in stages:
        layer, level, folding = stage
        own = [[len(rows) + i for i in row] for row in _rows(stage)]
        turns.append(own)
        shape.append((len(own), len(own[0]), layer.channels_out // (layer.groups * folding.coarse_out)))
        every = _cycles(layer, folding)
        rows += [sorted(zip(histogram, every, strict=True), reverse=True) for histogram in level.histograms]
    thresholds, cycles = np.ones((2, len(rows), max(map(len, rows))), dtype=np.int64)
    for i, row in enumerate(rows):
        counts, values = zip(*row, strict=True)
        thresholds[i, : len(row)], cycles[i, : len(row)] = np.cumsum(counts), values
    which = np.zeros((len(stages), *np.array(shape)[:, :2].max(axis=0)), dtype=np.int64)
    for k, own in enumerate(turns):
        which[k, : len(own), : len(own[0])] = own
    return _Windows(thresholds, cycles, which, np.array(shape, dtype=np.int64))


@_compiled
def _step(free: Any, start: float, thresholds: Any, cycles: Any, rows: Any) -> float:
    """Draw a window for every engine; when the slowest is done."""
    slowest = 0.0
    for j in range(len(free)):
        row = rows[j % len(rows)]
        drawn = np.random.random() * PARTS
        z = 0
        while drawn >= thresholds[row, z]:
            z += 1
        free[j] = max(free[j], start) + cycles[row, z]
        slowest = max(slowest, free[j])
    return slowest


@_compiled
def _fill(k: int, total: int, steps: Any, ports: Any, at: Any, got: Any, done: Any, taken: Any) -> bool:
    """Take words into the FIFOs of a layer for as long as there are words and space; whether there were any."""
    moved = False
    for e in range(ports.first[k], ports.first[k + 1]):
        source, hold = ports.source[e], ports.hold[e]
        while got[e] < total:
            q = got[e]
            now = taken[e, q - 1] if q else 0.0
            if q >= hold:
                if q - hold >= at[k]:
                    break
                now = max(now, done[k, q - hold])
            if source >= 0:
                needs = -(-(q + 1) * steps[source] // steps[k]) - 1
                if needs >= at[source]:
                    break
                now = max(now, done[source, needs])
            taken[e, q] = now + ports.gap[e]
            got[e] += 1
            moved = True
    return moved


@_compiled
def _ready(k: int, slack: int, steps: Any, ports: Any, at: Any, got: Any, done: Any, taken: Any) -> Any:
    """(whether all that the next step of a layer waits for is known, when it may start, and end)."""
    i = at[k]
    start = done[k, i - slack] if i >= slack else 0.0
    for e in range(ports.first[k], ports.first[k + 1]):
        q = min(i + ports.ahead[e], (i // steps[k] + 1) * steps[k] - 1)
        if q >= got[e]:
            return False, 0.0, 0.0
        start = max(start, taken[e, q])
    left = done[k, i - 1] if i else 0.0
    for e in ports.out[k]:
        if e < 0:
            break
        target = ports.target[e]
        q = i * steps[target] // steps[k] - 1 - (steps[target] < steps[k])
        if q >= got[e]:
            return False, 0.0, 0.0
        if q >= 0:
            left = max(left, taken[e, q])
    return True, start, left


@_compiled
def _run(steps: Any, engines: Any, slack: Any, ports: Any, windows: Any, images: int, seed: int) -> Any:
    """When each layer is done with each image, and whether some never are."""
    np.random.seed(seed)
    count, total = len(steps), steps * images
    thresholds, cycles = windows.thresholds, windows.cycles
    done, taken = np.zeros((count, total.max())), np.zeros((len(ports.source), total.max()))
    free = np.zeros((count, engines.max()))
    at, got = np.zeros(count, np.int64), np.zeros(len(ports.source), np.int64)
    moved = True
    while moved:
        moved = False
        for k in range(count):
            rows, turns, filters = windows.shape[k]
            again = True
            while again:
                again = _fill(k, total[k], steps, ports, at, got, done, taken)
                while at[k] < total[k]:
                    ready, start, left = _ready(k, slack[k], steps, ports, at, got, done, taken)
                    if not ready:
                        break
                    i = at[k]
                    own = windows.which[k, :rows, i // filters % turns]
                    done[k, i] = max(left, _step(free[k, : engines[k]], start, thresholds, cycles, own))
                    at[k] += 1
                    again = True
                moved = moved or again
    ends = np.zeros((count, images))
    for k in range(count):
        for m in range(images):
            ends[k, m] = done[k, (m + 1) * steps[k] - 1]
    return ends, (at < total).any()
