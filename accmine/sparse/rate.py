"""Cycles of a layer per image: windows, streams, and what waiting for one another costs parallel engines.

Sources: window and stream formulas as in fpgaConvNet's models of sparse layers (AlexMontgomerie/fpgaconvnet-model
@edfbeb6, without its limits of streams by rows × rows), HASS (arXiv 2406.03088). Everything is exact in integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from accmine.sparse.folding import DENSE, Folding
from accmine.sparse.layer import PARTS, Histogram, Layer, Level
from accmine.sparse.stalls import waiting_cycles

__all__ = ["cycles", "dealt", "mean_cycles", "stream_cycles", "window_cycles"]


def mean_cycles(histogram: Histogram, fine: int) -> int:
    """Cycles of a window in ``PARTS`` of a cycle: Σ h(z)·max(1, ⌈(window - z) / fine⌉), a window of zeros takes one."""
    window = len(histogram) - 1
    return sum(count * max(1, -(-(window - z) // fine)) for z, count in enumerate(histogram))


def dealt(costs: Sequence[int], hands: int) -> list[list[int]]:
    """Indices of channels dealt to streams in a snake order by descending cost; ``hands`` divides their number."""
    order = sorted(range(len(costs)), key=lambda i: (-costs[i], i))
    rows = [order[at : at + hands] for at in range(0, len(order), hands)]
    return [[(row if i % 2 == 0 else row[::-1])[hand] for i, row in enumerate(rows)] for hand in range(hands)]


@lru_cache(maxsize=1 << 16)
def _worst(histograms: tuple[Histogram, ...], groups: int, coarse_in: int, coarse_group: int, fine: int) -> Histogram:
    """Average histogram of the slowest stream; channels are dealt inside their group, groups to ``coarse_group``."""
    if len(histograms) == 1:
        return histograms[0]
    size = len(histograms) // groups
    streams: list[list[int]] = []
    costs = [mean_cycles(own, fine) for own in histograms]
    by_group = [list(range(g * size, (g + 1) * size)) for g in range(groups)]
    turns = dealt([sum(costs[i] for i in own) for own in by_group], coarse_group)
    for turn in turns:
        hands: list[list[int]] = [[] for _ in range(coarse_in)]
        for group in turn:
            own = by_group[group]
            for hand, chosen in zip(hands, dealt([costs[i] for i in own], coarse_in), strict=True):
                hand += [own[i] for i in chosen]
        streams += hands
    slowest = max(streams, key=lambda own: sum(costs[i] for i in own))
    sums = [sum(histograms[i][z] for i in slowest) for z in range(len(histograms[0]))]
    floors = [total // len(slowest) for total in sums]
    order = sorted(range(len(sums)), key=lambda z: (-(sums[z] % len(slowest)), z))
    for z in order[: PARTS - sum(floors)]:
        floors[z] += 1
    return tuple(floors)


def window_cycles(layer: Layer, level: Level, folding: Folding) -> int:
    """Cycles of a window of the slowest stream in ``PARTS`` of a cycle, waiting included."""
    if folding.engine == DENSE:
        return PARTS * layer.window // folding.fine
    worst = _worst(level.histograms, layer.groups, folding.coarse_in, folding.coarse_group, folding.fine)
    return waiting_cycles(worst, folding.fine, folding.engines, folding.slack)


def stream_cycles(layer: Layer, folding: Folding) -> int:
    """Cycles that the words of an image take to come in, or to go out."""
    words_in, words_out = layer.words
    return max(-(-words_in // folding.streams_in(layer)), -(-words_out // folding.streams_out))


def cycles(layer: Layer, level: Level, folding: Folding) -> int:
    """Cycles between two images: the slowest of windows and streams.

    Windows of an engine are ``windows / engines``: H·W·C_in/(cluster·coarse_in·coarse_group)·F/(coarse_out·groups).
    """
    windows = layer.windows // folding.engines
    return max(-(-windows * window_cycles(layer, level, folding) // PARTS), stream_cycles(layer, folding))
