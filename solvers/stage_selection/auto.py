"""Stage selection by the method that fits it.

- The score is that of the slowest slot: bisection (``bottleneck_bisection``), exact at any size; a threshold that the
  knapsack cannot settle leaves the rest to HiGHS.
- The score is a sum over pipelines: Lagrangian bound and choices (``prefix_lagrangian``), then HiGHS on the options
  that a better choice can still have, where these are few.
- Everything else: the declared model with HiGHS.

What each part finds and proves goes into one result. It is ``optimal`` only when a bound has met the best choice;
a part that runs out of time proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accmine.problems.stage_selection import KIND, Solution
from accmine.problems.stage_selection.integers import integers
from accmine.record import Record
from accmine.registry import make_model
from accmine.result import StopReason

from .bottleneck_bisection import bisect
from .prefix_lagrangian import LagrangianSearch, applies

__all__ = ["MOST_BINARIES", "SelectionAuto"]

MOST_BINARIES = 4000
"""Options that are left to HiGHS after the Lagrangian, at most."""


class SelectionAuto:
    """Picks the method by objective, aggregate, mode and size; see the module.

    ``stop.work`` is handed to each part, which counts its own units.
    """

    name = "auto"

    def search(self, record: Record[Solution]) -> StopReason:
        """Decide the problem."""
        numbers = integers(record.problem)
        rest: Sequence[Sequence[int]] | None = None
        if not all(slot.options for slot in numbers.slots):
            record.no_solution()
        elif bisect(record):
            pass
        elif applies(numbers):
            lagrangian = LagrangianSearch(record)
            lagrangian.run()
            if not record.infeasible:
                rest = lagrangian.left()
                if sum(map(len, rest)) > MOST_BINARIES:
                    return record.over() or StopReason.FINISHED
        else:  # only here and in the end: to import it takes longer than most problems do
            from ..engines.highs import Highs

            return Highs().search(record.part(Highs.name, work=record.stop.work))
        record.work = 0.0  # the work of the next part is its own
        return record.over() or _finish(record, rest)


def _finish(record: Record[Solution], kept: Sequence[Sequence[int]] | None) -> StopReason:
    """HiGHS on the options that are left; outside them nothing is better than the best choice."""
    from ..engines.highs import Highs

    if kept is not None and not all(kept):
        if record.best is not None:
            record.raise_bound(record.score, record.bound_method)
        return record.over() or StopReason.FINISHED
    model: Any = make_model(KIND, "highs")
    part = record.part(Highs.name, work=record.stop.work)
    if kept is not None:
        model.restrict(kept)
        if record.bound_method:
            part.within = f"{record.bound_method}; then, on the {sum(map(len, kept))} options that it leaves, "
    return Highs(model).search(part)
