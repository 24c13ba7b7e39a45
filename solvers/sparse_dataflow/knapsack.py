"""Multiple-choice knapsack with two budgets: whether one option of each layer keeps within a loss and a resource.

Dynamic programming over the layers, with the loss as the axis: a state is a (loss, use) that no other of the same
layers undercuts in both, so that axes need not be short. Everything is in exact integers. With a price λ per loss and μ
per use, whole numbers, every design takes λ·loss + μ·use of at most λ·L + μ·U: what is above that with the cheapest of
the layers to come is dropped. Prices decide how many states there are, never the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["fit", "staircase"]

Ints = npt.NDArray[np.int64]

_PRICES = 40
"""Halvings of the range of prices."""

_SCALE = 1 << 50
"""Of prices: sums fit 64 bits."""


def staircase(first: Ints, second: Ints, *others: npt.NDArray[np.float64]) -> Ints:
    """Indices of the points that none is at most equal to in both columns, by rising first one.

    Of equal points the one that comes first by ``others`` is kept.
    """
    order = np.lexsort((*others[::-1], second, first))
    falling = second[order]
    least = np.minimum.accumulate(falling)
    keep = np.ones(len(order), dtype=bool)
    keep[1:] = falling[1:] < least[:-1]
    return order[keep]


def fit(
    losses: Sequence[Ints], uses: Sequence[Ints], most_loss: int, most_use: int, over: Callable[[], object]
) -> tuple[bool | None, list[int]]:
    """(whether any choice fits both budgets, ``None``: not decided; an option of each layer that does).

    Parameters
    ----------
    losses, uses
        Of the options of each layer; shape (options,) each.
    over
        Whether the time has passed, asked once per layer.
    """
    small = [np.flatnonzero((a <= most_loss) & (b <= most_use)) for a, b in zip(losses, uses, strict=True)]
    if any(not len(own) for own in small):
        return False, []
    losses = [own[which] for own, which in zip(losses, small, strict=True)]
    uses = [own[which] for own, which in zip(uses, small, strict=True)]
    prices, picks = _priced(losses, uses, most_loss, most_use)
    fits: bool | None = True
    if picks is None:
        fits, picks = _states(losses, uses, (most_loss, most_use), prices, over)
    return fits, [int(which[pick]) for which, pick in zip(small, picks, strict=bool(picks))]


def _padded(columns: Sequence[Ints]) -> Ints:
    """Shape (layers, options); what is missing is the first option once more."""
    table = np.empty((len(columns), max(map(len, columns))), dtype=np.int64)
    for row, own in zip(table, columns, strict=True):
        row[: len(own)], row[len(own) :] = own, own[0]
    return table


def _priced(
    losses: Sequence[Ints], uses: Sequence[Ints], most_loss: int, most_use: int
) -> tuple[tuple[int, int], list[int] | None]:
    """Prices of a unit of loss and of use under which designs take most, and a choice that fits if one was met."""
    loss, use = _padded(losses), _padded(uses)
    rows = np.arange(len(loss))
    low, high = 0.0, 1.0  # share of the loss in the price
    for step in range(_PRICES):
        share = float(step) if step < 2 else (low + high) / 2
        prices = share / max(1, most_loss), (1 - share) / max(1, most_use)
        cost = prices[0] * loss + prices[1] * use
        if step < 2:  # of equally cheap ones that which takes less of the other
            cost = np.where(cost == cost.min(axis=1, keepdims=True), (loss, use)[step], np.iinfo(np.int64).max)
        pick = cost.argmin(axis=1)
        total = int(loss[rows, pick].sum()), int(use[rows, pick].sum())
        if total[0] <= most_loss and total[1] <= most_use:
            return (0, 0), pick.tolist()
        if step >= 2:
            low, high = (share, high) if total[0] > most_loss else (low, share)
    share = (low + high) / 2
    return (int(share * _SCALE / max(1, most_loss)), int((1 - share) * _SCALE / max(1, most_use))), None


def _states(
    losses: Sequence[Ints],
    uses: Sequence[Ints],
    most: tuple[int, int],
    prices: tuple[int, int],
    over: Callable[[], object],
) -> tuple[bool | None, list[int]]:
    """The dynamic program; layers with few options come first."""
    room = prices[0] * most[0] + prices[1] * most[1]
    order = sorted(range(len(losses)), key=lambda i: (len(losses[i]), i))
    columns = [(losses[i], uses[i], prices[0] * losses[i] + prices[1] * uses[i]) for i in order]
    ahead = np.array([[int(own.min()) for own in column] for column in columns], dtype=np.int64)
    rest = np.vstack([np.cumsum(ahead[::-1], axis=0)[::-1], np.zeros((1, 3), dtype=np.int64)])
    state = np.zeros((1, 3), dtype=np.int64)
    steps: list[tuple[Ints, Ints]] = []
    limits = np.array([*most, room], dtype=np.int64)
    for i, column in enumerate(columns):
        if over():
            return None, []
        sums = (state[:, None, :] + np.stack(column, axis=1)[None, :, :]).reshape(-1, 3)
        fits = np.flatnonzero((sums <= limits - rest[i + 1]).all(axis=1))
        kept = fits[staircase(sums[fits, 0], sums[fits, 1])]
        if not len(kept):
            return False, []
        state = sums[kept]
        steps.append((kept // len(column[0]), kept % len(column[0])))
    at, picks = 0, [0] * len(losses)
    for i, (parent, option) in zip(order[::-1], steps[::-1], strict=True):
        picks[i] = int(option[at])
        at = int(parent[at])
    return True, picks
