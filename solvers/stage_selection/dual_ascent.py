"""Maximum of a concave function of one or two prices, by cutting planes through the centre of gravity.

Every evaluation gives the value and a supergradient; the half of the region that the gradient points away from holds
no maximum and is cut off (Levin, 1965; Newman, 1965: each cut through the centre of gravity removes at least
1 - 1/e ≥ 36 % of the rest). Every value is a lower bound of the maximum, so stopping early costs strength only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Ascent", "maximise"]

FloatArray = npt.NDArray[np.float64]
Evaluate = Callable[[FloatArray], tuple[float, FloatArray]]


@dataclass(frozen=True, eq=False)
class Ascent:
    """Best value seen and where."""

    value: float
    point: FloatArray


def maximise(
    evaluate: Evaluate, low: FloatArray, high: FloatArray, rounds: int, accuracy: float, over: Callable[[], object]
) -> Ascent | None:
    """Maximise over a box; ``None`` when there was no time for a single evaluation.

    Parameters
    ----------
    evaluate
        (value, supergradient) at a point; shapes (), (dimensions,).
    low, high
        Corners of the box; 0, 1 or 2 dimensions.
    accuracy
        Relative distance between the best value and what the cuts still allow at which the search ends.
    """
    best: Ascent | None = None
    region = _corners(low, high)
    planes: list[tuple[float, FloatArray, FloatArray]] = []
    for _ in range(rounds if len(low) else 1):
        if over():
            break
        point = _centre(region)
        value, gradient = evaluate(point)
        planes.append((value, gradient, point))
        if best is None or value > best.value:
            best = Ascent(value, point)
        if not gradient.any():  # a maximum; also in no dimension at all
            break
        region = _cut(region, point, gradient)
        if len(region) <= len(low):
            break
        most = allowed(planes, region)
        if most <= best.value + accuracy * abs(best.value):
            break
    return best


def allowed(planes: list[tuple[float, FloatArray, FloatArray]], corners: FloatArray) -> float:
    """No value in the region is larger: a plane is largest at a corner, and each plane is an upper limit."""
    return min(float((v + (corners - at) @ g).max()) for v, g, at in planes)


def _corners(low: FloatArray, high: FloatArray) -> FloatArray:
    """Corners of the box, in order around it."""
    if len(low) < 2:
        return np.array([low, high], dtype=np.float64).reshape(2, len(low))
    return np.array([(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])], dtype=np.float64)


def _centre(region: FloatArray) -> FloatArray:
    """Centre of gravity of a segment or polygon."""
    if region.shape[1] < 2:
        return np.asarray(region.mean(axis=0), dtype=np.float64)
    x, y = (region - region[0]).T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    area = cross.sum()
    if abs(area) < 1e-12 * max(1e-300, float(np.ptp(x) * np.ptp(y))):
        return np.asarray(region.mean(axis=0), dtype=np.float64)
    centre = np.array([((x + np.roll(x, -1)) * cross).sum(), ((y + np.roll(y, -1)) * cross).sum()]) / (3 * area)
    return np.asarray(centre + region[0], dtype=np.float64)


def _cut(region: FloatArray, point: FloatArray, gradient: FloatArray) -> FloatArray:
    """The part of the region on the side that the gradient points to."""
    side = (region - point) @ gradient
    corners = []
    for i in range(len(region)):
        j = (i + 1) % len(region)
        if side[i] >= 0:
            corners.append(region[i])
        if (side[i] > 0 > side[j] or side[i] < 0 < side[j]) and (region.shape[1] > 1 or i == 0):
            corners.append(region[i] + (region[j] - region[i]) * (side[i] / (side[i] - side[j])))
    return np.array(corners, dtype=np.float64).reshape(-1, region.shape[1])
