"""The genetic search: it finds with fewer evaluations than draws do, on a space where steps lead to the best."""

from __future__ import annotations

from statistics import median

from accmine.ports import Stop
from accmine.registry import make_solver
from accmine.solving import solve
from tests.samples.search_sample import Shape, graph_of, search, task_of, template

WIDE = template(
    tensor_cores=tuple(range(1, 17)),
    tensor_rows=(2, 4, 8, 16),
    tensor_cols=(2, 4, 8, 16),
    vector_cores=tuple(range(1, 9)),
    vector_lanes=(2, 4, 8, 16),
)
STEP: list[Shape] = [("gemm", 300, ()), ("vector", 300, (0,)), ("gemm", 300, (1,)), ("vector", 300, (2,))]


def test_breeding_beats_drawing() -> None:
    problem = search([task_of(graph_of(STEP))], WIDE, objective="throughput-per-tdp")

    def values(method: str) -> float:
        results = [
            solve(problem, make_solver("design-search", method), stop=Stop(work=60), seed=seed) for seed in range(5)
        ]
        return median(result.objective or float("inf") for result in results)

    assert values("ga") < values("random")
