"""The model of one way: hints, rows, and what they say of a placement."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ortools.sat.python import cp_model

from accmine.models.device_placement_cpsat import DevicePlacementCpSat
from accmine.problems.device_placement import Problem, Solution, check, score
from accmine.registry import make_model
from accmine.solving import solve
from tests.samples.device_placement_sample import random_placement


def single(problem: Problem, solution: Solution) -> Problem:
    """The problem of the way of a placement."""
    pipeline = len(solution.stages)
    return replace(
        problem,
        pipeline=(pipeline,),
        data=(solution.data,),
        orders=(solution.order,),
        zero=(solution.zero,),
        pipelinings=(solution.pipelining,),
    )


def built(problem: Problem, solution: Solution) -> tuple[DevicePlacementCpSat, cp_model.CpModel]:
    model = make_model("device-placement", "cp-sat")
    assert isinstance(model, DevicePlacementCpSat)
    kinds = {(plan.tensor, plan.recompute) for plan in solution.stages}
    model.restrict(sorted(kinds if problem.uniform else {(o.tensor, o.recompute) for o in problem.layers[0].options}))
    return model, model.build(single(problem, solution))


@pytest.mark.parametrize("seed", range(8))
def test_rows_are_below_every_placement_and_meet_the_one_that_is_separated(seed: int) -> None:
    problem = random_placement(seed, chain=seed % 2 == 0, layers=4)
    result = solve(problem, "brute-force")
    if result.solution is None:
        return
    model, program = built(problem, result.solution)
    step = score(problem, result.solution)
    engine = cp_model.CpSolver()
    engine.parameters.catch_sigint_signal = False  # else Ctrl-C kills from then on
    assert engine.solve(program) == cp_model.OPTIMAL
    assert engine.objective_value <= step * (1 + 1e-9)
    found = model.read(engine.value)
    assert check(problem, found) == ()
    assert model.separate(result.solution) == 2
    model.hint(result.solution)
    stage_of = {layer: s for s, plan in enumerate(result.solution.stages) for layer in plan.layers}
    for (layer, s, o), literal in model.z.items():
        plan = result.solution.stages[s]
        program.add(literal == int(stage_of[layer] == s and model.kinds[o] == (plan.tensor, plan.recompute)))
    assert engine.solve(program) == cp_model.OPTIMAL
    assert engine.value(model.longest) == step


def test_a_layer_too_large_for_memory_makes_it_infeasible() -> None:
    problem = random_placement(1, layers=3)
    solution = solve(problem, "brute-force").solution
    assert solution is not None
    _, program = built(replace(problem, memory_bytes=1), solution)
    engine = cp_model.CpSolver()
    engine.parameters.catch_sigint_signal = False  # else Ctrl-C kills from then on
    assert engine.solve(program) == cp_model.INFEASIBLE
