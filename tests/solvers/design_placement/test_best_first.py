"""Best-first over designs, plans and cuts: never a bound above what anything achieves, and answers that hold."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems.design_placement import Problem, Proof, Solution, Variant, check, score
from accmine.problems.device_placement import Pipelining
from accmine.record import Record
from accmine.registry import make_solver
from accmine.result import Result, Status, StopReason
from accmine.solvers.design_placement import best_first
from accmine.solvers.design_placement.key import Key
from accmine.solving import solve
from tests.samples.placement_sample import layer_times, placement_problem, simulated
from tests.samples.search_sample import design


def found(problem: Problem, seconds: float = 3.0, **stop: Any) -> Result[Solution]:
    return solve(problem, "best-first", stop=Stop(seconds=seconds, **stop))


def least(problem: Problem) -> float:
    """The shortest step of any placement on any design, if layers took their bounds."""
    rows = (simulated(problem, *row) for row in layer_times(problem))
    return min((step for row in rows for _, step in row), default=inf)


CASES: list[dict[str, Any]] = [
    {"microbatch": (1,)},
    {"microbatch": (2,), "tensor": (2,), "space": {"hbm_bytes": (1 << 20, 2 << 20)}},
    {"microbatch": (1,), "recompute": ("none",), "zero": (0, 1), "batch": 7},
    {"microbatch": (1,), "recompute": ("none",), "pipelinings": (Pipelining("gpipe"), Pipelining("1f1b"))},
]


@pytest.mark.parametrize("case", CASES)
def test_no_design_and_placement_is_below_the_bound(case: dict[str, Any]) -> None:
    problem = placement_problem(**case)
    result = found(problem)
    assert result.bound is not None
    assert result.objective is not None
    assert result.solution is not None
    assert result.bound <= least(problem) * (1 + 1e-9) or result.bound <= result.objective
    assert result.bound <= result.objective
    assert check(problem, result.solution) == ()
    assert score(problem, result.solution) == result.objective
    assert result.objective <= 1.6 * least(problem)


def test_with_no_effort_on_schedules_the_bound_is_below_all_bound_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(best_first, "EFFORTS", 0)
    monkeypatch.setattr(best_first, "proven_seconds", lambda terms, *_: np.zeros((len(terms.variant.classes), 3)))
    for case in CASES:
        problem = placement_problem(**case)
        result = solve(problem, "best-first", stop=Stop(seconds=20))
        assert result.bound is not None
        assert 0.9 * least(problem) <= result.bound <= least(problem) * (1 + 1e-9)


def test_a_small_space_is_nearly_closed_and_its_gap_is_split() -> None:
    problem = placement_problem(microbatch=(1,), recompute=("none",), space={"vector_cores": (1,)})
    result = found(problem, 10.0)
    (proof,) = result.pool
    assert isinstance(proof, Proof)
    assert result.gap is not None
    assert result.gap < 0.1
    assert (proof.step_s, proof.bound_s) == (result.objective, result.bound)
    assert proof.designs == 2
    assert proof.plans > 8
    assert proof.pairs >= proof.chains > 0
    whole = 1 - (1 - proof.plan_part) * (1 - proof.schedule_part) * (1 - proof.design_part)
    assert whole == pytest.approx(result.gap, abs=1e-9)
    assert all(near.loses > 0 for near in proof.near)


def test_less_room_never_lowers_the_bound() -> None:
    wide = placement_problem(microbatch=(1,), recompute=("none",))
    values = [found(replace(wide, devices=n), 2.0).bound for n in (4, 2, 1)]
    assert None not in values
    assert values == sorted(values)  # type: ignore[type-var]
    narrow = replace(wide, template=replace(wide.template, tensor_cores=(1,)))
    assert (found(narrow, 2.0).bound or 0.0) >= (values[0] or 0.0) * (1 - 1e-9)


def test_names_and_order_of_variants_do_not_matter() -> None:
    problem = placement_problem(microbatch=(1,), recompute=("none",), space={"vector_cores": (1,)})
    renamed = tuple(
        Variant(v.shard, v.microbatch, v.recompute, tuple(replace(c, name=f"x{i}") for i, c in enumerate(v.classes)))
        for v in reversed(problem.variants)
    )
    one, two = found(problem, 20.0), found(replace(problem, variants=renamed), 20.0)
    assert one.objective == pytest.approx(two.objective, rel=1e-9)
    assert one.bound == pytest.approx(two.bound, rel=1e-9)


def test_memory_that_nothing_fits_is_proven() -> None:
    problem = placement_problem(layers=12, tensor=(1,), microbatch=(2,), recompute=("none",), devices=1)
    small = replace(problem, template=replace(problem.template, hbm_bytes=(1 << 20,)))
    result = found(small)
    assert result.status is Status.INFEASIBLE
    assert result.bound is None
    nothing = found(replace(problem, area_mm2=1e-9))
    assert nothing.status is Status.INFEASIBLE


def test_the_first_designs_are_answered_first() -> None:
    problem = placement_problem(microbatch=(1,), recompute=("none",))
    first = design(2, 1, hbm=16 << 20)
    result = solve(replace(problem, first=(first,)), "best-first", stop=Stop(work=1))
    assert result.solution is not None
    assert result.solution.design == first


def test_an_interrupt_keeps_answer_and_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = placement_problem(microbatch=(1,), recompute=("none",))
    record = Record[Solution](problem, Stop(seconds=20), solver="best-first")

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Key, "settle", stopped)
    with pytest.raises(KeyboardInterrupt):
        make_solver("design-placement", "best-first").search(record)
    result = record.result(StopReason.INTERRUPTED)
    assert result.solution is not None
    assert result.bound is not None
    assert result.bound <= least(problem)
    assert result.pool


def test_a_schedule_that_splits_the_backward_pass_is_refused() -> None:
    with pytest.raises(InputError, match="zb-h1"):
        found(placement_problem(pipelinings=(Pipelining("zb-h1"),)))
