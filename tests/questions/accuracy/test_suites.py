"""The suites of the ledger: training anchors, measured products, and how rows and summary are put together."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from accmine import cli
from accmine.errors import InputError
from accmine.questions.accuracy import suites as ledger
from accmine.questions.accuracy.report import summary_text

SAMPLES = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in ledger.rows("anchors")}


def test_every_anchor_is_within_its_band(rows: dict[str, dict[str, Any]]) -> None:
    assert len(rows) == 11
    for row in rows.values():
        assert row["ok"], row
        assert row["ratio"] == row["model"] / row["published"]
        assert row["at_least"] <= row["ratio"] <= row["at_most"]
        assert row["source"]


def test_training_is_faster_than_silicon(rows: dict[str, dict[str, Any]]) -> None:
    training = {name: row for name, row in rows.items() if row["quantity"] == "training samples/s per chip"}
    assert [round(row["published"], 1) for row in training.values()] == [2021.8, 580.0, 485.6, 96.5]
    for row in training.values():
        assert (row["at_least"], row["at_most"]) == (1.0, 2.5)
        assert row["published"] < row["model"]
        assert "Flax" in row["source"] or "NVIDIA" in row["source"]
    # What is measured in images: norms in the passes of the convolutions, within a fifth of the chip.
    assert 0.8 < 1 / training["ResNet-50, 256 images, TPUv3"]["ratio"] < 1.0


def test_a_model_out_of_its_band_is_not_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, ok in ((1e-3, False), (100.0, False)):
        monkeypatch.setattr(ledger, "_step", lambda *_, seconds=seconds: (1000, seconds))
        training = [row for row in ledger.rows("anchors") if row["quantity"].startswith("training")]
        assert {row["ok"] for row in training} == {ok}
    monkeypatch.setattr(ledger, "_step", lambda *_: (580, 0.625))
    training = [row for row in ledger.rows("anchors") if row["quantity"].startswith("training")]
    assert training[1]["ratio"] == pytest.approx(1.6)
    assert training[1]["ok"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of the samples made for tests."""
    for sample, name in (("scalesim_sample.csv", "scalesim"), ("matmul_sample.csv", "a100-matmul")):
        shutil.copyfile(SAMPLES / sample, tmp_path / ledger.DATA_FILES[name])
    return tmp_path


@pytest.mark.parametrize("suite", list(ledger.DATA_FILES))
def test_the_file_of_a_suite_is_needed(suite: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data or ACCMINE_DATA"):
        ledger.rows(suite)
    with pytest.raises(InputError, match="no such file"):
        ledger.rows(suite, tmp_path)


def test_unknown_suites_are_refused() -> None:
    with pytest.raises(InputError, match=r"did you mean 'chips'.*allowed: anchors, scalesim, chips, a100-matmul"):
        ledger.rows("chip")


def test_measured_products_have_three_variants_of_the_same_rows(data: Path) -> None:
    found = ledger.rows("a100-matmul", data)
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        groups.setdefault(row["quantity"], []).append(row)
        assert row["ok"] == (row["at_least"] <= row["ratio"] <= row["at_most"])
    fitted, launch, plain = groups.values()
    assert [row["name"] for row in fitted] == [row["name"] for row in launch] == [row["name"] for row in plain]
    assert [row["published"] for row in fitted] == [row["published"] for row in plain]
    assert len(fitted) == 12
    assert all(row["ratio"] < 1 for row in plain)


def test_the_summary_is_that_of_the_rows(data: Path) -> None:
    suites = ("scalesim", "a100-matmul")
    lines = ledger.summary(data, suites)
    for suite in suites:
        entries = ledger.rows(suite, data)
        for quantity in {entry["quantity"] for entry in entries}:
            (line,) = [line for line in lines if (line["suite"], line["quantity"]) == (suite, quantity)]
            errors = [entry["ratio"] - 1 for entry in entries if entry["quantity"] == quantity]
            assert line["rows"] == len(errors)
            assert line["within"] == sum(entry["ok"] for entry in entries if entry["quantity"] == quantity)
            assert line["mape"] == pytest.approx(sum(map(abs, errors)) / len(errors))
            assert line["bias"] == pytest.approx(sum(errors) / len(errors))
            assert line["worst"] == pytest.approx(max(map(abs, errors)))
    large, short = (next(line for line in lines if text in line["quantity"]) for text in ("1,024", "shortest"))
    assert (large["rows"], short["rows"]) == (6, 8)
    assert large["mape_at_most"] == 0.05


def test_a_mean_beyond_its_limit_is_not_ok(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, ok in ((0.9, True), (1e-9, False)):
        monkeypatch.setattr(ledger, "_MAPE_LIMITS", {ledger._CALIBRATED: limit})
        monkeypatch.setattr(ledger, "_CALIBRATED_BAND", (0.5, 2.0))
        line = next(line for line in ledger.summary(data, ["a100-matmul"]) if line["quantity"] == ledger._CALIBRATED)
        assert line["within"] == line["rows"]
        assert line["ok"] is ok


def test_suites_without_their_data_are_listed() -> None:
    lines = ledger.summary(None, ["scalesim", "a100-matmul"])
    assert [(line["suite"], line["rows"], line["ok"], line["mape"]) for line in lines] == [
        ("scalesim", 0, None, None),
        ("a100-matmul", 0, None, None),
    ]
    assert [line["note"] for line in lines] == [
        "needs --data with scalesim_cycles.csv",
        "needs --data with llmcompass_matmul_a100.csv",
    ]


def test_a_folder_that_is_not_there_is_no_missing_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        ledger.summary(tmp_path / "none")


def test_the_table_of_the_summary(data: Path) -> None:
    text = summary_text(ledger.summary(data, ["scalesim"]) + ledger.summary(None, ["a100-matmul"]))
    head, cycles, missing = text.splitlines()[:3]
    assert head.split() == ["suite", "quantity", "rows", "within", "MAPE", "bias", "worst", "rank", "ok"]
    count = len(ledger.rows("scalesim", data))
    assert cycles.split() == [
        *("scalesim cycles " + f"{count} {count}").split(),
        *["0.0", "%", "+0.0", "%", "0.0", "%", "1", "yes"],
    ]
    assert missing.endswith("needs --data with llmcompass_matmul_a100.csv")


@pytest.mark.full
@pytest.mark.skipif(not os.environ.get("ACCMINE_DATA"), reason="needs ACCMINE_DATA")
def test_the_table_of_the_docs_is_the_printed_one() -> None:
    text = (Path(__file__).parents[3] / "docs" / "accuracy.md").read_text(encoding="utf-8")
    assert summary_text(ledger.summary(Path(os.environ["ACCMINE_DATA"]))).partition("\n\n")[0] in text


def test_the_command_prints_and_exits_by_the_bands(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def call(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main(["ledger", *arguments])
        return int(caught.value.code or 0), capsys.readouterr().out

    code, out = call("--suite", "a100-matmul", "--data", str(data))
    assert code == 0
    assert out.splitlines()[0].split()[:3] == ["name", "quantity", "model"]
    assert len(out.splitlines()) == 1 + 3 * 12
    code, out = call("--suite", "a100-matmul", "--data", str(data), "--json")
    assert len(json.loads(out)) == 36
    file = data / ledger.DATA_FILES["scalesim"]
    file.write_text(file.read_text(encoding="utf-8").replace(",full,46,", ",full,47,", 1), encoding="utf-8")
    assert call("--suite", "scalesim", "--data", str(data))[0] == 3


def test_the_summary_of_all_suites(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["ledger", "--data", str(data), "--json"])
    lines = json.loads(capsys.readouterr().out)
    assert {line["suite"] for line in lines} == set(ledger.SUITES)
    assert caught.value.code == (3 if any(line["ok"] is False for line in lines) else 0)
    own = [line for line in lines if line["suite"] not in ledger.FILES]
    assert all(line["rows"] > 0 for line in own)
    assert all("needs --data with" in line["note"] for line in lines if line["suite"] in ledger.FILES)
