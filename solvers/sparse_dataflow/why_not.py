"""Why a sparse dataflow has no solution: budgets that conflict, and how much of each alone would be enough.

However long the interval, all layers have to fit. Budgets are taken away one by one for as long as the others conflict
without them; of each that is left the least that is enough is a problem of its own (``Least``). Where budgets conflict
in several ways, that is the least once the other conflicts are resolved.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from accmine.ports import NEVER, Clock
from accmine.problems.conflict import conflicts
from accmine.problems.sparse_dataflow import Least, Problem, impossible
from accmine.record import Record
from accmine.sparse.layer import POINT
from accmine.sparse.resources import RESOURCES

from .bisection import Bisection, fits

__all__ = ["explain"]

_WORK = 5.0
"""Deterministic time of CP-SAT for each question."""
_EVER = 1 << 50
"""Longer than any interval."""
_INTERVAL = "least.interval"
_NOTHING = "no change of it alone is enough"


def explain(problem: Problem, clock: Clock = NEVER) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(budgets in conflict, what would be enough of each); both empty where that is not known.

    What a question leaves open counts as no conflict of fewer: then more budgets are named than needed.
    """
    given = [key for key in _keys() if getattr(problem.budget, key) is not None]
    given += [_INTERVAL] if problem.least is not None else []
    alone = {key for key in given if impossible(_with(problem, frozenset({key})))[0]}
    undecided: set[frozenset[str]] = set()

    def feasible(kept: frozenset[str]) -> bool:
        if kept & alone:
            return False
        own = _with(problem, kept)
        if own.least is None:
            answer = fits(own, clock.stop(_WORK))
        else:
            record = _searched(own, clock)
            answer = False if record.infeasible else None if record.best is None else True
        if answer is None:
            undecided.add(kept)
            return kept != frozenset(given)  # whoever asks why has proven that all together conflict
        return answer

    found = conflicts(given, feasible)
    members = [key for key in given if any(key in own for own in found)]
    remedies = []
    for key in members:
        near = {other for own in found if key in own for other in own}
        elsewhere = [other for other in members if other not in near]
        more = f", and {' and '.join(map(_field, elsewhere))} must change as well" if elsewhere else ""
        text = _remedy(problem, key, frozenset(elsewhere), clock)
        remedies.append(text if text.endswith(_NOTHING) else text + more)
    if members and undecided - {frozenset(given)}:
        remedies.append("whether fewer budgets conflict already was not decided in time")
    return tuple(map(_field, members)), tuple(remedies)


def _field(key: str) -> str:
    return key if key == _INTERVAL else f"budget.{key}"


def _searched(problem: Problem, clock: Clock) -> Record[Any]:
    record = Record[Any](problem, clock.stop(_WORK), solver=Bisection.name)
    Bisection().search(record)
    return record


def _keys() -> tuple[str, ...]:
    return (*(name for name in RESOURCES if name != "bits"), "bits_per_cycle", "loss")


def _with(problem: Problem, kept: frozenset[str]) -> Problem:
    """The problem with these budgets alone."""
    left: dict[str, Any] = {key: None for key in _keys() if key not in kept}
    least = problem.least if _INTERVAL in kept else None
    return replace(problem, budget=replace(problem.budget, **left), least=least)


def _remedy(problem: Problem, key: str, elsewhere: frozenset[str], clock: Clock) -> str:
    """What is enough of one budget, those of other conflicts taken away."""
    ever = _EVER if problem.least is None or _INTERVAL in elsewhere else problem.least.interval
    if key == "bits_per_cycle" and ever == _EVER:  # a rate: however small, it is enough for a long interval
        return "budget.bits_per_cycle: more than 0"
    others = frozenset((*_keys(), _INTERVAL)) - {key} - elsewhere
    if ever == _EVER and problem.budget.bits_per_cycle != 0:  # enough likewise
        others -= {"bits_per_cycle"}
    free = _with(problem, others)
    asked = None if key == _INTERVAL else Least("bits" if key == "bits_per_cycle" else key, ever)
    record = _searched(replace(free, least=asked), clock)
    name = _field(key)
    if record.infeasible:
        return f"{name}: {_NOTHING}"
    unit = POINT if key == "loss" else ever if key == "bits_per_cycle" else 1
    if record.best is None:
        least = f"more than {_number(record.bound - 1, unit)}" if record.bound else "more than it is"
        return f"{name}: {least}; what is enough was not found in time"
    if record.score > record.bound:
        return f"{name}: {_number(record.score, unit)} is enough, {_number(record.bound - 1, unit)} is not"
    return f"{name}: at least {_number(record.score, unit)}"


def _number(value: int, unit: int) -> str:
    """Of a loss in decimals, which are exact, of a rate as a fraction, as files may say it."""
    return str(value / unit) if unit == POINT else str(Fraction(value, unit))
