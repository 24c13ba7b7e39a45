"""The suites of the ledger: training anchors and how their rows are put together."""

from __future__ import annotations

from typing import Any

import pytest

from accmine import ledger
from accmine.errors import InputError
from accmine.hardware.accelerators import load_accelerator


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in ledger.rows("anchors")}


def test_every_anchor_is_within_its_band(rows: dict[str, dict[str, Any]]) -> None:
    assert len(rows) == 9
    for row in rows.values():
        assert row["ok"], row
        assert row["ratio"] == row["model"] / row["published"]
        assert row["at_least"] <= row["ratio"] <= row["at_most"]
        assert row["source"]


def test_training_is_slower_than_the_peak_and_faster_than_silicon(rows: dict[str, dict[str, Any]]) -> None:
    training = {name: row for name, row in rows.items() if row["quantity"] == "training TFLOP/s per chip"}
    assert len(training) == 4
    peak = load_accelerator("tpuv3-like").peak_flops_per_s / 1e12
    for row in training.values():
        assert (row["at_least"], row["at_most"]) == (1.0, 2.5)
        assert row["published"] < row["model"] < peak
        assert "from memory" in row["source"]
    measured = {name.split(",")[0]: row["published"] / peak for name, row in training.items()}
    assert measured["ResNet-50"] == pytest.approx(0.20, abs=0.005)
    assert measured["BERT-Large"] == pytest.approx(0.28, abs=0.005)


def test_the_mix_lies_between_its_phases(rows: dict[str, dict[str, Any]]) -> None:
    bert = {name: row["model"] for name, row in rows.items() if name.startswith("BERT-Large")}
    short, long, mix = bert.values()
    assert min(short, long) < mix < max(short, long)
    # Of ten steps nine are short ones: the mix is nearer to them, in FLOPs over seconds.
    assert abs(mix - short) < abs(mix - long)
    macs_short, seconds_short = ledger._step(ledger._BERT_128)
    macs_long, seconds_long = ledger._step(ledger._BERT_512)
    total = 2 * (9 * macs_short + macs_long) / (9 * seconds_short + seconds_long) / 1e12
    assert mix == pytest.approx(total)


def test_a_model_out_of_its_band_is_not_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, ok in ((1e-3, False), (1.0, False), (12.5e-3, True)):
        monkeypatch.setattr(ledger, "_step", lambda _, seconds=seconds: (250 * 10**9, seconds))
        training = [row for row in ledger.rows("anchors") if row["quantity"].startswith("training")]
        assert {row["ok"] for row in training} == {ok}
    # 0.5 TFLOP in 12.5 ms are 40 TFLOP/s: 1.6 and 1.17 times the measured figures
    assert training[0]["ratio"] == pytest.approx(1.6)


def test_the_file_of_the_scalesim_suite_is_needed() -> None:
    with pytest.raises(InputError, match="--data or ACCMINE_DATA"):
        ledger.rows("scalesim")
