"""What measured all-reduces say of the level that joins the devices."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

import numpy as np

from accmine.errors import InputError

__all__ = ["LEAST_ROWS", "AllReduceFit", "fit_all_reduce"]

LEAST_ROWS = 4
"""One more than there are constants."""


class AllReduceFit(NamedTuple):
    """Constants of ``accmine.system.Level``.

    Attributes
    ----------
    bytes_per_s
        That collectives reach: bandwidth × efficiency.
    latency_s
        Of a hop of the ring.
    start_s
        Of a collective of any size.
    """

    bytes_per_s: float
    latency_s: float
    start_s: float

    def seconds(self, ranks: int, message_bytes: float) -> float:
        """Of a ring among ``ranks`` devices of the level, as of ``accmine.system.collectives``."""
        return self.start_s + 2 * (ranks - 1) * (self.latency_s + message_bytes / ranks / self.bytes_per_s)


def fit_all_reduce(rows: Iterable[tuple[int, float, float]]) -> AllReduceFit:
    """Start, hop and bandwidth of a ring with the least sum of squared relative errors; none is negative.

    Parameters
    ----------
    rows
        Devices, bytes of the message, and seconds of measured all-reduces on one level.

    Raises
    ------
    InputError
        If rows are too few, or one is no all-reduce.
    """
    table = np.array(list(rows), dtype=float).reshape(-1, 3)
    if len(table) < LEAST_ROWS:
        raise InputError(f"{len(table)} all-reduces; at least {LEAST_ROWS} are needed")
    ranks, size, seconds = table.T
    if (seconds <= 0).any() or (ranks < 2).any() or (size <= 0).any():
        raise InputError("an all-reduce has two devices or more, and takes bytes and seconds above 0")
    hops = 2 * (ranks - 1)
    terms = np.stack([hops / ranks * size, hops, np.ones_like(ranks)], axis=1) / seconds[:, None]
    # least squares without negative constants: of all subsets of the constants the best whose own are all positive
    best, least = np.zeros(3), np.inf  # bytes alone are always positive
    for used in (np.array([0, *more]) for count in range(3) for more in combinations((1, 2), count)):
        found = np.linalg.lstsq(terms[:, used], np.ones_like(ranks), rcond=None)[0]
        error = float(((terms[:, used] @ found - 1) ** 2).sum())
        if (found > 0).all() and error < least:
            best, least = np.zeros(3), error
            best[used] = found
    return AllReduceFit(1 / float(best[0]), float(best[1]), float(best[2]))
