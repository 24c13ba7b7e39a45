"""Why an operator schedule has no solution: operations of which no mode fits the capacities.

That is the only reason there can be: where every operation has a mode that fits, one after the other is a schedule.
The limits in question are the capacities; everything is integer and exact.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from accmine.problems.conflict import conflicts
from accmine.problems.operator_schedule.problem import Problem

__all__ = ["explain"]

_NOWHERE = np.iinfo(np.int64).max


def explain(problem: Problem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(capacities in conflict, the least change of each that helps); both empty if every operation has a mode."""
    if not len(problem) or bool(np.isin(problem.mode_set, _owners(problem)[problem.fits]).all()):
        return (), ()
    case = _Case(problem)
    names = [f"resources.{name}" for name in problem.resources]
    found = conflicts(names, lambda kept: case.feasible([name in kept for name in names]))
    members = [i for i, name in enumerate(names) if any(name in own for own in found)]
    remedies = []
    for i in members:
        own = {name for members_of in found if names[i] in members_of for name in members_of}
        others = {name for members_of in found for name in members_of} - own
        remedies.append(f"{names[i]}: {case.remedy(i, [names.index(name) for name in sorted(others)])}")
    return tuple(names[i] for i in members), tuple(remedies)


def _owners(problem: Problem) -> npt.NDArray[np.int64]:
    """Mode set of each of all modes."""
    return np.repeat(np.arange(len(problem.mode_sets)), problem.mode_count)


class _Case:
    """The modes of the mode sets that operations have."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.owner = _owners(problem)
        self.used = np.unique(problem.mode_set)
        self.within = problem.modes.uses <= problem.capacity

    def feasible(self, kept: list[bool]) -> bool:
        """Whether every operation has a mode within the kept capacities."""
        fits = self.within[:, kept].all(axis=1)
        return bool(np.isin(self.used, self.owner[fits]).all())

    def needed(self, resource: int, kept: list[bool]) -> tuple[int, int] | None:
        """(least capacity that gives every operation a mode, an operation that needs it); ``None``: no amount does."""
        fits = self.within[:, kept].all(axis=1)
        least = np.full(len(self.problem.mode_sets), _NOWHERE, dtype=np.int64)
        np.minimum.at(least, self.owner[fits], self.problem.modes.uses[fits, resource])
        worst = int(self.used[least[self.used].argmax()])
        if least[worst] == _NOWHERE:
            return None
        return int(least[worst]), int(np.flatnonzero(self.problem.mode_set == worst)[0])

    def remedy(self, resource: int, others: list[int]) -> str:
        """What helps of one capacity while the others stay, or once ``others`` change as well."""
        kept = [i != resource for i in range(len(self.problem.resources))]
        alone = self.needed(resource, kept)
        found = alone or self.needed(resource, [stay and i not in others for i, stay in enumerate(kept)])
        if found is None:
            return "no amount of it is enough while the other capacities stay"
        amount, operation = found
        missing = amount - int(self.problem.capacity[resource])
        text = f"at least {amount}, {missing} more: {self.problem.names[operation]!r} needs as many"
        if alone is not None:
            return text
        names = " and ".join(f"resources.{self.problem.resources[i]}" for i in others)
        return f"{text}; {names} must change as well"
