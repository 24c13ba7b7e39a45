"""Whether a stage selection has a better choice than one at hand, in CP-SAT: the rows for HiGHS, in integers.

A mixed-integer solver with tolerances tells values that differ by less than 1e-8 not apart; CP-SAT does. Asked after
HiGHS, for what is left between its bound and the best choice. One Boolean per slot and option; every chain of waiting
events that HiGHS was given is a row, and one that is violated by an answer is added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ortools.sat.python import cp_model

from accmine.problems.stage_selection import Solution
from accmine.problems.stage_selection.integers import SelectionNumbers

__all__ = ["Row", "SelectionClosing"]

Row = tuple[int, Mapping[tuple[int, int], int], int]
"""Pipeline, ticks that each (slot, option) adds to a chain of it, ticks of the messages on it."""

_LARGEST = 1 << 60  # CP-SAT refuses sums near int64


class SelectionClosing:
    """Questions about choices better than a given one; see the module.

    Parameters
    ----------
    kept
        Options of each slot.
    rows
        The chains at hand.
    separate
        Adds the chains that a choice is longer by than the rows say.
    """

    def __init__(
        self,
        numbers: SelectionNumbers,
        kept: Sequence[Sequence[int]],
        rows: Callable[[], Iterable[Row]],
        separate: Callable[[Solution], int],
    ) -> None:
        self.numbers, self.kept, self.rows, self.separate = numbers, kept, rows, separate

    def better_than(
        self, best: int, seconds: float, interval: tuple[int, int] | None = None
    ) -> tuple[bool | None, Solution | None]:
        """(whether the rows allow a score below ``best``, such a choice); ``None``: not decided in time.

        Parameters
        ----------
        interval
            For a product with power: least and most steps. A better choice has at most the power that the least of
            them allows; one that is found may be no better, and is for ``left``.
        """
        numbers, kept = self.numbers, self.kept
        model = cp_model.CpModel()
        x: dict[tuple[int, int], Any] = {(i, o): model.new_bool_var("") for i, own in enumerate(kept) for o in own}
        for i, own in enumerate(kept):
            model.add_exactly_one(x[i, o] for o in own)
        option = {(i, o): numbers.slots[i].options[o] for i, o in x}
        for cost, limit in numbers.limited:
            model.add(sum(option[key].costs[cost.index] * b for key, b in x.items()) <= limit)
        most = best - 1
        if interval is not None:
            model.add(sum(option[key].power * b for key, b in x.items()) <= most // interval[0])
            most = interval[1]
        steps: list[Any] = [most] * len(numbers.pipelines)
        if numbers.aggregate.weighted and len(steps) > 1:
            steps = [model.new_int_var(0, most, "") for _ in steps]
            model.add(sum(steps) <= most)
        for w, weights, messages in self.rows():
            if sum(weights.values()) + messages >= _LARGEST:
                return None, None
            model.add(sum(ticks * x[key] for key, ticks in weights.items()) <= steps[w] - messages)
        for p, step in zip(numbers.pipelines, steps, strict=True):
            if not numbers.objective.timeline:
                model.add(step >= p.microbatches * p.link)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.max_time_in_seconds = max(0.0, seconds)
        solver.parameters.catch_sigint_signal = False
        status = solver.solve(model)
        if status == cp_model.INFEASIBLE:
            return False, None
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None, None
        return True, Solution(
            numbers.choice([next(o for o in own if solver.value(x[i, o])) for i, own in enumerate(kept)])
        )

    def left(self, found: Solution, interval: tuple[int, int]) -> list[tuple[int, int]] | None:
        """Where better choices may still be, once one of an interval was found that is none; ``None``: not known."""
        low, high = interval
        steps, new = self.numbers.steps(found.choice), self.separate(found)
        if steps > high and new:  # longer than the rows said; now they know
            return [interval]
        return [(low, steps - 1), (steps, high)] if low < steps <= high else None
