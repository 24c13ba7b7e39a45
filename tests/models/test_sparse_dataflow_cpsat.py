"""The models of a sparse dataflow against all designs, and as text.

The golden file is written anew by ``ACCMINE_UPDATE_GOLDEN=1 pytest tests/models/test_sparse_dataflow_cpsat.py``.
"""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from ortools.sat.python import cp_model

from accmine.errors import InputError
from accmine.models import sparse_dataflow_cpsat
from accmine.models.sparse_dataflow_cpsat import SparseDataflowCpSat
from accmine.problems.sparse_dataflow import Budget, Problem, check, score, tabulate
from accmine.result import Status
from accmine.solvers.sparse_dataflow.pruning import at_interval
from accmine.solving import solve
from accmine.sparse.layer import Layer, Level, binomial
from tests.models.test_kernel_sizing_cpsat import rows_of
from tests.samples.sparse_sample import random_dataflow

GOLDEN = Path(__file__).parents[1] / "golden" / "sparse_dataflow.txt"


def least_of(model: cp_model.CpModel) -> int | None:
    """The optimum of the declared rows alone."""
    engine = cp_model.CpSolver()
    engine.parameters.catch_sigint_signal = False
    engine.parameters.num_workers = 1
    outcome = engine.solve(model)
    assert outcome in (cp_model.OPTIMAL, cp_model.INFEASIBLE)
    return round(engine.objective_value) if outcome == cp_model.OPTIMAL else None


@pytest.mark.parametrize("part", range(6))
def test_the_rows_alone_decide(part: int) -> None:
    known = []
    for seed in range(100 + 8 * part, 108 + 8 * part):
        problem = random_dataflow(seed, most_layers=2, edges=part % 2 == 0)
        best = solve(problem, "brute-force").objective
        assert least_of(SparseDataflowCpSat().build(problem)) == best, seed
        known.append(best)
    assert sum(own is not None for own in known) > 2


@pytest.mark.parametrize("seed", range(12))
def test_adapters_that_are_rounded_up(seed: int) -> None:
    """Constants with which the LUTs of an adapter are no multiple of its streams."""
    problem = random_dataflow(seed, most_layers=2, edges=True)
    model = replace(problem.model, data_bits=5, adapter_lut_per_bit=0.3, adapter_ff_per_bit=0.7)
    problem = replace(problem, model=model, budget=replace(problem.budget, lut=900, ff=1500))
    assert least_of(SparseDataflowCpSat().build(problem)) == solve(problem, "brute-force").objective
    assert solve(problem, "bisection").objective == solve(problem, "brute-force").objective


@pytest.mark.parametrize("seed", range(12))
def test_through_the_engine(seed: int) -> None:
    problem = random_dataflow(200 + seed, most_layers=2)
    best, own = solve(problem, "brute-force"), solve(problem, "cp-sat")
    assert (own.status, own.objective) == (best.status, best.objective)


def test_a_hint_is_a_solution_of_the_model() -> None:
    found = 0
    for seed in range(10):
        problem = random_dataflow(seed, most_layers=2)
        solution = solve(problem, "brute-force").solution
        if solution is None:
            continue
        model = SparseDataflowCpSat()
        built = model.build(problem)
        model.hint(solution)
        engine = cp_model.CpSolver()
        engine.parameters.catch_sigint_signal = False
        engine.parameters.fix_variables_to_their_hinted_value = True
        assert engine.solve(built) == cp_model.OPTIMAL
        assert model.read(engine.value) == solution
        found += 1
    assert found > 4


@pytest.mark.parametrize("seed", range(8))
def test_fixed_interval(seed: int) -> None:
    """At the best interval there is a design, below none."""
    problem = random_dataflow(300 + seed, most_layers=2)
    problem = replace(problem, memories=("bram",), budget=replace(problem.budget, bits_per_cycle=None))
    best, tables = solve(problem, "brute-force"), tabulate(problem)
    if best.status is not Status.OPTIMAL:
        return
    least = int(best.objective or 0)
    for interval, expected in ((least, cp_model.OPTIMAL), (least - 1, cp_model.INFEASIBLE)):
        candidates = at_interval(problem, tables, interval)
        if not all(map(len, candidates)):
            assert expected == cp_model.INFEASIBLE
            continue
        own = problem.budget
        limits = own.dsp, own.lut, own.ff, own.bram18, own.uram, None, own.loss
        model, engine = SparseDataflowCpSat(), cp_model.CpSolver()
        engine.parameters.catch_sigint_signal = False
        assert engine.solve(model.among(problem, tables, candidates, limits)) == expected
        if expected == cp_model.OPTIMAL:
            solution = model.read(engine.value)
            assert check(problem, solution) == ()
            assert score(problem, solution) == interval


def test_too_many_options_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_dataflow_cpsat, "MOST_OPTIONS", 3)
    with pytest.raises(InputError, match=r"at most 3 are declared; take bisection"):
        SparseDataflowCpSat().build(random_dataflow(0))


def tiny() -> Problem:
    levels = Level("none", (binomial(2, Fraction(1)),)), Level("half", (binomial(2, Fraction(1, 2)),), 300_000)
    first = Layer("first", 1, 2, (1, 2), (3, 4), (3, 4), levels=levels)
    second = Layer("second", 2, 1, (1, 1), (3, 4), (3, 4), cluster=2, levels=levels[:1])
    budget = Budget(dsp=6, lut=900, bits_per_cycle=Fraction(7, 2), loss=400_000)
    return Problem((first, second), ((0, 1),), budget, engines=("sparse",), memories=("bram", "stream"), slacks=(1,))


def test_golden_model() -> None:
    """Each family of rows once: one option of a layer, interval, budgets, adapters, off-chip bits, loss."""
    text = rows_of(SparseDataflowCpSat().build(tiny()))
    if os.environ.get("ACCMINE_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
