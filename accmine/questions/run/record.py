"""Outcome: everything a run found, as plain records with a JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field

from accmine.questions.run.pictures.record import DeviceRoof, EvaluatedDesign
from accmine.questions.run.row import FORMAT, Answer
from accmine.questions.run.several.regret_record import Regret

__all__ = [
    "BaselineRow",
    "Certificate",
    "Change",
    "ChosenDesign",
    "Contention",
    "LimitRow",
    "ModeRow",
    "Nearest",
    "Outcome",
    "PhaseRow",
    "StageRow",
    "TimeSplit",
    "WorkloadRow",
]


@dataclass(frozen=True)
class PhaseRow:
    """The schedule of one graph on its design.

    Attributes
    ----------
    operators, repeats
        Size of the graph, and how often a step runs it.
    cycles, bound_cycles
        Makespan of the verified schedule and proven lower bound of this schedule problem.
    status, solver, bound_method
        What is known of the schedule, who found it, how the bound was proved.
    """

    name: str
    operators: int
    repeats: int
    cycles: int
    bound_cycles: int
    status: str
    solver: str
    bound_method: str


@dataclass(frozen=True)
class TimeSplit:
    """Step time of a device, split by what bounds it; the parts sum to the whole.

    Attributes
    ----------
    macs_s
        All multiply-accumulates at peak rate.
    fill_s
        Added by array fill and drain, and by shapes that do not fill the array.
    vector_s, hbm_s
        Added because the vector cores, or HBM, need longer than the tensor cores.
    dependency_s
        Added because the longest path is longer than all of these.
    idle_s
        What the schedule adds to the largest of these bounds.
    """

    macs_s: float
    fill_s: float
    vector_s: float
    hbm_s: float
    dependency_s: float
    idle_s: float


@dataclass(frozen=True)
class Contention:
    """What sharing the HBM costs a device, against every operator having the whole bandwidth for itself.

    Attributes
    ----------
    shared_cycles
        Busy cycles of a step with the verified schedules.
    private_cycles, private_bound_cycles
        The same with private bandwidth, by the best schedule found, and proven lower bound of it.
    cost
        shared / private - 1, at least 0.
    cost_at_most
        What it would be against the best schedule with private bandwidth, at most.
    """

    shared_cycles: int
    private_cycles: int
    private_bound_cycles: int
    cost: float
    cost_at_most: float


@dataclass(frozen=True)
class StageRow:
    """One device of the system.

    Attributes
    ----------
    average_power_w
        Dynamic energy of a step over its time, and static power.
    contention
        ``None`` where it was not looked at.
    """

    workload: str
    name: str
    layers: tuple[str, str]
    design: str
    phases: tuple[PhaseRow, ...]
    busy_s: float
    memory_bytes: int
    hbm_bytes: int
    average_power_w: float
    time_split: TimeSplit
    contention: Contention | None = None


@dataclass(frozen=True)
class WorkloadRow:
    """Training performance of one workload.

    Attributes
    ----------
    step_s, samples_per_s
        Time of an optimiser step of ``batch`` samples, and throughput.
    mfu, hfu
        Model and hardware FLOP utilisation, 0 to 1; HFU counts recomputation.
    bubble
        Share of device time in which a device of the pipeline waits, 0 to 1.
    energy_j
        Of a step: dynamic energy of all operators and static energy of all devices.
    interval
        Bounds of real ÷ modelled time, for 9 of 10 operators of the kinds of this step; empty where a kind has none.
    no_interval
        Why there is none.
    """

    name: str
    batch: int
    microbatch: int
    microbatches: int
    step_s: float
    samples_per_s: float
    mfu: float
    hfu: float
    bubble: float
    energy_j: float
    interval: tuple[float, ...] = ()
    no_interval: str = ""


@dataclass(frozen=True)
class ChosenDesign:
    """A design of the answer and the devices that are built as it.

    Attributes
    ----------
    area_parts, tdp_parts
        mm² and W by part of the technology, adding up to area and TDP; empty in results of older versions.
    tensor_cores, vector_cores
        How many of each the parts are of.
    """

    name: str
    yaml: str
    devices: tuple[str, ...]
    area_mm2: float
    tdp_w: float
    peak_tflops: float
    area_parts: dict[str, float] = field(default_factory=dict)
    tdp_parts: dict[str, float] = field(default_factory=dict)
    tensor_cores: int = 0
    vector_cores: int = 0


@dataclass(frozen=True)
class LimitRow:
    """A limit, what the answer uses of it, and whether it binds.

    Attributes
    ----------
    active
        True if the slack is smaller than the least step: the next allowed number of cores of either kind on any
        device, and on all devices that share its design.
    """

    name: str
    limit: float
    used: float
    unit: str
    active: bool
    least_step: float


@dataclass(frozen=True)
class BaselineRow:
    """A reference design under the same cost model and rules.

    Attributes
    ----------
    operator_split
        ``even`` or ``none``; the answer is compared with the baseline under the same rule.
    ratio
        Throughput of the answer over that of the baseline; with several workloads the aggregate.
    ratio_per_tdp
        The same of throughput per TDP.
    note
        Empty, or why the baseline cannot run the study.
    """

    name: str
    operator_split: str
    samples_per_s: tuple[float, ...]
    own_samples_per_s: tuple[float, ...]
    ratio: float
    ratio_per_tdp: float
    area_mm2: float
    tdp_w: float
    note: str = ""


@dataclass(frozen=True)
class ModeRow:
    """The optimum of the selection in another mode, from the same candidates."""

    mode: str
    relative: float
    samples_per_s: tuple[float, ...]
    area_mm2: float
    tdp_w: float
    status: str
    designs: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One step on the way from the baseline to the answer."""

    what: str
    samples_per_s: tuple[float, ...]
    area_mm2: float
    tdp_w: float
    within_limits: bool


@dataclass(frozen=True)
class Nearest:
    """The best alternative that lost, and what it lost by."""

    design: str
    device: str
    value_loss: float
    tdp_difference_w: float
    area_difference_mm2: float
    reason: str


@dataclass(frozen=True)
class Certificate:
    """How good the answer is, who proved it, and for what the proof holds.

    Attributes
    ----------
    metric, unit, sense
        What the numbers below are.
    heuristic
        Value of the critical-path heuristic alone.
    objective
        Value of the best verified solution.
    bound
        No design of the space is better under this cost model.
    gap
        Relative distance of the two, 0 to 1.
    own_bound
        No schedules of the printed designs are better: what lies between it and the objective is for better schedules
        (or bounds of them), what lies beyond it for other designs (or better bounds of the space).
    method
        How the bound was proved.
    selection_status
        Whether the choice among the candidates is proven optimal.
    feasible_designs, evaluated_designs, within_one_percent
        Size of the space within the limits, designs scheduled, and how many of these come within 1 %.
    scope
        What is held fixed: the bound says nothing about other choices of it.
    assumptions
        Sentences on the execution model that objective and bound share.
    """

    metric: str
    unit: str
    sense: str
    heuristic: float
    objective: float
    bound: float
    gap: float
    own_bound: float
    method: str
    selection_status: str
    selection_solver: str
    feasible_designs: int
    evaluated_designs: int
    within_one_percent: int
    scope: tuple[str, ...]
    assumptions: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Outcome(Answer):
    """What ``accmine run`` reports.

    Attributes
    ----------
    status
        ``optimal``, ``feasible``; an infeasible study raises instead.
    stop
        ``proved``, ``finished``, ``time`` or ``interrupted``.
    value
        Of the study's objective: relative step time (lower is better) or its product with TDP.
    samples_per_s_per_w
        Throughput over the TDP of all devices; NaN with several workloads, whose samples are not of one kind.
    chips
        Devices that count against the limits: workloads that take turns share theirs. ``None``: not known.
    """

    format: int = field(default=FORMAT, kw_only=True)
    """Version of these keys; a newer one than the reader's is refused."""
    study: str
    status: str
    stop: str
    objective: str
    value: float
    designs: tuple[ChosenDesign, ...]
    workloads: tuple[WorkloadRow, ...]
    stages: tuple[StageRow, ...]
    area_mm2: float
    tdp_w: float
    samples_per_s_per_w: float
    limits: tuple[LimitRow, ...]
    baselines: tuple[BaselineRow, ...]
    modes: tuple[ModeRow, ...]
    changes: tuple[Change, ...]
    nearest: Nearest | None
    certificate: Certificate
    variant: str
    warnings: tuple[str, ...]
    seconds: dict[str, float]
    trace: tuple[tuple[float, float | None, float | None], ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    area_error: float | None = None
    """Relative half-width of the technology's band around every area."""
    tdp_error: float | None = None
    """As ``area_error``, around every TDP."""
    chips: int | None = None
    earlier_run: str = field(default="", compare=False)
    """When the run ended that this answer was read from, in UTC; empty: it was computed for this call."""
    reference_s: tuple[float, ...] = ()
    """Step time of each workload with the baseline on every device: what values are relative to."""
    evaluated: tuple[EvaluatedDesign, ...] = ()
    """Designs that were scheduled, the best of all for each area and TDP among them; of very many a part."""
    roofs: tuple[DeviceRoof, ...] = ()
    """One for each device; devices of equal design and schedule once."""
    regret: Regret | None = None
    """Of a study with mixes of workloads."""
