"""``accmine ledger``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.questions.accuracy import suites as ledger
from tests.samples.command_sample import caller


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def test_anchors(accmine: Any) -> None:
    rows = {row["name"]: row for row in accmine("ledger", "--suite", "anchors", "--json").json}
    assert len(rows) >= 5
    assert all(row["ok"] for row in rows.values())
    assert accmine("ledger", "--suite", "anchors").code == 0


SCALESIM = """\
# two runs of SCALE-Sim 3.0.0
dataflow,rows,cols,layer,M,N,K,cycles,utilization
{}
"""


def test_scalesim_ledger(accmine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accmine.cost import gemm

    cost = gemm(32, 16, 8, array=(8, 8), dataflow="ws", timing="scalesim3")
    file = tmp_path / "scalesim_cycles.csv"
    file.write_text(SCALESIM.format(f"ws,8,8,L0,32,8,16,{cost.cycles},{100 * cost.utilization}"))
    said = accmine("ledger", "--suite", "scalesim", "--data", tmp_path, "--json")
    assert said.code == 0
    assert said.json[0]["ratio"] == 1.0
    file.write_text(SCALESIM.format(f"ws,8,8,L0,32,8,16,{cost.cycles + 1},50"))
    assert accmine("ledger", "--suite", "scalesim", "--data", tmp_path).code == 3
    monkeypatch.delenv("ACCMINE_DATA", raising=False)
    assert "--data or ACCMINE_DATA" in accmine("ledger", "--suite", "scalesim").err
    with pytest.raises(InputError, match="allowed: anchors, scalesim"):
        ledger.rows("anchor")
