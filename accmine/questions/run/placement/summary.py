"""From a design and a placement that were found to the records of their outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf, nan
from typing import Any

from accmine.hardware import Design, count_feasible, dump_design
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.plan import COSTS
from accmine.plan.build import baseline_costs
from accmine.plan.limits import limits_of
from accmine.plan.placement import PlacementPlan
from accmine.problems import device_placement
from accmine.problems.design_placement import Problem, Proof, Solution
from accmine.problems.design_placement.rules import makespans
from accmine.problems.design_placement.times import microbatches_of, placed_problem
from accmine.questions.run.caveats import behind, of_bubble, unused
from accmine.questions.run.pictures.collect import heavy_parts, parts_of
from accmine.questions.run.placement.explain import placement_lanes, stage_rows, step_parts
from accmine.questions.run.placement.files import megatron_flags
from accmine.questions.run.placement.nearby import longer_parts
from accmine.questions.run.placement.record import (
    PlacedBaseline,
    PlacementCertificate,
    PlacementOutcome,
    PlacementRow,
    PlanNearby,
    StepParts,
)
from accmine.questions.run.record import ChosenDesign, LimitRow
from accmine.result import Result, Status
from accmine.solving import versions

__all__ = ["Found", "assumptions_of", "placement_row", "summarize", "trace_lanes"]

References = tuple[tuple[str, Problem, Result[Solution]], ...]


@dataclass(frozen=True, eq=False)
class Found:
    """What the steps of a run found: the answer, and the references with their own best placements."""

    plan: PlacementPlan
    result: Result[Solution]
    references: References = ()
    interrupted: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def solution(self) -> Solution:
        """The answer."""
        assert self.result.solution is not None
        return self.result.solution

    @property
    def proof(self) -> Proof | None:
        """What the search counted, and whose the gap is."""
        return next((item for item in self.result.pool if isinstance(item, Proof)), None)

    @property
    def placed(self) -> device_placement.Problem:
        """The device placement that the answer solves."""
        problem = self.plan.problem
        return placed_problem(problem, self.solution, makespans(problem, self.solution))


def summarize(found: Found) -> PlacementOutcome:
    """The outcome of a run."""
    plan, result, solution = found.plan, found.result, found.solution
    problem, placed, step_s = plan.problem, found.placed, float(result.objective or nan)
    interrupted = found.interrupted or result.interrupted
    parts, baselines = step_parts(placed, solution.placement), tuple(_baselines(found, step_s))
    peak = step_s * problem.devices * solution.design.peak_macs_per_s * _rate(plan, solution.design)
    proven = result.status is Status.OPTIMAL
    return PlacementOutcome(
        study=plan.study.name,
        status=result.status.value,
        stop="interrupted" if interrupted else "proved" if proven else result.stop.value,
        value=step_s,
        workload=plan.workload.name,
        batch=problem.batch,
        devices=problem.devices,
        design=_chosen(plan, solution.design),
        placement=placement_row(problem, solution),
        samples_per_s=problem.batch / step_s,
        mfu=plan.model_macs / peak,
        hfu=_hardware_macs(problem, solution) / peak,
        stages=stage_rows(placed, solution.placement),
        parts=parts,
        nearby=tuple(_nearby(found)),
        baselines=baselines,
        limits=tuple(_limits(plan, solution.design)),
        certificate=_certificate(found, step_s),
        warnings=tuple(_warnings(found, step_s, parts, baselines)),
        seconds={name: round(value, 3) for name, value in found.seconds.items()},
        megatron=megatron_flags(plan, solution, placement_row(problem, solution)),
        trace=result.trace,
        versions=dict(versions()),
        area_error=problem.technology.area_error,
        tdp_error=problem.technology.tdp_error,
    )


def _rate(plan: PlacementPlan, design: Design) -> float:
    """Multiply-accumulates of the study's type per one of bf16; 1 where the chip states none."""
    return design.tensor.rate(plan.workload.dtype) or 1.0


def _hardware_macs(problem: Problem, solution: Solution) -> int:
    """Multiply-accumulates of a step of all devices that work, with what is made again."""
    variant = problem.variants[solution.variant]
    macs = sum(len(c.layers) * (c.forward.macs + c.backward.macs) for c in variant.classes)
    return microbatches_of(problem, variant) * variant.shard.tensor * macs


def placement_row(problem: Problem, solution: Solution) -> PlacementRow:
    """A placement without its cut."""
    variant, placement = problem.variants[solution.variant], solution.placement
    pipeline = len(placement.stages) // placement.pipelining.chunks
    microbatches = -(-microbatches_of(problem, variant) // placement.data)
    return PlacementRow(
        tensor=variant.shard.tensor,
        pipeline=pipeline,
        data=placement.data,
        expert=variant.shard.expert,
        devices=variant.shard.tensor * pipeline * placement.data,
        microbatch=variant.microbatch,
        microbatches=microbatches,
        schedule=placement.pipelining.schedule,
        chunks=placement.pipelining.chunks,
        recompute=variant.recompute,
        sequence_parallel=variant.shard.sequence_parallel,
        zero=placement.zero,
        order=placement.order,
    )


def _chosen(plan: PlacementPlan, design: Design) -> ChosenDesign:
    devices = plan.problem.devices
    return ChosenDesign(
        name=design.name,
        yaml=dump_design(design, f"Chosen by the study {plan.study.name} for {devices} devices."),
        devices=(f"{devices} devices",),
        area_mm2=area_mm2(design, plan.problem.technology),
        tdp_w=tdp_w(design, plan.problem.technology),
        peak_tflops=design.peak_flops_per_s / 1e12,
        **parts_of(design, plan.problem.technology),
    )


def _nearby(found: Found) -> Iterator[PlanNearby]:
    """The plans that nearly won, each with what it loses."""
    problem, solution = found.plan.problem, found.solution
    for near in () if found.proof is None else found.proof.near:
        other = Solution(solution.design, near.variant, near.placement, ())
        row, where = placement_row(problem, other), longer_parts(problem, solution, near)
        yield PlanNearby(row, near.step_s, near.loses, where)


def _baselines(found: Found, step_s: float) -> Iterator[PlacedBaseline]:
    """Each reference with its own best placement; what it costs is not limited, and shown."""
    batch = found.plan.problem.batch
    for name, problem, result in found.references:
        (design,) = problem.first
        area, tdp = area_mm2(design, problem.technology), tdp_w(design, problem.technology)
        if result.solution is None:
            note = "; ".join(result.conflict) or "no placement was found in time"
            yield PlacedBaseline(name, None, nan, nan, nan, nan, area, tdp, note)
            continue
        own = float(result.objective or nan)
        row = placement_row(problem, result.solution)
        gap = nan if result.gap is None else result.gap
        yield PlacedBaseline(name, row, own, batch / own, own / step_s, gap, area, tdp)


def _limits(plan: PlacementPlan, design: Design) -> Iterator[LimitRow]:
    """Limits of cost, with the least cost of one more core of either kind on all devices, which have one design."""
    problem, template = plan.problem, plan.problem.template
    costs = (area_mm2(design, problem.technology), tdp_w(design, problem.technology))
    counts = ((template.tensor_cores, design.tensor_cores), (template.vector_cores, design.vector_cores))
    more = []
    for position, (allowed, own) in enumerate(counts):
        above = min((n for n in allowed if n > own), default=None)
        if above is not None:
            cores = [design.tensor_cores, design.vector_cores]
            cores[position] = above
            larger = design.with_cores(*cores)
            more.append((area_mm2(larger, problem.technology), tdp_w(larger, problem.technology)))
    of_baseline = baseline_costs(plan.inputs.baseline, problem.technology)
    for limit in limits_of(plan.study, of_baseline, problem.devices):
        k, chips = limit.cost.index, problem.devices if limit.whole else 1
        least = min((row[k] - costs[k] for row in more), default=inf) * chips
        used = chips * costs[k]
        yield LimitRow(limit.key, limit.value, used, COSTS[k].sign, limit.value - used < least < inf, least)


def _certificate(found: Found, step_s: float) -> PlacementCertificate:
    plan, result = found.plan, found.result
    problem, bound = plan.problem, result.bound
    gap = nan if result.gap is None else float(result.gap)
    template, technology = problem.template, problem.technology
    return PlacementCertificate(
        objective=problem.batch / step_s,
        bound=problem.batch / float(bound) if bound else nan,
        gap=gap,
        schedules=found.proof.schedule_part if found.proof else nan,
        plans=found.proof.plan_part if found.proof else nan,
        designs=found.proof.design_part if found.proof else nan,
        pairs=found.proof.pairs if found.proof else 0,
        plans_bounded=found.proof.plans if found.proof else 0,
        method=result.bound_method,
        feasible_designs=count_feasible(template, technology, area_mm2=problem.area_mm2, tdp_w=problem.tdp_w),
        variants=len(problem.variants),
        scope=tuple(_scope(plan)),
        assumptions=tuple(assumptions_of(problem)),
    )


def _scope(plan: PlacementPlan) -> Iterator[str]:
    """What is held fixed."""
    problem, workload = plan.problem, plan.workload
    shards = {(v.shard.tensor, v.shard.expert, v.shard.sequence_parallel) for v in problem.variants}
    yield (
        f"{workload.name}: batch {problem.batch}, microbatches of "
        f"{_listed(sorted({v.microbatch for v in problem.variants}))}, recompute "
        f"{_listed(list(dict.fromkeys(v.recompute for v in problem.variants)))}, fusion {workload.fusion}, "
        f"attention {workload.granularity}, {workload.dtype}"
    )
    yield (
        f"tensor {_listed(sorted({t for t, _, _ in shards}))}, expert {_listed(sorted({e for _, e, _ in shards}))}, "
        f"pipeline {_listed(problem.pipeline) or 'any'}, data {_listed(problem.data) or 'any'}, on at most "
        f"{problem.devices} devices of {problem.cluster.name}; every cut into contiguous stages; sequence parallel "
        f"{_listed(['yes' if s else 'no' for s in sorted({s for _, _, s in shards})])}"
    )
    names = [p.schedule if p.chunks == 1 else f"{p.schedule} of {p.chunks} chunks" for p in problem.pipelinings]
    orders = " or ".join(" < ".join(order) for order in problem.orders)
    yield f"schedule {_listed(names)}; ZeRO {_listed(problem.zero)}; ranks {orders}, innermost first"
    yield "one design for all devices, one tensor degree and one recomputation for all stages"
    study = plan.study
    yield f"designs of the template within the limits of a chip; splits {study.operator_split}, timing {study.timing}"


def _listed(values: Any) -> str:
    return ", ".join(map(str, values))


def assumptions_of(problem: Problem) -> Iterator[str]:
    """Sentences on the execution model that objective and bound share."""
    yield "All work of a device waits for each of its collectives: none of them is hidden."
    share = problem.gradient_overlap
    hidden = (
        f"{100 * share:g} % of it hides behind backward passes" if share else "none of it hides behind backward passes"
    )
    yield f"Gradients are summed among replicas once in a step, after the last backward pass; {hidden}."
    yield "Collectives take the quickest of ring, tree and hierarchy over the levels, with nothing else on the links."
    yield "Messages between stages overlap with computing; a link carries one message in each direction at a time."
    if any(variant.shard.expert > 1 or _experts(variant.classes) for variant in problem.variants):
        yield "Experts are balanced: each gets the same number of tokens."
    yield "A device holds weights, gradients, optimiser states, the stash of microbatches in flight and a working set."


def _experts(classes: Any) -> bool:
    return any(c.memory.expert_weights for c in classes)


def _warnings(found: Found, step_s: float, parts: StepParts, baselines: Sequence[PlacedBaseline]) -> Iterator[str]:
    plan, used = found.plan, placement_row(found.plan.problem, found.solution).devices
    if found.interrupted or found.result.interrupted:
        yield "interrupted: the best verified so far; references were not all compared"
    elif found.result.stop.value == "time":
        yield "the search ended by its time limit: a longer budget may find a better answer or prove a better bound"
    if used < plan.problem.devices:
        yield f"{plan.problem.devices - used} of {plan.problem.devices} devices are idle; MFU and HFU count them"
    yield from plan.inputs.left_out
    yield from of_bubble(plan.workload.name, parts.bubble_s / step_s)
    yield from behind("throughput", [(row.name, row.ratio) for row in baselines])
    yield from unused([found.solution.design], plan.problem.technology)
    yield from heavy_parts([_chosen(plan, found.solution.design)])


def trace_lanes(found: Found) -> list[Any]:
    """Lanes of the timeline: one for each stage and link."""
    return placement_lanes(found.placed, found.solution.placement)
