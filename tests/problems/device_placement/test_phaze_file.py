"""Inputs of Phaze's placement program, and its results."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.problems.device_placement import Problem, Solution, StagePlan, score
from accmine.result import Status
from accmine.solving import load_problem, solve

HERE = Path(__file__).parents[2] / "data" / "phaze"
RESULTS = {
    "chain6_recompute": (184.19095158576965, (1, 4, 2)),
    "chain6_no_recompute": (147.33109431266786, (2, 2, 2)),
}


def _degrees(solution: Solution) -> tuple[int, int, int]:
    return solution.stages[0].tensor, solution.data, len(solution.stages)


@pytest.mark.parametrize("case", sorted(RESULTS))
def test_the_results_of_the_program(case: str) -> None:
    problem = replace(load_problem(HERE / f"{case}.in.json"), semantics="phaze")
    result = solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.solution is not None
    assert result.objective == pytest.approx(RESULTS[case][0], rel=1e-9)
    assert _degrees(result.solution) == RESULTS[case][1]


def test_under_accmine_all_stages_sum_their_gradients() -> None:
    problem = load_problem(HERE / "chain6_no_recompute.in.json")
    assert isinstance(problem, Problem)
    assert problem.semantics == "accmine"
    plans = Solution((StagePlan((0, 1, 2), 2), StagePlan((3, 4, 5), 2)), 2)
    alone = replace(problem, gradient_overlap=1.0)
    summed = 3 * (2 - 1) / 2 * 2 * 1_000_000_000 / 4294967296  # of three layers among two replicas, in seconds
    difference = score(problem, plans) / score(alone, plans) - 1
    step = solve(alone, "chain").objective
    assert step is not None
    assert difference * float(step) == pytest.approx(summed, rel=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bandwidth": None}, r"p.json:\d+:\d+: bandwidth: None is not allowed"),
        ({"optimizerAlgorithm": "LAMB"}, r"p.json:\d+:\d+: optimizerAlgorithm: 'LAMB' is not allowed; allowed: SGD"),
        ({"edges": {"1": []}}, r"degrees \[1\]; those of nodes, \[1, 2\], are needed"),
        ({"maxDevices": 0}, "devices: 0 is not allowed"),
    ],
)
def test_complaints(change: dict[str, object], message: str, tmp_path: Path) -> None:
    data = json.loads((HERE / "chain6_recompute.in.json").read_text(encoding="utf-8")) | change
    file = tmp_path / "p.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_problem(file)


def test_a_node_that_is_missing_at_a_degree(tmp_path: Path) -> None:
    data = json.loads((HERE / "chain6_recompute.in.json").read_text(encoding="utf-8"))
    data["nodes"]["2"].pop()
    file = tmp_path / "p.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(InputError, match=r"nodes\.2: other ids than those of the first degree"):
        load_problem(file)


@pytest.mark.full
@pytest.mark.skipif(not os.environ.get("ACCMINE_DATA"), reason="needs ACCMINE_DATA")
@pytest.mark.parametrize("folder", ["placement", "placement_nest"])
def test_all_results_of_the_program(folder: str) -> None:
    base = Path(os.environ["ACCMINE_DATA"]) / "phaze" / folder
    cases = json.loads((base / "expected.json").read_text(encoding="utf-8"))
    assert len(cases) == {"placement": 9, "placement_nest": 7}[folder]
    for case in cases:
        problem = load_problem(base / case.get("input", f"{case['case']}.in.json"))
        result = solve(replace(problem, semantics="phaze"))
        if case["T"] is None:
            assert result.status is Status.INFEASIBLE
            continue
        assert result.solution is not None
        assert result.objective == pytest.approx(case["T"], rel=1e-9), case["case"]
        assert _degrees(result.solution) == (case["t"], case["d"], case["p"]), case["case"]
        assert solve(problem).status is Status.OPTIMAL, case["case"]
