"""Fronts of tiny spaces: against every design, under every limit, and what an interrupt leaves."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import inf, isclose
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InfeasibleError
from accmine.plan import make_plan, under_limits
from accmine.problems.design_search import TIE, Evaluation
from accmine.problems.limits import within
from accmine.questions.run.flow import find
from accmine.questions.run.several.front import next_limit, solve_front
from accmine.questions.run.several.front_record import FrontOutcome
from accmine.questions.run.several.front_summary import Point, summarize
from accmine.questions.run.summary import Findings
from accmine.report import Watch
from accmine.search import Kept, Store, search_problem
from accmine.study import Study, read_inputs
from tests.samples.search_sample import everything, pipeline, study

KEYS: dict[str, Any] = {
    "space": {"tensor_cores": [1, 2], "tensor_dim": [4, 8], "vector_cores": [1, 2], "vector_lanes": [8]},
    "budget": {"work": 4, "deterministic": True},
    "search": {"refine": "none", "top_k": 3, "shares": 1},
}
CASES: dict[str, dict[str, Any]] = {
    "tdp": {"objective": {"pareto": ["throughput", "tdp"], "points": "all"}},
    "area": {"objective": {"pareto": ["throughput", "area"], "points": "all"}},
    "two": {"objective": {"pareto": ["throughput", "tdp"], "points": "all"}, "models": ("mlp", "gpt")},
    "few": {"objective": {"pareto": ["throughput", "tdp"], "points": 3}, "limits": {"area": "baseline"}},
    "refined": {
        "objective": {"pareto": ["throughput", "tdp"], "points": 3},
        "search": {"top_k": 3, "shares": 1},
        "budget": {"seconds": 3, "workers": 1},
    },
}


def front_of(asked: Study, store: Store | None = None, watch: Watch | None = None) -> FrontOutcome:
    assert asked.front is not None
    plan = make_plan(asked.model_copy(update={"objective": asked.minimised}), read_inputs(asked))
    outcome, lanes = solve_front(plan, asked.front, store or Kept(), lambda *_: None, watch=watch)
    assert lanes
    return outcome


@cache
def found(case: str) -> FrontOutcome:
    return front_of(study(**(KEYS | CASES[case])))


@cache
def alone(case: str) -> Findings:
    """The run of the study with its first objective alone."""
    asked = study(**(KEYS | CASES[case] | {"objective": "throughput"}))
    return find(make_plan(asked, read_inputs(asked)), Kept(), lambda *_: None, compare=False)


def cost_of(outcome: FrontOutcome, of: Any) -> float:
    return float(of.tdp_w if outcome.cost_unit == "W" else of.area_mm2)


@cache
def brute(case: str) -> list[Evaluation]:
    """Every design that meets the study's own limits, with list schedules, relative to the same baseline."""
    plan = alone(case).plan
    (group,) = plan.groups(plan.study.mode)
    return everything(search_problem(plan, group, 1, plan.library()))


@pytest.mark.parametrize("case", CASES)
def test_every_answer_meets_its_limit_and_none_is_beyond_the_bound(case: str) -> None:
    outcome = found(case)
    assert outcome.points[0].limit is None
    for point in outcome.points:
        limit = inf if point.limit is None else point.limit
        assert point.designs
        assert within(cost_of(outcome, point), limit)
        assert 0 < point.bound_value <= point.value
        (design,) = [outcome.designs[i] for i in point.designs]
        assert isclose(cost_of(outcome, design), cost_of(outcome, point), rel_tol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_tighter_limits_give_nothing_better_and_no_looser_bound(case: str) -> None:
    outcome = found(case)
    limits = [inf if point.limit is None else point.limit for point in outcome.points]
    assert limits == sorted(limits, reverse=True)
    assert len(set(limits)) == len(limits)
    values = [point.value for point in outcome.points]
    bounds = [point.bound_value for point in outcome.points]
    assert values == sorted(values)
    assert bounds == sorted(bounds)
    front = [(cost_of(outcome, p), p.value) for p in outcome.points if p.on_front]
    assert all(a > c and b < d for (a, b), (c, d) in pairwise(front))


@pytest.mark.parametrize("case", ["tdp", "area", "two", "few"])
def test_no_design_is_below_the_bound_curve(case: str) -> None:
    outcome, every = found(case), brute(case)
    for evaluation in every:
        cost = cost_of(outcome, evaluation)
        (bound,) = [
            step.bound_value
            for step in outcome.curve
            if cost <= (inf if step.most is None else step.most) * (1 + 1e-9)
            and (cost > step.above * (1 + 1e-9) or step is outcome.curve[-1])
        ]
        assert bound <= evaluation.value * (1 + 1e-9)
    assert isclose(min(cost_of(outcome, e) for e in every), outcome.least, rel_tol=1e-4)
    assert [step.above for step in outcome.curve[:-1]] == [step.most for step in outcome.curve[1:]]


@pytest.mark.parametrize("case", ["tdp", "area", "two"])
def test_every_design_that_no_other_dominates_is_matched_or_beaten(case: str) -> None:
    outcome, every = found(case), brute(case)
    for one in every:
        at_most = [p for p in outcome.points if cost_of(outcome, p) <= cost_of(outcome, one) * (1 + 1e-6)]
        assert min(p.value for p in at_most) <= one.value * (1 + TIE)
    assert sum(p.on_front for p in outcome.points) > 2


def test_the_first_point_is_the_run_of_the_study_with_one_objective() -> None:
    outcome, one = found("two"), alone("two")
    assert outcome.points[0].value <= one.chosen.value * (1 + TIE)
    assert outcome.certificate.feasible_designs == one.whole.feasible


def test_devices_of_a_pipeline_share_the_limit() -> None:
    outcome = front_of(study(**(KEYS | CASES["few"] | {"models": ("gpt",), "limits": {}} | pipeline(2))))
    assert len(outcome.points) == 3
    assert all(point.designs for point in outcome.points)
    for point in outcome.points[1:]:
        assert point.limit is not None
        assert within(point.tdp_w, point.limit)
        assert point.bound_value <= point.value


class Interrupting(Watch):
    """Raises a Ctrl-C as a step begins."""

    def __init__(self, at: str) -> None:
        self.at, self.steps = at, list[str]()

    def step(self, name: str) -> None:
        self.steps.append(name)
        if name == self.at:
            self.at = ""
            raise KeyboardInterrupt


KEPT: dict[str, Any] = {"budget": {"seconds": 20, "workers": 1}}


def test_an_interrupt_leaves_points_that_the_next_try_goes_on_with() -> None:
    asked, store = study(**(KEYS | CASES["few"] | KEPT)), Kept()
    stopped = front_of(asked, store, Interrupting("point 2 of 3: prove"))
    assert (stopped.stop, len(stopped.points)) == ("interrupted", 2)
    assert any(text.startswith("interrupted") for text in stopped.warnings)
    again = Interrupting("")
    whole = front_of(asked, store, again)
    assert [p.limit for p in whole.points[:2]] == [p.limit for p in stopped.points]
    assert len(whole.points) == 3
    pairs = list(zip(whole.points, stopped.points, strict=False))
    assert all(a.value <= b.value * (1 + 1e-12) and a.bound_value >= b.bound_value for a, b in pairs)
    third = front_of(asked, store)  # of a finished run everything is read back
    assert [(p.limit, p.value, p.bound_value) for p in third.points] == [
        (p.limit, p.value, p.bound_value) for p in whole.points
    ]


def test_an_interrupted_try_loses_no_point_of_an_earlier_one() -> None:
    asked, store = study(**(KEYS | CASES["few"] | KEPT)), Kept()
    whole = front_of(asked, store)
    longer = study(**(KEYS | CASES["few"] | {"budget": {"seconds": 30, "workers": 1}}))
    stopped = front_of(longer, store, Interrupting("point 1 of 3: prove"))
    assert stopped.stop == "interrupted"
    assert len(stopped.points) == len(whole.points) == 3
    assert all(a.value <= b.value * (1 + 1e-12) for a, b in zip(stopped.points, whole.points, strict=True))


def test_a_study_that_nothing_meets_is_refused_as_ever() -> None:
    asked = study(**(KEYS | CASES["tdp"] | {"limits": {"tdp": "1 W"}}))
    with pytest.raises(InfeasibleError, match=r"limits\.tdp"):
        front_of(asked)


@given(
    most=st.one_of(st.none(), st.integers(2, 20)),
    start=st.floats(1.0, 1e4),
    share=st.floats(0.0, 1.0),
)
def test_limits_fall_to_the_least_cost_and_end(most: int | None, start: float, share: float) -> None:
    least = start * share
    limits: list[float] = []
    reached = start
    while (limit := next_limit(most, len(limits) + 1, reached, least)) is not None:
        assert least <= limit < reached
        limits.append(limit)
        reached = limit if most is not None else (limit - least) / 2 + least
        if len(limits) > 100:
            break
    assert most is None or len(limits) <= most - 1
    if most is not None and limits:
        assert limits[-1] <= least * (1 + 1e-5) or len(limits) < most - 1


def test_other_limits_stay() -> None:
    plan = alone("few").plan
    tighter = under_limits(plan, {"limits.tdp": 100.0})
    assert (tighter.area_mm2, tighter.tdp_w) == (plan.area_mm2, 100.0)


def test_the_certificate_is_that_of_the_first_answer_whoever_found_it() -> None:
    """The run without a limit may end with a worse answer than a later one, which is then that of both points."""
    asked = study(**(KEYS | CASES["tdp"]))
    assert asked.front is not None
    good = alone("tdp")
    cost = good.chosen.tdp_w
    tight = under_limits(good.plan, {"limits.tdp": min(e.tdp_w for e in brute("tdp"))})
    worse = find(tight, Kept(), lambda *_: None, compare=False)
    assert worse.chosen.value > good.chosen.value
    points = [Point(inf, worse, good.whole.value, 1.0), Point(2 * cost, good, good.whole.value, 1.0)]
    session: Any = SimpleNamespace(plan=good.plan, interrupted=False, seconds={})
    outcome = summarize(session, asked.front, points, 0.0)
    own, first = outcome.certificate, outcome.points[0]
    assert outcome.value == first.value == good.chosen.value
    assert (own.objective, own.bound, own.gap) == (first.objective, first.bound, first.gap)
    assert own.objective <= own.own_bound <= own.bound
