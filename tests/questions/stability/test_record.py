"""Records of a stability."""

from __future__ import annotations

import json
from math import inf, isnan

import pytest

from accmine.questions.stability.record import ConstantRow, Stability, rank_correlation
from accmine.report import from_json
from tests.samples.stability_sample import CONSTANT, FOUND


def test_json_is_plain_and_comes_back() -> None:
    table = json.loads(json.dumps(FOUND.to_json(), allow_nan=False))
    assert table["constants"][0]["regret"] == [0.001, None]
    again = from_json(Stability, table)
    assert again.to_json() == FOUND.to_json()
    assert (again.winners, again.nominal, again.outside) == (FOUND.winners, FOUND.nominal, FOUND.outside)
    row = from_json(ConstantRow, table["constants"][0])
    assert isnan(row.regret[1])
    assert row.broken == CONSTANT.broken


def test_ranks_of_equal_values_are_shared() -> None:
    assert rank_correlation([1, 2, 3], [5, 6, 7]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0
    assert rank_correlation([1, 2, 3, 4], [0, inf, inf, inf]) == pytest.approx(0.7746, abs=1e-3)
