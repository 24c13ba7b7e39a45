"""Whose the gap is, by what was simulated."""

from __future__ import annotations

from math import inf
from types import SimpleNamespace
from typing import Any, cast

import pytest

from accmine.solvers.design_placement.account import Counts, proof_of

BEST: Any = SimpleNamespace(design=None, placement=None)
RECORD: Any = SimpleNamespace(best=BEST, bound=8.0, score=10.0)
SPACE: Any = SimpleNamespace(plan_count=3, pairs=5, seconds=0.1)


@pytest.mark.parametrize(
    ("least", "own", "parts"),
    [
        (inf, 9.5, (0.0, 0.05, 1 - 8 / 9.5)),  # no pair in line was simulated: what is below may be other designs
        (inf, inf, (0.0, 0.0, 0.2)),
        (8.5, 9.5, (1 - 8 / 8.5, 0.05, 1 - 8.5 / 9.5)),
        (9.9, 9.5, (1 - 8 / 9.5, 0.05, 0.0)),
    ],
)
def test_parts_of_the_gap(least: float, own: float, parts: tuple[float, float, float]) -> None:
    proof = proof_of(RECORD, SPACE, Counts(least_simulated=least), own, cast(Any, {}))
    assert (proof.plan_part, proof.schedule_part, proof.design_part) == pytest.approx(parts)
    whole = 1 - (1 - proof.plan_part) * (1 - proof.schedule_part) * (1 - proof.design_part)
    assert whole == pytest.approx(0.2)


def test_without_a_bound_nothing_is_known_of_plans() -> None:
    record = SimpleNamespace(**(vars(RECORD) | {"bound": 0.0}))
    proof = proof_of(cast(Any, record), SPACE, Counts(least_simulated=inf), inf, cast(Any, {}))
    assert (proof.plan_part, proof.design_part, proof.schedule_part) == (0.0, 1.0, 0.0)
