"""The choice of a point for each device, as a stage selection: a device is a stage, and its interval the stage's time.

Of times only the longest counts, so a stage has the rank of its ticks among all there are. What all devices share, the
loss, is what a selection calls area: a sum with a limit, here of what each device loses beyond its least. Both are
whole numbers that a selection holds exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.stage_selection import Candidate, Limits, Pipeline, Problem, Stage
from accmine.questions.sparse.devices.front import Point
from accmine.result import Status
from accmine.solving import solve
from accmine.sparse.layer import POINT

__all__ = ["chosen", "selection"]

_EXACT = 500_000_000
"""Parts of loss: half of those of which a part in 10^9 is one."""


def selection(
    names: Sequence[str], points: Sequence[Sequence[Point]], links: Sequence[int], loss: int | None
) -> Problem:
    """The stage selection.

    Parameters
    ----------
    names, points
        Of each device, with at least one point each.
    links
        Ticks of the words of an image between one device and the next.
    loss
        Of all devices together, at most.

    Raises
    ------
    InputError
        If so much loss is to be shared out that a selection, whose limits allow for a part in 10^9, is not exact.
    """
    rank = {ticks: float(i + 1) for i, ticks in enumerate(sorted({*links, *(p.ticks for own in points for p in own)}))}
    stages, free, most = [], loss, 0
    for s, (name, own) in enumerate(zip(names, points, strict=True)):
        least = min(point.loss for point in own)
        rows = [
            Candidate(f"{s}-{i}", rank[point.ticks], 0.0, 0.0, float(point.loss - least), 0.0)
            for i, point in enumerate(own)
        ]
        stages.append(Stage(f"{s}-{name}", tuple(rows)))
        free, most = None if free is None else free - least, most + max(point.loss for point in own) - least
    if free is not None and _EXACT < free < most:
        message = (
            f"of {most / POINT:.10g} points that devices may lose {free / POINT:.10g} is a limit that is not exact"
        )
        raise InputError(f"{message}; at most {_EXACT / POINT:g} points can be shared out", field="loss")
    transfer = tuple((rank[ticks], 0.0) for ticks in links)
    pipeline = Pipeline("network", tuple(stages), microbatches=1, transfer_s=transfer)
    limits = Limits() if free is None or free >= most else Limits(area_mm2=float(free))
    return Problem((pipeline,), limits, objective="bottleneck")


def chosen(
    names: Sequence[str], points: Sequence[Sequence[Point]], links: Sequence[int], loss: int | None
) -> tuple[int, tuple[Point, ...]] | None:
    """(ticks of the slowest, a point for each device), as fast as can be; ``None``: no choice is within the loss."""
    if not all(points) or (loss is not None and sum(min(p.loss for p in own) for own in points) > loss):
        return None
    result = solve(selection(names, points, links, loss), stop=Stop())
    assert result.status is Status.OPTIMAL
    assert result.solution is not None
    picks = tuple(own[i] for own, i in zip(points, result.solution.choice[0], strict=True))
    return max([*(own.ticks for own in picks), *links]), picks
