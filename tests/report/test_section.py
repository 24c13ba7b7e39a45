"""Sections."""

from __future__ import annotations

from typing import Any

import pytest

from accmine.report import Column, Section, figures, of_records, texts


def test_a_row_must_fit_its_columns() -> None:
    with pytest.raises(ValueError, match="2 cells under 1 columns"):
        Section("x", "X", texts("a"), (("1", "2"),))


def test_a_section_with_nothing_to_say_is_false() -> None:
    assert not Section("x", "X", texts("a"))
    assert Section("x", "X", notes=("n",))
    assert Section("x", "X", texts("a"), (("1",),))


def test_records_become_columns() -> None:
    rows: list[dict[str, Any]] = [
        {"name": "a", "peak_tflops": 1.25, "ok": True},
        {"name": "b", "peak_tflops": None, "count": 12345},
    ]
    section = of_records("list", "List", rows)
    assert section.columns == (*texts("name"), *figures("peak tflops"), Column("ok", True), Column("count", True))
    assert section.rows == (("a", "1.25", "yes", ""), ("b", "", "", "12,345"))
