"""The keys of a study of a sparse dataflow accelerator: a network on FPGAs, sparsity and folding decided together.

The models are the schema: every key has a description, a unit where it has one, and a default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic.config import JsonDict

from accmine.files import FieldsError, is_file_reference
from accmine.sparse.folding import SLACKS
from accmine.sparse.levels.synthetic import MOST_LEVELS, MOST_PRUNED
from accmine.sparse.network import MOST_CLUSTER
from accmine.study.precision import Part
from accmine.study.values import Count, DataFile, DeviceName, EngineName, PositiveCount, Text, WorkloadName

__all__ = ["SPARSE_DATAFLOW", "SparseStudy", "sparse_schema"]

SPARSE_DATAFLOW = "sparse-dataflow"
"""The ``kind`` of such a study."""

_SHARE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*%\s*\Z")


def _unit(unit: str) -> JsonDict:
    return {"unit": unit}


def _share(value: Any) -> Any:
    """``80 %`` as 0.8; a number stands for itself."""
    match = _SHARE.match(value) if isinstance(value, str) else None
    if match is not None:
        value = float(match[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"must be a share of the device, 0 to 1 or '0 %' to '100 %', got {value!r:.60}")
    return value


def _slack(value: Any) -> Any:
    if isinstance(value, bool) or value not in SLACKS:
        raise ValueError(f"must be one of {', '.join(map(str, SLACKS))}, got {value!r:.60}")
    return value


Share = Annotated[
    float,
    BeforeValidator(_share),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": "%\\s*$"}]}
    ),
]


class Network(Part):
    """What is inferred."""

    use: WorkloadName = Field(description="Model of the catalogue, or a YAML file: convolutions and linear layers.")
    image: PositiveCount | None = Field(
        default=None,
        description="Height and width of an image; default: the model's own.",
        json_schema_extra=_unit("pixels"),
    )
    cluster: PositiveCount = Field(
        default=MOST_CLUSTER,
        description="Input channels side by side in a window of a pointwise layer: the largest divisor up to this.",
    )


class Synthetic(Part):
    """Levels of assumed distributions; every output says that they are made up."""

    count: Annotated[int, Field(strict=True, ge=1, le=MOST_LEVELS)] = Field(
        default=8, description="Levels of each layer; the first prunes nothing."
    )
    weights: Literal["laplace", "gaussian"] = Field(default="laplace", description="Distribution of the weights.")
    most_pruned: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=MOST_PRUNED, description="Share of the weights that the last level prunes."
    )


class Arrays(Part):
    """Levels that are counted in weights and sample activations."""

    file: DataFile = Field(description=".npz with LAYER.weight and LAYER.input of every layer.")
    count: Annotated[int, Field(strict=True, ge=1, le=MOST_LEVELS)] | None = Field(
        default=None, description="Levels of each layer, where the file has no thresholds. Default: 8."
    )
    most_pruned: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Share of the weights that the last level prunes, where the file has no thresholds. Default: 0.9.",
    )


class Levels(Part):
    """Where the sparsity levels of the layers come from: one of these keys."""

    synthetic: Synthetic | None = Field(default=None, description="Made up, of assumed distributions.")
    table: DataFile | None = Field(
        default=None, description="CSV or YAML: layer, level, density or histogram of zero products, loss in points."
    )
    arrays: Arrays | None = Field(default=None, description="Counted in weights and sample activations.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [key for key in type(self).model_fields if getattr(self, key) is not None]
        allowed = ", ".join(type(self).model_fields)
        if len(given) > 1:
            raise FieldsError([((key,), f"beside {given[0]}: one source of levels is needed") for key in given[1:]])
        if not given:
            raise FieldsError([((), f"one source of levels is needed: {allowed}")])
        return self


class Shares(Part):
    """What a design may take, as shares of the device: ``0.8`` or ``80 %``."""

    dsp: Share = Field(default=1.0, description="Multipliers (DSP blocks).", json_schema_extra=_unit("share"))
    lut: Share = Field(default=1.0, description="Logic (LUTs), which is estimated.", json_schema_extra=_unit("share"))
    ff: Share = Field(default=1.0, description="Registers, which are estimated.", json_schema_extra=_unit("share"))
    bram18: Share = Field(default=1.0, description="Blocks of 18 Kbit.", json_schema_extra=_unit("share"))
    uram: Share = Field(default=1.0, description="Blocks of 288 Kbit.", json_schema_extra=_unit("share"))
    bandwidth: Share = Field(default=1.0, description="Of the off-chip memory.", json_schema_extra=_unit("share"))


class Bits(Part):
    """Widths of words."""

    data: Annotated[int, Field(strict=True, ge=1, le=64)] | None = Field(
        default=None,
        description="Of activations; default: those of the engine model.",
        json_schema_extra=_unit("bits"),
    )
    weight: Annotated[int, Field(strict=True, ge=1, le=64)] | None = Field(
        default=None, description="Of weights; default: those of the engine model.", json_schema_extra=_unit("bits")
    )

    def mapping(self) -> dict[str, Any]:
        """What is given, by the names of an engine model."""
        return {f"{key}_bits": value for key, value in self if value is not None}


class Beside(Part):
    """What the answer is compared with."""

    dense: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="The best dense design on the same device, without loss, by the same solver."
    )
    tpe: Count = Field(
        default=200, description="Trials of TPE on the same problem, in the manner of HASS; 0: it is left out."
    )


class SparseBudget(Part):
    """How long a run may take; every given limit holds."""

    seconds: Annotated[float, Field(ge=0)] | None = Field(
        default=60.0, description="Wall-clock limit; null: until proved.", json_schema_extra=_unit("seconds")
    )
    workers: PositiveCount = Field(default=2, description="Threads.")
    seed: Count = Field(default=0, description="Seed of everything random.")

    def timeless(self) -> SparseBudget:
        """Without what decides only how long a run may take."""
        return self.model_copy(update={"seconds": None, "workers": 1})

    def covered_by(self, had: Mapping[str, float | None]) -> bool:
        """Whether what was done before had at least as many ``seconds``; ``None``: no limit."""
        before = had["seconds"]
        return before is None or (self.seconds is not None and self.seconds <= before)


Engines = Annotated[tuple[Literal["dense", "sparse"], ...], Field(min_length=1)]
Memories = Annotated[tuple[Literal["bram", "uram", "stream"], ...], Field(min_length=1)]
Bought = Literal["dsp", "lut", "ff", "bram18", "uram", "bandwidth", "loss"]
Slack = Annotated[int, BeforeValidator(_slack), WithJsonSchema({"enum": list(SLACKS)})]
Slacks = Annotated[tuple[Slack, ...], Field(min_length=1)]


class SparseStudy(Part):
    """Everything that decides the result of a run."""

    name: Text = Field(description="Name of the study; its run folder is named after it.")
    kind: Literal["sparse-dataflow"] = Field(description="What the study is about.")
    description: str = Field(default="", description="What the study is about, in a sentence.")
    network: Network = Field(description="Network, one image at a time.")
    device: DeviceName = Field(description="FPGA of the catalogue, or a YAML file.")
    levels: Levels = Field(description="Sparsity levels that each layer chooses from, and what each loses.")
    loss: Annotated[float, Field(ge=0)] = Field(
        description="Largest sum of the losses of all layers.", json_schema_extra=_unit("points")
    )
    limits: Shares = Field(default=Shares(), description="Shares of the device that a design may take.")
    engines: Engines = Field(
        default=("dense", "sparse"),
        description="dense: every product takes its turn; sparse: zero products are skipped.",
    )
    memories: Memories = Field(
        default=("bram", "uram", "stream"),
        description="Where weights may be: blocks of 18 Kbit, of 288 Kbit, or read from off chip.",
    )
    slack: Slacks = Field(
        default=SLACKS,
        description="Windows by which a sparse engine may run ahead of the slowest one of its layer.",
        json_schema_extra=_unit("windows"),
    )
    precision: Bits = Field(default=Bits(), description="Widths of words.")
    engine_model: EngineName = Field(
        default="fixed16", description="Constants of logic and registers: a name of the catalogue, or a YAML file."
    )
    prefer: Literal["dsp", "lut", "ff", "bram18", "uram", "loss", "none"] = Field(
        default="dsp", description="Of the fastest designs the one that takes least of this; none: any of them."
    )
    buys: tuple[Bought, ...] = Field(
        default=("dsp", "loss"), description="Limits of which it is said what more of them buys."
    )
    compare: Beside = Field(default=Beside(), description="What the answer is compared with.")
    budget: SparseBudget = Field(default=SparseBudget(), description="Limits of the run itself.")

    @model_validator(mode="after")
    def _cross(self) -> Self:
        errors: list[tuple[tuple[str | int, ...], str]] = []
        for key in ("engines", "memories", "slack", "buys"):
            words = getattr(self, key)
            errors += [((key, i), f"{word!r} is named twice") for i, word in enumerate(words) if word in words[:i]]
        if errors:
            raise FieldsError(errors)
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """The user's own files that it names, sorted."""
        names = [self.network.use, self.device, self.engine_model]
        own = {Path(name) for name in names if is_file_reference(name)}
        levels = self.levels.table, self.levels.arrays.file if self.levels.arrays else None
        own |= {Path(name) for name in levels if name is not None}
        return tuple(sorted(own))


def sparse_schema() -> dict[str, Any]:
    """JSON schema of such a study."""
    return SparseStudy.model_json_schema()
