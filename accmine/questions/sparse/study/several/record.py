"""Outcome of a run over several devices, as plain records with a JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field

from accmine.questions.run.row import FORMAT, Answer
from accmine.questions.sparse.study.rows import LevelSource, ResourceRow, SparseLayerRow
from accmine.study.sparse.keys import SPARSE_DATAFLOW

__all__ = ["LinkRow", "OtherSpread", "PlacedRow", "SpreadCertificate", "SpreadOutcome"]


@dataclass(frozen=True)
class PlacedRow:
    """A device with its layers.

    Attributes
    ----------
    name, source
        Of the FPGA, and where its figures come from.
    frequency_hz
        Clock of its layers.
    first, last
        Names of its first and its last layer.
    cycles
        Between two images, of its own clock.
    images_per_s
        That it would reach by itself.
    loss
        Points of its layers.
    words
        Of an image that leave it for later devices.
    binds
        Whether nothing is slower.
    binding, why
        Names of its layers that take as long as its interval, and what binds it in sentences.
    layers
        As they were laid out.
    """

    name: str
    source: str
    frequency_hz: float
    first: str
    last: str
    cycles: int
    images_per_s: float
    loss: float
    words: int
    binds: bool
    binding: tuple[str, ...]
    why: tuple[str, ...]
    resources: tuple[ResourceRow, ...]
    layers: tuple[SparseLayerRow, ...]


@dataclass(frozen=True)
class LinkRow:
    """A link from a device to the next.

    Attributes
    ----------
    words
        Of an image that pass it.
    words_per_cycle
        Of the device before it that it takes; ``None``: any number.
    cycles, images_per_s
        Of the words of an image, and what follows; ``None``: no limit.
    binds
        Whether nothing is slower.
    """

    words: int
    words_per_cycle: float | None
    cycles: int | None
    images_per_s: float | None
    binds: bool


@dataclass(frozen=True)
class OtherSpread:
    """Another way, by the same solver.

    Attributes
    ----------
    what
        Which.
    status
        optimal, feasible, infeasible or unknown.
    images_per_s, bound
        Of it, and what none that way is above; ``None``: there is none, or nothing is known.
    loss
        Points.
    ratio
        Images per second of the answer over its own.
    note
        Why there is none, or empty.
    """

    what: str
    status: str
    images_per_s: float | None
    bound: float | None
    loss: float | None
    ratio: float | None
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class SpreadCertificate:
    """How good the answer is.

    Attributes
    ----------
    objective, bound
        Images per second of the answer, and what no answer is above.
    gap
        Relative distance, 0 to 1.
    interval_s, bound_s
        The same as seconds between two images.
    metric, sense
        ``throughput``, and that more of it is better.
    method
        How the bound was proved.
    solver, solver_s
        Who solved it, and seconds that it took.
    cuts, looked
        Ways to cut the network, and those that needed a look at designs.
    assumptions
        Sentences on what objective and bound share.
    """

    metric: str
    unit: str
    sense: str
    objective: float
    bound: float
    gap: float
    interval_s: float
    bound_s: float
    method: str
    solver: str
    solver_s: float
    cuts: int
    looked: int
    assumptions: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class SpreadOutcome(Answer):
    """What a run of a sparse dataflow accelerator over several devices found.

    Attributes
    ----------
    value
        Seconds between two images, which are minimised.
    images_per_s
        One over that.
    network
        Name of the network.
    macs, parameters
        Of an image, and weights, of the layers that are laid out.
    devices
        In their order, with the layers of each.
    links
        From each device to the next.
    engine_source
        Where the constants of logic come from.
    loss, loss_limit
        Points of the answer, the sum over layers, and what the study allows.
    loss_is
        What a loss of this study is worth, in a sentence.
    sources
        Where levels come from.
    beside
        Other ways that it is compared with.
    trace
        (seconds, seconds between two images, bound) whenever one of the two moved.
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
    value: float
    images_per_s: float
    network: str
    macs: int
    parameters: int
    devices: tuple[PlacedRow, ...]
    links: tuple[LinkRow, ...]
    engine_source: str
    loss: float
    loss_limit: float
    loss_is: str
    sources: tuple[LevelSource, ...]
    beside: tuple[OtherSpread, ...]
    certificate: SpreadCertificate
    warnings: tuple[str, ...]
    trace: tuple[tuple[float, float | None, float | None], ...]
    seconds: dict[str, float]
    versions: dict[str, str]
    folder: str = ""
    earlier_run: str = ""

    def __repr__(self) -> str:
        """The answer in a line; ``to_json`` has all of it."""
        from accmine.report import number, percent

        gap, names = percent(self.certificate.gap), " + ".join(row.name for row in self.devices)
        rate = f"{number(self.images_per_s)} images/s on {names} (gap {gap})"
        return f"<{type(self).__name__} {self.study}: {self.status}, {rate}, loss {self.loss:g} points>"
