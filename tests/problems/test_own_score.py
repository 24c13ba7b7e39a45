"""Scores that are shown as they are."""

from __future__ import annotations

import pytest

from accmine.problems import design_placement, design_search, operator_schedule, own_score, pipeline_schedule
from accmine.result import Sense


@pytest.mark.parametrize("kind", [design_placement, design_search, operator_schedule, pipeline_schedule])
def test_less_is_better_and_shown_as_it_is(kind: object) -> None:
    for name in ("sense", "shown", "shown_bound"):
        assert getattr(kind, name) is getattr(own_score, name)
    assert own_score.sense(None) is Sense.MINIMIZE
    assert own_score.shown(None, 7) == own_score.shown_bound(None, 7) == 7
    assert own_score.shown_bound(None, 2.5) == 2.5
