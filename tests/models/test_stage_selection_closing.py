"""What the tolerances of HiGHS cannot tell apart is told apart in integers."""

from __future__ import annotations

import pytest

from accmine.models.stage_selection_pyomo import StageSelectionPyomo
from accmine.problems.stage_selection import Candidate, Limits, Pipeline, Problem, Solution, Stage
from accmine.problems.stage_selection.integers import integers
from accmine.result import Status
from accmine.solving import solve


def near_ties(aggregate: str, objective: str) -> Problem:
    """Two pipelines of four stages whose designs differ by 1e-9 of their time; the area allows one fast one each."""
    pipelines = []
    for w in range(2):
        stages = []
        for s in range(4):
            slow = (1 + 0.001 * s) / 3
            fast = slow * (1 - 1e-9 * (1 + s))
            rows = (Candidate(f"slow{w}{s}", slow, slow, 0.0, 1, 1), Candidate(f"fast{w}{s}", fast, fast, 0.0, 2, 1))
            stages.append(Stage(f"s{s}", rows))
        pipelines.append(Pipeline(f"p{w}", tuple(stages), 16, "1f1b", ((0.0, 0.0),) * 3, reference_s=0.7))
    return Problem(tuple(pipelines), Limits(area_mm2=10), aggregate=aggregate, objective=objective)


@pytest.mark.parametrize("objective", ["throughput", "bottleneck"])
@pytest.mark.parametrize("aggregate", ["worst", "mean"])
def test_near_ties_are_decided(aggregate: str, objective: str) -> None:
    problem = near_ties(aggregate, objective)
    best = solve(problem, "brute-force")
    found = solve(problem, "highs")
    assert (found.status, found.objective) == (Status.OPTIMAL, best.objective)


@pytest.mark.parametrize("aggregate", ["worst", "mean"])
def test_answers_are_exact(aggregate: str) -> None:
    problem = near_ties(aggregate, "throughput")
    numbers, model = integers(problem), StageSelectionPyomo()
    model.build(problem)
    closing = model.closing()
    score = numbers.score(((0, 0, 0, 1), (0, 0, 0, 1)))
    while True:
        answer, found = closing.better_than(score + 1, 20.0)
        assert answer is True
        assert found is not None
        if numbers.score(found.choice) <= score:
            break
        closing.separate(found)  # a chain was missing: each answer adds one
    while (better := closing.better_than(score, 20.0))[0]:
        assert isinstance(better[1], Solution)
        closing.separate(better[1])
        score = min(score, numbers.score(better[1].choice))
    assert better == (False, None)
    assert score / numbers.ticks == pytest.approx(solve(problem, "brute-force").objective or 0, rel=1e-15)
