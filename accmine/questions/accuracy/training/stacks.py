"""Stacks calibrated on measured steps: drawn, scored on the others, and how often their intervals hold."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path

import numpy as np

from accmine.cost import read_lines
from accmine.errors import InputError
from accmine.hardware.stack import FOR_BAND, FOR_FACTOR, Stack, fitted_stack
from accmine.questions.accuracy.score import Score, score
from accmine.questions.accuracy.training.machine import Machine
from accmine.questions.accuracy.training.runs import read_runs
from accmine.questions.accuracy.training.step import predict

__all__ = ["DRAWS", "Calibrated", "Measured", "calibrated", "coverage", "read_measured"]

DRAWS = 200
"""Draws of calibration steps over which the coverage of a suite is averaged."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A step: what it is called, modelled and measured seconds."""

    name: str
    model_s: float
    seconds: float

    @property
    def ratio(self) -> float:
        """Measured ÷ modelled."""
        return self.seconds / self.model_s


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A stack, and how it does on steps that it was not calibrated on.

    Attributes
    ----------
    stack
        With the names of the steps it was calibrated on.
    others
        Score of the others with the factor; ``None`` where there are none.
    covered
        Share of the others within their intervals.
    """

    stack: Stack
    others: Score | None
    covered: float | None


def read_measured(path: Path, machine: Machine) -> tuple[Measured, ...]:
    """Measured steps of a table: with their modelled time, or the plan of which it is predicted.

    Columns ``name``, ``modelled_s`` and ``seconds``; or those of ``runs.read_runs``.

    Raises
    ------
    InputError
        With file and line of every row that is no step.
    """
    lines = read_lines(path)
    if "modelled_s" not in lines[0][1]:
        return tuple(
            Measured(f"{run.where}: {run.name}", predict(run, machine), run.seconds) for run in read_runs(path)
        )
    found = []
    for line, cells in lines:
        try:
            own = Measured(
                f"{path.name}:{line}: {cells.get('name', '')}", float(cells["modelled_s"]), float(cells["seconds"])
            )
        except (KeyError, ValueError) as error:
            raise InputError(f"is no step: {error}", where=f"{path.name}:{line}") from None
        if not (own.model_s > 0 and own.seconds > 0):
            raise InputError("modelled_s and seconds must be positive", where=f"{path.name}:{line}")
        found.append(own)
    return tuple(found)


def calibrated(name: str, steps: Sequence[Measured], source: str, seed: int = 0) -> Calibrated:
    """A stack from steps that are drawn at random; the others are scored.

    Raises
    ------
    InputError
        For fewer steps than a stack needs.
    """
    most = min(len(steps), FOR_FACTOR + FOR_BAND)
    order = random.Random(seed).sample(range(len(steps)), len(steps))
    own, others = [steps[i] for i in order[:most]], [steps[i] for i in order[most:]]
    stack = fitted_stack(name, [step.ratio for step in own], [step.name for step in own], source)
    if not others:
        return Calibrated(stack, None, None)
    scored = score([stack.factor * step.model_s for step in others], [step.seconds for step in others])
    inside = [abs(log(step.ratio / stack.factor)) <= log(stack.band) for step in others]
    return Calibrated(stack, scored, sum(inside) / len(inside))


def coverage(steps: Sequence[Measured], draws: int = DRAWS) -> tuple[float, float]:
    """Mean share of other steps within the intervals of stacks calibrated on ``draws`` draws, and their mean band."""
    found = [calibrated("", steps, "", seed) for seed in range(draws)]
    held = [own.covered for own in found if own.covered is not None]
    return float(np.mean(held)), exp(float(np.mean([log(own.stack.band) for own in found])))
