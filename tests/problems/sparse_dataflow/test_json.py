"""The JSON form of a sparse dataflow: round trips, exact numbers, and complaints with their place."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.problems.sparse_dataflow import (
    problem_from_json,
    problem_to_json,
    solution_from_json,
    solution_to_json,
)
from accmine.solving import solve
from accmine.sparse.layer import PARTS
from tests.samples.sparse_sample import any_solution, random_dataflow

SMALL: dict[str, Any] = {
    "kind": "sparse-dataflow",
    "layers": [
        {
            "name": "conv",
            "channels_in": 4,
            "channels_out": 8,
            "kernel": [3, 3],
            "size_in": [8, 8],
            "size_out": [8, 8],
            "levels": [{"name": "none", "density": 1}, {"name": "half", "density": 0.5, "loss": 0.2}],
        },
        {"name": "fc", "channels_in": 8, "channels_out": 10, "cluster": 2, "levels": [{"histogram": [1, 2, 1]}]},
    ],
    "edges": [["conv", "fc"]],
    "budget": {"dsp": 64, "bits_per_cycle": "3072/5", "loss": 1.5},
}


def changed(*path: Any, value: Any) -> dict[str, Any]:
    obj = copy.deepcopy(SMALL)
    own: Any = obj
    for key in path[:-1]:
        own = own[key]
    if value is KeyError:
        del own[path[-1]]
    else:
        own[path[-1]] = value
    return obj


def test_what_is_read() -> None:
    problem = problem_from_json(SMALL)
    assert problem.budget.bits_per_cycle == Fraction(3072, 5)
    assert problem.budget.loss == 1_500_000
    assert problem.layers[0].levels[1].density == pytest.approx(0.5, abs=1e-6)
    assert problem.layers[1].levels[0].histograms == ((PARTS // 4, PARTS // 2, PARTS // 4),), "counts are shares"
    assert problem.edges == ((0, 1),)


@pytest.mark.parametrize("seed", range(40))
def test_round_trips(seed: int) -> None:
    problem = random_dataflow(seed)
    assert problem_from_json(json.loads(json.dumps(problem_to_json(problem)))) == problem
    solution = any_solution(problem, seed)
    written = json.loads(json.dumps(solution_to_json(problem, solution)))
    assert solution_from_json(problem, written) == solution


LEVELS = ("layers", 0, "levels")


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        (changed("kind", value="kernel-sizing"), "kind", "sparse-dataflow is needed"),
        (changed("layers", value=[]), "layers", "at least one"),
        (changed("layers", 0, "channels_in", value=0), "layers[0].channels_in", "at least 1"),
        (changed("layers", 0, "channels_in", value=2.5), "layers[0].channels_in", "a whole number"),
        (changed("layers", 0, "groups", value=3), "layers[0].groups", "does not divide"),
        (changed("layers", 1, "cluster", value=3), "layers[1].levels[0].histogram", "4 are needed"),
        (changed("layers", 0, "kernel", value=[3]), "layers[0].kernel", "[rows, columns]"),
        (changed("layers", 1, "name", value="conv"), "layers[1].name", "there twice"),
        (changed(*LEVELS, value=[]), "layers[0].levels", "at least one"),
        (changed(*LEVELS, 1, "density", value=1.01), "layers[0].levels[1].density", "0 to 1"),
        (changed(*LEVELS, 1, "density", value=-0.1), "layers[0].levels[1].density", "at least 0"),
        (changed(*LEVELS, 1, "density", value=float("nan")), "layers[0].levels[1].density", "a number"),
        (changed(*LEVELS, 1, "density", value="much"), "layers[0].levels[1].density", "a number"),
        (changed(*LEVELS, 1, "name", value="none"), "layers[0].levels[1].name", "there twice"),
        (changed(*LEVELS, 1, "histogram", value=[1.0]), "layers[0].levels[1]", "density and histogram are given"),
        (changed(*LEVELS, 1, "loss", value=10**12), "layers[0].levels[1].loss", "0 to 1,000,000,000"),
        (changed(*LEVELS, 1, value={"loss": 1}), "layers[0].levels[1]", "either density or histogram"),
        (changed("layers", 1, "levels", 0, "histogram", value=[0.5, 0.5]), "layers[1].levels[0].histogram", "3 are"),
        (changed("layers", 1, "levels", 0, "histogram", value=[0.5, 0.4, 0.2]), "layers[1].levels[0].histogram", "1.1"),
        (changed("layers", 1, "levels", 0, "histogram", value=[[1, 0, 0]] * 3), "levels[0].histograms", "allowed"),
        (changed("edges", 0, value=["conv"]), "edges[0]", "[from, to]"),
        (changed("edges", 0, 1, value="fcc"), "edges[0][1]", "did you mean 'fc'"),
        (changed("budget", "dsp", value=-1), "budget.dsp", "at least 0"),
        (changed("budget", "dps", value=1), "budget.dps", "did you mean 'dsp'"),
        (changed("budget", "bits_per_cycle", value="1/0"), "budget.bits_per_cycle", "a number"),
        (changed("engines", value=["spares"]), "engines[0]", "allowed: dense, sparse"),
        (changed("slacks", value=[]), "slacks", "nothing is left"),
        (changed("model", value={"band": [2, 3]}), "model.band", "at most 1"),
        (changed("model", value={"lut": 3}), "model.lut", "unknown key"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_complaints(change: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        problem_from_json(change, "here")
    found = [str(c) for c in caught.value.complaints]
    assert any(f"{field}: " in text and message in text for text in found), found


def test_every_complaint_at_once() -> None:
    obj = changed("budget", "dsp", value=-1)
    obj["layers"][0]["groups"], obj["edges"] = 3, [["conv", "conv", "fc"]]
    with pytest.raises(InputError) as caught:
        problem_from_json(obj)
    assert len(caught.value.complaints) >= 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": {}}, "missing"),
        ({"layers": {"conv": {"level": "hafl"}}}, "did you mean 'half'"),
        ({"layers": {"conv": {"level": "half", "fine": 0}}}, "at least 1"),
    ],
)
def test_complaints_of_solutions(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        solution_from_json(problem_from_json(SMALL), change)


def test_a_level_keeps_its_source() -> None:
    problem = problem_from_json(changed("layers", 0, "levels", 0, "source", value="synthetic"))
    assert [level.source for level in problem.layers[0].levels] == ["synthetic", ""]
    again = problem_to_json(problem)
    assert [own.get("source") for own in again["layers"][0]["levels"]] == ["synthetic", None]
    assert problem_from_json(again) == problem
    with pytest.raises(InputError, match=r"layers\[0\]\.levels\[0\]\.source"):
        problem_from_json(changed("layers", 0, "levels", 0, "source", value=3))


@pytest.mark.parametrize(
    ("obj", "field", "message"),
    [
        (changed("edges", value=[["conv", "conv"]]), "edges", "conv -> conv is a circle"),
        (changed("edges", value=[["conv", "fc"], ["fc", "conv"]]), "edges", "is a circle"),
        (changed("layers", 0, "kernel", value=[300, 300]), "layers[0].kernel", "90000 products; at most 1024"),
        (changed("layers", 0, "size_out", value=[10**9, 10**9]), "layers[0].size_out", "too many for exact cycles"),
        (changed("layers", 0, "levels", 0, "density", value=1.5), "layers[0].levels[0].density", "1.5 is not allowed"),
    ],
)
def test_one_fault_is_one_complaint(obj: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        problem_from_json(obj)
    assert [own.field for own in caught.value.complaints] == [field]
    assert message in caught.value.complaints[0].message


def test_limits_beyond_64_bits_are_none() -> None:
    budget = dict.fromkeys(("dsp", "lut", "ff", "bram18", "uram", "bits_per_cycle", "loss"), 10**30)
    least = {"of": "dsp", "interval": 10**40}
    free, huge = changed("budget", value={}), changed("budget", value=budget)
    expected = solve(problem_from_json(free)).objective
    assert solve(problem_from_json(huge)).objective == expected
    assert solve(problem_from_json(huge | {"least": least})).objective == 2


def test_losses_are_rounded_up_and_their_budget_down() -> None:
    problem = problem_from_json(changed("layers", 0, "levels", 1, "loss", value="11/10000000"))
    assert problem.layers[0].levels[1].loss == 2
    assert problem_from_json(changed("budget", "loss", value="19/10000000")).budget.loss == 1
