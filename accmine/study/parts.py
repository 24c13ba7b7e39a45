"""The parts of a study: workloads, the accelerator's tunables, limits, search and budget.

The models are the schema: every key has a description, a unit where it has one, and a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic.config import JsonDict

from accmine.files import FieldsError, derived, entry_name, parse_quantity
from accmine.study.choices import choices
from accmine.study.precision import PURE_BF16, Part, Precision, PrecisionWord
from accmine.study.values import (
    AcceleratorName,
    ArchitectureName,
    AreaLimit,
    Axis,
    BytesAxis,
    Count,
    CountAxis,
    DataflowAxis,
    HertzAxis,
    MeasurementFile,
    MicrobatchList,
    OptionalBytesAxis,
    PositiveCount,
    PowerLimit,
    RateAxis,
    RecomputeList,
    Text,
    WorkloadName,
)

__all__ = [
    "HEURISTIC_OPTIONS",
    "AcceleratorSpace",
    "Budget",
    "Cost",
    "DeviceLimits",
    "Limits",
    "Part",
    "Search",
    "StudyWorkload",
]

Positive = Annotated[float, Field(strict=True, gt=0)]
_MOST_DIVISORS = 12  # that a message lists


def _unit(unit: str) -> JsonDict:
    return {"unit": unit}


class StudyWorkload(Part):
    """One model to train: what a step is."""

    use: WorkloadName = Field(description="Model of the catalogue, a YAML file, or a Hugging Face config.json.")
    name: Text = Field(
        default_factory=derived(lambda data: entry_name(data["use"])),
        description="Name in tables; default: that of the model.",
    )
    sequence: PositiveCount | None = Field(
        default=None, description="Sequence length; default: the model's own.", json_schema_extra=_unit("tokens")
    )
    image: PositiveCount | None = Field(
        default=None,
        description="Height and width of an image; default: the model's own.",
        json_schema_extra=_unit("pixels"),
    )
    batch: PositiveCount = Field(description="Samples of one optimiser step.", json_schema_extra=_unit("samples"))
    microbatch: MicrobatchList = Field(
        default_factory=derived(lambda data: data["batch"]),
        description="Samples that pass through a device together; divides the batch. A list is chosen from. "
        "Default: the batch.",
        json_schema_extra=_unit("samples"),
    )
    masked: Annotated[float, Field(strict=True, gt=0, le=1)] | None = Field(
        default=None,
        description="Share of the tokens that the head of a masked-LM model and its loss work on, rounded up to whole "
        "tokens of a sequence; only for such models. Default: 0.15, or null for others.",
    )
    optimizer: Literal["sgd", "adam", "adamw", "lamb", "adam-8bit", "adamw-8bit"] = Field(
        default="adam", description="Optimiser; sgd has momentum, -8bit keeps moments in 8 bits."
    )
    precision: PrecisionWord = Field(
        default_factory=Precision,
        description="Types of what training keeps beside activations; or a word: mixed, the defaults, or pure-bf16, "
        "bf16 for all and no master weights.",
    )
    recompute: RecomputeList = Field(
        default="none",
        description="full: keep only the inputs of each layer and run its forward part again. selective: the core of "
        "attention alone. A list is chosen from.",
    )
    split: Literal["none", "heads", "samples"] | None = Field(
        default=None,
        description="Granularity of materialised attention: one chain of operators, one per head, or one per sample. "
        "Default: heads.",
    )
    attention: Literal["fused", "materialised"] = Field(
        default_factory=derived(lambda data: "fused" if data["split"] is None else "materialised"),
        description="fused: one operator that stores no scores and makes them again in the backward pass. "
        "materialised: operators that exchange scores. Default: fused, or materialised where split is given.",
    )
    fusion: Literal["practical", "elementwise", "paired", "none"] = Field(
        default="practical",
        description="practical: as compilers and libraries fuse (batch norms with convolutions, softmax with its mask, "
        "one update for a layer, …), each side on the cores it takes. elementwise: chains behind a product become one "
        "operator. paired: these, and it holds as many vector cores as tensor cores, WHAM's rule.",
    )
    dtype: Literal["bf16", "fp16", "fp32", "fp8", "tf32"] = Field(
        default="bf16",
        description="Type of activations and of the operands of products; fp8: operands of linear layers, all else "
        "bf16; tf32: of all products, all else and what is stored fp32.",
    )
    weight: Positive = Field(default=1.0, description="Weight under aggregate: mean.")

    @model_validator(mode="after")
    def _cross(self) -> Self:
        errors: list[tuple[tuple[str | int, ...], str]] = []
        for size in choices(self.microbatch):
            if self.batch % size == 0:
                continue
            divisors = [m for m in range(1, self.batch + 1) if self.batch % m == 0] if self.batch < 10**6 else []
            shown = divisors if len(divisors) <= _MOST_DIVISORS else [*divisors[: _MOST_DIVISORS - 1], "…"]
            allowed = ", ".join(map(str, shown)) or "a divisor of the batch"
            message = f"{size} does not divide the batch of {self.batch}; allowed: {allowed}"
            errors.append((("microbatch",), message))
        if self.attention == "fused" and self.split is not None:
            errors.append((("split",), "belongs to attention: materialised, not to attention: fused"))
        if self.sequence is not None and self.image is not None:
            errors.append((("image",), "a model reads sequences or images; give sequence or image, not both"))
        if self.optimizer.endswith("-8bit") and "moments" in self.precision.model_fields_set:
            message = f"{self.optimizer} keeps moments in 8 bits; leave it out"
            errors.append((("precision", "moments"), message))
        if self.dtype not in ("bf16", "fp8") and self.precision == PURE_BF16:
            errors.append((("precision",), "pure-bf16 needs dtype: bf16 or fp8"))
        if errors:
            raise FieldsError(errors)
        return self

    @property
    def samples(self) -> int:
        """Samples of a microbatch, where there is no choice."""
        assert isinstance(self.microbatch, int)
        return self.microbatch

    @property
    def recomputed(self) -> str:
        """What is recomputed, where there is no choice."""
        assert isinstance(self.recompute, str)
        return self.recompute

    @property
    def granularity(self) -> str:
        """What stands for the attention of a layer: ``fused``, ``none``, ``heads`` or ``samples``."""
        return "fused" if self.attention == "fused" else self.split or "heads"


class AcceleratorSpace(Part):
    """The accelerators to choose from: a template or design, and values for some of its tunables."""

    use: AcceleratorName = Field(description="Template or design of the catalogue, or a file such as a design.yaml.")
    tensor_cores: CountAxis = Field(default=None, description="Number of tensor cores.")
    tensor_dim: CountAxis = Field(
        default=None, description="Rows and columns of the systolic array: all pairs of these values."
    )
    tensor_rows: CountAxis = Field(default=None, description="Rows of the systolic array.")
    tensor_cols: CountAxis = Field(default=None, description="Columns of the systolic array.")
    dataflow: DataflowAxis = Field(
        default=None,
        description="What stays in the array: ws weights, os outputs, is inputs; flexible: the best for each product.",
    )
    tensor_sram: BytesAxis = Field(
        default=None, description="Private SRAM of a tensor core.", json_schema_extra=_unit("bytes")
    )
    vector_cores: CountAxis = Field(default=None, description="Number of vector cores.")
    vector_lanes: CountAxis = Field(default=None, description="Lanes of a vector core.")
    vector_ops_per_lane: CountAxis = Field(default=None, description="Operations per lane and cycle.")
    vector_sram: BytesAxis = Field(
        default=None, description="Private SRAM of a vector core.", json_schema_extra=_unit("bytes")
    )
    shared_sram: OptionalBytesAxis = Field(
        default=None,
        description="SRAM of the chip between that of the cores and the HBM; 0 B: none.",
        json_schema_extra=_unit("bytes"),
    )
    port_bandwidth: RateAxis = Field(
        default=None,
        description="Bandwidth of the port of one core to the shared SRAM; needed with one.",
        json_schema_extra=_unit("bytes/s"),
    )
    hbm: BytesAxis = Field(default=None, description="Capacity of the HBM.", json_schema_extra=_unit("bytes"))
    hbm_bandwidth: RateAxis = Field(
        default=None, description="Peak bandwidth of the HBM.", json_schema_extra=_unit("bytes/s")
    )
    hbm_stacks: CountAxis = Field(
        default=None, description="Number of HBM stacks, each of which adds capacity and bandwidth; instead of hbm."
    )
    hbm_stack: BytesAxis = Field(
        default=None, description="Capacity of one HBM stack.", json_schema_extra=_unit("bytes")
    )
    hbm_stack_bandwidth: RateAxis = Field(
        default=None, description="Peak bandwidth of one HBM stack.", json_schema_extra=_unit("bytes/s")
    )
    frequency: HertzAxis = Field(default=None, description="Clock of all cores.", json_schema_extra=_unit("hertz"))

    @model_validator(mode="after")
    def _cross(self) -> Self:
        both = [name for name in ("tensor_rows", "tensor_cols") if getattr(self, name) is not None]
        if self.tensor_dim is not None and both:
            raise FieldsError(
                [((name,), "tensor_dim sets rows and columns already; give one of them") for name in both]
            )
        return self

    def mapping(self) -> dict[str, Axis]:
        """``use`` and the tunables that the study sets, as a template reads them."""
        given: dict[str, Axis] = self.model_dump(exclude_none=True)
        return given


def _limit_value(text: str | None, dimension: str, baseline: float) -> float:
    if text is None:
        return inf
    return baseline if text == "baseline" else parse_quantity(text, dimension)


class Limits(Part):
    """Upper limits of all devices together."""

    area: AreaLimit = Field(
        default=None,
        description="Die area of all devices; baseline: as many baselines.",
        json_schema_extra=_unit("mm2"),
    )
    tdp: PowerLimit = Field(
        default=None, description="Thermal design power of all devices.", json_schema_extra=_unit("watt")
    )

    def area_mm2(self, baseline_mm2: float) -> float:
        """The area limit in mm², ``inf`` for none; ``baseline_mm2`` is what ``baseline`` stands for."""
        return _limit_value(self.area, "mm2", baseline_mm2)

    def tdp_w(self, baseline_w: float) -> float:
        """The TDP limit in W, ``inf`` for none; ``baseline_w`` is what ``baseline`` stands for."""
        return _limit_value(self.tdp, "watt", baseline_w)


class DeviceLimits(Limits):
    """Upper limits of each device alone."""

    area: AreaLimit = Field(
        default="858 mm^2", description="Die area of one device; default: the reticle.", json_schema_extra=_unit("mm2")
    )
    tdp: PowerLimit = Field(
        default=None, description="Thermal design power of one device.", json_schema_extra=_unit("watt")
    )


def _method(value: Any) -> Any:
    return "wham-like" if value == "critical-path" else value


HEURISTIC_OPTIONS = ("top_k", "hysteresis", "start", "growth", "min_gain", "order", "bound_pruning", "polish")
"""Keys of ``search`` that are options of the heuristic: the decisions that its source leaves open."""


class Cost(Part):
    """Where the costs of operators come from."""

    use: Literal["model", "table", "zigzag", "kernel"] = Field(
        default="model",
        description="model: the analytical model. table: measured operators of a file where it has them, else the "
        "model. zigzag: products by ZigZag's mapping search, all else by the model. kernel: cycles of products on the "
        "arrays by kernels on a described architecture, all else by the model.",
    )
    file: MeasurementFile | None = Field(
        default=None, description="CSV of measured operators; needed with use: table, and only there."
    )
    reach: Annotated[float, Field(strict=True, ge=1, le=16)] | None = Field(
        default_factory=derived(lambda data: 2.0 if data["use"] == "table" else None),
        description="Sizes within this factor of measured ones are interpolated between them; 1: exact hits only. "
        "Default: 2.",
    )
    cache: Text | None = Field(
        default=None,
        description="CSV that keeps what ZigZag found, made if it is not there; needed with use: zigzag, and only "
        "there.",
    )
    architecture: ArchitectureName | None = Field(
        default=None,
        description="Described architecture of the catalogue (`accmine list kernels`) or a YAML file; needed with use: "
        "kernel, and only there.",
    )

    @model_validator(mode="after")
    def _cross(self) -> Self:
        errors: list[tuple[tuple[str | int, ...], str]] = []
        for key, use in (("file", "table"), ("cache", "zigzag"), ("architecture", "kernel")):
            if self.use == use and getattr(self, key) is None:
                errors.append(((key,), f"is required with use: {use}"))
            elif self.use != use and getattr(self, key) is not None:
                errors.append(((key,), f"belongs to use: {use}, not to use: {self.use}"))
        if self.reach is not None and self.use != "table":
            errors.append((("reach",), f"belongs to use: table, not to use: {self.use}"))
        if errors:
            raise FieldsError(errors)
        return self


class Search(Part):
    """How designs are proposed, refined and selected."""

    method: Annotated[Literal["wham-like", "critical-path"], BeforeValidator(_method)] = Field(
        default="wham-like", description="What proposes designs; critical-path is another name of wham-like."
    )
    top_k: PositiveCount = Field(default=10, description="Designs kept per task and share of the budget.")
    refine: Literal["cp-sat", "none"] = Field(
        default="cp-sat", description="What refines the schedules of proposed designs."
    )
    select: Literal["auto", "highs", "cp-sat"] = Field(
        default="auto", description="What solves the selection; `auto` takes the method that fits its size."
    )
    hysteresis: Count = Field(default=2, description="Worse steps that the descent over core sizes goes on after.")
    growth: Literal["double", "one"] = Field(
        default="double", description="How core counts grow: doubled, or one at a time."
    )
    start: Literal["bound", "one"] = Field(
        default="bound",
        description="First core counts of a choice of core sizes: those of the least bound, or the fewest.",
    )
    min_gain: Annotated[float, Field(strict=True, lt=1)] = Field(
        default=1e-3, description="Relative fall of the value that an added core has to bring; below 0, allowed rise."
    )
    order: Literal["bound", "best", "breadth"] = Field(
        default="bound",
        description="Core sizes that are next: of the least bound, a child of the best, or level by level.",
    )
    bound_pruning: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="Skip core sizes whose bound cannot enter the best top_k."
    )
    polish: Count = Field(default=2, description="Rounds of single-core steps around the best designs.")
    shares: PositiveCount = Field(default=5, description="Shares of the limits that designs are proposed for.")

    def options(self) -> dict[str, Any]:
        """The options of the heuristic, by the names its class takes."""
        return {name: getattr(self, name) for name in HEURISTIC_OPTIONS}


class Budget(Part):
    """How long a run may take; every given limit holds."""

    seconds: Annotated[float, Field(strict=True, ge=0)] | None = Field(
        default=60.0, description="Wall-clock limit; null: until proved.", json_schema_extra=_unit("seconds")
    )
    work: Positive | None = Field(
        default=None,
        description="Limit of the whole run that is no clock, in about seconds of a core; with deterministic "
        "the default is seconds.",
    )
    workers: PositiveCount = Field(default=2, description="Processes or threads.")
    seed: Count = Field(default=0, description="Seed of everything random.")
    deterministic: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="Stop by work and never by the clock, so that a run repeats exactly."
    )

    @model_validator(mode="after")
    def _cross(self) -> Self:
        if self.deterministic and self.work is None and self.seconds is None:
            raise FieldsError([(("deterministic",), "needs budget.work or budget.seconds: else nothing ends the run")])
        return self

    def timeless(self) -> Budget:
        """Without what decides only how long a run may take; of one that repeats, that decides the answer too."""
        patience = {"workers": 1} if self.deterministic else {"seconds": None, "work": None, "workers": 1}
        return self.model_copy(update=patience)

    def covered_by(self, had: Mapping[str, float | None]) -> bool:
        """Whether ``seconds`` and ``work`` of what was done before were at least as much; ``None``: no limit."""
        pairs = ((had["seconds"], self.seconds), (had["work"], self.work))
        return all(before is None or (now is not None and now <= before) for before, now in pairs)
