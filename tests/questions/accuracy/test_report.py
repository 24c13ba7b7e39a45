"""Suites and calibrations as text."""

from __future__ import annotations

from typing import Any

from accmine.questions.accuracy.report import rows_text, suite, summary, summary_text

ROW: dict[str, Any] = {
    **{"name": "peak", "quantity": "FLOP/s", "model": 1.5, "published": 2, "ratio": 0.75, "at_least": 0.5},
    **{"at_most": None, "ok": True, "source": "a paper"},
}
ENTRY: dict[str, Any] = {
    **{"suite": "chips", "quantity": "area", "rows": 7, "within": 6, "mape": 0.123, "bias": -0.05, "worst": 0.3},
    **{"rank": 0.9, "ok": False, "note": "", "mape_at_most": 0.2},
}


def test_rows_of_a_suite() -> None:
    assert suite([ROW]).rows == (("peak", "FLOP/s", "1.5", "2", "0.75", "0.5", "", "yes", "a paper"),)
    head, row = rows_text([ROW]).splitlines()
    assert "at least" in head
    assert head.index("model") + len("model") == row.index("1.5") + len("1.5"), "numbers stand to the right"


def test_summaries() -> None:
    assert summary([ENTRY]).rows == (
        ("chips", "area", "7", "6", "12.3 % (at most 20 %)", "-5.0 %", "30.0 %", "0.9", "no"),
    )
    missing = ENTRY | {"mape": None, "bias": None, "worst": None, "rank": None, "ok": None, "note": "needs --data"}
    assert summary([missing | {"mape_at_most": None}]).rows[0][4:] == ("", "", "", "", "needs --data")
    assert summary_text([ENTRY]).splitlines()[2] == ""


def test_a_row_without_a_band_prints_none() -> None:
    row = {"name": "a", "quantity": "s", "model": 1.0, "published": 1.0, "ratio": 1.0, "ok": None, "source": "x"}
    assert "1e+09" not in rows_text([{**row, "at_least": 0.0, "at_most": 1e9}])
    assert "1.05" in rows_text([{**row, "at_least": 0.95, "at_most": 1.05}])
