"""Problem and solution files: what is wrong in them is said with its place, whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from accmine import solving
from accmine.errors import InputError
from accmine.problems.files import load_problem

SCHEDULE = {
    "kind": "operator-schedule",
    "resources": {"t": 1},
    "operations": [
        {"name": "a", "modes": [{"duration": 2, "uses": {"t": 1}}, {"duration": 3}]},
        {"name": "b", "duration": 2, "uses": {"t": 1}, "after": ["a"]},
    ],
}
CANDIDATE = {"design": "d", "forward_s": 1, "backward_s": 1, "update_s": 1, "area_mm2": 1, "tdp_w": 1}
SELECTION = {
    "kind": "stage-selection",
    "pipelines": [{"name": "p", "microbatches": 2, "stages": [{"name": "s", "candidates": [CANDIDATE]}]}],
    "limits": {"area_mm2": 10},
}
ODD: tuple[Any, ...] = (3, True, None, "x", "", 1.5, -1, 10**30, -(10**30), [], {}, [[1]], {"a": {"a": 1}}, [None])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"kind": "operator-schedule",\n "operations": [], "operations": []}',
            "p.json:2:20: operations: duplicate key",
        ),
        (
            '{"kind": "operator-schedule",\n "operations": [{"name": "a", "duration": NaN}]}',
            "p.json:2:43: operations.0.",
        ),
        ('{"kind": "operator-schedule", "time_unit": 1e999}', "p.json:1:44: time_unit: 1e999 is too large"),
        ('{"kind": ["operator-schedule"]}', "p.json:1:10: kind: "),
        ('{"kind": "operator-schedule", "operations": [[]]}', "p.json:1:46: operations[0]"),
        ("[1]", 'p.json: needs an object with "kind"; read are: accmine, psplib'),
        ("", "p.json:1:1: not valid JSON"),
    ],
)
def test_places(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.json").write_text(text)
    with pytest.raises(InputError) as caught:
        load_problem("p.json")
    assert message in str(caught.value)


def test_seconds_are_exact_in_both_syntaxes(tmp_path: Path) -> None:
    """A duration of more digits than a float has is no multiple of the unit, in JSON and in YAML."""
    digits = "0.30000000000000000001"
    text = f'{{"kind": "operator-schedule", "time_unit": 0.1, "operations": [{{"name": "a", "duration": {digits}}}]}}'
    for name in ("a.json", "a.yaml"):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=r"is not a whole multiple of the time_unit 0\.1"):
            load_problem(tmp_path / name)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("problem", [SCHEDULE, SELECTION], ids=["schedule", "selection"])
def test_solutions_of_wrong_types(problem: dict[str, Any], odd: Any, tmp_path: Path) -> None:
    """Every part of a result replaced by something odd: refused in words, or checked and found wrong or right."""
    loaded = solving.load_problem(json.dumps(problem))
    good = solving.result_to_json(loaded, solving.solve(loaded))
    assert solving.rate(loaded, good)["valid"]
    file = tmp_path / "s.json"
    for place in places(good):
        changed = json.loads(json.dumps(good))
        above = changed
        for step in place[:-1]:
            above = above[step]
        above[place[-1]] = odd
        file.write_text(json.dumps(changed))
        said = ""
        try:
            assert isinstance(solving.rate(loaded, file)["valid"], bool)
        except InputError as error:
            said = str(error)
        assert not said or said.startswith(f"{file}:")


def places(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [*([place] if place else []), *(deeper for step, item in below for deeper in places(item, (*place, step)))]


def test_a_complaint_about_a_result_stands_at_its_solution(tmp_path: Path) -> None:
    loaded = solving.load_problem(json.dumps(SCHEDULE))
    file = tmp_path / "s.json"
    file.write_text('{"kind": "operator-schedule",\n"solution": {"mode": {"a": 0},\n"start": {"a": 0, "b": "x"}}}')
    with pytest.raises(InputError) as caught:
        solving.rate(loaded, file)
    assert str(caught.value).startswith(f"{file}:3:24: solution.start.b: needs an integer up to")
    file.write_text('{"start": 3}')
    with pytest.raises(InputError, match=r"needs a solution"):
        solving.rate(loaded, file)
