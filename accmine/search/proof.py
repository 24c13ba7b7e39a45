"""Proof: the best-first search over every design of a study that has one design, begun from the answer so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from accmine.hardware.design import Design
from accmine.plan.plan import Plan
from accmine.ports import Incumbent, Stop
from accmine.problems.design_search import Evaluation, Mined
from accmine.registry import make_solver
from accmine.result import Result
from accmine.search.bounds import WholeBound
from accmine.search.candidates import GroupCandidates

__all__ = ["Proof", "provable", "prove", "with_evaluations"]


@dataclass(frozen=True)
class Proof:
    """What the search found and proved.

    Attributes
    ----------
    whole
        The better of the bounds before and after.
    mined
        The designs that were looked at.
    """

    whole: WholeBound
    mined: Mined


def provable(plan: Plan, mode: str) -> bool:
    """Whether the study is one design search: one design, no pipeline, and a value that is that of the search."""
    single = len(plan.groups(mode)) == 1 and all(len(pipeline.tasks) == 1 for pipeline in plan.pipelines)
    return single and plan.study.objective != "bottleneck"


def prove(
    plan: Plan,
    g: GroupCandidates,
    whole: WholeBound,
    first: Sequence[Design],
    stop: Stop,
    seed: int,
    on_progress: Incumbent | None = None,
) -> Proof:
    """Search every design of ``g``, the designs ``first`` before all others; the bound is one of the study's value."""
    # The search counts one chip, the study all that the limits count.
    chips = plan.devices if plan.study.objective == "throughput-per-tdp" else 1

    def heard(seconds: float, objective: float | None, bound: float | None) -> None:
        if on_progress is not None:
            on_progress(
                seconds,
                None if objective is None else objective * chips,
                None if bound is None else max(whole.value, bound * chips),
            )

    solver = make_solver("design-search", "best-first", top_k=plan.study.search.top_k)
    result: Result[Mined] = solver.solve(g.problem, stop=stop, seed=seed, hint=first, on_progress=heard)
    assert result.solution is not None
    if result.bound is not None and result.bound * chips > whole.value:
        whole = WholeBound(result.bound * chips * (1 - 1e-12), whole.feasible, result.bound_method)
    return Proof(whole, result.solution)


def with_evaluations(g: GroupCandidates, found: Sequence[Evaluation]) -> GroupCandidates:
    """The group with further candidates, the better evaluation of each design, best first."""
    table: dict[Design, Evaluation] = {}
    for evaluation in (*g.candidates, *found):
        known = table.get(evaluation.design)
        if known is None or evaluation.value < known.value:
            table[evaluation.design] = evaluation
    ordered = sorted(table.values(), key=lambda e: (e.value, e.tdp_w, e.area_mm2, e.design.name))
    return replace(g, candidates=tuple(ordered))
