"""The choice of a point for each device, as a stage selection: a device is a stage, and its interval the stage's time.

What all devices share, the loss, is what a selection calls area: a sum with a limit. In parts of ``POINT`` it is a
whole number, and so are times in ticks, so that the integers of the selection are these very numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from accmine.ports import Stop
from accmine.problems.stage_selection import Candidate, Limits, Pipeline, Problem, Stage
from accmine.questions.sparse.devices.front import Point
from accmine.result import Status
from accmine.solving import solve

__all__ = ["chosen", "selection"]


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
    """
    stages = []
    for s, (name, own) in enumerate(zip(names, points, strict=True)):
        rows = [
            Candidate(f"{s}-{i}", float(point.ticks), 0.0, 0.0, float(point.loss), 0.0) for i, point in enumerate(own)
        ]
        stages.append(Stage(f"{s}-{name}", tuple(rows)))
    transfer = tuple((float(ticks), 0.0) for ticks in links)
    pipeline = Pipeline("network", tuple(stages), microbatches=1, transfer_s=transfer)
    limits = Limits() if loss is None else Limits(area_mm2=float(loss))
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
