"""Measure a method: one problem, one evaluator, equal limits; every run begins with an empty table of costs.

What is compared is one design search per study: one design for all devices of a study. The stages of a pipeline are
valued by the slowest one, relative to the slowest stage of the baseline; the floor of ``throughput-per-tdp`` holds for
that value.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from accmine.errors import CheckError, InputError
from accmine.hardware import Design
from accmine.plan import Plan, exceeded, plan_of
from accmine.ports import Solver, Stop
from accmine.problems.conflict import ConflictingLimit, infeasible
from accmine.problems.design_search import KIND, Evaluation, Problem
from accmine.problems.design_search.space_bound import scan
from accmine.problems.limits import within
from accmine.questions.compare.methods import schedules_counted
from accmine.questions.compare.record import CHIP, CompareRow, Moment
from accmine.questions.run.baselines import library_for
from accmine.record import Record
from accmine.registry import make_solver, place_of
from accmine.report import to_json
from accmine.result import Result, Status, StopReason
from accmine.search import FLOAT, by_stage, require_feasible, schedule_task, search_problem
from accmine.solving import solve
from accmine.study import Study

__all__ = ["Terms", "measure", "measure_chip", "single_search", "terms_of"]

_OWN = "accmine."
"""Package of solvers whose bounds are believed: the bound of a study is that of all methods."""


def single_search(study: Study) -> tuple[Plan, Problem]:
    """The one design search of a study, with the list-scheduled baseline as the reference.

    Raises
    ------
    InputError
        If its mode gives devices different designs.
    InfeasibleError
        If no design meets the limits.
    """
    plan = plan_of(study)
    groups = plan.groups(study.mode)
    if len(groups) > 1:
        message = f"{study.name}: gives {len(groups)} groups of devices a design each; one is compared"
        raise InputError(f"{message}: --set mode=common", field="mode")
    require_feasible(plan, groups)
    library = plan.library()
    rows = [schedule_task(task, library, plan.baseline, "list", Stop(), 0).phase_s for task in plan.tasks]
    plan = plan.referred_to(by_stage(plan, rows))
    problem = search_problem(plan, groups[0], 1, library)
    return plan, replace(problem, floor=plan.floor if problem.per_tdp else 0.0)


@dataclass(frozen=True, eq=False)
class Terms:
    """What all methods have in common on one study.

    Attributes
    ----------
    bound
        No design of the space has a lower value.
    baseline
        Value of the baseline.
    chips
        Fixed chips by name.
    valued
        Designs with the list schedules that all are compared by.
    """

    name: str
    plan: Plan
    problem: Problem
    bound: float
    baseline: float
    chips: dict[str, Design]
    valued: dict[Design, Evaluation] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """Objective of the study."""
        return str(self.plan.study.objective)

    def row(self, method: str) -> CompareRow:
        """A row with nothing found yet."""
        return CompareRow(self.name, self.metric, method, bound=self.bound, baseline=self.baseline)

    def value(self, design: Design) -> Evaluation:
        """A design with the common list schedules."""
        if design not in self.valued:
            (found,) = solve(replace(self.problem, first=(design,)), "given").pool
            self.valued[design] = found
        return self.valued[design]


def terms_of(name: str, study: Study, chips: Sequence[str] = ()) -> Terms:
    """What the methods on a study have in common; ``chips`` are read as its baselines.

    Raises
    ------
    InputError, InfeasibleError
        As ``single_search``.
    """
    plan, problem = single_search(study.model_copy(update={"baselines": tuple(chips)}))
    found = dict(plan.inputs.baselines)
    library = library_for(plan, problem.library, study.operator_split, list(found.values()), list(found.values()))
    valued = replace(problem, library=library)
    bound = scan(problem).value
    if bound == inf:
        floor = ConflictingLimit("floor", f"{plan.floor:g}", "a lower one", ("floor",))
        raise infeasible("no design reaches the floor: proven by the bound of every design", [floor])
    terms = Terms(name, plan, valued, bound, 0.0, found)
    return replace(terms, baseline=_unlimited(problem, terms.value(plan.baseline)))


def _unlimited(problem: Problem, evaluation: Evaluation) -> float:
    """The value without the floor."""
    return evaluation.relative * (evaluation.tdp_w if problem.per_tdp else 1.0)


class _Watched:
    """A solver whose record can be looked at while it searches."""

    def __init__(self, solver: Any) -> None:
        if not isinstance(solver, Solver):
            raise InputError(f"{solver.name}: has no search(record), so that its evaluations cannot be counted")
        self.inner, self.name = solver, solver.name
        self.record: Record[Any] | None = None

    def search(self, record: Record[Any]) -> StopReason:
        """That of the solver."""
        self.record = record
        return self.inner.search(record)


def measure(terms: Terms, method: str, seed: int | None, seconds: float | None, evaluations: int | None) -> CompareRow:
    """One run of a method.

    Raises
    ------
    InputError
        If there is no such method, or a library that it needs is missing.
    CheckError
        If a value is below a bound.
    KeyboardInterrupt
        If the run was interrupted: half a run is no measurement.
    """
    problem = replace(terms.problem, library=terms.plan.library())
    watched = _Watched(make_solver(KIND, method))  # libraries are loaded here
    phases = sum(len(own) for own in {task.signature: task.phases for task in problem.tasks}.values())
    each = phases * schedules_counted(method)
    moments: list[tuple[float, float, float, Design]] = []

    def heard(_: float, objective: float | None, __: float | None) -> None:
        record = watched.record
        if record is None or record.best is None or objective is None:
            return
        count, most = record.work / each, inf if evaluations is None else evaluations
        if count <= most and (not moments or objective < moments[-1][2]):  # what is found beyond the limit is too late
            moments.append((count, time.process_time() - began, objective, record.best.design))

    gc.collect()
    began, began_wall = time.process_time(), time.monotonic()
    stop = Stop(seconds, None if evaluations is None else float(evaluations * each))
    result = solve(problem, watched, stop=stop, seed=seed or 0, on_progress=heard)
    spent_s, wall_s = time.process_time() - began, time.monotonic() - began_wall
    if result.stop is StopReason.INTERRUPTED:
        raise KeyboardInterrupt
    made = result.work / each
    late = evaluations is not None and made > evaluations
    row = replace(
        terms.row(method),
        seed=seed,
        limit_s=seconds,
        limit_evaluations=evaluations,
        evaluations=float(evaluations) if evaluations is not None and late else made,
        designs=len(result.pool),
        finished=result.stop is not StopReason.TIME and not late,
        seconds=spent_s,
        wall_s=wall_s,
    )
    return _found(terms, row, result, moments)


def _found(
    terms: Terms, row: CompareRow, result: Result[Any], moments: Sequence[tuple[float, float, float, Design]]
) -> CompareRow:
    """The row with the best design and its trace, valued as all are."""
    bound = terms.bound
    if result.bound is not None and place_of(KIND, row.method).startswith(_OWN):
        bound = max(bound, float(result.bound))
    if not moments:
        why = "infeasible: no design meets the limits"
        if result.status is not Status.INFEASIBLE:
            floor = f"none of {row.designs} designs reaches the floor of throughput"
            early = result.solution is None and row.designs
            why = f"nothing found: {floor if early else 'no design was scheduled in time'}"
        return replace(row, bound=bound, note=why)
    trace: list[Moment] = []
    for count, at, _, design in moments:
        common = terms.value(design).value
        if common < (trace[-1][2] if trace else inf):
            trace.append((count, at, common))
    own = moments[-1][2]
    best = min((d for *_, d in moments), key=lambda d: terms.value(d).value)
    found = terms.value(best)
    for value in (found.value, own):
        if not within(bound * (1 - FLOAT), value):
            raise CheckError(f"{row.method} on {row.study}: value {value} is below the bound, {bound}")
    if found.value == inf:
        note = "nothing found: the floor is met by the schedules of the method alone"
        return replace(row, own=own, bound=bound, note=note)
    return replace(
        row,
        value=found.value,
        own=own,
        bound=bound,
        design=best.name,
        tunables=to_json(best),
        area_mm2=found.area_mm2,
        tdp_w=found.tdp_w,
        trace=tuple(trace),
    )


def measure_chip(terms: Terms, name: str) -> CompareRow:
    """A fixed chip: its value whatever it violates, and what that is."""
    row = replace(terms.row(name), kind=CHIP)
    design = terms.chips.get(name)
    if design is None:
        return replace(row, note=f"not covered by technology {terms.plan.technology.name}")
    found, need = terms.value(design), terms.problem.memory_bytes
    notes = [f"needs {need / 2**30:.1f} GiB of HBM, has {design.hbm_bytes / 2**30:.1f}"]
    notes = notes if need > design.hbm_bytes else []
    notes += ["outside the limits"] if exceeded(terms.plan, [(design, terms.plan.devices)]) else []
    notes += ["below the floor"] if found.value == inf else []
    value = _unlimited(terms.problem, found)
    return replace(
        row,
        value=value,
        own=value,
        design=design.name,
        tunables=to_json(design),
        area_mm2=found.area_mm2,
        tdp_w=found.tdp_w,
        note="; ".join(notes),
    )
