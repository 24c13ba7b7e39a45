"""Suites of measured operators: what is judged, and how good the shipped constants are on the real rows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.questions.accuracy.silicon import FILES, LIMITS, WIDER, silicon_lines
from accmine.questions.accuracy.suites import rows, summary

QUANTITY = "us, constants of products fitted on a tenth"


def entries(count: int, outside: int, error: float = 0.02) -> list[dict[str, Any]]:
    """Rows of which so many are outside of their interval."""
    return [
        {
            "quantity": QUANTITY,
            "ratio": 1.5 if i < outside else 1 + error,
            "at_least": 0.9,
            "at_most": 1.1,
            "random": True,
            "large": i % 2 == 0,
        }
        for i in range(count)
    ]


def line(suite: str, quantity: str, group: list[dict[str, Any]], limit: float | None) -> dict[str, Any]:
    errors = [abs(entry["ratio"] - 1) for entry in group]
    inside = sum(entry["at_least"] <= entry["ratio"] <= entry["at_most"] for entry in group)
    found = {"suite": suite, "quantity": quantity, "rows": len(group), "within": inside}
    return {**found, "mape": sum(errors) / len(errors), "mape_at_most": limit}


@pytest.mark.parametrize(("outside", "ok"), [(0, False), (5, True), (10, True), (14, True), (20, False)])
def test_an_interval_that_covers_too_much_or_too_little_is_not_in_order(outside: int, ok: bool) -> None:
    whole, large = silicon_lines("h100-products", entries(100, outside, error=0.0), line)
    assert whole["ok"] is (ok and whole["mape"] <= 0.08)
    assert large["rows"] == 50
    assert large["quantity"].endswith("m, k, n >= 1,024")


def test_a_mean_beyond_its_limit_is_not_in_order() -> None:
    first, second = LIMITS["a100-products", QUANTITY]
    assert second is not None
    for error, fine in ((0.03, True), (0.05, False)):
        _, large = silicon_lines("a100-products", entries(100, 0, error), line)
        assert large["ok"] is fine is (error <= second < first)


@pytest.mark.parametrize("suite", list(FILES))
def test_the_files_of_a_suite_are_needed(suite: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data or ACCMINE_DATA"):
        rows(suite)
    with pytest.raises(InputError, match="no such file"):
        rows(suite, tmp_path)
    (missing,) = summary(tmp_path, [suite])
    assert missing["note"] == f"needs --data with {FILES[suite][0]}"
    assert missing["ok"] is None


def test_relatives_have_wider_intervals() -> None:
    from accmine.hardware import load_accelerator

    for chip, other in (("a100-40gb", "a100-80gb"), ("h200", "h100")):
        own, known = (load_accelerator(name).calibration for name in (chip, other))
        (low, high), (least, most) = own.of("product").interval, known.of("product").interval
        assert low == pytest.approx(least / WIDER, abs=2e-3)
        assert high == pytest.approx(most * WIDER, abs=2e-3)
        assert own.tiles == known.tiles


@pytest.mark.full
@pytest.mark.skipif(not os.environ.get("ACCMINE_DATA"), reason="needs ACCMINE_DATA")
@pytest.mark.parametrize("suite", list(FILES))
def test_the_real_rows_are_met(suite: str) -> None:
    lines = summary(Path(os.environ["ACCMINE_DATA"]), [suite])
    assert all(found["ok"] for found in lines), [found["quantity"] for found in lines if not found["ok"]]
