"""Feasibility of a study before anything is searched: memory, area, TDP; and the least value that works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, inf

from accmine.errors import InfeasibleError
from accmine.hardware.space import smallest
from accmine.plan import Group, Plan
from accmine.units import format_quantity

__all__ = ["require_feasible"]

GIB = 1 << 30


def require_feasible(plan: Plan, groups: Sequence[Group]) -> None:
    """Check that every device can be built and hold its task.

    Raises
    ------
    InfeasibleError
        Naming the limits in conflict, and for each the smallest value that works with the others as they are.
    """
    _require_memory(plan)
    least_area, least_tdp = _least(plan, groups)
    conflict: list[str] = []
    remedy: list[str] = []
    for name, unit, limit, device_limit, (total, single) in (
        ("area", "mm^2", plan.area_mm2, plan.device_area_mm2, least_area),
        ("tdp", "W", plan.tdp_w, plan.device_tdp_w, least_tdp),
    ):
        if total > limit * (1 + 1e-9):
            conflict.append(f"limits.{name}: {limit:.10g} {unit}")
            remedy.append(f"limits.{name}: at least {_up(total):.10g} {unit} is needed for {plan.devices} device(s)")
        if single > device_limit * (1 + 1e-9):
            conflict.append(f"device_limits.{name}: {device_limit:.10g} {unit}")
            remedy.append(f"device_limits.{name}: at least {_up(single):.10g} {unit} is needed")
    if conflict:
        raise InfeasibleError(f"no design of the template meets {' and '.join(conflict)}", conflict, remedy)


def _up(value: float) -> float:
    return ceil(value * 10) / 10


def _require_memory(plan: Plan) -> None:
    largest = max(plan.template.hbm_bytes)
    for pipeline, workload in zip(plan.pipelines, plan.study.workloads, strict=True):
        for task, need in zip(pipeline.tasks, pipeline.memory, strict=True):
            if task.memory_bytes <= largest:
                continue
            parts = (
                f"weights {format_gib(need.weights_bytes)}, gradients {format_gib(need.gradients_bytes)}, optimiser "
                f"{format_gib(need.optimizer_bytes)}, activations "
                f"{format_gib(need.stash_bytes_per_microbatch * need.in_flight)} ({need.in_flight} microbatch(es) in "
                f"flight), working set {format_gib(need.working_set_bytes)}"
            )
            remedy = [f"accelerator.hbm: at least {ceil(task.memory_bytes / GIB)} GiB is needed"]
            if pipeline.microbatch > 1:
                remedy.append(f"or a smaller microbatch than {pipeline.microbatch}")
            if workload.recompute == "none":
                remedy.append("or recompute: full, which keeps only the inputs of each layer")
            remedy.append("or a deeper pipeline")
            raise InfeasibleError(
                f"{task.name} needs {format_gib(task.memory_bytes)} of HBM, the largest allowed has "
                f"{format_gib(largest)}: {parts}",
                [f"accelerator.hbm: {format_quantity(float(largest), 'bytes')}"],
                remedy,
            )


def format_gib(count: int) -> str:
    """Bytes as GiB with two digits."""
    return f"{count / GIB:.2f} GiB"


def _least(plan: Plan, groups: Sequence[Group]) -> tuple[tuple[float, float], tuple[float, float]]:
    """((area of all devices, largest device), the same of TDP) with the smallest design that holds each task."""
    area: list[float] = []
    tdp: list[float] = []
    for group in groups:
        need = max(plan.pipelines[w].tasks[s].memory_bytes for w, s in group.members)
        holding = tuple(size for size in plan.template.hbm_bytes if size >= need)
        least = smallest(replace(plan.template, hbm_bytes=holding), plan.technology)
        count = plan.devices if len(groups) == 1 else len(group.members)
        area += [least.area_mm2] * count
        tdp += [least.tdp_w or 0.0] * count
    return (sum(area), max(area, default=inf)), (sum(tdp), max(tdp, default=inf))
