"""What a stage selection minimises, as objects: the words of objectives and aggregates are compared here only.

A further objective is a row of ``OBJECTIVES``, and a word in the study's own vocabulary. Values are of pipelines,
relative to their references:

- *timeline*: the simulated step of the schedule; else the step as microbatches → ∞, m · max(slowest stage, slowest
  link);
- *power*: that value times the TDP of all devices. Its inverse is shown and maximised, and it has a floor: the least
  throughput relative to the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from accmine.result import Sense
from accmine.system import step_bound, step_time

__all__ = ["AGGREGATES", "OBJECTIVES", "Aggregate", "Objective"]


@dataclass(frozen=True, slots=True)
class Objective:
    """A value that is minimised.

    Attributes
    ----------
    timeline, power
        See the module.
    rate, relative
        What is shown: of one workload a rate, more is better; of several a value relative to the baseline.
    stage, stage_unit
        The value of a stage by itself, and its unit; less is better.
    """

    name: str
    timeline: bool
    power: bool
    rate: str
    relative: str
    stage: str
    stage_unit: str

    @property
    def sense(self) -> Sense:
        """Direction in which a selection shows it."""
        return Sense.MAXIMIZE if self.power else Sense.MINIMIZE

    def step(
        self,
        schedule: str,
        phases: tuple[Sequence[Any], Sequence[Any], Sequence[Any]],
        transfer: Sequence[tuple[Any, Any]],
        microbatches: int,
        *,
        exact: bool = True,
    ) -> Any:
        """Step of a pipeline from the (forward, backward, update) times of its stages: numbers, or arrays of cases.

        ``exact=False`` takes a lower bound of the simulated step.
        """
        if self.timeline:
            return (step_time if exact else step_bound)(schedule, *phases, transfer, microbatches)
        busy = [f + b for f, b in zip(phases[0], phases[1], strict=True)]
        link = max((max(pair) for pair in transfer), default=0)
        if any(isinstance(value, np.ndarray) for value in busy):
            return microbatches * np.maximum(np.maximum.reduce(busy), link)
        return microbatches * max(*busy, link)

    def counted(self, forward: Any, backward: Any, update: Any) -> tuple[Any, ...]:
        """The times of a stage that matter, each as little as possible."""
        return (forward, backward, update) if self.timeline else (forward + backward,)

    def valued(self, step: Any, power: Any) -> Any:
        """The value from the aggregated step and the TDP of all devices: numbers, or arrays."""
        return step * power if self.power else step


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective(
            name="throughput",
            timeline=True,
            power=False,
            rate="throughput",
            relative="step time relative to the baseline",
            stage="busy time of a step",
            stage_unit="s",
        ),
        Objective(
            name="bottleneck",
            timeline=False,
            power=False,
            rate="throughput of the bottleneck",
            relative="bottleneck relative to the baseline",
            stage="forward and backward time of a step",
            stage_unit="s",
        ),
        Objective(
            name="throughput-per-tdp",
            timeline=True,
            power=True,
            rate="throughput per TDP",
            relative="relative step time × TDP",
            stage="busy time of a step × TDP",
            stage_unit="J",
        ),
    )
}
"""Objectives by name."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """How the steps of several pipelines become one: the largest, or their weighted mean."""

    name: str
    weighted: bool

    def joined(self, steps: Sequence[Any]) -> Any:
        """Of steps that have their weights in them: numbers, or arrays of equal shape."""
        if isinstance(steps[0], np.ndarray):
            return np.sum(steps, axis=0) if self.weighted else np.maximum.reduce(steps)
        return sum(steps) if self.weighted else max(steps)

    def of_relative(
        self, relative: Sequence[Any], weights: Sequence[float], mixes: Sequence[Sequence[float]] = ()
    ) -> Any:
        """Of relative steps and their weights: numbers, or arrays.

        Where there are ``mixes``, rows of weights, the largest of their sums, whatever the aggregate.
        """
        if mixes:
            return _largest([_sum(row, relative) for row in mixes])
        return _sum(weights, relative) / sum(weights) if self.weighted else _largest(relative)


def _sum(weights: Sequence[float], relative: Sequence[Any]) -> Any:
    total = weights[0] * relative[0]
    for w, r in zip(weights[1:], relative[1:], strict=True):
        total = total + w * r
    return total


def _largest(values: Sequence[Any]) -> Any:
    worst = values[0]
    for other in values[1:]:
        worst = np.maximum(worst, other)
    return worst


AGGREGATES: dict[str, Aggregate] = {own.name: own for own in (Aggregate("worst", False), Aggregate("mean", True))}
"""Aggregates by name."""
