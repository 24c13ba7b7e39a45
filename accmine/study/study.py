"""A study: workloads, the accelerator's tunables, limits, objective, search and budget, read from YAML.

The models below are the schema: every key has a description, a unit where it has one, and a default.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from accmine.errors import InputError
from accmine.files import (
    Document,
    FieldsError,
    derived,
    did_you_mean,
    dump,
    is_file_reference,
    load_yaml,
    refuse_others,
    resolve,
    validate,
)
from accmine.hardware import design_of, read_accelerator
from accmine.study.front import Front, OneOrFront
from accmine.study.mixes import Mix, mix_complaints, mix_rows
from accmine.study.parallel import Parallel, System, is_placed, placement_complaints
from accmine.study.parts import (
    AcceleratorSpace,
    Budget,
    Cost,
    DeviceLimits,
    Limits,
    Part,
    Search,
    StudyWorkload,
)
from accmine.study.values import AcceleratorName, TechnologyName, Text

__all__ = [
    "BLOCKS",
    "KINDS",
    "AcceleratorSpace",
    "Budget",
    "Cost",
    "DeviceLimits",
    "Limits",
    "LoadedStudy",
    "Parallel",
    "Search",
    "Study",
    "StudyWorkload",
    "System",
    "as_mapping",
    "block_of",
    "effective",
    "kind_of",
    "load_study",
    "read_document",
    "schema",
    "study_in",
]

Mode = Literal["heterogeneous", "homogeneous", "common"]


def _default_mode(data: dict[str, Any]) -> Mode:
    if is_placed(data["workloads"], data["parallel"]):
        return "homogeneous"
    return "common" if len(data["workloads"]) > 1 and data["parallel"].depth == 1 else "heterogeneous"


class Study(Part):
    """Everything that decides the result of a run."""

    name: Text = Field(description="Name of the study; its run folder is named after it.")
    description: str = Field(default="", description="What the study is about, in a sentence.")
    workloads: Annotated[tuple[StudyWorkload, ...], Field(min_length=1)] = Field(description="Models to train.")
    accelerator: AcceleratorSpace = Field(description="Accelerators to choose from.")
    technology: TechnologyName | None = Field(
        default=None,
        description="Constants of area and power. Default: tpu-16nm, or where it does not cover the baseline and the "
        "accelerator the one of their node.",
    )
    system: System = Field(default=System(), description="Devices and what connects them.")
    parallel: Parallel = Field(default=Parallel(), description="How a workload is spread over the devices.")
    limits: Limits = Field(default=Limits(), description="Limits of all devices together.")
    device_limits: DeviceLimits = Field(default=DeviceLimits(), description="Limits of each device.")
    objective: OneOrFront = Field(
        default="throughput",
        description="Step time, time of the slowest stage, or samples per second over TDP; {pareto: [throughput, tdp]} "
        "or [throughput, area]: the front of both.",
    )
    floor: Annotated[float, Field(strict=True, ge=0)] | None = Field(
        default_factory=derived(lambda data: 1.0 if data["objective"] == "throughput-per-tdp" else None),
        description="Least throughput under throughput-per-tdp, relative to the baseline's; default: 1; 0: none.",
    )
    aggregate: Literal["worst", "mean", "regret"] = Field(
        default="worst",
        description="How step times of several workloads are joined: the worst, their mean, or over mixes of them the "
        "most that is lost to the best design for the mix.",
    )
    mixes: Annotated[tuple[Mix, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="Mixes under aggregate: regret. Default: each workload alone, and equal shares.",
    )
    mode: Mode = Field(
        default_factory=derived(_default_mode),
        description="One design per stage, per workload, or for all. Default: heterogeneous; common for "
        "several workloads on one device; homogeneous where the placement is decided.",
    )
    deployment: Literal["time-shared", "concurrent"] = Field(
        default_factory=derived(lambda data: "time-shared" if data["mode"] == "common" else "concurrent"),
        description="time-shared: workloads take turns on the same devices, which count once; default for "
        "mode: common. concurrent: each has its own.",
    )
    baseline: AcceleratorName = Field(default="tpuv2-like", description="Design that throughput is relative to.")
    baselines: tuple[AcceleratorName, ...] = Field(
        default=("tpuv2-like", "nvdla-like"), description="Designs to compare the result with."
    )
    operator_split: Literal["even", "powers", "none"] = Field(
        default="even",
        description="even: an operator may run split evenly over any number of cores; powers: over 2, 4, … of them; "
        "none: on one core.",
    )
    timing: Literal["tpu-like", "rtl-simple", "scalesim3", "scalesim-paper"] = Field(
        default="tpu-like", description="Timing of the systolic arrays."
    )
    cost: Cost = Field(default=Cost(), description="Source of costs: the model, measurements, ZigZag, or kernels.")
    residency: Literal["none", "shared-sram"] = Field(
        default="none",
        description="shared-sram: tensors read soon after they are written stay in half of the shared SRAM: an "
        "assumption about the schedule.",
    )
    search: Search = Field(default=Search(), description="Method and its options.")
    budget: Budget = Field(default=Budget(), description="Limits of the run itself.")

    @model_validator(mode="after")
    def _cross(self) -> Self:
        errors: list[tuple[tuple[str | int, ...], str]] = []
        names = [workload.name for workload in self.workloads]
        for index, workload in enumerate(self.workloads):
            if workload.name in names[:index]:
                errors.append((("workloads", index, "name"), f"{workload.name!r} is taken; give each workload a name"))
            if workload.weight != 1.0 and self.aggregate != "mean":
                message = f"has no effect under aggregate: {self.aggregate}; allowed: 1"
                errors.append((("workloads", index, "weight"), message))
        if self.robust:
            errors += [*mix_complaints(self.mixes or (), names), *self._beside_regret()]
        elif self.mixes is not None:
            errors.append((("mixes",), f"belong to aggregate: regret, not to aggregate: {self.aggregate}"))
        errors += placement_complaints(self.workloads, self.system, self.parallel)
        errors += self._beside_placement() if self.placed else []
        if self.deployment == "time-shared" and self.mode != "common":
            message = f"time-shared needs mode: common, got mode: {self.mode}; allowed with it: concurrent"
            errors.append((("deployment",), message))
        if self.floor is not None and self.objective != "throughput-per-tdp":
            errors.append((("floor",), f"applies to objective: throughput-per-tdp only, not to {self.objective}"))
        if errors:
            raise FieldsError(errors)
        return self

    def _beside_regret(self) -> list[tuple[tuple[str | int, ...], str]]:
        """Keys under which a regret over mixes is not there."""
        allowed: tuple[tuple[tuple[str, ...], Any, bool, str], ...] = (
            (("aggregate",), self.aggregate, len(self.workloads) > 1, "worst or mean, or several workloads"),
            (("objective",), self.objective, self.objective == "throughput", "throughput"),
            (("parallel", "pipeline"), self.parallel.depth, self.parallel.depth == 1, "1"),
            (("mode",), self.mode, self.mode == "common", "common"),
            (("deployment",), self.deployment, self.deployment == "time-shared", "time-shared"),
        )
        return [
            (place, f"{got} is not there beside aggregate: regret; allowed: {words}")
            if place != ("aggregate",)
            else (place, f"regret is over mixes of several workloads, and there is one; allowed: {words}")
            for place, got, fine, words in allowed
            if not fine
        ]

    def _beside_placement(self) -> list[tuple[tuple[str | int, ...], str]]:
        """Keys that say something which a search for placements does not do."""
        allowed: tuple[tuple[str, Any, str], ...] = (
            ("mode", self.mode != "heterogeneous", "homogeneous: all devices of a placement have one design"),
            ("objective", self.objective == "throughput", "throughput"),
            ("residency", self.residency == "none", "none"),
            ("deployment", self.deployment == "concurrent" or self.mode == "common", "concurrent"),
        )
        wrong: list[tuple[tuple[str | int, ...], str]] = [
            ((key,), f"{getattr(self, key)} is not there where the placement is decided; allowed: {words}")
            for key, fine, words in allowed
            if not fine
        ]
        if self.cost.use == "zigzag":
            wrong.append(
                (("cost", "use"), "zigzag is not there where the placement is decided; allowed: model, table, kernel")
            )
        if self.budget.deterministic or self.budget.work is not None or self.budget.seconds is None:
            key = "deterministic" if self.budget.deterministic else "seconds" if self.budget.work is None else "work"
            wrong.append((("budget", key), "a search for placements ends by the clock alone: give budget.seconds"))
        if self.search != Search():
            wrong.append((("search",), "has no effect where the placement is decided: designs and plans are bounded"))
        return wrong

    @property
    def placed(self) -> bool:
        """Whether the placement is decided with the design (``accmine.study.parallel.is_placed``)."""
        return is_placed(self.workloads, self.parallel)

    @property
    def front(self) -> Front | None:
        """The two objectives, where there are two."""
        return self.objective if isinstance(self.objective, Front) else None

    @property
    def robust(self) -> bool:
        """Whether the worst regret over mixes of workloads is minimised."""
        return self.aggregate == "regret"

    @property
    def mix_rows(self) -> tuple[tuple[str, tuple[float, ...]], ...]:
        """Name and shares of each mix (``accmine.study.mixes.mix_rows``)."""
        return mix_rows(self.mixes, [workload.name for workload in self.workloads])

    @property
    def one_run(self) -> Study:
        """The study with one objective and no mixes: a run of it, under other limits or weights, is one of several."""
        own: dict[str, Any] = {"aggregate": "worst", "mixes": None} if self.robust else {}
        return self.model_copy(update={"objective": self.minimised, **own})

    @property
    def minimised(self) -> str:
        """What a run under one set of limits minimises, by its word."""
        return self.objective.pareto[0] if isinstance(self.objective, Front) else self.objective

    @property
    def by_throughput(self) -> bool:
        """Whether the step time alone is minimised."""
        return self.objective == "throughput"

    @property
    def devices(self) -> int:
        """Devices of a workload."""
        return self.system.devices or self.parallel.least


@dataclass(frozen=True)
class LoadedStudy:
    """A valid study, the document it was read from, and its file."""

    study: Study
    document: Document
    path: Path

    @property
    def folder(self) -> Path:
        """Folder of the file."""
        return self.path.parent

    @property
    def one_run(self) -> LoadedStudy:
        """As that of the study: for questions that do not ask for its objective."""
        return replace(self, study=self.study.one_run)


BLOCKS = ("sweep", "compare")
"""Keys of a document beside those of its study, which ask for more than one run of it; the command of each is called
so."""


def block_of(document: Document) -> str:
    """Which of ``BLOCKS`` a document has; empty for none, and for one of another kind, whose keys are its own."""
    if isinstance(document.data, dict) and "kind" in document.data:
        return ""
    return next((key for key in BLOCKS if isinstance(document.data, dict) and key in document.data), "")


KINDS = {"sparse-dataflow": "sparse"}
"""``kind`` of a study that is not about accelerators for training -> the question that runs it."""


def kind_of(document: Document) -> str:
    """Which of ``KINDS`` a document is of; empty for a study of training, which has no such key.

    Raises
    ------
    InputError
        If it is of none of them.
    """
    if not isinstance(document.data, dict) or "kind" not in document.data:
        return ""
    found = document.data["kind"]
    if not isinstance(found, str) or found not in KINDS:
        allowed = f"{', '.join(KINDS)}; a study of training has no such key"
        message = f"unknown kind {found!r:.60}; {did_you_mean(str(found), KINDS)}allowed: {allowed}"
        raise InputError(message, document.locate(("kind",)), "kind")
    return found


def read_document(
    name_or_path: str | Path, overrides: Sequence[str] = (), *, design: str | Path | None = None
) -> tuple[Document, Path]:
    """The document of a study, and its file; parameters and errors as of ``load_study``."""
    path = resolve("studies", name_or_path)
    if design is not None:
        use = str(resolve("accelerators", design)) if is_file_reference(design) else str(design)
        design_of(read_accelerator(use))
        overrides = [*overrides, f"accelerator={{use: {json.dumps(use)}}}"]
    shown = str(name_or_path) if is_file_reference(name_or_path) else None
    document = load_yaml(path, name=shown, overrides=overrides)
    refuse_others(document, "study", ("workloads", "network", "device", *BLOCKS))
    return document, path


def study_in(document: Document, path: Path) -> LoadedStudy:
    """The study of training of a document, whatever more it asks for.

    Raises
    ------
    InputError
        With everything that is wrong; also for a study of another kind.
    """
    if kind := kind_of(document):
        message = f"{kind} is for `accmine run`, `accmine validate` and what reads runs; a study of training is needed"
        raise InputError(message, document.locate(("kind",)), "kind")
    data = document.data
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if key not in BLOCKS}
    document = replace(document, data=data)
    return LoadedStudy(validate(document, Study, context={"folder": path.parent}), document, path)


def load_study(
    name_or_path: str | Path, overrides: Sequence[str] = (), *, design: str | Path | None = None
) -> LoadedStudy:
    """Read and validate a study.

    Parameters
    ----------
    name_or_path
        Name of a shipped study, or a file. Relative files named in it are looked for beside it,
        then in the current folder.
    overrides
        ``key.key=value`` each, applied before validation.
    design
        A design file or name: study this one design instead of the accelerator's space. A template is refused.

    Raises
    ------
    InputError
        With everything that is wrong; also for a document that asks for more than one study.
    """
    document, path = read_document(name_or_path, overrides, design=design)
    if block := block_of(document):
        message = f"asks for more than one run, which is for `accmine {block} {name_or_path}` or `accmine run`"
        raise InputError(message, document.locate((block,), key=True), block)
    return study_in(document, path)


def as_mapping(study: BaseModel) -> dict[str, Any]:
    """All keys of a study with their values, as plain YAML and JSON values; keys without effect are left out."""
    table: dict[str, Any] = {}
    for name, info in type(study).model_fields.items():
        value = getattr(study, name)
        without_effect = info.default_factory is not None or info.default is None
        if value is None and without_effect:
            continue
        table[name] = _plain(value)
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return as_mapping(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def effective(study: BaseModel) -> str:
    """The study with every default written out, as YAML that is itself a valid study."""
    return dump(as_mapping(study), flow=None)


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a study, for editors."""
    table = Study.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **table, "title": "accmine study"}
