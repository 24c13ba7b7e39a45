"""Why nothing fits over several devices."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InfeasibleError
from accmine.questions.run.folder import RunState, find_run
from accmine.questions.sparse.devices import Spread
from accmine.questions.sparse.study.run import run_sparse
from accmine.questions.sparse.study.several import refusal
from tests.samples.sparse_study_sample import SEVERAL, loaded

REST = ("lut", "ff", "bram18", "uram", "bandwidth")
HEAD = "layer,level,density,loss\n"


def refused(folder: Path, changes: dict[str, Any]) -> InfeasibleError:
    study = loaded(folder, {**SEVERAL, **changes})
    with pytest.raises(InfeasibleError) as caught:
        run_sparse(study, runs_dir=folder / "runs")
    assert find_run(folder / "runs", "two").state is RunState.FINISHED
    return caught.value


def test_a_limit_and_its_place(tmp_path: Path) -> None:
    error = refused(tmp_path, {"limits": {"lut": 0}})
    assert error.summary == "two: no layout over 2 devices, small, meets the limits"
    assert error.conflict == ("limits.lut: 0 of 20000 on small, 0 of 20000 on small",)
    (remedy,), (where,) = error.remedy, error.where
    assert remedy.startswith("limits.lut: enough, with all else as it is: ")
    assert where.startswith(str(tmp_path / "study.yaml"))
    enough = [int(part.split()[0]) for part in remedy.rpartition(": ")[2].split(", ")]
    shares = {"limits": {"lut": max(enough) / 20000}}
    assert run_sparse(loaded(tmp_path, {**SEVERAL, **shares}), runs_dir=tmp_path / "runs").status == "optimal"


def test_a_limit_of_one_device(tmp_path: Path) -> None:
    error = refused(tmp_path, {"devices": ["small.yaml", {"use": "small.yaml", "limits": {"dsp": 0}}]})
    assert error.conflict == ("devices.1.limits.dsp: 20 of 20 on small, 0 of 20 on small",)
    assert error.places == (("devices", 1, "limits", "dsp"),)


def test_a_loss_that_nobody_meets(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(HEAD + "".join(f"conv{i}.conv0,a,1,{i}\n" for i in range(3)))
    error = refused(tmp_path, {"levels": {"table": "own.csv"}, "loss": 2.5})
    assert (error.conflict, error.remedy) == (("loss: 2.5 points",), ("loss: at least 3",))


def test_what_is_open_is_not_said_to_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No question is decided: all limits are named, and of none it is said that more of it is enough."""
    monkeypatch.setattr(refusal, "spread", lambda *_, **__: Spread((), None, Fraction(0), 1, 0))
    error = refused(tmp_path, {"limits": {"lut": 0}})
    keys = [line.partition(":")[0] for line in error.conflict]
    assert keys == ["devices.1.limits.dsp", *(f"limits.{key}" for key in REST), "loss"]
    assert all("not decided in time" in line for line in error.remedy)
