"""The certificate of the whole: how far the answer can be from the best design of the space.

The bound is the optimum of the same selection with every feasible design as a candidate and a lower bound
of its phase times. For one design on all devices of a group it is a scan over the space; for a design per
group it is the integer program over the lower front of each group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost import Share, share
from accmine.hardware import UNCALIBRATED, Calibration, Design
from accmine.plan import Plan
from accmine.problems import design_search
from accmine.problems.design_search.lower_front import LowerCandidate, lower_front
from accmine.problems.design_search.space_bound import Block, PhaseSeconds, Value, scan
from accmine.result import Status, StopReason
from accmine.search.candidates import GroupCandidates
from accmine.search.schedules import TaskSchedule
from accmine.search.selection import selection_problem
from accmine.search.session import Member, Session
from accmine.search.value import FLOAT, by_stage, study_value
from accmine.solving import bound_of, solve
from accmine.workload import TransformerConfig

__all__ = [
    "ASSUMPTIONS",
    "WholeBound",
    "assumptions_of",
    "bound_from_json",
    "bound_whole",
    "measured_share",
    "only_design",
    "scope_of",
    "stronger",
]

FloatArray = npt.NDArray[np.float64]

FRONTS = 0.6
"""Share of the time of a bound for the lower fronts; the rest is for the selection among them."""

_ONE_DEVICE = (
    "One device: forward and backward of a microbatch form one graph, run batch/microbatch times without overlap; "
    "the update graph runs once."
)
_PIPELINE = (
    "Pipeline: forward, backward and update graphs of a stage are scheduled separately on its design and never "
    "overlap; the timeline of the named schedule puts them together."
)
ASSUMPTIONS = (
    _ONE_DEVICE,
    _PIPELINE,
    "An operator holds its cores and its share of the HBM bandwidth, in whole bytes per cycle, from start to end, "
    "without interruption.",
    "Operator costs are those of the cost model; the bound is as true as they are.",
)
"""What objective and bound share."""


@dataclass(frozen=True)
class WholeBound:
    """A proven limit of the study's value over every feasible design.

    Attributes
    ----------
    value
        Relative step time, or its product with TDP, that nothing in the space can be below.
    feasible
        Designs within the limits, summed over the groups.
    method
        How it was proved.
    near
        A design within the limits of low bound, where one design is searched.
    """

    value: float
    feasible: int
    method: str
    near: Design | None = None


def bound_whole(session: Session, mode: str, groups: Sequence[GroupCandidates]) -> WholeBound:
    """The bound of ``mode`` over every feasible design of every group; of the groups only the problems matter.

    It takes what the current step has left, and is valid whenever that is over.
    """
    if len(groups) > 1:
        return _by_selection(session, mode, groups)
    (group,), plan, clock = groups, session.plan, session.part().clock()
    found = scan(group.problem, _value(plan, exact=True), _value(plan, exact=False), clock)
    return WholeBound(
        found.value,
        found.feasible,
        "scan of every feasible design: longest path, work per core and bytes per bandwidth, of the graph and of "
        "its pieces between barriers; simulated timeline",
        found.design,
    )


def bound_from_json(row: Mapping[str, Any]) -> WholeBound:
    """The bound of its fields."""
    value = float(row["value"])
    if not 0 <= value < inf:
        raise ValueError(f"no bound: {value}")
    near = row.get("near")
    return WholeBound(value, int(row["feasible"]), str(row["method"]), Design.from_table(near) if near else None)


def stronger(whole: WholeBound, kept: WholeBound | None) -> WholeBound:
    """The better of two bounds of the same values, one of which an earlier try may have kept."""
    return kept if kept is not None and kept.value > whole.value else whole


def only_design(whole: WholeBound, groups: int, own: float) -> WholeBound:
    """The bound of the whole where every group has one design only: that of its own schedules, if it is better."""
    if whole.feasible != groups or own <= whole.value:
        return whole
    return WholeBound(own, whole.feasible, "bounds of the operator schedules of the only design; simulated timeline")


def _value(plan: Plan, *, exact: bool) -> Value:
    """The study's value of one design on all devices, from bounds of phase times over a block of designs."""

    def value(seconds: PhaseSeconds, block: Block) -> FloatArray:
        found = study_value(plan, by_stage(plan, seconds), block.tdp_w * plan.devices, exact=exact)
        return np.asarray(found, dtype=np.float64)

    return value


def _by_selection(session: Session, mode: str, groups: Sequence[GroupCandidates]) -> WholeBound:
    """The integer program over the lower fronts of the groups."""
    plan = session.plan
    keys = [(tuple(task.signature for task in g.problem.tasks), g.problem.memory_bytes) for g in groups]
    fronts = _fronts(session, {key: g.problem for key, g in reversed(list(zip(keys, groups, strict=True)))})
    rows: dict[Member, list[tuple[str, tuple[float, ...], float, float]]] = {}
    feasible = 0
    for key, g in zip(keys, groups, strict=True):
        front, count = fronts[key]
        feasible += count
        for i, member in enumerate(g.group.members):
            rows[member] = [(f"{g.group.name} box {n}", c.phase_s[i], c.area_mm2, c.tdp_w) for n, c in enumerate(front)]
    problem = selection_problem(plan, mode, rows)
    stop = session.part()
    result = solve(problem, plan.study.search.select, stop=stop, seed=session.seed)
    session.budget.spend(stop.work)
    if result.stop is StopReason.INTERRUPTED and not session.interrupted:
        session.interrupt()  # the bound holds all the same
    boxes = sum(map(len, rows.values()))
    method = f"selection among {boxes} boxes that hold all feasible designs ({result.status.value}, {result.solver})"
    if result.status is Status.INFEASIBLE:
        return WholeBound(inf, feasible, method)
    bound = bound_of(problem)[0] if result.bound is None else result.bound
    if bound is None or not 0 < bound < inf:
        return WholeBound(0.0, feasible, method)
    return WholeBound((1.0 / bound if problem.value.power else bound) * (1 - FLOAT), feasible, method)


def _fronts(
    session: Session, distinct: Mapping[object, design_search.Problem]
) -> dict[object, tuple[list[LowerCandidate], int]]:
    """The lower front of each problem, and its feasible designs."""
    if session.executor is not None:
        clock = session.part(FRONTS).clock()
        jobs = [session.executor.submit(lower_front, problem, clock) for problem in distinct.values()]
        return dict(zip(distinct, (job.result() for job in jobs), strict=True))
    found = {}
    for i, (key, problem) in enumerate(distinct.items()):
        share = FRONTS / (1 + (len(distinct) - 1 - i) * FRONTS)
        found[key] = lower_front(problem, session.part(share).clock())
    return found


def assumptions_of(plan: Plan, final: Mapping[Member, TaskSchedule]) -> tuple[str, ...]:
    """What objective and bound share: ``ASSUMPTIONS``, and what the study's own choices add."""
    lines = list(ASSUMPTIONS)
    designs = {schedule.design for schedule in final.values()}
    if max(plan.template.shared_sram_bytes) > 0:
        lines.append(
            "Each operator has the whole shared SRAM for its tiles while it runs, also beside others; the port of a "
            "core is its own."
        )
    if plan.study.residency == "shared-sram":
        lines.append(
            "Residency: tensors read soon after they are written stay in half of the shared SRAM, as if operators ran "
            "in the order of the graph."
        )
    for calibration in sorted({design.calibration for design in designs} - {UNCALIBRATED}):
        lines.append(
            f"Times are corrected by the calibration of the accelerator's file: {_corrected(calibration)}. "
            "A launch measured on single operators is too long for a queue of them: the chip may then beat this bound."
        )
    if plan.source is not None:
        lines.append(_origins(plan, measured_share(final)))
    return tuple(lines)


def _origins(plan: Plan, found: Share) -> str:
    """Where the time of the operators of a step comes from."""
    if plan.study.cost.use == "kernel":
        return (
            f"Of the time of all operators {100 * found.kernel:.0f} % is of products whose arrays take the cycles of "
            f"kernels on {plan.study.cost.architecture}, all else modelled; {100 * found.modelled:.0f} % is modelled."
        )
    return (
        f"Of the time of all operators {100 * found.measured:.0f} % is measured, {100 * found.interpolated:.0f} % "
        f"interpolated between measurements and {100 * found.modelled:.0f} % modelled."
    )


def _corrected(calibration: Calibration) -> str:
    """Launch and efficiencies, of each kind of operator that has its own."""
    own = calibration.kinds or (("operator", calibration),)
    said = [
        f"{c.launch_s * 1e6:.3g} us of launch for every {kind}, {100 * c.array_efficiency:.3g} % of the arrays' peak, "
        f"{100 * c.vector_efficiency:.3g} % of the lanes', {100 * c.hbm_efficiency:.3g} % of the HBM's"
        for kind, c in own
    ]
    return "; ".join(said)


def measured_share(final: Mapping[Member, TaskSchedule]) -> Share:
    """Where the durations of the operators of a step come from."""
    origins, weights = [], []
    for schedule in final.values():
        for run, phase in zip(schedule.task.phases, schedule.phases, strict=True):
            solution, lowered = phase.result.solution, phase.lowered
            assert solution is not None
            tables = [lowered.tables[m] for m in lowered.problem.mode_set.tolist()]
            for table, mode in zip(tables, solution.mode.tolist(), strict=True):
                origins.append(int(table.origin[mode]))
                weights.append(run.repeats * float(table.duration[mode]))
    return share(origins, weights)


def scope_of(plan: Plan, mode: str) -> tuple[str, ...]:
    """What the bound holds fixed."""
    technology = plan.technology
    errors = (("area", technology.area_error), ("TDP", technology.tdp_error))
    bands = ", ".join(f"{name} ± {100 * error:.0f} %" for name, error in errors if error is not None)
    lines = [f"technology {technology.name}{f' ({bands})' if bands else ''}, timing {plan.study.timing}"]
    if plan.study.cost.use != "model":
        lines[0] += f", costs by {plan.study.cost.use}"
    if len(plan.tasks) > 1:
        lines[0] = f"mode {mode}, {lines[0]}"
    lines.append(f"operator_split {plan.study.operator_split}; every design of the template within the limits")
    for pipeline, workload, model in zip(plan.pipelines, plan.study.workloads, plan.inputs.models, strict=True):
        fixed = f"{pipeline.name}: microbatch {pipeline.microbatch}, recompute {workload.recomputed}, "
        fixed += f"attention {workload.attention}" + (f", split {workload.granularity}" if workload.split else "")
        if isinstance(model.config, TransformerConfig) and model.config.experts:
            fixed += ", all experts equally loaded"
        if len(pipeline.stages) > 1:
            cuts = ", ".join(str(stage.layers[0]) for stage in pipeline.stages[1:])
            fixed += f", schedule {pipeline.schedule}, stages cut before layers {cuts}"
        lines.append(fixed)
    return tuple(lines)
