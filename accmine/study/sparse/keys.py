"""The keys of a study of a sparse dataflow accelerator: a network on FPGAs, sparsity and folding decided together.

The models are the schema: every key has a description, a unit where it has one, and a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from accmine.files import FieldsError, derived, is_file_reference
from accmine.sparse.folding import SLACKS
from accmine.sparse.levels.synthetic import MOST_LEVELS, MOST_PRUNED
from accmine.sparse.network import MOST_CLUSTER
from accmine.study.precision import Part
from accmine.study.sparse.shares import DeviceInRow, Devices, Links, OwnShares, Shares, unit
from accmine.study.values import Count, DataFile, DeviceName, EngineName, PositiveCount, Text, WorkloadName

__all__ = ["SPARSE_DATAFLOW", "SparseStudy", "sparse_schema"]

SPARSE_DATAFLOW = "sparse-dataflow"
"""The ``kind`` of such a study."""


def _slack(value: Any) -> Any:
    if isinstance(value, bool) or value not in SLACKS:
        raise ValueError(f"must be one of {', '.join(map(str, SLACKS))}, got {value!r:.60}")
    return value


class Network(Part):
    """What is inferred."""

    use: WorkloadName = Field(description="Model of the catalogue, or a YAML file: convolutions and linear layers.")
    image: PositiveCount | None = Field(
        default=None,
        description="Height and width of an image; default: the model's own.",
        json_schema_extra=unit("pixels"),
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
    most_pruned: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(
        default=MOST_PRUNED, description="Share of the weights that the last level prunes."
    )


class Arrays(Part):
    """Levels that are counted in weights and sample activations."""

    file: DataFile = Field(description=".npz with LAYER.weight and LAYER.input of every layer.")
    count: Annotated[int, Field(strict=True, ge=1, le=MOST_LEVELS)] | None = Field(
        default=None, description="Levels of each layer, where the file has no thresholds. Default: 8."
    )
    most_pruned: Annotated[float, Field(strict=True, gt=0, lt=1)] | None = Field(
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


class Bits(Part):
    """Bits of a word."""

    data: Annotated[int, Field(strict=True, ge=1, le=64)] | None = Field(
        default=None,
        description="Of activations; default: those of the engine model.",
        json_schema_extra=unit("bits"),
    )
    weight: Annotated[int, Field(strict=True, ge=1, le=64)] | None = Field(
        default=None, description="Of weights; default: those of the engine model.", json_schema_extra=unit("bits")
    )

    def mapping(self) -> dict[str, Any]:
        """What is given, by the names of an engine model."""
        return {f"{key}_bits": value for key, value in self if value is not None}


class Beside(Part):
    """Other designs beside the answer."""

    dense: Annotated[bool, Field(strict=True)] = Field(
        default=True,
        description="The best dense design on the same device, or devices, without loss, by the same solver.",
    )
    tpe: Count = Field(
        default=200,
        description="Trials of TPE on the same problem, in the manner of HASS; 0: it is left out, as by default beside "
        "accuracy and with devices.",
    )
    alone: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="The whole network on each of several devices alone, by the same solver; by default there.",
    )


def _beside(data: Mapping[str, Any]) -> Beside:
    """What stands beside an answer by default."""
    if data["devices"] is not None:
        return Beside(tpe=0, alone=True)
    return Beside() if data["accuracy"] is None else Beside(tpe=0)


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
    reference: Annotated[float, Field(strict=True, ge=0, le=100)] | None = Field(
        default=None,
        description="Accuracy against which the losses of a callback count.",
        json_schema_extra=unit("percent"),
    )
    seconds: Annotated[float, Field(strict=True, gt=0)] = Field(
        default=60.0, description="Limit of one evaluation.", json_schema_extra=unit("seconds")
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

    seconds: Annotated[float, Field(strict=True, ge=0)] | None = Field(
        default=60.0, description="Wall-clock limit; null: until proved.", json_schema_extra=unit("seconds")
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
    device: DeviceName | None = Field(
        default=None, description="FPGA of the catalogue, or a YAML file; needed, but where there are devices."
    )
    devices: Devices | None = Field(
        default=None,
        description="Several FPGAs in a row, each a name or a mapping: which layers each has is decided too. In the "
        "place of device.",
    )
    links: Links | None = Field(
        default=None,
        description="Words per cycle of the device before it that each link between devices takes: a number for all, "
        "or a list with one for each, in which null is any number. Default: any number.",
        json_schema_extra=unit("words per cycle"),
    )
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
    loss: Annotated[float, Field(strict=True, ge=0)] = Field(
        description="Largest sum of the losses of all layers.", json_schema_extra=unit("points")
    )
    limits: Shares = Field(default=Shares(), description="Shares of the device, or of each, that a design may take.")
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
        json_schema_extra=unit("windows"),
    )
    precision: Bits = Field(default=Bits(), description="Widths of words.")
    engine_model: EngineName = Field(
        default="fixed16", description="Constants of logic and registers: a name of the catalogue, or a YAML file."
    )
    prefer: Literal["dsp", "lut", "ff", "bram18", "uram", "loss", "none"] = Field(
        default_factory=derived(lambda data: "dsp" if data["devices"] is None else "none"),
        description="Of the fastest designs the one that takes least of this; none: any of them. Default: dsp; none "
        "with devices.",
    )
    buys: tuple[Bought, ...] = Field(
        default_factory=derived(
            lambda data: ("dsp", "loss") if data["accuracy"] is None and data["devices"] is None else ()
        ),
        description="Limits of which it is said what more of them buys, by the losses of levels. Default: dsp and "
        "loss; none beside accuracy, and with devices.",
    )
    compare: Beside = Field(
        default_factory=derived(_beside),
        description="What the answer is compared with; beside accuracy, and with devices, by default without TPE.",
    )
    budget: SparseBudget = Field(default=SparseBudget(), description="Limits of the run itself.")

    @field_validator("compare", mode="before")
    @classmethod
    def _rest_by_default(cls, value: Any, info: ValidationInfo) -> Any:
        """What ``compare`` does not name is as without it."""
        decided = isinstance(value, Mapping) and {"accuracy", "devices"} <= set(info.data)
        return {**_beside(info.data).model_dump(), **value} if decided else value

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
        errors += _of_one(self) if self.devices is None else _of_several(self, len(self.devices))
        if errors:
            raise FieldsError(errors)
        return self

    @property
    def sites(self) -> tuple[DeviceInRow, ...]:
        """Its devices with their own shares, in their order."""
        return self.devices or (DeviceInRow.model_construct(use=self.device or "", limits=OwnShares()),)

    def shares(self, site: DeviceInRow) -> Shares:
        """What a design may take of a device."""
        own = {key: value for key, value in site.limits if value is not None}
        return self.limits.model_copy(update=own)

    @property
    def rates(self) -> tuple[float | None, ...]:
        """Words per cycle of each link; ``None``: any number."""
        count = len(self.sites) - 1
        return self.links if isinstance(self.links, tuple) else (self.links,) * count

    @property
    def files(self) -> tuple[Path, ...]:
        """The user's own files that it names, sorted."""
        names = [*(site.use for site in self.sites), self.engine_model, *([self.network.use] if self.network else [])]
        own = {Path(name) for name in names if is_file_reference(name)}
        if self.levels is not None:
            levels = self.levels.table, self.levels.arrays.file if self.levels.arrays else None
            own |= {Path(name) for name in levels if name is not None}
        return tuple(sorted(own))


_Errors = list[tuple[tuple[str | int, ...], str]]


def _of_one(study: SparseStudy) -> _Errors:
    """What is wrong with a study without ``devices``."""
    errors: _Errors = []
    if study.device is None:
        errors.append((("device",), "is required; or devices, of several in a row"))
    if study.links is not None:
        errors.append((("links",), "are between devices; leave it out"))
    if study.compare.alone:
        errors.append((("compare", "alone"), "belongs to devices; allowed: false"))
    return errors


def _of_several(study: SparseStudy, count: int) -> _Errors:
    """What is wrong with a study with so many ``devices``."""
    errors: _Errors = []
    if study.device is not None:
        errors.append((("device",), "beside devices: one of them is needed"))
    if isinstance(study.links, tuple) and len(study.links) != count - 1:
        errors.append((("links",), f"{len(study.links)} links for {count} devices; needed: {count - 1}"))
    if study.accuracy is not None:
        errors.append((("accuracy",), "is for one device, not for devices; leave it out"))
    if study.prefer != "none":
        errors.append((("prefer",), "is for one device, not for devices; allowed: none"))
    if study.buys:
        errors.append((("buys",), "is for one device, not for devices; allowed: []"))
    if study.compare.tpe:
        errors.append((("compare", "tpe"), "is for one device, not for devices; allowed: 0"))
    return errors


def sparse_schema() -> dict[str, Any]:
    """JSON schema of such a study."""
    return SparseStudy.model_json_schema()
