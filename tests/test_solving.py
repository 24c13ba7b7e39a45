"""Loading, solving and rating problems of any kind."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accmine import solving
from accmine.errors import CheckError, InputError
from accmine.ports import Clock, Stop
from accmine.problems.operator_schedule import Solution, objective, problem_from_json
from accmine.record import Record
from accmine.registry import make_solver
from accmine.result import Sense, Status, StopReason
from accmine.solving import solve

DATA = Path(__file__).parent / "data" / "whole_chip_schedule.json"

TEXT = """{"kind": "operator-schedule",
 "resources": {"tensor": 1},
 "operations": [
   {"name": "a.x", "duration": 3, "uses": {"tensor": 1}},
   {"name": "b", "duration": 4, "uses": {"tensor": 1}, "after": ["a.x"]}]}
"""


def test_solves_verifies_and_writes_a_result() -> None:
    problem = solving.load_problem(DATA)
    assert solving.problem_kind(problem) == "operator-schedule"
    assert solving.sense_of(problem) is Sense.MINIMIZE
    result = solving.solve(problem, stop=Stop(seconds=10))
    assert result.verified
    assert result.versions["accmine"]
    assert result.versions["ortools"]
    written = json.loads(json.dumps(solving.result_to_json(problem, result)))
    assert list(written) == [
        "kind",
        "status",
        "objective",
        "bound",
        "gap",
        "solver",
        "stop",
        "seconds",
        "seed",
        "versions",
        "bound_method",
        "trace",
        "conflict",
        "remedy",
        "solution",
        "verified",
    ]
    assert (written["status"], written["objective"], written["gap"], written["verified"]) == ("optimal", 24, 0.0, True)


def test_rates_solutions_and_result_files(tmp_path: Path) -> None:
    problem = solving.load_problem(TEXT)
    result = solving.solve(problem, "critical-path")
    whole = tmp_path / "result.json"
    whole.write_text(json.dumps(solving.result_to_json(problem, result)))
    plain = tmp_path / "solution.json"
    plain.write_text('{"start": {"a.x": 0, "b": 3}}')
    expected = {
        "kind": "operator-schedule",
        "valid": True,
        "objective": 7,
        "bound": 7,
        "bound_method": "critical path of the fastest modes",
        "gap": 0.0,
        "violations": [],
    }
    assert solving.rate(problem, whole) == expected
    assert solving.rate(problem, str(plain)) == expected
    assert solving.rate(problem, json.loads(plain.read_text())) == expected
    assert solving.rate(problem, result.solution) == expected


def test_rates_what_is_wrong() -> None:
    problem = solving.load_problem(TEXT)
    early = solving.rate(problem, {"start": {"a.x": 0, "b": 2}})
    assert not early["valid"]
    assert early["gap"] is None
    assert early["objective"] == 6
    assert len(early["violations"]) == 2
    lie = solving.rate(problem, {"objective": 6, "solution": {"start": {"a.x": 0, "b": 3}}})
    assert lie["violations"] == ["objective 6 claimed, 7 recomputed"]
    shapeless = solving.rate(problem, Solution(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)))
    assert shapeless["objective"] is None
    assert "shape" in shapeless["violations"][0]


@pytest.mark.parametrize(
    ("solution", "says"),
    [
        ({"start": {"a.x": 0}}, "start.b: is missing"),
        ({"kind": "stage-selection", "solution": {}}, "is a result of stage-selection"),
        ({"kind": "operator-schedule", "solution": None}, "holds no solution"),
        ({"objective": "low", "solution": {"start": {"a.x": 0, "b": 3}}}, "needs a number"),
        ([1], "needs a solution"),
    ],
)
def test_unreadable_solutions_are_named(solution: Any, says: str, tmp_path: Path) -> None:
    file = tmp_path / "solution.json"
    file.write_text(json.dumps(solution))
    with pytest.raises(InputError) as caught:
        solving.rate(solving.load_problem(TEXT), file)
    assert says in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"duration": 3,', '"duration": 3', ":4:34: not valid JSON"),
        ('"duration": 3', '"duration": -3', ":4:32: operations[0].duration: must not be negative"),
        ('"after": ["a.x"]', '"after": ["ax"]', ":5:66: operations[1].after[0]: unknown operation 'ax'"),
        ('"tensor": 1},\n', '"tensor": true},\n', ":2:26: resources.tensor: needs an integer"),
        ('"kind": "operator-schedule"', '"kind": "knitting"', ":1:10: kind: unknown problem kind 'knitting'; known: "),
        ('"kind": "operator-schedule",\n', "\n", 'needs an object with "kind"'),
        ('"duration": 4', '"duration": NaN', "NaN is not a JSON number"),
        ('"duration": 4', '"duration": 4, "duration": 5', "duplicate key 'duration'"),
    ],
)
def test_bad_files_are_located(old: str, new: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "problem.json"
    assert old in TEXT
    file.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        solving.load_problem(file)
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(file))


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        solving.load_problem(tmp_path / "nothing.json")
    (tmp_path / "bytes.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(InputError, match="not UTF-8"):
        solving.load_problem(str(tmp_path / "bytes.json"))
    with pytest.raises(InputError, match="nested too deeply"):
        solving.load_problem('{"a":' + "[" * 100_000)


def test_yaml_is_read_as_well(tmp_path: Path) -> None:
    text = """kind: operator-schedule
resources: {tensor: 1}
time_unit: 0.1
operations:
  - {name: a, duration: 0.3, uses: {tensor: 1}}
  - {name: b, duration: 0.4, uses: {tensor: 1}}
"""
    file = tmp_path / "problem.yaml"
    file.write_text(text)
    for source in (text, file):
        assert solving.solve(solving.load_problem(source)).objective == 7
    file.write_text(text.replace("0.4", "0.45"))
    with pytest.raises(InputError, match=r"problem.yaml:6:25: operations\[1\].duration: 0.45 is not a whole multiple"):
        solving.load_problem(file)


def test_decimals_of_files_are_exact(tmp_path: Path) -> None:
    text = TEXT.replace('"resources"', '"time_unit": 1e-18, "resources"').replace("3,", "0.100000000000000001,")
    problem = solving.load_problem(text.replace('"duration": 4', '"duration": 0'))
    assert objective(problem, Solution(np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64))) == 100000000000000001


def test_unknown_solvers_and_things_that_are_no_problem() -> None:
    problem = solving.load_problem(TEXT)
    known = "auto, cp-sat, cp-sat-windows, critical-path, strong-bound"
    with pytest.raises(InputError, match=f"unknown solver 'magic' for operator-schedule; known: {known}"):
        solving.solve(problem, "magic")
    with pytest.raises(InputError, match="is not a problem"):
        solving.solve(Stop())


def test_verify_catches_every_lie() -> None:
    problem = problem_from_json(json.loads(TEXT))
    honest = solve(problem, make_solver("operator-schedule", "critical-path"), stop=Stop())
    assert solving.verify(problem, honest).verified
    early = Solution(np.array([0, 2]), np.array([0, 0]))
    for lie, says in [
        (replace(honest, solution=early, objective=6, bound=6), "starts at 2 before"),
        (replace(honest, objective=6), "objective 6 claimed, 7 recomputed"),
        (replace(honest, objective=None), "objective None claimed"),
        (replace(honest, bound=8), "better than impossible"),
        (replace(honest, bound=5), "status optimal with objective 7 and bound 5"),
        (replace(honest, bound=None), "status optimal with a solution and bound None"),
        (replace(honest, status=Status.INFEASIBLE), "status infeasible with a solution"),
        (replace(honest, solution=None), "status optimal without a solution"),
    ]:
        with pytest.raises(CheckError, match=says):
            solving.verify(problem, lie)
    unknown = replace(honest, solution=None, objective=None, status=Status.UNKNOWN, verified=False)
    assert not solving.verify(problem, unknown).verified
    assert solving.result_to_json(problem, unknown)["solution"] is None


def test_a_lying_solver_never_leaves_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = solving.load_problem(TEXT)

    class Liar:
        name = "liar"

        def solve(self, problem: Any, **options: Any) -> Any:
            honest = solve(problem, make_solver("operator-schedule", "critical-path"), stop=Stop())
            return replace(honest, solution=Solution(np.array([0, 0]), np.array([0, 0])), objective=4, bound=4)

    monkeypatch.setattr(solving, "make_solver", lambda kind, name: Liar())
    with pytest.raises(CheckError, match=r"operator-schedule: b: starts at 0 before a\.x ends at 3"):
        solving.solve(problem)


class _Never:
    """Says after a while that there is no solution."""

    name = "never"

    def search(self, record: Record[Any]) -> StopReason:
        time.sleep(0.02)
        record.no_solution("because")
        return StopReason.FINISHED


def test_reasons_have_the_time_that_is_left_and_some_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[float] = []

    def explain(_: Any, clock: Clock) -> tuple[tuple[str, ...], tuple[str, ...]]:
        left.append(clock.left())
        return ("limits",), ("limits: more",)

    monkeypatch.setattr(solving, "explain", explain)
    for seconds in (None, 500.0, 0.01):
        result = solve(solving.load_problem(DATA), _Never(), stop=Stop(seconds=seconds))
        assert (result.status, result.conflict) == (Status.INFEASIBLE, ("limits",))
    assert left[0] == float("inf")
    assert 490 < left[1] <= 500
    assert 9 < left[2] <= 10


def test_an_interrupt_of_the_reasons_keeps_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    def explain(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(solving, "explain", explain)
    result = solve(solving.load_problem(DATA), _Never())
    assert (result.status, result.conflict) == (Status.INFEASIBLE, ())
    assert result.remedy == ("interrupted before the limits in conflict were told apart",)
