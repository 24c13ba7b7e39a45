"""Options of the heuristic: every wrong one is an error that names what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from accmine.errors import InputError
from accmine.registry import make_solver
from accmine.solvers.design_search.wham_options import Options


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"histeresis": 1}, r"histeresis: unknown option of wham-like; did you mean 'hysteresis'\? allowed: top_k"),
        ({"top_k": 0}, "top_k: must be a whole number of at least 1, got 0"),
        ({"top_k": True}, "top_k"),
        ({"hysteresis": -1}, "hysteresis: must be a whole number of at least 0"),
        ({"hysteresis": 1.5}, "hysteresis"),
        ({"polish": -1}, "polish"),
        ({"start": "two"}, "start: must be one of bound, one, got 'two'"),
        ({"growth": "half"}, "growth: must be one of double, one"),
        ({"order": None}, "order: must be one of bound, best, breadth"),
        ({"min_gain": 1}, "min_gain: must be a number below 1"),
        ({"min_gain": float("nan")}, "min_gain"),
        ({"min_gain": "much"}, "min_gain"),
        ({"bound_pruning": 1}, "bound_pruning: must be true or false"),
    ],
)
def test_wrong_options_are_errors(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_solver("design-search", "wham-like", **given)


def test_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Options(top_k=0, order="x", polish=-1)
    assert [complaint.field for complaint in caught.value.complaints] == ["top_k", "polish", "order"]


def test_what_is_left_out_has_its_default() -> None:
    assert Options.of({}, "wham-like") == Options()
    assert Options.of({"min_gain": -5.0, "hysteresis": 0}, "s") == Options(min_gain=-5.0, hysteresis=0)
