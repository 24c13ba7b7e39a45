"""The JSON form of stage selections: what is written is read back, and what is wrong is named at its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.problems import stage_selection as problems
from accmine.problems.stage_selection import Candidate, Pipeline, Problem, Solution, Stage
from tests.samples.json_sample import JSON, plain, read, replaced
from tests.samples.selection_sample import COMBINATIONS, every_choice, tiny

SEEDS = st.integers(0, 10**6)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from(COMBINATIONS))
def test_problems_come_back(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words)
    first = replace(problem.pipelines[0], batch=float(seed + 1))
    problem = replace(problem, pipelines=(first, *problem.pipelines[1:]))
    written = plain(problems.problem_to_json(problem))
    assert problems.problem_from_json(written) == problem
    assert problems.problem_to_json(problems.problem_from_json(written)) == written


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from(COMBINATIONS))
def test_solutions_come_back_with_their_costs(seed: int, words: tuple[str, str, str]) -> None:
    problem = tiny(seed, *words, most=3)
    choices = every_choice(problem)
    solution = choices[seed % len(choices)]
    written = plain(problems.solution_to_json(problem, solution))
    assert problems.solution_from_json(problem, written) == solution
    assert (written["area_mm2"], written["tdp_w"]) == problems.totals(problem, solution)
    steps = [row["step_s"] for row in written["pipelines"].values()]
    assert tuple(steps) == problems.step_seconds(problem, solution)


def small(count: int = 3, **keys: Any) -> dict[str, Any]:
    chip = {"design": "d", "forward_s": 1, "backward_s": 2, "update_s": 0, "area_mm2": 5, "tdp_w": 6}
    pipeline = {"name": "p", "microbatches": 2, "stages": [{"candidates": [chip]} for _ in range(count)], **keys}
    return {"kind": "stage-selection", "pipelines": [pipeline]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0.5, ((0.5, 0.5), (0.5, 0.5))),
        ([0.5], ((0.5, 0.5), (0.5, 0.5))),
        ([0.5, 1], ((0.5, 0.5), (1, 1))),
        ([[0.5, 0.25]], ((0.5, 0.25), (0.5, 0.25))),
        ([[0.5, 0.25], 2], ((0.5, 0.25), (2, 2))),
    ],
)
def test_transfers_are_one_for_all_or_one_for_each_boundary(given: Any, expected: Any) -> None:
    assert problems.problem_from_json(small(transfer_s=given)).pipelines[0].transfer_s == expected


def test_what_is_left_out_has_its_default() -> None:
    problem = problems.problem_from_json(small(1))
    expected = Pipeline("p", (Stage("s0", (Candidate("d", 1, 2, 0, 5, 6),)),), 2)
    assert problem == Problem((expected,))
    assert problems.problem_from_json(small(1, transfer_s=3)).pipelines[0].transfer_s == ()


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"stages": {}}, "pipelines[0].stages", "a list is needed"),
        ({"stages": [3]}, "pipelines[0].stages[0]", "an object with name, candidates is needed"),
        ({"name": 3}, "pipelines[0].name", "a text is needed"),
        ({"name": None}, "pipelines[0].name", "a text is needed"),
        ({"transfer_s": None}, "pipelines[0].transfer_s[0]", "a number is needed"),
        ({"transfer_s": "1 s"}, "pipelines[0].transfer_s[0]", "a number is needed"),
        ({"transfer_s": [[1]]}, "pipelines[0].transfer_s[0]", "[forward, backward]"),
        ({"weight": True}, "pipelines[0].weight", "a number is needed"),
        ({"weight": "1"}, "pipelines[0].weight", "a number is needed"),
        ({"schedule": None}, "pipelines[0].schedule", "a text is needed"),
        ({"microbatches": "4"}, "pipelines[0].microbatches", "an integer of at least 1"),
        ({"microbatches": True}, "pipelines[0].microbatches", "an integer of at least 1"),
        ({"reference_s": float("inf")}, "pipelines[0].reference_s", "a number above 0"),
        ({"batch": -1}, "pipelines[0].batch", "a number above 0"),
        ({"micro_batches": 1}, "pipelines[0].micro_batches", "did you mean 'microbatches'"),
    ],
)
def test_what_is_wrong_is_named_at_its_place(change: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        problems.problem_from_json(small(**change), "file.json")
    found = {c.field: c.message for c in error.value.complaints}
    assert says in found[field]
    assert {c.where for c in error.value.complaints} == {"file.json"}


@pytest.mark.parametrize("value", [None, 3, "x", [], [1], {"pipelines": None}, {"pipelines": 3}, {"pipelines": [3]}])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(InputError):
        problems.problem_from_json(value)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), JSON)
def test_any_value_at_any_place_is_read_or_refused(seed: int, value: Any) -> None:
    data = problems.problem_to_json(tiny(seed, *COMBINATIONS[seed % len(COMBINATIONS)]))
    problem = read(problems.problem_from_json, replaced(data, seed, value))
    assert problem is None or problems.problem_from_json(problems.problem_to_json(problem)) == problem


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_any_solution_is_read_or_refused(value: Any) -> None:
    problem = tiny(1, "heterogeneous", "throughput", "worst")
    for given_value in (value, {"pipelines": value}, {"pipelines": {"p0": value}}):
        with pytest.raises(InputError):
            problems.solution_from_json(problem, given_value)


def test_candidates_are_named_by_design_alone() -> None:
    problem = tiny(1, "heterogeneous", "throughput", "worst")
    written = problems.solution_to_json(problem, Solution(tuple((0,) * len(p.stages) for p in problem.pipelines)))
    for wrong in (0, None, ["d0"], {"d": 1}, "d"):
        changed = plain(written)
        changed["pipelines"]["p0"]["stages"]["s0"] = wrong
        with pytest.raises(InputError, match=r"pipelines\.p0\.stages\.s0: .* is no candidate of this stage"):
            problems.solution_from_json(problem, changed)
