"""Summary: from everything a run found to the records of its outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any

from accmine.cost.interval import worth_of
from accmine.hardware import Calibration, dump_design
from accmine.hardware.technology import area_mm2, idle_w, tdp_w
from accmine.plan import Plan
from accmine.problems.design_search import Evaluation
from accmine.questions.run.caveats import behind, of_bubble, unused
from accmine.questions.run.explain import limit_rows, nearest, time_split
from accmine.questions.run.pictures.collect import evaluated_designs, heavy_parts, parts_of
from accmine.questions.run.pictures.record import DeviceRoof
from accmine.questions.run.record import (
    BaselineRow,
    Certificate,
    Change,
    ChosenDesign,
    Contention,
    ModeRow,
    Outcome,
    PhaseRow,
    StageRow,
    WorkloadRow,
)
from accmine.result import Status
from accmine.search import Member, Selection, TaskSchedule, WholeBound, assumptions_of, metric, objective_of, scope_of
from accmine.solving import versions
from accmine.system import simulate
from accmine.workload.work import Work

__all__ = ["Findings", "summarize", "trace_lanes"]


@dataclass(frozen=True, eq=False)
class Findings:
    """What the steps of a run found; ``searched`` is what the proof scheduled beside the candidates."""

    plan: Plan
    first: Selection
    chosen: Selection
    modes: Mapping[str, Selection]
    final: Mapping[Member, TaskSchedule]
    whole: WholeBound
    own_bound: float
    baselines: tuple[BaselineRow, ...]
    changes: tuple[Change, ...]
    variant: str
    interrupted: bool
    seconds: dict[str, float]
    trace: tuple[tuple[float, float | None, float | None], ...]
    binding: frozenset[str] = frozenset()
    contention: Mapping[Member, Contention] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    searched: tuple[Evaluation, ...] = ()
    roofs: tuple[DeviceRoof, ...] = ()


def summarize(f: Findings) -> Outcome:
    """The outcome of a run."""
    plan, chosen = f.plan, f.chosen
    certificate = _certificate(f)
    workloads = tuple(_workload(f, w) for w in range(len(plan.pipelines)))
    devices = [f.final[member].design for member in sorted(f.final)]
    proven = certificate.gap == 0.0
    rate = workloads[0].samples_per_s if len(workloads) == 1 else nan
    return Outcome(
        study=plan.study.name,
        status=(Status.OPTIMAL if proven else Status.FEASIBLE).value,
        stop="interrupted" if f.interrupted else "proved" if proven else _stop(chosen),
        objective=plan.study.minimised,
        value=chosen.value,
        designs=_designs(f),
        workloads=workloads,
        stages=tuple(_stage(f, w, s) for w, p in enumerate(plan.pipelines) for s in range(len(p.tasks))),
        area_mm2=chosen.area_mm2,
        tdp_w=chosen.tdp_w,
        samples_per_s_per_w=rate / chosen.tdp_w,
        area_error=plan.technology.area_error,
        tdp_error=plan.technology.tdp_error,
        chips=plan.devices,
        reference_s=plan.reference_s,
        evaluated=evaluated_designs(plan, chosen, f.searched),
        roofs=f.roofs,
        limits=limit_rows(plan, chosen, devices, f.binding),
        baselines=f.baselines,
        modes=_modes(f),
        changes=f.changes,
        nearest=nearest(plan, chosen),
        certificate=certificate,
        variant=f.variant,
        warnings=_warnings(f, workloads),
        seconds={name: round(value, 3) for name, value in f.seconds.items()},
        trace=f.trace,
        versions=dict(versions()),
    )


def _stop(chosen: Selection) -> str:
    return "finished" if all(g.mined.finished for g in chosen.groups) else "time"


def _designs(f: Findings) -> tuple[ChosenDesign, ...]:
    plan = f.plan
    users: dict[Any, list[str]] = {}
    for (w, s), schedule in sorted(f.final.items()):
        users.setdefault(schedule.design, []).append(plan.pipelines[w].tasks[s].name)
    return tuple(
        ChosenDesign(
            name=design.name,
            yaml=dump_design(design, f"Chosen by the study {plan.study.name} for {', '.join(names)}."),
            devices=tuple(names),
            area_mm2=area_mm2(design, plan.technology),
            tdp_w=tdp_w(design, plan.technology),
            peak_tflops=design.peak_flops_per_s / 1e12,
            **parts_of(design, plan.technology),
        )
        for design, names in users.items()
    )


def _workload(f: Findings, w: int) -> WorkloadRow:
    plan, pipeline = f.plan, f.plan.pipelines[w]
    step_s = f.chosen.step_s[w]
    own = [f.final[w, s] for s in range(len(pipeline.tasks))]
    dtype = plan.study.workloads[w].dtype
    rates = [schedule.design.tensor.rate(dtype) or 1.0 for schedule in own]  # of bf16 where the chip states none
    peak = step_s * sum(rate * schedule.design.peak_macs_per_s for rate, schedule in zip(rates, own, strict=True))
    busy = sum(schedule.busy_s for schedule in own)
    energy = sum(schedule.energy_j + step_s * idle_w(schedule.design, plan.technology) for schedule in own)
    if len(own) > 1:
        sent = sum(stage.sends_forward_bytes + stage.sends_backward_bytes for stage in pipeline.stages)
        energy += pipeline.microbatches * sent * plan.technology.link_pj_per_byte * 1e-12
    worth = worth_of(part for schedule in own for part in _parts(schedule))
    return WorkloadRow(
        name=pipeline.name,
        batch=pipeline.batch,
        microbatch=pipeline.microbatch,
        microbatches=pipeline.microbatches,
        step_s=step_s,
        samples_per_s=pipeline.batch / step_s,
        mfu=pipeline.model_macs / peak,
        hfu=pipeline.hardware_macs / peak,
        bubble=max(0.0, 1.0 - busy / (len(own) * step_s)),
        energy_j=energy,
        interval=worth.bounds,
        no_interval="" if worth.bounds else worth.text,
    )


def _parts(schedule: TaskSchedule) -> Iterator[tuple[Calibration, Work, float]]:
    """Calibration, work and seconds of the operators of a step."""
    design = schedule.design
    for run, phase in zip(schedule.task.phases, schedule.phases, strict=True):
        solution, lowered = phase.result.solution, phase.lowered
        assert solution is not None
        tables = [lowered.tables[m] for m in lowered.problem.mode_set.tolist()]
        for work, table, mode in zip(run.graph.work_index.tolist(), tables, solution.mode.tolist(), strict=True):
            seconds = run.repeats * float(table.duration[mode]) / design.frequency_hz
            yield design.calibration, run.graph.works[work], seconds


def _stage(f: Findings, w: int, s: int) -> StageRow:
    plan, pipeline = f.plan, f.plan.pipelines[w]
    schedule, stage, step_s = f.final[w, s], pipeline.stages[s], f.chosen.step_s[w]
    names = stage.training.layers
    phases = tuple(
        PhaseRow(
            name=run.name,
            operators=len(run.graph),
            repeats=run.repeats,
            cycles=phase.cycles,
            bound_cycles=int(phase.result.bound or 0),
            status=phase.result.status.value,
            solver=phase.result.solver,
            bound_method=phase.result.bound_method,
        )
        for run, phase in zip(schedule.task.phases, schedule.phases, strict=True)
    )
    return StageRow(
        workload=pipeline.name,
        name=pipeline.tasks[s].name,
        layers=(names[stage.layers[0]], names[stage.layers[1] - 1]),
        design=schedule.design.name,
        phases=phases,
        busy_s=schedule.busy_s,
        memory_bytes=pipeline.tasks[s].memory_bytes,
        hbm_bytes=schedule.design.hbm_bytes,
        average_power_w=schedule.energy_j / step_s + idle_w(schedule.design, plan.technology),
        time_split=time_split(schedule),
        contention=f.contention.get((w, s)),
    )


def _modes(f: Findings) -> tuple[ModeRow, ...]:
    if len(f.modes) < 2:
        return ()
    return tuple(
        ModeRow(
            mode=mode,
            relative=chosen.value,
            samples_per_s=tuple(p.batch / t for p, t in zip(f.plan.pipelines, chosen.step_s, strict=True)),
            area_mm2=chosen.area_mm2,
            tdp_w=chosen.tdp_w,
            status=chosen.result.status.value,
            designs=tuple(chosen.design_of(member).design.name for member in sorted(f.final)),
        )
        for mode, chosen in f.modes.items()
    )


def _certificate(f: Findings) -> Certificate:
    plan, chosen = f.plan, f.chosen
    own = metric(plan)
    pool = {e.design for g in chosen.groups for e in g.candidates}
    return Certificate(
        metric=own.name,
        unit=own.unit,
        sense=own.sense,
        heuristic=own.shown(f.first.value),
        objective=own.shown(chosen.value),
        bound=own.shown(f.whole.value),
        gap=own.gap(chosen.value, f.whole.value),
        own_bound=own.shown(max(f.own_bound, f.whole.value)),
        method=f.whole.method,
        selection_status=chosen.result.status.value,
        selection_solver=chosen.result.solver,
        feasible_designs=f.whole.feasible,
        evaluated_designs=len(pool),
        within_one_percent=_near(f),
        scope=scope_of(plan, chosen.mode),
        assumptions=assumptions_of(plan, f.final),
    )


def _near(f: Findings) -> int:
    """Evaluated designs that come within 1 % of the answer in the place of the one chosen for their group."""
    near: set[Any] = set()
    for g, own in zip(f.chosen.groups, f.chosen.chosen, strict=True):
        near |= {e.design for e in g.candidates if e.value <= own.value * 1.01}
    return len(near)


def _warnings(f: Findings, workloads: Sequence[WorkloadRow]) -> tuple[str, ...]:
    """What a reader has to know of this run beside its numbers."""
    found = []
    if f.interrupted:
        found.append("interrupted: the best verified so far; baselines and changes were not compared")
    elif not all(g.mined.finished for g in f.chosen.groups):
        found.append("the search for designs ended by its time limit: a longer budget may find a better one")
    if f.skipped and not f.interrupted:
        found.append(f"not compared: no time left for {', '.join(f.skipped)}")
    found += f.plan.inputs.left_out
    for row in workloads:
        found += of_bubble(row.name, row.bubble)
    per_tdp = objective_of(f.plan).power
    own = [row for row in f.baselines if row.operator_split == f.plan.study.operator_split]
    rates = [(row.name, row.ratio_per_tdp if per_tdp else row.ratio) for row in own]
    found += behind("throughput per TDP" if per_tdp else "throughput", rates)
    found += unused((f.final[member].design for member in sorted(f.final)), f.plan.technology)
    found += heavy_parts(_designs(f))
    references = [f.plan.baseline, *(design for _, design in f.plan.inputs.baselines)]
    if any(design.calibration != f.plan.template.calibration for design in references):
        found.append(
            "calibrations differ: the times of the answer and of a baseline are corrected differently, so their ratio "
            "mixes the designs with the corrections"
        )
    return tuple(found)


def trace_lanes(f: Findings) -> list[Any]:
    """Lanes of the schedule trace: the cores of each device during one run of each phase, and the pipeline."""
    from accmine.report import core_lanes, critical_labels, timeline_lanes

    lanes: list[Any] = []
    for (w, s), schedule in sorted(f.final.items()):
        offset = 0.0
        for run, phase, seconds in zip(schedule.task.phases, schedule.phases, schedule.phase_s, strict=True):
            problem, solution = phase.lowered.problem, phase.result.solution
            assert solution is not None
            lanes += core_lanes(
                problem,
                solution,
                process=f.plan.pipelines[w].tasks[s].name,
                seconds_per_unit=1.0 / schedule.design.frequency_hz,
                offset_s=offset,
                labels=critical_labels(run.graph, problem, solution),
            )
            offset += seconds
    for pipeline, own in zip(f.plan.pipelines, f.chosen.phase_s, strict=True):
        if len(pipeline.tasks) > 1:
            forward, backward, update = zip(*(pipeline.times(s, times) for s, times in enumerate(own)), strict=True)
            timeline = simulate(
                pipeline.schedule, forward, backward, update, pipeline.transfer_s, pipeline.microbatches
            )
            lanes += timeline_lanes(
                timeline, process=f"{pipeline.name} pipeline", stages=[task.name for task in pipeline.tasks]
            )
    return lanes
