"""Outcome of a run of a sparse dataflow accelerator, as plain records with a JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field

from accmine.questions.run.row import FORMAT, Answer
from accmine.study.sparse.keys import SPARSE_DATAFLOW

__all__ = [
    "AccuracyRow",
    "BuyRow",
    "BuyStep",
    "LevelSource",
    "OtherDesign",
    "ResourceRow",
    "RoundRow",
    "SearchMoment",
    "SparseCertificate",
    "SparseLayerRow",
    "SparseOutcome",
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
class SparseCertificate:
    """How good the answer is.

    Attributes
    ----------
    objective, bound
        Images per second of the answer, and what no design is above.
    gap
        Relative distance, 0 to 1.
    cycles, bound_cycles
        The same as intervals: cycles between two images.
    method
        How the bound was proved.
    solver
        Who solved it.
    solver_s
        Seconds that it took.
    assumptions
        Sentences on what objective and bound share.
    """

    metric: str
    unit: str
    sense: str
    objective: float
    bound: float
    gap: float
    cycles: int
    bound_cycles: int
    method: str
    solver: str
    solver_s: float
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class OtherDesign:
    """The best design under another rule, of the same problem.

    Attributes
    ----------
    what
        The rule.
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
    evaluations
        Trials until then; ``None``: not counted.
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


@dataclass(frozen=True, repr=False)
class SparseOutcome(Answer):
    """What a run of a sparse dataflow accelerator found.

    Attributes
    ----------
    value
        Cycles between two images, which are minimised.
    images_per_s_per_dsp
        Over the DSPs that are used.
    device, device_source
        Name of the FPGA, and where its figures come from.
    network
        Name of the network.
    macs, parameters
        Of an image, and weights, of the layers that are laid out.
    loss, loss_limit
        Points of the answer, and what the study allows: measured where there is ``accuracy``, else the sum over layers.
    proxy_loss
        The sum over layers at all events.
    accuracy
        How the true loss was held; ``None``: it was not asked for.
    loss_is
        What a loss of this study is worth, in a sentence.
    sources
        Where levels come from.
    binding
        Names of the layers that take as long as the interval.
    binds
        What binds the answer, in sentences.
    prefer, prefer_bound
        What the design takes least of among the fastest ones, ``none`` for nothing; no design as fast takes less than
        the bound (loss in points, ``None``: not known).
    buys
        What more of each limit that was asked about buys.
    dense
        The best dense design; ``None``: not asked for.
    tpe
        ``None``: not asked for, or not run.
    trace
        (seconds, cycles, bound) whenever one of the two moved.
    """

    format: int = field(default=FORMAT, kw_only=True)
    kind: str = field(default=SPARSE_DATAFLOW, kw_only=True)
    study: str
    status: str
    stop: str
    value: int
    images_per_s: float
    images_per_s_per_dsp: float
    frequency_hz: float
    network: str
    macs: int
    parameters: int
    device: str
    device_source: str
    engine_source: str
    loss: float
    loss_limit: float
    proxy_loss: float
    loss_is: str
    accuracy: AccuracyRow | None
    sources: tuple[LevelSource, ...]
    resources: tuple[ResourceRow, ...]
    layers: tuple[SparseLayerRow, ...]
    binding: tuple[str, ...]
    binds: tuple[str, ...]
    prefer: str
    prefer_bound: float | None
    buys: tuple[BuyRow, ...]
    dense: OtherDesign | None
    tpe: TpeRow | None
    certificate: SparseCertificate
    warnings: tuple[str, ...]
    trace: tuple[tuple[float, float | None, float | None], ...]
    seconds: dict[str, float]
    versions: dict[str, str]
    folder: str = ""
    earlier_run: str = ""

    def __repr__(self) -> str:
        """The answer in a line; ``to_json`` has all of it."""
        from accmine.report import number, percent

        gap = percent(self.certificate.gap)
        rate = f"{number(self.images_per_s)} images/s on {self.device} (gap {gap})"
        return f"<{type(self).__name__} {self.study}: {self.status}, {rate}, loss {self.loss:g} points>"
