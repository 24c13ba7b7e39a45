"""The ledger against SCALE-Sim."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from accmine.cost.ledger import scalesim_ledger
from accmine.errors import InputError

SAMPLE = Path(__file__).parent / "data" / "scalesim_sample.csv"


def test_every_row_is_there_and_exact() -> None:
    outside = os.environ.get("ACCMINE_DATA")
    for path in [SAMPLE] if not outside else [SAMPLE, Path(outside) / "scalesim_cycles.csv"]:
        rows = scalesim_ledger(path)
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
        assert len(rows) == len(lines) - 1
        assert all(row.exact for row in rows)
        assert max(abs(row.tool_utilization - row.model_utilization) for row in rows) < 1e-8


def test_a_difference_is_shown(tmp_path: Path) -> None:
    text = SAMPLE.read_text(encoding="utf-8").replace(",full,46,", ",full,47,", 1)
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    rows = scalesim_ledger(tmp_path / "a.csv")
    assert [row.exact for row in rows].count(False) == 1
    assert (rows[0].tool_cycles, rows[0].model_cycles) == (47, 46)


def test_bad_files_are_refused_with_their_lines(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        scalesim_ledger(tmp_path / "none.csv")
    bad = tmp_path / "bad.csv"
    bad.write_text("rows,cols\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="missing columns dataflow, layer"):
        scalesim_ledger(bad)
    head = "dataflow,rows,cols,layer,M,N,K,cycles,utilization\n"
    bad.write_text(head, encoding="utf-8")
    with pytest.raises(InputError, match="no rows"):
        scalesim_ledger(bad)
    bad.write_text(head + "# comment\nxs,1,1,a,1,1,1,1,1\nws,1,1,a,0,1,1,1,1\nws,1,1,a\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        scalesim_ledger(bad)
    assert [c.where.rsplit(":", 1)[1] for c in caught.value.complaints] == ["3", "4", "5"]
