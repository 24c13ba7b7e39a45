"""What people who wait see."""

from __future__ import annotations

import sys

import pytest

from accmine.report.progress import Live


def test_live_line_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    live = Live(silent=False)
    live(1.0, 2.0, 1.0)
    live.close()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    live = Live(silent=False)
    live(1.0, 2.0, 1.0)
    live(1.01, 2.0, 1.9)  # too soon after the first
    live.close()
    text = capsys.readouterr().err
    assert "incumbent 2  bound 1  gap 50.00 %" in text
    assert "1.9" not in text
    live = Live(silent=False)
    live(1.0, None, 3)
    assert "incumbent –  bound 3  gap –" in capsys.readouterr().err
