"""Layers over devices as a part of a run: what is kept is a claim."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import CheckError
from accmine.questions.sparse.devices import spread
from accmine.questions.sparse.study.run import run_sparse
from accmine.questions.sparse.study.several import solved
from tests.samples.sparse_study_sample import SEVERAL, loaded


def run(folder: Path) -> Any:
    return run_sparse(loaded(folder, SEVERAL), runs_dir=folder / "runs")


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value | {"exact_s": "1/100000000"},
        lambda value: value | {"exact_bound_s": "1"},
        lambda value: value | {"placed": value["placed"][:1]},
        lambda value: {key: item for key, item in value.items() if key != "cuts"},
    ],
)
def test_a_claim_that_does_not_hold_is_computed_again(tmp_path: Path, change: Any) -> None:
    first = run(tmp_path)
    (Path(first.folder) / "result.json").unlink()
    kept = Path(first.folder) / "tasks" / "answer.json"
    value = change(json.loads(kept.read_text())["value"])
    folder = solved_folder(first.folder)
    folder.put("answer", value)
    second = run(tmp_path)
    assert (second.value, second.status) == (first.value, "optimal")
    assert json.loads(kept.read_text())["value"]["exact_s"] == str(Fraction(first.value).limit_denominator(10**9))


def solved_folder(path: str) -> Any:
    from accmine.questions.run.folder import RunFolder

    return RunFolder(Path(path))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: replace(found, exact_s=found.exact_s / 2), "recomputed"),
        (lambda found: replace(found, exact_bound_s=2 * found.exact_s), "better than impossible"),
    ],
)
def test_an_answer_that_fails_its_check_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, said: str
) -> None:
    monkeypatch.setattr(solved, "spread", lambda *given, **how: change(spread(*given, **how)))
    with pytest.raises(CheckError, match=said):
        run(tmp_path)
