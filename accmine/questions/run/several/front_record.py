"""Outcome of a run of two objectives, as plain records with a JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field

from accmine.questions.run.record import Certificate, ChosenDesign
from accmine.questions.run.row import FORMAT, Answer

__all__ = ["BoundStep", "FrontOutcome", "FrontPoint"]


@dataclass(frozen=True)
class FrontPoint:
    """The best under one limit of the cost.

    Attributes
    ----------
    limit
        Of the cost of all devices, in its unit; ``None``: no limit but those of the study.
    objective, bound, gap
        Of the best verified answer that meets the limit, what no design that meets it is better than, and their
        distance, 0 to 1; as the certificate shows them.
    value, bound_value
        The same as they are minimised: step time relative to the baseline.
    designs
        Indices of the answer's designs in those of the outcome; empty where there is no answer.
    on_front
        Whether no other verified answer is at least as good in both, and better in one.
    status, stop
        Of the run under this limit: what is known, and why it ended.
    note
        Empty, or why there is no answer.
    """

    limit: float | None
    objective: float
    bound: float
    gap: float
    value: float
    bound_value: float
    area_mm2: float
    tdp_w: float
    designs: tuple[int, ...]
    on_front: bool
    status: str
    stop: str
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class BoundStep:
    """A piece of the bound curve: of designs whose cost is above ``above`` and at most ``most``.

    Attributes
    ----------
    above, most
        In the unit of the cost; the last piece has ``above`` in it, and ``most`` is ``None`` where nothing but the
        limits of the study is above.
    bound, bound_value
        No design up to there is better; as it is shown, and as it is minimised.
    """

    above: float
    most: float | None
    bound: float
    bound_value: float


@dataclass(frozen=True, repr=False)
class FrontOutcome(Answer):
    """What ``accmine run`` reports of a study with two objectives.

    Attributes
    ----------
    objective
        As the study writes it.
    limit, cost_unit
        Key of the limit that differs from point to point, and its unit.
    value
        Of the point without a further limit: relative step time.
    points
        From no further limit to the tightest one.
    curve
        From the largest cost to the least.
    least
        Least cost of any design within the other limits: below it there is none.
    designs
        Of the answers, in the order of the points.
    certificate
        Of the point without a further limit; its scope and assumptions are those of all points.
    """

    format: int = field(default=FORMAT, kw_only=True)
    """Version of these keys; a newer one than the reader's is refused."""
    study: str
    status: str
    stop: str
    objective: str
    limit: str
    cost_unit: str
    value: float
    points: tuple[FrontPoint, ...]
    curve: tuple[BoundStep, ...]
    least: float
    designs: tuple[ChosenDesign, ...]
    area_mm2: float
    tdp_w: float
    certificate: Certificate
    warnings: tuple[str, ...]
    seconds: dict[str, float]
    trace: tuple[tuple[float, float | None, float | None], ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    area_error: float | None = None
    tdp_error: float | None = None
    earlier_run: str = field(default="", compare=False)
    """When the run ended that this answer was read from, in UTC; empty: it was computed for this call."""
    kind: str = "front"
    """Tells it from the outcome of a study with one objective."""
