"""One figure beside another: what has to be equal is, and the rest is a ratio."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from accmine.questions.export.comparison import Comparison

FIGURES = st.floats(0, 1e12) | st.integers(0, 10**12)


@given(FIGURES, st.none() | FIGURES, st.booleans())
def test_only_what_has_to_be_equal_can_fail(ours: float, theirs: float | None, equal: bool) -> None:
    found = Comparison("d", "op", "cycles", ours, theirs, equal, ("why",))
    assert found.ok == (not equal or theirs == ours)
    if theirs is None or ours == 0:
        assert found.ratio is None
    else:
        assert found.ratio == theirs / ours
    table = json.loads(json.dumps(found.to_json()))
    assert table["difference"] == (None if theirs is None else theirs - ours)
    assert (table["ok"], table["must_be_equal"], table["reasons"], table["band"]) == (found.ok, equal, ["why"], None)
    assert replace(found, band=(0.5, 2.0)).to_json()["band"] == [0.5, 2.0]
