"""Rows of the outcome of a run: layers, resources, rounds, and what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AccuracyRow",
    "BuyRow",
    "BuyStep",
    "LevelSource",
    "OtherDesign",
    "ResourceRow",
    "RoundRow",
    "SearchMoment",
    "SparseLayerRow",
    "TpeRow",
]


@dataclass(frozen=True)
class ResourceRow:
    """What a design takes of a resource of the device.

    Attributes
    ----------
    name
        As under ``limits`` of the study.
    used, allowed, device
        Of the design, what the study lets it take, and what the device has; of ``bandwidth`` in bits per second.
    least, most
        Of ``used``: LUTs and FFs are estimates with a band; equal where it is exact.
    """

    name: str
    used: float
    allowed: float
    device: float
    least: float
    most: float


@dataclass(frozen=True)
class SparseLayerRow:
    """A layer as it was laid out.

    Attributes
    ----------
    name
        As in the network.
    level, density
        The chosen level, and the share of products that are not zero there.
    loss
        Points.
    engine, coarse_in, coarse_out, coarse_group, fine, memory, slack
        The folding, as in ``accmine.sparse.folding``.
    cycles
        Between two images.
    streams
        Cycles that its words take alone.
    binds
        What takes that long: ``windows``, or ``streams`` of words.
    dsp, lut, ff, bram18, uram
        Without adapters.
    bits
        Weights that are read from off chip per image.
    """

    name: str
    level: str
    density: float
    loss: float
    engine: str
    coarse_in: int
    coarse_out: int
    coarse_group: int
    fine: int
    memory: str
    slack: int
    cycles: int
    streams: int
    binds: str
    dsp: int
    lut: int
    ff: int
    bram18: int
    uram: int
    bits: int


@dataclass(frozen=True)
class LevelSource:
    """Where levels come from.

    Attributes
    ----------
    word
        ``table``, ``arrays``, ``synthetic``, ….
    meaning
        The same in a sentence.
    made_up
        Whether densities or losses are of no network.
    """

    word: str
    meaning: str
    made_up: bool


@dataclass(frozen=True)
class RoundRow:
    """A design that was evaluated on the real network.

    Attributes
    ----------
    number
        From 1.
    cycles
        Between two images.
    solves
        Problems that were solved for it.
    proxy_loss, corrected_loss, true_loss
        Points: by the losses of levels, by the corrected ones that it was found with, and as measured.
    accuracy
        Percent, where that is what is measured.
    others
        Further numbers of the evaluation, which decide nothing.
    holds
        Whether the true loss is within its limit.
    solve_s, evaluate_s
        Seconds.
    """

    number: int
    cycles: int
    proxy_loss: float
    corrected_loss: float
    true_loss: float
    accuracy: float | None
    others: dict[str, float]
    holds: bool
    solves: int
    solve_s: float
    evaluate_s: float


@dataclass(frozen=True)
class AccuracyRow:
    """The loop over the true loss.

    Attributes
    ----------
    by
        What was asked.
    reference
        Accuracy in percent against which losses count; ``None``: losses were measured.
    end
        Why it ended.
    assumes_monotone
        Whether what is proven rests on the assumption that a network loses no less where every layer is at least as
        sparse.
    claims
        What is known at the end, what is proven, and what is not, in sentences.
    """

    by: str
    reference: float | None
    end: str
    assumes_monotone: bool
    rounds: tuple[RoundRow, ...]
    claims: tuple[str, ...]


@dataclass(frozen=True)
class OtherDesign:
    """The best design under another rule, of the same problem.

    Attributes
    ----------
    what
        The rule.
    solver, seconds
        Who found it, and how long that took.
    status
        optimal, feasible, infeasible or unknown.
    images_per_s, cycles, dsp, loss
        Of it, ``None`` where there is none; loss in points.
    bound_cycles
        No design under the rule has a shorter interval; ``None``: not known.
    ratio
        Images per second of the answer over its own.
    note
        Why there is none, or empty.
    """

    what: str
    status: str
    images_per_s: float | None
    cycles: int | None
    dsp: int | None
    loss: float | None
    bound_cycles: int | None
    ratio: float | None
    solver: str
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class BuyStep:
    """The next amount of a limit with which a design is faster.

    Attributes
    ----------
    amount, least
        With ``amount`` it is; with less than ``least`` nothing is.
    images_per_s, bound
        Of the best design that was found with the amount, and what none is above.
    """

    amount: float
    least: float
    images_per_s: float
    bound: float


@dataclass(frozen=True)
class BuyRow:
    """What more of a limit buys.

    Attributes
    ----------
    name, unit
        As under ``limits`` of the study, or ``loss``; unit of the amounts.
    has
        What the study allows.
    binds
        Whether more of it makes a design faster; ``False`` is proven for any amount, ``None``: not decided in time.
    bound
        No amount below this makes one faster, where no step was found in time; ``None``: nothing is known.
    """

    name: str
    unit: str
    has: float
    binds: bool | None
    steps: tuple[BuyStep, ...]
    bound: float | None


@dataclass(frozen=True)
class SearchMoment:
    """When a search became better.

    Attributes
    ----------
    seconds
        Since it began.
    evaluations
        Trials until then; ``None``: not counted.
    cycles
        Of the best design until then.
    share
        Images per second over those of the answer.
    """

    seconds: float
    evaluations: int | None
    cycles: int
    share: float


@dataclass(frozen=True)
class TpeRow:
    """TPE on the same problem.

    Attributes
    ----------
    trials
        That it made.
    found
        Its best design.
    trace
        Its quality over seconds and evaluations.
    """

    trials: int
    found: OtherDesign
    trace: tuple[SearchMoment, ...]
