"""Outcome of a run that decides a design and a placement together, as plain records with a JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field

from accmine.questions.run.record import ChosenDesign, LimitRow, Outcome
from accmine.questions.run.row import FORMAT, Answer
from accmine.questions.run.several.front_record import FrontOutcome

__all__ = [
    "AnyOutcome",
    "MemoryRow",
    "PlacedBaseline",
    "PlacementCertificate",
    "PlacementOutcome",
    "PlacementRow",
    "PlanNearby",
    "StageOfPlacement",
    "StepParts",
]


@dataclass(frozen=True)
class PlacementRow:
    """A placement but for its cut.

    Attributes
    ----------
    devices
        That are used: tensor × pipeline × data.
    microbatches
        Of one replica.
    order
        Groups with neighbouring devices, innermost first.
    """

    tensor: int
    pipeline: int
    data: int
    expert: int
    devices: int
    microbatch: int
    microbatches: int
    schedule: str
    chunks: int
    recompute: str
    sequence_parallel: bool
    zero: int
    order: tuple[str, ...]

    def to_line(self) -> str:
        """All of it in one line."""
        parts = [f"tensor {self.tensor} × pipeline {self.pipeline} × data {self.data}"]
        parts += [f"expert {self.expert}"] if self.expert > 1 else []
        schedule = self.schedule.upper() if self.schedule[0].isdigit() else self.schedule
        parts += [f"microbatch {self.microbatch}", f"{schedule}{f' of {self.chunks} chunks' * (self.chunks > 1)}"]
        parts += [f"recompute {self.recompute}"]
        parts += ["sequence parallel"] if self.sequence_parallel else []
        parts += [f"ZeRO {self.zero}"] if self.zero else []
        return ", ".join(parts)


@dataclass(frozen=True)
class MemoryRow:
    """HBM of one device by purpose, in bytes; the first five add up to what is needed.

    Attributes
    ----------
    stash
        Of all microbatches in flight.
    capacity
        Of the device.
    """

    weights: int
    gradients: int
    optimizer: int
    stash: int
    working: int
    in_flight: int
    capacity: int

    @property
    def total(self) -> int:
        """What is needed."""
        return self.weights + self.gradients + self.optimizer + self.stash + self.working


@dataclass(frozen=True)
class StageOfPlacement:
    """One stage: layers and seconds of one microbatch on each of its devices.

    Attributes
    ----------
    first, last, layers
        Names of its first and last layer, and how many it has.
    forward_s, backward_s
        Of a pass, without collectives.
    collectives_s
        Of both passes: what the devices of a tensor or expert group say to each other.
    message_s
        To the next stage, one way; 0 for the last one.
    gradient_s, update_s
        Once in a step: sum of gradients among replicas (with what ZeRO hands round), optimiser.
    """

    first: str
    last: str
    layers: int
    forward_s: float
    backward_s: float
    collectives_s: float
    message_s: float
    gradient_s: float
    update_s: float
    memory: MemoryRow


@dataclass(frozen=True)
class StepParts:
    """Where the step goes, on the mean device; the parts sum to the step.

    Attributes
    ----------
    messages_s
        What the step would be shorter if messages between stages took no time.
    bubble_s
        What is left: a device waits for others of its pipeline.
    """

    compute_s: float
    collectives_s: float
    messages_s: float
    bubble_s: float
    gradient_s: float
    update_s: float

    @property
    def step_s(self) -> float:
        """Their sum."""
        return self.compute_s + self.collectives_s + self.messages_s + self.bubble_s + self.gradient_s + self.update_s


@dataclass(frozen=True)
class PlanNearby:
    """A plan of the same design that lost.

    Attributes
    ----------
    step_s
        Its simulated step.
    loss
        Relative to the answer.
    where
        Which parts of the step are longer, and by how much of the answer's step.
    """

    placement: PlacementRow
    step_s: float
    loss: float
    where: str


@dataclass(frozen=True)
class PlacedBaseline:
    """A reference design with its own best placement under the same rules.

    Attributes
    ----------
    ratio
        Throughput of the answer over its own.
    gap
        How far its own placement may be from the best of it, 0 to 1.
    note
        Empty, or why it cannot run the study.
    """

    name: str
    placement: PlacementRow | None
    step_s: float
    samples_per_s: float
    ratio: float
    gap: float
    area_mm2: float
    tdp_w: float
    note: str = ""


@dataclass(frozen=True)
class PlacementCertificate:
    """How good the answer is, and for what the proof holds.

    Attributes
    ----------
    objective, bound
        Samples per second of the answer, and what no design, plan and cut of the space is above.
    gap
        Relative distance, 0 to 1; ``schedules``, ``plans`` and ``designs`` are its parts.
    schedules
        What better operator schedules of the printed design and placement could bring.
    plans
        What chains leave open: between the bound and the least simulated step with the times of the bound.
    designs
        The rest: other designs, or their bounds.
    plans_bounded, pairs
        Plans without their cuts, and pairs of a design and a plan that were bounded one by one.
    scope
        What is held fixed.
    """

    objective: float
    bound: float
    gap: float
    schedules: float
    plans: float
    designs: float
    plans_bounded: int
    pairs: int
    method: str
    feasible_designs: int
    variants: int
    scope: tuple[str, ...]
    assumptions: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class PlacementOutcome(Answer):
    """What ``accmine run`` reports of a study whose placement is decided.

    Attributes
    ----------
    value
        Seconds of a step.
    mfu, hfu
        Model and hardware FLOP utilisation of all devices of the study, idle ones too, 0 to 1.
    devices
        Of the study; those the placement leaves idle count.
    megatron
        Options of Megatron-LM that run the placement.
    """

    format: int = field(default=FORMAT, kw_only=True)
    """Version of these keys; a newer one than the reader's is refused."""
    study: str
    status: str
    stop: str
    value: float
    workload: str
    batch: int
    devices: int
    design: ChosenDesign
    placement: PlacementRow
    samples_per_s: float
    mfu: float
    hfu: float
    stages: tuple[StageOfPlacement, ...]
    parts: StepParts
    nearby: tuple[PlanNearby, ...]
    baselines: tuple[PlacedBaseline, ...]
    limits: tuple[LimitRow, ...]
    certificate: PlacementCertificate
    warnings: tuple[str, ...]
    seconds: dict[str, float]
    megatron: tuple[str, ...] = ()
    trace: tuple[tuple[float, float | None, float | None], ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    area_error: float | None = None
    tdp_error: float | None = None
    kind: str = "design-placement"
    """Tells it from the outcome of a study whose placement is given."""
    earlier_run: str = field(default="", compare=False)
    """When the run ended that this answer was read from, in UTC; empty: it was computed for this call."""

    @property
    def designs(self) -> tuple[ChosenDesign, ...]:
        """The one design."""
        return (self.design,)


AnyOutcome = Outcome | PlacementOutcome | FrontOutcome
"""Of a study whose placement is given, or decided, or of one with two objectives."""
