"""The keys of a study of a sparse dataflow accelerator: a network on FPGAs, sparsity and folding decided together.

The models are the schema: every key has a description, a unit where it has one, and a default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator
from pydantic.config import JsonDict

from accmine.files import FieldsError, derived, is_file_reference
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


_PER_CENT = r"^\s*(100(\.0*)?|\d{1,2}(\.\d*)?|\.\d+)\s*%\s*$"
Share = Annotated[
    float,
    BeforeValidator(_share),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": _PER_CENT}]}
    ),
]
"""A share of a device: a number, or per cent as a text."""


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
    """Bits of a word."""

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
    """Other designs beside the answer."""

    dense: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="The best dense design on the same device, without loss, by the same solver."
    )
    tpe: Count = Field(
        default=200, description="Trials of TPE on the same problem, in the manner of HASS; 0: it is left out."
    )


class Accuracy(Part):
    """What tells how much a network truly loses: one of ``use`` and ``callback``."""

    use: Literal["digits"] | None = Field(
        default=None,
        description="digits: a small network that is trained on scikit-learn's digits as the run begins; it gives the "
        "network and the levels too.",
    )
    callback: Annotated[str, StringConstraints(strict=True, pattern=r"^[\w.]+:[\w.]+$")] | None = Field(
        default=None,
        description="module:function, called in a worker process with {layer: level}; it returns the accuracy in per "
        "cent, or without reference the loss in points. Looked for beside the study first.",
    )
    reference: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None,
        description="Accuracy against which the losses of a callback count.",
        json_schema_extra=_unit("percent"),
    )
    seconds: Annotated[float, Field(gt=0)] = Field(
        default=60.0, description="Limit of one evaluation.", json_schema_extra=_unit("seconds")
    )
    rounds: PositiveCount = Field(default=12, description="Evaluations at most.")
    monotone: Annotated[bool, Field(strict=True)] = Field(
        default=True,
        description="Take it that a network loses no less where every layer is at least as sparse; what is proven then "
        "rests on it.",
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.use is None) == (self.callback is None):
            raise FieldsError([((), "one of use and callback is needed")])
        if self.use is not None and self.reference is not None:
            raise FieldsError([(("reference",), f"belongs to callback; {self.use} has its own")])
        return self


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
    network: Network | None = Field(
        default=None, description="Network, one image at a time; needed, but where accuracy.use gives it."
    )
    device: DeviceName = Field(description="FPGA of the catalogue, or a YAML file.")
    levels: Levels | None = Field(
        default=None,
        description="Sparsity levels that each layer chooses from, and what each loses; needed, but where accuracy.use "
        "gives them.",
    )
    accuracy: Accuracy | None = Field(
        default=None,
        description="Hold the loss on the real network: designs are evaluated and losses corrected in rounds. Without, "
        "losses of layers are added.",
    )
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
        default_factory=derived(lambda data: ("dsp", "loss") if data["accuracy"] is None else ()),
        description="Limits of which it is said what more of them buys, by the losses of levels. Default: dsp and "
        "loss; none beside accuracy.",
    )
    compare: Beside = Field(
        default_factory=derived(lambda data: Beside() if data["accuracy"] is None else Beside(tpe=0)),
        description="What the answer is compared with; beside accuracy by default without TPE.",
    )
    budget: SparseBudget = Field(default=SparseBudget(), description="Limits of the run itself.")

    @model_validator(mode="after")
    def _cross(self) -> Self:
        errors: list[tuple[tuple[str | int, ...], str]] = []
        for key in ("engines", "memories", "slack", "buys"):
            words = getattr(self, key)
            errors += [((key, i), f"{word!r} is named twice") for i, word in enumerate(words) if word in words[:i]]
        given = None if self.accuracy is None else self.accuracy.use
        for key in ("network", "levels"):
            if given and getattr(self, key) is not None:
                errors.append(
                    ((key,), f"is given by accuracy.use: {self.accuracy and self.accuracy.use}; leave it out")
                )
            elif not given and getattr(self, key) is None:
                errors.append(((key,), "is required"))
        if self.accuracy is not None and self.prefer == "loss":
            errors.append((("prefer",), "loss is that of levels, not the true one of accuracy; allowed: the others"))
        if self.accuracy is not None and self.buys:
            errors.append((("buys",), "goes by the losses of levels, not by the true one of accuracy; allowed: []"))
        if self.accuracy is not None and self.compare.tpe:
            errors.append((("compare", "tpe"), "goes by the losses of levels, not by the true one; allowed: 0"))
        if errors:
            raise FieldsError(errors)
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """The user's own files that it names, sorted."""
        names = [self.device, self.engine_model, *([self.network.use] if self.network else [])]
        own = {Path(name) for name in names if is_file_reference(name)}
        if self.levels is not None:
            levels = self.levels.table, self.levels.arrays.file if self.levels.arrays else None
            own |= {Path(name) for name in levels if name is not None}
        return tuple(sorted(own))


def sparse_schema() -> dict[str, Any]:
    """JSON schema of such a study."""
    return SparseStudy.model_json_schema()
