"""HiGHS for every problem with a declared Pyomo model: build, solve, add the rows a choice asks for, keep every bound.

The exact integer score is that of the kind; HiGHS's own floating-point objective is never reported. A model for the
engine ``mip`` says how many units of the score its objective counts, and may offer more: see
``accmine.ports.BaseModel``.

Exactness: relative and absolute gap 0, tolerances of 1e-9, and a floating-point bound b proves the integer bound
ceil(b - 1e-8·|b|): ten times the tolerance, since a binary may be off by it in every row.
"""

from __future__ import annotations

import math
from typing import Any

from accmine.errors import InputError
from accmine.record import Record
from accmine.registry import make_model
from accmine.result import StopReason

from .highs_search import Search
from .interval_product import minimise_product

__all__ = ["Highs"]


class Highs:
    """Generic HiGHS driver; see the module.

    ``stop.seconds`` limits the whole call except building the model, ``stop.work`` the nodes of each branch and
    bound. With no time left the hint or the model's warm start is returned, with the bound that needs no search.

    Parameters
    ----------
    model
        Unbuilt model to solve in place of the registered one, for callers that restrict it.
    """

    name = "highs"

    def __init__(self, model: Any | None = None) -> None:
        self._model = model

    def search(self, record: Record[Any]) -> StopReason:
        """Decide the problem.

        Raises
        ------
        InputError
            If the problem does not fit the engine.
        """
        kind = record.kind.KIND
        model: Any = make_model(kind, self.name) if self._model is None else self._model
        if model.engine != "mip":
            raise InputError(f"the model of {kind} for {self.name} is for the engine {model.engine!r}")
        search = Search(record, model, model.build(record.problem))
        floor = model.floor_score
        if floor is not None and record.score is not None:
            floor = min(floor, record.score)
        record.raise_bound(floor, model.bound_method)
        if record.best is None:
            model.warm_start(record)
        if record.best is not None:
            model.hint(record.best)
            model.separate(record.best)
        if not search.finished():
            _decide(search)
        # Finished: nothing is left to do within the tolerances.
        return record.closed() or search.ended or (StopReason.TIME if record.left() <= 0 else StopReason.FINISHED)


def _decide(search: Search) -> None:
    factors = search.model.factors()
    if factors is not None:
        minimise_product(search, factors)
        return
    unit = search.model.unit
    limit, _ = search.settle(lambda bound: search.raise_bound(math.ceil(bound * unit)))
    if limit == math.inf:
        search.none_left()
    if search.near() and (closing := search.model.closing()) is not None:
        search.close(closing)
