"""The changes whose worth ``measure`` measures: limits, HBM and SRAM, each a little larger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from accmine.hardware import Design, count_feasible
from accmine.plan import Limit, Plan, digits, under_limits
from accmine.problems.limits import widened

__all__ = ["SCALED", "Change", "changes_of", "left_out"]

SCALED = {
    "accelerator.hbm_bandwidth": ("hbm_bytes_per_s", "bytes/s"),
    "accelerator.hbm": ("hbm_bytes", "bytes"),
    "accelerator.tensor_sram": ("tensor_sram_bytes", "bytes"),
    "accelerator.vector_sram": ("vector_sram_bytes", "bytes"),
}
"""Tunable -> field of the template, dimension: all its values are scaled, and area and TDP with them."""


@dataclass(frozen=True, eq=False)
class Change:
    """One thing that grows.

    Attributes
    ----------
    key, before, after
        In the words of a study.
    plan
        The changed one.
    moved
        The design of the changed template that a design becomes.
    adds
        Whether the change only adds designs to choose from, and changes none.
    limit
        Of cost, before the change; ``None`` where something else grows.
    nothing
        Why it is proven to buy nothing, before anything is solved; empty: it is not.
    """

    key: str
    before: str
    after: str
    plan: Plan
    moved: Callable[[Design], Design]
    adds: bool
    nothing: str = ""
    limit: Limit | None = None


def left_out(plan: Plan) -> dict[str, str]:
    """What does not grow, and why: measured costs hold for cores with the very SRAM they were measured with."""
    if plan.study.cost.use not in ("table", "zigzag"):
        return {}
    why = (
        f"left out with cost.use: {plan.study.cost.use}, because costs from there are those of a core type with its "
        "very SRAM: a scaled one would compare them with costs of another origin"
    )
    return {key: why for key, (field, _) in SCALED.items() if field.endswith("_sram_bytes")}


def changes_of(plan: Plan, percent: float) -> Iterator[Change]:
    """Everything that grows by ``percent``: limits, HBM bandwidth, HBM where it is short, SRAM of either core.

    Not what is ``left_out``.
    """
    factor = 1 + percent / 100
    groups = plan.groups(plan.study.mode)
    for limit in plan.limits:
        grown = under_limits(plan, {limit.key: limit.value * factor})
        same = len(groups) == 1 and _count(plan) == _count(grown)
        nothing = "no design of the template is between the two sizes" if same else ""
        before, after = (digits(value, limit.cost) for value in (limit.value, limit.value * factor))
        yield Change(limit.key, before, after, grown, _same, True, nothing, limit)
    need = max(task.memory_bytes for task in plan.tasks)
    without = left_out(plan)
    for name, (field, dimension) in SCALED.items():
        if name in without:
            continue
        values = getattr(plan.template, field)
        scaled = tuple(round(value * factor) for value in values)
        template: dict[str, Any] = {field: scaled}
        if plan.template.hbm_stack is not None and field.startswith("hbm"):  # the stacks grow, not their number
            size, rate = plan.template.hbm_stack
            grows = (round(size * factor), rate) if field == "hbm_bytes" else (size, round(rate * factor))
            template["hbm_stack"] = grows
            scaled = tuple(grows[0] * (v // size) for v in values) if field == "hbm_bytes" else scaled
            template[field] = scaled
        grown = replace(plan, template=replace(plan.template, **template))
        fits = field == "hbm_bytes" and need <= min(values)
        nothing = "every task fits in the smallest HBM already, and capacity changes no time" if fits else ""
        before, after = (_shown(row, dimension) for row in (values, scaled))
        yield Change(name, before, after, grown, _mover(field, factor), False, nothing)


def _shown(values: tuple[int, ...], dimension: str) -> str:
    """A value, or the first and the last of several, with five digits."""
    units = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
    if dimension == "bytes/s":
        units = (("TB/s", 10**12), ("GB/s", 10**9), ("MB/s", 10**6))
    ends = (values[0], values[-1])[: len(values)]
    texts = []
    for value in ends:
        unit, size = next((pair for pair in units if value >= pair[1]), units[-1])
        texts.append(f"{value / size:.5g} {unit}")
    return " … ".join(texts)


def _count(plan: Plan) -> int:
    """Designs that one device may be, when all devices share one."""
    need = max(task.memory_bytes for task in plan.tasks)
    holding = tuple(size for size in plan.template.hbm_bytes if size >= need)
    area, tdp = (
        min(plan.device_area_mm2, plan.area_mm2 / plan.devices),
        min(plan.device_tdp_w, plan.tdp_w / plan.devices),
    )
    return count_feasible(
        replace(plan.template, hbm_bytes=holding),
        plan.technology,
        area_mm2=None if area == inf else widened(area),
        tdp_w=None if tdp == inf else widened(tdp),
    )


def _same(design: Design) -> Design:
    return design


def _mover(field: str, factor: float) -> Callable[[Design], Design]:
    def moved(design: Design) -> Design:
        if field == "tensor_sram_bytes":
            return replace(design, tensor=replace(design.tensor, sram_bytes=round(design.tensor.sram_bytes * factor)))
        if field == "vector_sram_bytes":
            return replace(design, vector=replace(design.vector, sram_bytes=round(design.vector.sram_bytes * factor)))
        change: dict[str, Any] = {field: round(getattr(design, field) * factor)}
        return replace(design, **change)

    return moved
