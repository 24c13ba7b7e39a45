"""Why a stage selection has no solution: the limits in conflict, and the least change of each that helps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from accmine.ports import Stop
from accmine.problems.selection_integers import AREA_UNIT, TDP_UNIT, SelectionNumbers, integers
from accmine.problems.stage_selection import KIND, Problem, check
from accmine.registry import DEFAULT_SOLVER, make_solver

__all__ = ["explain_infeasible", "least_cost_under"]

_MOST_STATES = 200_000
_SECONDS = 20.0

_LIMITS = (
    ("area", "limits.area_mm2", "area_limit", AREA_UNIT, "mm²"),
    ("tdp", "limits.tdp_w", "tdp_limit", TDP_UNIT, "W"),
)


def explain_infeasible(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """See :func:`accmine.problems.stage_selection.explain`."""
    numbers = integers(problem)
    if not all(slot.options for slot in numbers.slots):
        scope = "every stage of every pipeline" if problem.mode == "common" else "every stage of its pipeline"
        return ("mode",), (f"mode {problem.mode}: no design is a candidate of {scope}; add one, or take heterogeneous",)
    conflict, remedy = _costs(numbers)
    if conflict or numbers.step_limit is None:
        return tuple(conflict), tuple(remedy)
    return _floor(problem)


def _costs(numbers: SelectionNumbers) -> tuple[list[str], list[str]]:
    """Limits that no choice meets, alone or together, and the least value of each that works."""
    limits = {name: getattr(numbers, attribute) for name, _, attribute, _, _ in _LIMITS}
    alone = {name: sum(min(getattr(o, name) for o in slot.options) for slot in numbers.slots) for name in limits}
    conflict, remedy = [], []
    for (name, field, _, unit, word), (other, other_field, _, _, _) in (_LIMITS, _LIMITS[::-1]):
        limit, capped = limits[name], limits[other]
        if limit is None:
            continue
        together = capped is not None and alone[other] <= capped
        value, exact = least_cost_under(numbers, name, other, capped) if together else (alone[name], True)
        if value is None or value <= limit:
            continue
        conflict.append(field)
        quality = "is the least that works" if exact else "works"
        condition = f" while {other_field} stays" if together else ""
        if capped is not None and not together:
            condition = f", and {other_field} must rise as well"
        remedy.append(f"{field}: {_shown(value, unit)} {word} {quality}{condition}")
    return conflict, remedy


def _shown(value: int, unit: Fraction) -> str:
    """A cost with nine digits, rounded up so that the value shown works as a limit."""
    exact = value * unit
    digits = max(0, 9 - len(str(math.floor(exact))))
    scaled = Fraction(math.ceil(exact * 10**digits), 10**digits)
    return f"{float(scaled):.12g}"


def least_cost_under(numbers: SelectionNumbers, name: str, other: str, limit: int) -> tuple[int | None, bool]:
    """Least Σ of one cost while Σ of the other stays within ``limit``, and whether it is exactly the least.

    Merges the slots one after the other, keeping the undominated pairs of sums. Above 200,000 pairs only an even
    sample of them is kept: the value then still works, but a smaller one may.

    Parameters
    ----------
    name, other
        ``area`` and ``tdp``, or the reverse.
    limit
        Of the other cost, in its integer unit.
    """
    pairs = np.zeros((1, 2), dtype=np.int64)
    exact = True
    spare = [min(getattr(o, other) for o in slot.options) for slot in numbers.slots]
    for i, slot in enumerate(numbers.slots):
        options = _front(np.array([(getattr(o, name), getattr(o, other)) for o in slot.options], dtype=np.int64))
        sums = (pairs[:, None, :] + options[None, :, :]).reshape(-1, 2)
        pairs = _front(sums[sums[:, 1] + sum(spare[i + 1 :]) <= limit])
        if len(pairs) > _MOST_STATES:
            exact = False
            pairs = pairs[np.linspace(0, len(pairs) - 1, _MOST_STATES).astype(int)]
        if not len(pairs):
            return None, exact
    return int(pairs[:, 0].min()), exact


def _front(pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Undominated pairs, by rising first value."""
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    if not len(pairs):
        return pairs
    before = np.concatenate(([np.iinfo(np.int64).max], np.minimum.accumulate(pairs[:, 1])[:-1]))
    return pairs[pairs[:, 1] < before]


def _floor(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The throughput floor is too high under the other limits: what they allow."""
    solver = make_solver(KIND, DEFAULT_SOLVER[KIND])
    free = replace(problem, objective="throughput", floor=None)
    result = solver.solve(free, stop=Stop(seconds=_SECONDS))
    limits: Sequence[str] = [
        field for _, field, attribute, _, _ in _LIMITS if getattr(integers(problem), attribute) is not None
    ]
    if result.solution is not None and not check(problem, result.solution):
        return (), ()
    if result.objective is None:
        return ("floor", *limits), ("floor: lower it, or raise the limits",)
    reached = math.floor(1e9 / float(result.objective)) / 1e9
    quality = "is the most that works" if result.status.value == "optimal" else "works"
    return ("floor", *limits), (f"floor: {reached:.12g} {quality}{' under the limits' if limits else ''}",)
