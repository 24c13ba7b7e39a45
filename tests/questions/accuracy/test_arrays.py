"""The ledgers of times: against SCALE-Sim, and of products on a whole chip."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.hardware import Calibration, load_accelerator
from accmine.questions.accuracy.arrays import MATMUL_ACCELERATOR, matmul_ledger, scalesim_ledger
from accmine.questions.accuracy.calibrate import calibrate
from accmine.questions.accuracy.samples import read_samples
from accmine.questions.accuracy.score import drawn

SAMPLE = Path(__file__).parents[2] / "data" / "scalesim_sample.csv"
PRODUCTS = Path(__file__).parents[2] / "data" / "matmul_sample.csv"


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
    with pytest.raises(InputError, match="no such file"):
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


def test_products_are_modelled_with_constants_of_the_other_half() -> None:
    design = load_accelerator(MATMUL_ACCELERATOR)
    samples = read_samples(PRODUCTS, design)
    rows = matmul_ledger(PRODUCTS, design)
    assert [(row.name, row.measured_s) for row in rows] == [(s.name, s.seconds) for s in samples]
    parts = drawn([s.seconds for s in samples], 0.5, 0)
    found = calibrate(samples, design, parts)
    held = [abs(rows[i].model_s / rows[i].measured_s - 1) for i in parts[1]]
    assert sum(held) / len(held) == pytest.approx(found.part.held_out.mape)
    assert found.part.held_out.mape != found.part.fitted.mape
    for row in rows:
        assert row.uncorrected_s < row.launch_only_s
        assert row.model_s == pytest.approx(row.measured_s, rel=0.25)
    # the calibration in the accelerator's own file has no part in it
    assert matmul_ledger(PRODUCTS, replace(design, calibration=Calibration())) == rows


def test_measured_products_of_a_real_chip() -> None:
    outside = os.environ.get("ACCMINE_DATA")
    if not outside:
        pytest.skip("needs ACCMINE_DATA")
    rows = matmul_ledger(Path(outside) / "llmcompass_matmul_a100.csv", load_accelerator(MATMUL_ACCELERATOR))
    errors = [abs(row.model_s / row.measured_s - 1) for row in rows]
    launch_only = [abs(row.launch_only_s / row.measured_s - 1) for row in rows]
    large = [error for error, row in zip(errors, rows, strict=True) if min(map(int, row.name.split("x"))) >= 1024]
    assert (len(rows), len(large)) == (20, 12)
    assert sum(errors) / 20 < 0.05
    assert sum(large) / 12 < 0.05
    assert sum(launch_only) / 20 < 0.10
