"""``accmine run`` and the commands that read runs, on a study of a sparse dataflow accelerator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import accmine as package
from accmine.files import load_yaml, validate
from accmine.questions.sparse.study.record import SparseOutcome
from accmine.questions.sparse.study.several.record import SpreadOutcome
from accmine.study.sparse import SparseStudy
from tests.samples.command_sample import Said, caller
from tests.samples.sparse_study_sample import SEVERAL, written

SMALL = ("--set", "compare.tpe=0", "--set", "buys=[dsp]")


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


@pytest.fixture
def said(accmine: Any, tmp_path: Path) -> Said:
    found: Said = accmine("run", written(tmp_path), "--runs", tmp_path / "runs", *SMALL)
    return found


def test_run_prints_what_was_asked_for(said: Said) -> None:
    assert said.code == 0
    for words in (
        "images/s on small",
        "synthetic: made up",
        "images/s per DSP",
        "Resources of small",
        "estimate",
        "Loss: ",
        "Why: what binds",
        "What the next of each limit buys",
        "dense engines, nothing pruned",
        "Certificate",
        "no design above",
        "proved",
        "they support no claim about the",
    ):
        assert words in said.out, words


def test_show_and_report_know_the_run(accmine: Any, said: Said, tmp_path: Path) -> None:
    shown = accmine("show", "two", "--runs", tmp_path / "runs")
    assert (shown.code, shown.out) == (0, said.out)
    assert accmine("show", "two", "--runs", tmp_path / "runs", "--json").json["kind"] == "sparse-dataflow"
    page = tmp_path / "page.html"
    assert accmine("report", "two", "--runs", tmp_path / "runs", "-o", page, "--csv", tmp_path / "csv").code == 0
    text = page.read_text()
    for words in ("made up", "<svg", "cycles between two images", "Resources of small", "kind: sparse-dataflow"):
        assert words in text, words
    assert {"layers.csv", "resources.csv", "certificate.csv"} <= {path.name for path in (tmp_path / "csv").iterdir()}


def test_tables_know_the_run(accmine: Any, said: Said, tmp_path: Path) -> None:
    (row,) = accmine("results", tmp_path / "runs", "--json").json
    assert (row["study"], row["status"], row["unit"], row["gap"]) == ("two", "optimal", "images/s", 0)
    assert row["best"] == row["samples_per_s"]
    assert row["designs"].startswith("small: 20 DSP, loss ")
    (listed,) = accmine("list", "runs", "--runs", tmp_path / "runs", "--json").json
    assert (listed["study"], listed["state"]) == ("two", "finished")


def test_several_runs(accmine: Any, said: Said, tmp_path: Path) -> None:
    runs = ("--runs", tmp_path / "runs")
    accmine("run", written(tmp_path), *runs, *SMALL, "--set", "name=three", "--set", "limits.dsp=50 %")
    compared = accmine("compare", "two", "three", *runs)
    assert compared.code == 0
    assert "limits.dsp" in compared.out
    refused = accmine("report", "two", "three", *runs, "-o", tmp_path / "page.html")
    assert refused.code == 2
    assert "is of kind sparse-dataflow, which has a page of its own" in refused.err


@pytest.mark.parametrize("command", [("gap",), ("sensitivity",), ("stability",), ("compare",)])
def test_commands_about_training_refuse_it_by_name(accmine: Any, tmp_path: Path, command: tuple[str, ...]) -> None:
    refused = accmine(*command, written(tmp_path))
    assert refused.code == 2
    assert "study.yaml:2:7: kind: sparse-dataflow is for `accmine run`" in refused.err


def test_options_without_effect_are_refused(accmine: Any, tmp_path: Path) -> None:
    refused = accmine("run", written(tmp_path), "--design", "tpuv2-like")
    assert (refused.code, "--design: has no effect on a study of kind sparse-dataflow" in refused.err) == (2, True)


def test_an_unknown_kind(accmine: Any, tmp_path: Path) -> None:
    refused = accmine("run", written(tmp_path, {"kind": "sparse-dataflows"}))
    assert refused.code == 2
    assert (
        "study.yaml:2:7: kind: unknown kind 'sparse-dataflows'; did you mean 'sparse-dataflow'? allowed: "
        in refused.err
    )


def test_infeasible_ends_with_1_and_says_where(accmine: Any, tmp_path: Path) -> None:
    file = written(tmp_path, {"limits": {"dsp": 0.05}})
    refused = accmine("run", file, "--runs", tmp_path / "runs")
    assert refused.code == 1
    assert f"limits.dsp: 1 of 20 ({file}:" in refused.err
    told = accmine("run", file, "--runs", tmp_path / "runs", "--json")
    assert (told.code, told.json["status"], told.json["conflict"]) == (1, "infeasible", ["limits.dsp: 1 of 20"])
    assert "infeasible" in accmine("show", "two", "--runs", tmp_path / "runs").out


def test_validate_prints_a_valid_study(accmine: Any, tmp_path: Path) -> None:
    file = written(tmp_path)
    found = accmine("validate", file, "--set", "limits.lut=70 %")
    study = validate(load_yaml(text=found.out), SparseStudy, context={"folder": tmp_path})
    assert (found.code, study.limits.lut) == (0, 0.7)
    (tmp_path / "small.yaml").write_text("name: small\n")
    assert "small.yaml:1:1: dsp: is required" in accmine("validate", file).err


def test_schema(accmine: Any) -> None:
    assert accmine("schema", "sparse-dataflow").json["title"] == "accmine sparse-dataflow"
    assert "| `limits.lut` |" in accmine("schema", "sparse-dataflow", "--markdown").out


def test_in_python(tmp_path: Path) -> None:
    file = written(tmp_path)
    outcome = package.run(file, compare={"tpe": 0}, buys=[], runs=tmp_path / "runs")
    assert isinstance(outcome, SparseOutcome)
    assert outcome.to_row()["status"] == "optimal"
    assert "images/s on small" in repr(outcome)
    assert package.show("two", runs=tmp_path / "runs") == outcome
    assert package.validate(file)["device"].endswith("small.yaml")


def test_several_devices(accmine: Any, tmp_path: Path) -> None:
    file, runs = written(tmp_path, SEVERAL), ("--runs", tmp_path / "runs")
    said = accmine("run", file, *runs)
    assert said.code == 0
    for words in (
        "images/s on small + small",
        "made up: no claim about the accuracy",
        "Layers of each device",
        "1 to 2",
        "Why: what binds",
        "proved",
        "Not counted: adapters between layers on different",
    ):
        assert words in said.out, words
    assert accmine("show", "two", *runs).out == said.out
    told = accmine("show", "two", *runs, "--json").json
    assert (told["kind"], [own["name"] for own in told["devices"]]) == ("sparse-dataflow", ["small", "small"])
    assert accmine("run", file, *runs, "--json").json["images_per_s"] == told["images_per_s"]
    page = tmp_path / "page.html"
    assert accmine("report", "two", *runs, "-o", page, "--csv", tmp_path / "csv").code == 0
    assert "Layers of each device" in page.read_text()
    assert {"devices.csv", "layers.csv"} <= {path.name for path in (tmp_path / "csv").iterdir()}
    (row,) = accmine("results", tmp_path / "runs", "--json").json
    assert (row["best"], row["gap"], row["unit"]) == (told["images_per_s"], 0, "images/s")
    assert row["designs"].count("small: ") == 2
    assert row["placement"].startswith("small: conv0.conv0")
    (folder,) = (tmp_path / "runs").iterdir()
    for i in (1, 2):
        assert accmine("check", folder / f"problem-{i}.json", folder / f"solution-{i}.json").code == 0
    outcome = package.show("two", runs=tmp_path / "runs")
    assert isinstance(outcome, SpreadOutcome)
    assert "images/s on small + small (gap 0 %)" in repr(outcome)


def test_validate_several_devices(accmine: Any, tmp_path: Path) -> None:
    file = written(tmp_path, SEVERAL)
    found = accmine("validate", file)
    study = validate(load_yaml(text=found.out), SparseStudy, context={"folder": tmp_path})
    assert (found.code, len(study.sites), study.rates) == (0, 2, (2,))
    refused = accmine("validate", file, "--set", "devices=[u250, u250, u250, u250]")
    assert refused.code == 2
    assert "devices: 4 devices are too many for 2 places where 3 layers can be cut" in refused.err


def test_an_interrupt_ends_with_130(accmine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("accmine.questions.sparse.study.parts.solve", pressed)
    said = accmine("run", written(tmp_path, {**SEVERAL, "compare": None}), "--runs", tmp_path / "runs")
    assert (said.code, "images/s on small + small" in said.out) == (130, True)
