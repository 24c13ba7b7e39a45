"""Outcome of a run of a sparse dataflow accelerator, as plain records with a JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field

from accmine.questions.run.row import FORMAT, Answer
from accmine.questions.sparse.study.rows import (
    AccuracyRow,
    BuyRow,
    LevelSource,
    OtherDesign,
    ResourceRow,
    SparseLayerRow,
    TpeRow,
)
from accmine.study.sparse.keys import SPARSE_DATAFLOW

__all__ = ["SparseCertificate", "SparseOutcome"]


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
    metric, sense
        ``throughput``, and that more of it is better.
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


@dataclass(frozen=True, repr=False)
class SparseOutcome(Answer):
    """What a run of a sparse dataflow accelerator found.

    Attributes
    ----------
    value
        Cycles between two images, which are minimised.
    images_per_s
        The clock over that.
    frequency_hz
        Clock of all layers.
    images_per_s_per_dsp
        Over the DSPs that are used.
    device, device_source, engine_source
        Name of the FPGA, and where its figures and the constants of logic come from.
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
        the bound (loss in points, ``None``: not known). Where ``accuracy`` was held, among those with the same levels.
    buys
        What more of each limit that was asked about buys; where ``accuracy`` was held, with the same levels.
    dense
        The best dense design; ``None``: not asked for.
    tpe
        ``None``: not asked for, or not run.
    trace
        (seconds, cycles, bound) whenever one of the two moved.
    kind
        ``sparse-dataflow``.
    earlier_run
        When the run ended that this answer was read from, in UTC; empty: it was computed for this call.
    """

    format: int = field(default=FORMAT, kw_only=True)
    """Version of these keys; a newer one than the reader's is refused."""
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
