"""Limits behind literals: any part of them can be assumed, and the least cost under the rest is exact."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ortools.sat.python import cp_model

from accmine.errors import InputError
from accmine.models.limit_conflict_cpsat import LimitConflictCpSat
from accmine.models.stage_selection_cpsat import MOST_PASSES
from accmine.problems.stage_selection import MODES, Candidate, Pipeline, Problem, Stage, check
from accmine.problems.stage_selection.integers import integers
from tests.samples.selection_sample import best_score, every_choice, limited_to, tiny

LIMITS = ("limits.area_mm2", "limits.tdp_w")


def solver() -> cp_model.CpSolver:
    found = cp_model.CpSolver()
    found.parameters.catch_sigint_signal = False  # else Ctrl-C kills from then on
    found.parameters.num_workers = 1
    return found


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(MODES), st.sampled_from(("worst", "mean")))
def test_what_is_assumed_holds_and_nothing_else(seed: int, mode: str, aggregate: str) -> None:
    problem = tiny(seed, mode, "throughput-per-tdp", aggregate, most=3)
    model = LimitConflictCpSat()
    built = model.build(problem)
    given_limits = {n for n in LIMITS if getattr(problem.limits, n.partition(".")[2]) is not None}
    assert set(model.literals) == given_limits | ({"floor"} if problem.least_throughput else set())
    for count in range(len(model.literals) + 1):
        for names in combinations(model.literals, count):
            model.assume(names)
            own, search = limited_to(problem, names), solver()
            status = search.solve(built)
            assert (status == cp_model.INFEASIBLE) == (best_score(own) is None)
            if status != cp_model.INFEASIBLE:
                assert check(own, model.read(search.value)) == ()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(LIMITS), st.booleans())
def test_the_least_cost_is_that_of_every_choice(seed: int, limit: str, floor: bool) -> None:
    problem = tiny(seed, "heterogeneous", "throughput-per-tdp", "worst", most=3)
    if getattr(problem.limits, limit.partition(".")[2]) is None:
        return
    kept = ["floor"] if floor and problem.least_throughput else []
    model = LimitConflictCpSat()
    built = model.build(problem)
    model.assume(kept)
    model.minimize(limit)
    search, numbers, own = solver(), integers(problem), limited_to(problem, kept)
    fitting = [numbers.picked(s.choice) for s in every_choice(own) if not check(own, s)]
    index = LIMITS.index(limit)
    sums = [sum(slot.options[o].costs[index] for slot, o in zip(numbers.slots, p, strict=True)) for p in fitting]
    status = search.solve(built)
    assert (status == cp_model.OPTIMAL) == bool(sums)
    if sums:
        assert int(search.response_proto.inner_objective_lower_bound) == min(sums)


def test_a_slot_without_design_has_no_choice_whatever_is_assumed() -> None:
    stages = tuple(Stage(name, (Candidate(name, 1, 1, 0, 1, 1),)) for name in ("a", "b"))
    apart = Problem((Pipeline("p", stages, 1, transfer_s=((0.0, 0.0),)),), mode="homogeneous")
    model = LimitConflictCpSat()
    assert solver().solve(model.build(apart)) == cp_model.INFEASIBLE
    assert model.literals == {}


def test_only_a_floor_needs_the_timeline() -> None:
    rows = (Candidate("a", 1, 1, 0, 1, 1),)
    pipeline = Pipeline("p", (Stage("s", rows),), MOST_PASSES, reference_s=1.0)
    LimitConflictCpSat().build(Problem((pipeline,)))
    with pytest.raises(InputError, match="take auto or highs"):
        LimitConflictCpSat().build(Problem((pipeline,), objective="throughput-per-tdp", floor=0.5))
