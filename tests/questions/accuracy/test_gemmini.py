"""The suite of Gemmini's RTL: what is judged, and how near the description is to measured layers.

tests/data/gemmini_sample.csv: 12 of the 1,567 rows of ucb-bar/dosa @a7a3239 (BSD-2-Clause), drawn at random.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from accmine.cost.kernel.firesim_fit import ROUND, chosen
from accmine.errors import InputError
from accmine.kernel.described.architecture_file import load_architecture
from accmine.questions.accuracy.gemmini import (
    FILES,
    GEMMINI,
    fitted_on,
    gemmini_lines,
    layer_cycles,
    read_layers,
)
from accmine.questions.accuracy.suites import rows, summary

SAMPLE = Path(__file__).parents[2] / "data" / "gemmini_sample.csv"


def test_the_description_is_near_the_rtl() -> None:
    layers = read_layers(SAMPLE)
    assert len(layers) == 12
    errors = sorted(abs(layer_cycles(layer) / cycles - 1) for layer, cycles in layers)
    assert errors[6] <= 0.15
    assert errors[-1] <= 0.6
    assert max(errors) > 0.01  # it is a model, not the table


@pytest.mark.parametrize(("error", "mixed", "ok"), [(0.1, False, True), (0.2, False, False), (0.1, True, False)])
def test_mean_error_and_rank_are_judged(error: float, mixed: bool, ok: bool) -> None:
    def line(suite: str, quantity: str, group: list[dict[str, Any]], limit: float | None) -> dict[str, Any]:
        fine = limit is None or error <= limit
        return {"quantity": quantity, "rows": len(group), "rank": 0.9 if mixed else 0.99, "ok": fine}

    entries = [{"quantity": "cycles, products", "fitted": i % 4 == 0} for i in range(8)]
    whole, held, fitted, products = gemmini_lines(GEMMINI, entries, line)
    assert whole["ok"] is ok
    assert (whole["rows"], held["rows"], fitted["rows"], products["rows"]) == (8, 6, 2, 8)


@pytest.mark.parametrize(("column", "value"), [(0, "0"), (11, ""), (18, "nan"), (18, "fast")])
def test_a_wrong_row_is_named_with_its_line(tmp_path: Path, column: int, value: str) -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    cells = lines[2].split(",")
    cells[column] = value
    path = tmp_path / FILES[GEMMINI][0]
    path.write_text("\n".join([*lines[:2], ",".join(cells), *lines[3:]]), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        rows(GEMMINI, tmp_path)
    assert f"{path}:3" in str(caught.value)


def test_the_file_of_the_suite_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data or ACCMINE_DATA"):
        rows(GEMMINI)
    (missing,) = summary(tmp_path, [GEMMINI])
    assert missing["note"] == f"needs --data with {FILES[GEMMINI][0]}"


@pytest.mark.skipif("ACCMINE_DATA" not in os.environ, reason="needs ACCMINE_DATA")
def test_the_real_rows_are_within_their_limits() -> None:
    data = Path(os.environ["ACCMINE_DATA"])
    assert len(fitted_on([layer for layer, _ in read_layers(data / FILES[GEMMINI][0])])) == 49
    whole, held, *_ = summary(data, [GEMMINI])
    assert whole["ok"]
    assert held["rows"] == 1518
    assert held["mape"] <= 0.15
    assert held["rank"] >= 0.98


@pytest.mark.full
@pytest.mark.skipif("ACCMINE_DATA" not in os.environ, reason="needs ACCMINE_DATA")
def test_the_constants_of_the_description_are_those_of_the_fit() -> None:
    table = read_layers(Path(os.environ["ACCMINE_DATA"]) / FILES[GEMMINI][0])
    rows = fitted_on([layer for layer, _ in table])
    assert len(rows) <= 50
    found = chosen([table[i][0] for i in rows], [table[i][1] for i in rows])
    parameters = load_architecture("gemmini-like").parameters
    for name in ROUND:
        printed = found.constants[name] * (1 if name in ("start", "conv_issue", "ws_issue") else 1000)
        assert parameters[name] == round(printed), name
