"""Designs from anywhere in the place of a heuristic's: measured, compared, and what they violate, with numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path

from accmine.errors import InputError
from accmine.hardware import Calibration, Design, Rates, Template, load_accelerator, template_of
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.plan import Plan
from accmine.problems.limits import within
from accmine.questions.gap.cases import rows_of
from accmine.questions.gap.measure import Ground
from accmine.questions.gap.record import GapRow
from accmine.search import Answer, Member, study_value, totals, without_floor
from accmine.study import Study

__all__ = ["below_floor", "rate_design", "violations"]

_MOST = 12  # allowed values that a message lists

_FIXED = ("calibration", "tensor_rates", "vector_rates")
"""What a template has one of for all its designs."""


def rate_design(study: Study, files: Sequence[str | Path]) -> list[GapRow]:
    """Rows of given designs, then those of the study's own heuristic on the same ground.

    Parameters
    ----------
    files
        Names or files of designs: one for all devices, or one per device, pipeline by pipeline.

    Raises
    ------
    InputError
        If a file is no design, or their number fits neither the devices nor the study's mode.
    """
    designs = [load_accelerator(file) for file in files]
    with Ground(study) as ground:
        plan = ground.plan
        members = [(w, s) for w, p in enumerate(plan.pipelines) for s in range(len(p.tasks))]
        if len(designs) not in (1, len(members)):
            raise InputError(f"{len(designs)} designs; allowed: 1, or {len(members)}, one per device", field="--design")
        given = dict(zip(members, designs * (len(members) if len(designs) == 1 else 1), strict=True))
        for group in ground.groups:
            if len({given[member] for member in group.members}) > 1:
                message = f"mode: {study.mode} gives {group.name} one design; these differ"
                raise InputError(message, field="--design")
        search = study.search
        own = ground.measure(search)
        wrong = violations(ground, given)
        name = ", ".join(dict.fromkeys(Path(file).name for file in files))
        measured = ground.measure_designs(given, name, own.best, valid=not wrong)
        if measured.refined is not None and measured.refined.value == inf:
            wrong = [*wrong, below_floor(plan, measured.refined)]
        theirs = rows_of(study.name, ground, measured, name, {}, wrong)
        return [*theirs, *rows_of(study.name, ground, own, search.method, search.options())]


def violations(ground: Ground, designs: Mapping[Member, Design]) -> list[str]:
    """Everything that keeps designs, by (pipeline, stage), from being a solution of the study; empty if nothing does.

    The throughput floor is not looked at: it needs schedules.
    """
    plan = ground.plan
    found = dict.fromkeys(text for design in designs.values() for text in _outside(plan.template, design))
    for (w, s), design in sorted(designs.items()):
        task = plan.pipelines[w].tasks[s]
        if task.memory_bytes > design.hbm_bytes:
            need, has = task.memory_bytes / 2**30, design.hbm_bytes / 2**30
            found[f"{task.name}: needs {need:.2f} GiB of HBM, {design.name} has {has:.2f} GiB"] = None
    for design in dict.fromkeys(designs.values()):
        found |= dict.fromkeys(_over("device_limits", _one(plan, design), (plan.device_area_mm2, plan.device_tdp_w)))
    found |= dict.fromkeys(_over("limits", totals(plan, designs), (plan.area_mm2, plan.tdp_w)))
    return list(found)


def below_floor(plan: Plan, answer: Answer) -> str:
    """How far an answer below the throughput floor is from it."""
    relative = float(study_value(without_floor(plan), answer.phase_s, answer.tdp_w)) / answer.tdp_w
    return f"floor: {1 / relative:.4g} of the baseline's throughput, at least {plan.floor:g} needed"


def _one(plan: Plan, design: Design) -> tuple[float, float]:
    return area_mm2(design, plan.technology), tdp_w(design, plan.technology)


def _over(prefix: str, used: tuple[float, float], limits: tuple[float, float]) -> list[str]:
    named = zip(("area", "tdp"), ("mm^2", "W"), used, limits, strict=True)
    return [
        f"{prefix}.{name}: {have:.6g} {unit} used, {limit:.6g} {unit} allowed, {have - limit:.4g} {unit} too much"
        for name, unit, have, limit in named
        if not within(have, limit)
    ]


def _outside(template: Template, design: Design) -> list[str]:
    """The tunables of a design that the template does not have."""
    if template.contains(design):
        return []
    own = template_of(design)
    found = []
    for field in dataclasses.fields(Template):
        if field.name == "hbm_stack":
            continue
        value, allowed = getattr(own, field.name), getattr(template, field.name)
        if field.name in _FIXED:
            if value != allowed:
                found.append(
                    f"{design.name}: {field.name} {_stated(value)} is not that of the template, {_stated(allowed)}"
                )
        elif value[0] not in allowed:
            shown = ", ".join(map(str, allowed[:_MOST])) + (", …" if len(allowed) > _MOST else "")
            found.append(f"{design.name}: {field.name} {value[0]} is not in the template; allowed: {shown}")
    return found or [f"{design.name} is not in the template"]


def _stated(value: Calibration | Rates) -> str:
    """A calibration, or rates by type."""
    return str(value) if isinstance(value, Calibration) else ", ".join(f"{t} {rate:g}" for t, rate in value) or "none"
