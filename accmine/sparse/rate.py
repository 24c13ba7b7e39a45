"""Cycles of a layer per image: windows, streams, and what waiting for one another costs parallel engines.

Sources: window and stream formulas as in fpgaConvNet's models of sparse layers (AlexMontgomerie/fpgaconvnet-model
@edfbeb6, without its limits of streams by rows × rows), HASS (arXiv 2406.03088). Everything is exact in integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from accmine.sparse.folding import DENSE, Folding
from accmine.sparse.layer import PARTS, Histogram, Layer, Level, averaged
from accmine.sparse.stalls import waiting_cycles

__all__ = ["cycles", "dealt", "mean_cycles", "slowest_stream", "stream_cycles", "window_cycles"]


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
def slowest_stream(
    histograms: tuple[Histogram, ...], groups: int, coarse_in: int, coarse_group: int, fine: int
) -> Histogram:
    """Average histogram of the slowest stream; channels are dealt inside their group, groups to ``coarse_group``.

    Streams of a turn of groups differ by no more than the dearest channel of a group from its cheapest.
    """
    if len(histograms) == 1:
        return histograms[0]
    size = len(histograms) // groups
    costs = [mean_cycles(own, fine) for own in histograms]
    by_group = [list(range(g * size, (g + 1) * size)) for g in range(groups)]

    def cost(channels: Sequence[int]) -> int:
        return sum(costs[i] for i in channels)

    streams: list[list[int]] = []
    for turn in dealt([cost(own) for own in by_group], coarse_group):
        hands: list[list[int]] = [[] for _ in range(coarse_in)]
        for group in turn:
            own = by_group[group]
            parts = [[own[i] for i in chosen] for chosen in dealt([costs[i] for i in own], coarse_in)]
            # what is most goes to the hand that has least: the same hand would be first in every group
            for hand, part in zip(sorted(hands, key=cost), sorted(parts, key=cost, reverse=True), strict=True):
                hand.extend(part)
        streams += hands
    return averaged([histograms[i] for i in max(streams, key=cost)])


def window_cycles(layer: Layer, level: Level, folding: Folding) -> int:
    """Cycles of a window of the slowest stream in ``PARTS`` of a cycle, waiting included."""
    if folding.engine == DENSE:
        return PARTS * layer.window // folding.fine
    worst = slowest_stream(level.histograms, layer.groups, folding.coarse_in, folding.coarse_group, folding.fine)
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
