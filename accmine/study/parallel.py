"""How a workload is spread over devices: degrees, order of ranks, schedule, cut, and what is assumed of overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from accmine.files import FieldsError
from accmine.study.choices import AUTO, choices
from accmine.study.precision import Part
from accmine.study.values import (
    ChunkList,
    ClusterName,
    Degrees,
    PositiveCount,
    RankOrder,
    ScheduleList,
    Switch,
    ZeroList,
)
from accmine.system import DEFAULT_SCHEDULE, whole_stages

if TYPE_CHECKING:
    from accmine.study.parts import StudyWorkload

__all__ = ["Overlap", "Parallel", "System", "is_placed", "placement_complaints"]

Wrong = list[tuple[tuple[str | int, ...], str]]

MOVED = ("pipeline", "schedule", "stages")
"""Keys of ``parallel`` that once stood in ``system``."""


class System(Part):
    """The devices, and what connects them."""

    devices: PositiveCount | None = Field(
        default=None,
        description="Number of devices; a placement may leave some idle. Default: the product of the degrees of "
        "parallel, where these are numbers.",
    )
    cluster: ClusterName | None = Field(
        default=None, description="What connects the devices; needed for more than one."
    )

    @model_validator(mode="before")
    @classmethod
    def _moved(cls, given: Any) -> Any:
        old = [key for key in MOVED if isinstance(given, dict) and key in given]
        if old:
            raise FieldsError([((key,), f"has moved: write parallel.{key}") for key in old])
        return given


class Overlap(Part):
    """Shares of exchanges that hide behind computation: assumptions that every answer prints."""

    gradients: Annotated[float, Field(strict=True, ge=0, le=1)] = Field(
        default=0.0, description="Share of the sum of gradients among replicas that hides behind backward passes."
    )


class Parallel(Part):
    """How the workload is spread over the devices; what is a list or `auto` is decided with the design."""

    tensor: Degrees = Field(
        default=1,
        description="Devices that share the layers of a stage: a number, a list, or auto (powers of two up to the "
        "innermost level of the cluster).",
    )
    pipeline: Degrees = Field(
        default=1, description="Stages: a number, a list, or auto (1 up to the layers of the model)."
    )
    data: Degrees = Field(default=1, description="Replicas: a number, a list, or auto (1 up to the microbatches).")
    expert: Degrees = Field(
        default=1,
        description="Neighbouring replicas that share the experts of a mixture: a number, a list, or auto (powers of "
        "two that divide the experts).",
    )
    order: RankOrder = Field(
        default=AUTO,
        description="Which group has neighbouring devices: tensor, data and pipeline, innermost first; auto: tensor "
        "innermost, the two others in either order.",
    )
    schedule: ScheduleList = Field(
        default=DEFAULT_SCHEDULE, description="Order of microbatches on a stage; a list to choose from."
    )
    chunks: ChunkList = Field(
        default=1, description="Chunks of layers that each device holds under schedule: interleaved; number or list."
    )
    stages: Literal["auto", "balanced"] | tuple[PositiveCount, ...] | None = Field(
        default=None,
        description="auto: the cut is decided with the design. balanced: equal times on the baseline. A list: first "
        "layer of each stage after the first. Default: balanced where nothing else is to be decided, else auto.",
    )
    sequence_parallel: Switch = Field(
        default=AUTO,
        description="Norms, dropout and residuals on a share of the tokens in each tensor group; auto: the better one.",
    )
    zero: ZeroList = Field(
        default=0,
        description="ZeRO stage: 0, 1 optimiser states, 2 gradients, 3 weights divided among replicas; number or list.",
    )
    overlap: Overlap = Field(default=Overlap(), description="What hides behind computation.")

    @model_validator(mode="after")
    def _cross(self) -> Self:
        errors: Wrong = []
        chunked = "interleaved" in choices(self.schedule)
        if max(choices(self.chunks)) > 1 and not chunked:
            errors.append((("chunks",), f"belongs to schedule: interleaved, not to {_shown(self.schedule)}"))
        if chunked and max(choices(self.chunks)) == 1:
            errors.append((("chunks",), "interleaved needs 2 chunks or more on each device"))
        if isinstance(self.stages, tuple) and isinstance(self.pipeline, int):
            increasing = all(a < b for a, b in zip(self.stages, self.stages[1:], strict=False))
            if len(self.stages) != self.pipeline - 1 or not increasing:
                message = f"must be {self.pipeline - 1} increasing layer numbers with pipeline: {self.pipeline}"
                errors.append((("stages",), f"{message}, got {list(self.stages)}"))
        if errors:
            raise FieldsError(errors)
        return self

    @property
    def open(self) -> bool:
        """Whether something is to be decided, a stage has more than one device, or passes are of parts of stages."""
        shared = (self.tensor, self.data, self.expert, self.zero, self.chunks)
        return (
            shared != (1, 1, 1, 0, 1)
            or not isinstance(self.pipeline, int)
            or self.schedule not in whole_stages()
            or self.stages == AUTO
        )

    @property
    def depth(self) -> int:
        """Stages of a pipeline whose placement is given."""
        assert isinstance(self.pipeline, int)
        return self.pipeline

    @property
    def schedule_name(self) -> str:
        """The schedule of a pipeline whose placement is given."""
        assert isinstance(self.schedule, str)
        return self.schedule

    @property
    def least(self) -> int:
        """Devices that the smallest degrees take."""
        least = 1
        for axis in (self.tensor, self.pipeline, self.data):
            least *= 1 if axis == AUTO else min(choices(axis))
        return least


def _shown(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def is_placed(workloads: tuple[StudyWorkload, ...], parallel: Parallel) -> bool:
    """Whether the placement is decided with the design, rather than given with one device for each stage.

    The only place that tells the two kinds of studies apart.
    """
    return parallel.open or any(isinstance(value, tuple) for w in workloads for value in (w.microbatch, w.recompute))


def placement_complaints(workloads: tuple[StudyWorkload, ...], system: System, parallel: Parallel) -> Wrong:
    """What is wrong with the degrees, the devices and the batch of a study."""
    if not is_placed(workloads, parallel):
        return _given(system, parallel, len(workloads))
    wrong: Wrong = []
    if len(workloads) > 1:
        return [(("workloads", 1), "one model is placed at a time; give each workload a study of its own")]
    if isinstance(parallel.stages, tuple) or parallel.stages == "balanced":
        wrong.append((("parallel", "stages"), "the cut is decided with the placement; allowed: auto"))
    degrees = (parallel.tensor, parallel.pipeline, parallel.data)
    if system.devices is None and not all(isinstance(degree, int) for degree in degrees):
        wrong.append((("system", "devices"), "is required where degrees of parallel are to be decided"))
    elif system.devices is not None and parallel.least > system.devices:
        message = f"{system.devices}; tensor × pipeline × data of parallel is at least {parallel.least}"
        wrong.append((("system", "devices"), message))
    if system.cluster is None:
        wrong.append((("system", "cluster"), "is required, for what the devices say to each other"))
    return wrong + _shared_batch(workloads[0], parallel)


def _given(system: System, parallel: Parallel, workloads: int) -> Wrong:
    """Complaints about a pipeline with one device for each stage."""
    wrong: Wrong = []
    depth = parallel.depth
    if parallel.schedule not in whole_stages():
        message = f"allowed where the placement is given: {', '.join(whole_stages())}; others with stages: auto"
        wrong.append((("parallel", "schedule"), message))
    if system.devices not in (None, depth):
        message = f"must equal parallel.pipeline, {depth}: every stage has one device; got {system.devices}"
        message += "; more are placed with other degrees of parallel, such as data: auto"
        wrong.append((("system", "devices"), message))
    if depth > 1 and system.cluster is None:
        wrong.append((("system", "cluster"), f"is required with parallel.pipeline: {depth}, for the transfers"))
    if isinstance(parallel.stages, tuple) and workloads > 1:
        wrong.append((("parallel", "stages"), "names layers of one workload; leave it out with several"))
    return wrong


def _shared_batch(workload: StudyWorkload, parallel: Parallel) -> Wrong:
    """Each replica needs a microbatch; where they do not divide it evenly the fullest replica decides the step."""
    most = workload.batch // min(choices(workload.microbatch))
    many = [d for d in choices(parallel.data) if parallel.data != AUTO and d > most]
    if not many:
        return []
    message = (
        f"{_shown(tuple(many) if len(many) > 1 else many[0])} replicas cannot share the batch of {workload.batch} in "
        f"microbatches of {_shown(workload.microbatch)}: each needs one; allowed: up to {most}"
    )
    return [(("parallel", "data"), message)]
