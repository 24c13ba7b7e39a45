"""The text of ``accmine sensitivity``."""

from __future__ import annotations

from dataclasses import replace

from accmine.questions.sensitivity.measure import Row, Sensitivity
from accmine.questions.sensitivity.report import render

BETTER = Row(
    "limits.area", "400 mm^2", "404 mm^2", 44.5, 47.0, 0.5, 0.01, 0.0, 0.06, ("new",), "+1 % found", "420 mm^2"
)
NOTHING = Row("limits.tdp", "280 W", "283 W", None, None, None, None, None, None, (), "no answer was found in time")
FOUND = Sensitivity("s", 1.0, "throughput", "samples/s", "maximize", 44.0, 47.0, ("old",), (BETTER, NOTHING))


def test_every_row_says_what_it_buys() -> None:
    lines = render(FOUND).splitlines()
    assert lines[:2] == ["s: throughput 44 samples/s, bound 47 samples/s", "  old"]
    at = lines.index("limits.area: 400 mm^2 -> 404 mm^2")
    assert lines[at + 1 : at + 5] == ["  44 -> 44.5 (+0.5 samples/s)", "  +1 % found", "  420 mm^2", "  now new"]
    at = lines.index("limits.tdp: 280 W -> 283 W")
    assert lines[at + 1] == "  no answer was found in time"
    assert "Values are verified" in lines[-2]


def test_what_was_left_out_is_named_once_per_reason() -> None:
    found = replace(FOUND, left_out={"a": "is none", "b": "is none", "c": "is fixed"}, interrupted=True)
    lines = render(found).splitlines()
    assert "a, b: is none" in lines
    assert "c: is fixed" in lines
    assert any(line.startswith("interrupted: ") for line in lines)
