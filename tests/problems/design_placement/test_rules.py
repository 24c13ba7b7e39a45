"""What a solution is worth is computed from its schedules alone, and everything wrong with it is said."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import inf
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.ports import Stop
from accmine.problems import device_placement, operator_schedule
from accmine.problems.design_placement import (
    Problem,
    Solution,
    check,
    makespans,
    problem_to_json,
    score,
    sense,
    shown,
    shown_bound,
)
from accmine.problems.design_placement.rules import lowered_module
from accmine.problems.design_placement.times import placed_problem
from accmine.result import Sense
from accmine.solving import solve
from tests.samples.placement_sample import placement_problem


@lru_cache
def solved() -> tuple[Problem, Solution]:
    problem = placement_problem(microbatch=(1,), recompute=("none",), devices=2, tensor=(1,))
    result = solve(problem, "best-first", stop=Stop(work=2, seconds=5))
    assert result.solution is not None
    return problem, result.solution


def test_a_step_is_that_of_the_device_placement_with_the_times_of_the_schedules() -> None:
    problem, solution = solved()
    placed = placed_problem(problem, solution, makespans(problem, solution))
    assert check(problem, solution) == ()
    assert score(problem, solution) == device_placement.shown(
        placed, device_placement.score(placed, solution.placement)
    )
    assert (sense(problem), shown(problem, 2.5), shown_bound(problem, 2.5)) == (Sense.MINIMIZE, 2.5, 2.5)
    for schedule, cycles in zip(solution.schedules, makespans(problem, solution), strict=True):
        parts = lowered_module(problem, solution, schedule)
        own = (schedule.forward, schedule.backward, schedule.update)
        assert cycles == tuple(operator_schedule.objective(p.problem, s) for p, s in zip(parts, own, strict=True))


def changed(solution: Solution, **values: Any) -> Solution:
    return replace(solution, **values)


def test_a_schedule_that_does_not_hold_is_named() -> None:
    problem, solution = solved()
    first = solution.schedules[1]
    early = replace(first, forward=replace(first.forward, start=first.forward.start * 0))
    wrong = check(problem, changed(solution, schedules=(solution.schedules[0], early, *solution.schedules[2:])))
    assert any(f"{first.repeats} × {first.layer_class}, forward" in text for text in wrong)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"variant": 7}, "variant 7"),
        ({"schedules": ()}, "no schedules make its embeddings"),
    ],
)
def test_what_is_missing_is_named(values: dict[str, Any], said: str) -> None:
    problem, solution = solved()
    wrong = changed(solution, **values)
    assert any(said in text for text in check(problem, wrong))
    assert score(problem, wrong) == inf


def test_designs_outside_and_limits_are_named() -> None:
    problem, solution = solved()
    other = changed(solution, design=replace(solution.design, tensor_cores=9))
    assert any("not in the template" in text for text in check(problem, other))
    assert any(text.startswith("area") for text in check(replace(problem, area_mm2=1e-3), solution))
    assert any(text.startswith("TDP") for text in check(replace(problem, tdp_w=1e-3), solution))


def test_memory_and_devices_are_those_of_the_placement() -> None:
    problem, solution = solved()
    placed = placed_problem(problem, solution, makespans(problem, solution))
    crowded = replace(placed, memory_bytes=10_000)
    assert any("memory_bytes" in text for text in device_placement.check(crowded, solution.placement))
    more = [replace(c, memory=replace(c.memory, stash=1 << 30)) for c in problem.variants[0].classes]
    full = replace(problem, variants=(replace(problem.variants[0], classes=tuple(more)),))
    assert any("memory_bytes" in text for text in check(full, solution))
    assert any("devices" in text for text in check(replace(problem, devices=1), solution))


def test_unknown_classes_and_too_many_layers_are_named() -> None:
    problem, solution = solved()
    first = solution.schedules[0]
    for values, said in (({"layer_class": "x"}, "no layer class x"), ({"repeats": 9}, "9 layers of class")):
        wrong = changed(solution, schedules=(replace(first, **values), *solution.schedules[1:]))
        assert any(said in text for text in check(problem, wrong))
        assert score(problem, wrong) == inf


def test_there_is_no_file() -> None:
    with pytest.raises(InputError, match="parallel"):
        problem_to_json(solved()[0])
