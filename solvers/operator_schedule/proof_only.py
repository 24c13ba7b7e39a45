"""The strong bound alone: what is proven of every schedule of a problem, for whoever rates schedules of others."""

from __future__ import annotations

from accmine.problems.operator_schedule import Solution
from accmine.record import Record
from accmine.result import StopReason

from ..schedule_bounds.strong_bound import tighten
from .critical_path import CriticalPath

__all__ = ["ProofOnly"]


class ProofOnly:
    """The schedule of ``critical-path``, which says what is left to prove, and ``strong_bound``.

    Without a limit it takes seconds, and with one worker the bound is repeatable. ``stop.work`` counts the schedules.
    """

    name = "strong-bound"

    def search(self, record: Record[Solution]) -> StopReason:
        """Both, one after the other.

        Raises
        ------
        InputError
            If an operation fits in no mode, or the precedences hold a cycle.
        """
        reason = CriticalPath().search(record.part("critical-path", 0.3))
        if reason is StopReason.PROVED or record.over() is not None:
            return reason
        stop, clock = record.stop, record.until(1.0)
        tight = tighten(
            record.problem, upper=record.score, gap=stop.gap, clock=clock, seed=record.seed, workers=stop.workers
        )
        record.raise_bound(tight.bound, tight.method)
        if tight.without:
            record.remark(tight.without)
        return record.over() or StopReason.FINISHED
