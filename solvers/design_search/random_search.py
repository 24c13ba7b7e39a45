"""Random search: feasible designs, each as likely as any other, none twice."""

from __future__ import annotations

from accmine.problems.design_search import Solution
from accmine.record import Record
from accmine.result import StopReason

from .space import Looks

__all__ = ["RandomSearch"]


class RandomSearch:
    """Solver of design searches by uniform draws."""

    name = "random"

    def search(self, record: Record[Solution]) -> StopReason:
        """Draw until the limits pass, or every feasible design was looked at."""
        looks = Looks(record)
        while (reason := looks.over()) is None:
            looks(looks.new())
        return reason
