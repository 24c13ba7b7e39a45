"""The loss held on the real network, as a part of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InfeasibleError, InputError, NothingFoundError
from accmine.questions.run.folder import RunState, find_run
from accmine.questions.sparse.study.report import sections
from tests.samples.sparse_study_sample import loaded, run_one

MODULE = """\
def twice(levels):
    return 2 * sum(float(name.partition("-")[0]) for name in levels.values())

def nothing(levels):
    return 100

def broken(levels):
    raise RuntimeError("no data")

def dense(levels):
    return 90 - twice(levels)
"""
ACCURACY: dict[str, Any] = {"compare": {"dense": True, "tpe": 0}, "prefer": "dsp", "budget": {"seconds": 120}}


def study(folder: Path, function: str, **more: Any) -> Any:
    (folder / "mine.py").write_text(MODULE)
    return loaded(folder, {**ACCURACY, "loss": 1, "accuracy": {"callback": f"mine:{function}", **more}})


def test_the_true_loss_holds_and_both_are_shown(tmp_path: Path) -> None:
    found = run_one(study(tmp_path, "twice"), runs_dir=tmp_path / "runs")
    assert found.accuracy is not None
    assert found.loss <= 1
    best = next(own for own in found.accuracy.rounds if own.holds and own.cycles == found.certificate.cycles)
    assert (found.loss, found.proxy_loss) == (best.true_loss, best.proxy_loss)
    levels = [float(row.level.partition("-")[0]) for row in found.layers]
    assert found.loss == pytest.approx(2 * sum(levels)), "what is printed is what was measured"
    assert found.loss_is == "measured on the real network"
    said = "\n".join(note for section in sections(found) for note in section.notes)
    assert "With the levels of this design none as fast takes less dsp" in said
    assert "No design as fast" not in said, "what holds was not asked of other levels"
    rounds = json.loads((Path(found.folder) / "rounds.json").read_text())["rounds"]
    assert len(rounds) == len(found.accuracy.rounds)
    again = run_one(study(tmp_path, "twice"), runs_dir=tmp_path / "runs")
    assert (again.value, bool(again.earlier_run)) == (found.value, True)


def test_an_accuracy_counts_against_its_reference(tmp_path: Path) -> None:
    found = run_one(study(tmp_path, "dense", reference=90), runs_dir=tmp_path / "runs")
    assert found.accuracy is not None
    assert found.accuracy.reference == 90
    assert all(own.accuracy == pytest.approx(90 - own.true_loss) for own in found.accuracy.rounds)


@pytest.mark.parametrize(("monotone", "error"), [(True, NothingFoundError), (False, InfeasibleError)])
def test_nothing_holds(tmp_path: Path, monotone: bool, error: type[Exception]) -> None:
    """With the assumption it is no proof; without it, all levels were asked."""
    with pytest.raises(error, match="no design holds on the real network"):
        run_one(study(tmp_path, "nothing", monotone=monotone), runs_dir=tmp_path / "runs")


def test_a_callback_that_raises_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"study\.yaml:\d+:\d+: accuracy\.callback: mine:broken: .*no data"):
        run_one(study(tmp_path, "broken"), runs_dir=tmp_path / "runs")
    assert find_run(tmp_path / "runs", "two").state is RunState.FAILED


def test_digits(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    changes = {**ACCURACY, "network": None, "levels": None, "accuracy": {"use": "digits", "rounds": 2}, "loss": 1}
    found = run_one(loaded(tmp_path, changes), runs_dir=tmp_path / "runs")
    assert found.network == "digits"
    assert found.loss <= 1
    assert [own.word for own in found.sources] == ["arrays"]
