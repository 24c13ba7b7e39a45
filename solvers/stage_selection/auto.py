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

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from accmine.ports import Incumbent, Stop
from accmine.problems.stage_selection import KIND, Solution
from accmine.registry import make_model
from accmine.result import Result, Status, StopReason

from .bottleneck_bisection import bisect, decided_by_slowest, slot_scores
from .prefix_lagrangian import LagrangianSearch, applies
from .progress import Progress

__all__ = ["MOST_BINARIES", "SelectionAuto"]

MOST_BINARIES = 4000
"""Options that are left to HiGHS after the Lagrangian, at most."""

_EXACT = 1 << 52


class SelectionAuto:
    """Picks the method by objective, aggregate, mode and size; see the module.

    ``stop.work`` is handed to each part, which counts its own units.
    """

    name = "auto"

    def solve(
        self,
        problem: Any,
        *,
        stop: Stop,
        seed: int = 0,
        hint: Any | None = None,
        on_progress: Incumbent | None = None,
    ) -> Result[Any]:
        """Decide ``problem``; see ``accmine.ports.Solver``.

        Raises
        ------
        InputError
            If it is no stage selection, or the hint is not valid.
        """
        progress = Progress(self.name, problem, stop, seed, hint, on_progress)
        if not all(slot.options for slot in progress.numbers.slots):
            progress.infeasible = True
            return progress.result()
        try:
            if decided_by_slowest(progress.numbers):
                scores = slot_scores(progress.numbers)
                assert scores is not None
                bisect(progress, *scores)
                rest: Sequence[Sequence[int]] | None = None
            elif applies(progress.numbers):
                search = LagrangianSearch(progress)
                search.run()
                if progress.infeasible:
                    return progress.result()
                rest = search.left()
                if sum(map(len, rest)) > MOST_BINARIES:
                    return progress.result()
            else:
                return self._declared(problem, stop, seed, hint, on_progress)
            if not _stopped(progress):
                _finish(progress, rest)
        except KeyboardInterrupt:
            progress.ended = StopReason.INTERRUPTED
        return progress.result()

    def _declared(
        self, problem: Any, stop: Stop, seed: int, hint: Any | None, on_progress: Incumbent | None
    ) -> Result[Any]:
        """HiGHS on the whole declared model."""
        from ..engines.highs import Highs

        result = Highs().solve(problem, stop=stop, seed=seed, hint=hint, on_progress=on_progress)
        return replace(result, solver=self.name)


def _stopped(progress: Progress) -> bool:
    """Whether nothing is left to do, or no time to do it; the work of the next part is its own."""
    progress.work = 0.0
    if progress.ended is StopReason.TIME and progress.stop.work is not None:
        progress.ended = None
    return progress.over()


def _finish(progress: Progress, kept: Sequence[Sequence[int]] | None) -> None:
    """HiGHS on the options that are left; outside them nothing is better than the best choice."""
    from ..engines.highs import Highs

    if kept is not None and not all(kept):
        if progress.best is not None:
            progress.raise_bound(progress.best, progress.bound_method)
        return
    model: Any = make_model(KIND, "highs")
    if kept is not None:
        model.restrict(kept)
    start = None if progress.picked is None else Solution(progress.numbers.choice(progress.picked))
    result = Highs(model).solve(progress.problem, stop=progress.left, seed=progress.seed, hint=start)
    if result.solution is not None:
        progress.offer(progress.numbers.picked(result.solution.choice))
    if result.status is Status.INFEASIBLE and progress.best is None:
        progress.infeasible = kept is None
    elif result.status in (Status.OPTIMAL, Status.INFEASIBLE):
        assert progress.best is not None
        progress.raise_bound(progress.best, _method(progress, result, kept))
    elif result.bound is not None:
        progress.raise_bound(_score(progress, float(result.bound)), _method(progress, result, kept))
    if result.stop in (StopReason.TIME, StopReason.INTERRUPTED, StopReason.GAP):
        progress.ended = result.stop


def _method(progress: Progress, result: Result[Solution], kept: Sequence[Sequence[int]] | None) -> str:
    if kept is None or not progress.bound_method:
        return result.bound_method
    options = sum(map(len, kept))
    return f"{progress.bound_method}; then, on the {options} options that it leaves, {result.bound_method}"


def _score(progress: Progress, bound: float) -> int:
    """The integer score of a bound in the problem's unit, never above it."""
    exact = Fraction(bound) * progress.numbers.ticks
    return round(exact) if exact < _EXACT else math.floor(exact * (1 - Fraction(1, 1 << 50)))
