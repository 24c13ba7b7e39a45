"""The heuristic that docs/gap.md shows, run as it stands there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accmine.ports import Stop
from accmine.problems.design_search import fits
from accmine.result import StopReason
from accmine.solving import solve
from tests.samples.search_sample import graph_of, listed, search, task_of, template

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "gap.md").read_text(encoding="utf-8")
SPACE = template(tensor_cores=(1, 2, 4), tensor_rows=(4, 8), vector_cores=(1, 2))


@pytest.fixture(scope="module")
def heuristic() -> Any:
    (text,) = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(text, names)
    return names["RandomDesigns"]()


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
