"""What it costs that parallel engines with varying windows wait for one another.

Engine j starts window i when its own window i - 1 is done and the slowest engine has done window i - slack:
C_j(i) = max(C_j(i - 1), max_k C_k(i - slack)) + X_j(i). With slack 1 all wait for the slowest of each window.
"""

from __future__ import annotations

from functools import lru_cache

from accmine.sparse.layer import PARTS, Histogram

__all__ = ["waiting_cycles"]


@lru_cache(maxsize=1 << 18)
def waiting_cycles(histogram: Histogram, fine: int, engines: int, slack: int) -> int:
    """Mean cycles per window of ``engines`` independent engines with ``slack``, in ``PARTS`` of a cycle.

    Never below the mean of one engine, never above that with slack 1, which is the mean of the slowest.
    """
    by_cycles = _distribution(histogram, fine)
    mean = sum(count * cycles for cycles, count in by_cycles)
    slowest = _mean_of_slowest(by_cycles, engines)
    if slack == 1 or engines == 1:
        return slowest
    # reflected random walk: the excess falls with the slack, and grows with the variance and slowly with the engines
    second = sum(count * cycles**2 for cycles, count in by_cycles)
    variance = second / PARTS - (mean / PARTS) ** 2
    excess: float = 1.2 * engines.bit_length() ** 0.5 * variance / (mean / PARTS) / slack
    return max(mean, min(slowest, mean + round(excess * PARTS)))


def _distribution(histogram: Histogram, fine: int) -> list[tuple[int, int]]:
    """(cycles, windows out of ``PARTS``) of a window, ascending."""
    window, found = len(histogram) - 1, dict[int, int]()
    for z, count in enumerate(histogram):
        cycles = max(1, -(-(window - z) // fine))
        found[cycles] = found.get(cycles, 0) + count
    return sorted((cycles, count) for cycles, count in found.items() if count)


def _mean_of_slowest(by_cycles: list[tuple[int, int]], engines: int) -> int:
    """E[max of so many] = Σ c·(F(c)ⁿ - F(c-)ⁿ), in ``PARTS``."""
    below = 0
    total: float = 0.0
    before: float = 0.0
    for cycles, count in by_cycles:
        below += count
        reached: float = (below / PARTS) ** engines
        total += cycles * (reached - before)
        before = reached
    return round(total * PARTS)
