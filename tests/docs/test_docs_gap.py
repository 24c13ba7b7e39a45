"""The heuristic and the scheduler that docs/gap.md shows, run as they stand there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accmine.ports import Stop
from accmine.problems.design_search import fits
from accmine.problems.operator_schedule import Problem, Solution, durations, order, problem_from_json, tails
from accmine.result import StopReason
from accmine.solving import solve
from tests.samples.search_sample import graph_of, listed, search, task_of, template
from tests.solvers.operator_schedule.test_critical_path import make

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "gap.md").read_text(encoding="utf-8")
SPACE = template(tensor_cores=(1, 2, 4), tensor_rows=(4, 8), vector_cores=(1, 2))


def shown(name: str) -> Any:
    """An object of the class that one of the examples defines."""
    (text,) = [
        text
        for text in re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
        if f"class {name}:" in text
    ]
    names: dict[str, Any] = {}
    exec(text, names)
    return names[name]()


@pytest.fixture(scope="module")
def heuristic() -> Any:
    return shown("RandomDesigns")


def test_the_example_searches_and_its_answer_holds(heuristic: Any) -> None:
    problem = search([task_of(graph_of([("gemm", 300, ()), ("vector", 300, (0,)), ("fused", 64, (1,))]))], SPACE)
    result = solve(problem, heuristic, seed=1)
    assert result.verified
    assert (result.solver, result.stop, result.objective) == (
        "random",
        StopReason.FINISHED,
        min(e.value for e in result.pool),
    )
    assert len(result.pool) == result.work > 1
    assert all(fits(problem, e.design) for e in result.pool)
    assert all(e.value <= listed(problem, e.design).value * 1.2 for e in result.pool)
    again = solve(problem, heuristic, seed=1)
    assert again.pool == result.pool
    assert solve(problem, heuristic, stop=Stop(work=2)).work == 2
    assert solve(replace(problem, area_mm2=1.0), heuristic).pool == ()


def test_the_example_keeps_a_floor(heuristic: Any) -> None:
    problem = search([task_of(graph_of([("gemm", 300, ())]))], SPACE, objective="throughput-per-tdp", floor=1e9)
    result = solve(problem, heuristic)
    assert result.solution is None
    assert result.pool


def test_the_scheduler_is_the_serial_scheme() -> None:
    operations = [
        {"name": "a", "duration": 2},
        {"name": "b", "duration": 10, "uses": {"core": 1}, "after": ["a"]},
        {"name": "d", "modes": [{"duration": 10}, {"duration": 4, "uses": {"core": 2}}], "after": ["b"]},
        {"name": "c", "duration": 9, "uses": {"core": 1}},
        {"name": "e", "duration": 0, "after": ["d", "c"]},
    ]
    problem = problem_from_json({"resources": {"core": 1}, "operations": operations})
    result = solve(problem, shown("LongestTail"))
    # b does not wait for c, which is ready first and would hold the core from 0 to 9.
    assert result.solution is not None
    assert result.solution.start.tolist() == [0, 2, 12, 12, 22]
    assert result.solver == "longest-tail"


def test_the_scheduler_leaves_no_operation_a_place_to_end_earlier() -> None:
    for seed in range(10):
        problem = make(seed, 12)
        solution = solve(problem, shown("LongestTail")).solution
        assert solution is not None
        end = solution.start + durations(problem, solution)
        tail = tails(problem) + problem.shortest[problem.mode_set]
        line = order(problem)
        placed: list[int] = []
        for i in sorted(range(len(problem)), key=lambda i: (-tail[i], line.sequence.index(i))):
            modes = problem.mode_sets[problem.mode_set[i]]
            ready = max((end[j] for j in line.predecessors[i]), default=0)
            for duration, uses in zip(modes.duration, modes.uses, strict=True):
                for begin in range(ready, end[i] - duration):  # an earlier end
                    held = [
                        sum((_uses(problem, solution, j) for j in placed if solution.start[j] <= t < end[j]), uses)
                        for t in range(begin, begin + duration)
                    ]
                    assert any((row > problem.capacity).any() for row in held), (seed, i, begin)
            placed.append(i)


def _uses(problem: Problem, solution: Solution, i: int) -> Any:
    return problem.mode_sets[problem.mode_set[i]].uses[solution.mode[i]]
