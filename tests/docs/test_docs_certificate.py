"""The worked examples of docs/certificate.md, run as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from accmine.result import Status
from accmine.solving import load_problem, rate, solve

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "certificate.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    every = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in every if name == language]


def table(head: str) -> list[tuple[str, ...]]:
    """The body of the table whose head line starts with ``head``."""
    lines = PAGE[PAGE.index(head) :].splitlines()[2:]
    body = [line for line in lines[: lines.index("")] if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in body]


def test_the_schedule_by_hand(tmp_path: Path) -> None:
    (text,) = blocks("json")
    file = tmp_path / "three.json"
    file.write_text(text)
    problem = load_problem(file)
    rating = rate(problem, {"start": {"a": 0, "b": 0, "c": 2}})
    gap = f"{100 * rating['gap']:.3g} %"
    printed = [
        "valid" if rating["valid"] else "not valid",
        f"objective {rating['objective']}",
        f"bound     {rating['bound']} ({rating['bound_method']})",
        f"gap       {gap}",
    ]
    assert printed == blocks("")[0].splitlines()
    result = solve(problem, "cp-sat")
    assert (result.status, result.objective, result.bound) == (Status.OPTIMAL, 4, 4)
    assert json.loads(text)["resources"]["tensor"] == 2


def test_brute_force_beside_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, study = blocks("yml")
    (script,) = blocks("python")
    (tmp_path / "model.yaml").write_text(model)
    (tmp_path / "tiny.yaml").write_text(study)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(script, "docs/certificate.md", "exec"), names)
    found = [tuple(map(str, row)) for row in names["rows"]]
    assert found == table("| designs | best samples/s")
    whole, *single = [row for row in names["rows"] if row[1] != "–"]
    assert len(single) == 5
    assert whole[2] == max(row[2] for row in single), "the bound of the space is that of its best design"
    assert whole[2] >= max(row[1] for row in single), "nothing that brute force finds is above it"
    assert whole[1] == max(row[1] for row in single)
