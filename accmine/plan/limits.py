"""Limits of a plan as objects: which cost, of all devices together or of each, what the study says and where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from accmine.problems.conflict import ConflictingLimit
from accmine.problems.limits import COSTS, Cost
from accmine.study import Study

__all__ = ["COSTS", "KEYS", "Cost", "Limit", "digits", "limits_of"]


KEYS = tuple(f"{section}.{cost.key}" for cost in COSTS for section in ("limits", "device_limits"))
"""Keys of limits of cost, in the order in which conflicts name them."""


@dataclass(frozen=True, slots=True)
class Limit:
    """An upper limit of a cost. What has no limit has no such object.

    Attributes
    ----------
    key
        As the study writes it, e.g. ``device_limits.tdp``.
    whole
        Whether it caps all devices together; else each of them.
    value
        In the unit of the cost.
    of_baseline
        Whether the study says ``baseline``.
    """

    key: str
    cost: Cost
    whole: bool
    value: float
    of_baseline: bool = False

    @classmethod
    def of(cls, key: str, value: float, *, of_baseline: bool = False) -> Limit:
        """The limit of a key of ``KEYS``.

        Raises
        ------
        ValueError
            For another key.
        """
        if key not in KEYS:
            raise ValueError(f"no limit {key!r}; known: {', '.join(KEYS)}")
        section, name = key.split(".")
        cost = next(cost for cost in COSTS if cost.key == name)
        return cls(key, cost, section == "limits", value, of_baseline)

    @property
    def place(self) -> tuple[str, ...]:
        """Keys that lead to it in the study."""
        return tuple(self.key.split("."))

    @property
    def text(self) -> str:
        """Its value as the study says it."""
        number = digits(self.value, self.cost)
        return f"baseline, {number}" if self.of_baseline else number

    def conflicting(self, remedy: str) -> ConflictingLimit:
        """As a member of a conflict."""
        return ConflictingLimit(self.key, self.text, remedy, self.place)

    def of_baselines(self, costs: tuple[float, ...], devices: int) -> Limit:
        """The same limit as that of a baseline with these costs, on each device that it caps."""
        return replace(self, value=costs[self.cost.index] * (devices if self.whole else 1))

    def at(self, value: float) -> Limit:
        """The same limit with a number of its own."""
        return replace(self, value=value, of_baseline=False)


def digits(value: float, cost: Cost) -> str:
    """A cost with its unit."""
    return f"{value:.10g} {cost.unit}"


def limits_of(study: Study, baseline: tuple[float, ...], devices: int) -> tuple[Limit, ...]:
    """The limits of a study, in the order of ``KEYS``.

    Parameters
    ----------
    baseline
        Costs of one baseline, in the order of ``COSTS``: what ``baseline`` stands for.
    devices
        Chips that count against the limits.
    """
    found = []
    for key in KEYS:
        section, name = key.split(".")
        limit = Limit.of(key, inf, of_baseline=getattr(getattr(study, section), name) == "baseline")
        value = getattr(getattr(study, section), limit.cost.name)(limit.of_baselines(baseline, devices).value)
        if value < inf:
            found.append(replace(limit, value=value))
    return tuple(found)
