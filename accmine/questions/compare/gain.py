"""The gain over the baseline: from it to the best design found, one factor at a time, under identical rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accmine.hardware import Design
from accmine.ports import Stop
from accmine.questions.compare.measure import Terms
from accmine.questions.run.baselines import change_rows
from accmine.search import RUN, Budget, Session

__all__ = ["Gain", "Step", "gain_of"]


@dataclass(frozen=True)
class Step:
    """One factor: what changed, and what the design then does; ``within`` the limits or not."""

    what: str
    samples_per_s: float
    within: bool


@dataclass(frozen=True)
class Gain:
    """The way from the baseline to a design, all with list schedules and the same rule for splitting operators.

    Attributes
    ----------
    baseline
        Its name.
    steps
        The first is the baseline's own.
    found_by, bound
        Who found the design; no design of the space takes less time relative to the baseline than the bound. Of a
        pipeline this is the time of the slowest stage.
    """

    study: str
    baseline: str
    design: str
    steps: tuple[Step, ...]
    found_by: str = ""
    bound: float | None = None

    @property
    def gain(self) -> float:
        """Samples per second more than the baseline's, as a share."""
        return self.steps[-1].samples_per_s / self.steps[0].samples_per_s - 1.0

    @property
    def most(self) -> float | None:
        """What no design exceeds."""
        return None if not self.bound else 1.0 / self.bound - 1.0

    def factors(self) -> list[tuple[str, float]]:
        """(what changed, throughput relative to the step before) of every step but the first."""
        pairs = zip(self.steps, self.steps[1:], strict=False)
        return [(step.what, step.samples_per_s / before.samples_per_s) for before, step in pairs]


def gain_of(terms: Terms, tunables: Mapping[str, Any]) -> Gain:
    """The way from the study's baseline to a design, which is on every device.

    Parameters
    ----------
    tunables
        The design as a table.
    """
    design, plan = Design.from_table(dict(tunables)), terms.plan
    session = Session(plan, terms.problem.library, Budget(RUN, Stop()))
    rows = change_rows(session, None, [design] * len(plan.tasks))
    first = 0 if plan.study.operator_split == "none" else 1  # one core per operator is another rule
    steps = tuple(Step(row.what, row.samples_per_s[0], row.within_limits) for row in rows[first:])
    return Gain(terms.name, plan.study.baseline, design.name, steps)
