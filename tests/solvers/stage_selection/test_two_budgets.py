"""The knapsack with two budgets: right on every small instance, proofs and picks alike."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from accmine.solvers.stage_selection import two_budgets
from accmine.solvers.stage_selection.two_budgets import Budgets, Slots, Verdict, decide


def slots(random: np.random.Generator, count: int, width: int, scale: int) -> tuple[Slots, np.ndarray]:
    area = random.integers(0, scale, (count, width))
    tdp = np.where(random.random((count, width)) < 0.5, scale - area, random.integers(0, scale, (count, width)))
    allowed = random.random((count, width)) < 0.8
    return Slots(area, tdp), allowed


def test_equals_enumeration() -> None:
    random = np.random.default_rng(5)
    seen: dict[Verdict, int] = dict.fromkeys(Verdict, 0)
    for _ in range(600):
        count, width = int(random.integers(1, 6)), int(random.integers(1, 5))
        scale = int(random.choice([6, 50, 10**13]))
        own, allowed = slots(random, count, width, scale)
        budgets = Budgets(*(int(count * scale * random.uniform(0.2, 0.7)) for _ in range(2)))
        verdict, pick = decide(own, allowed, budgets)
        seen[verdict] += 1
        rows = [np.flatnonzero(row) for row in allowed]
        sums = [
            (
                sum(int(own.area[i, o]) for i, o in enumerate(choice)),
                sum(int(own.tdp[i, o]) for i, o in enumerate(choice)),
            )
            for choice in product(*rows)
        ]
        exists = any(a <= budgets.area and t <= budgets.tdp for a, t in sums)
        assert verdict is (Verdict.FITS if exists else Verdict.NONE)
        if pick is not None:
            at = np.arange(count)
            assert allowed[at, pick].all()
            assert own.area[at, pick].sum() <= budgets.area
            assert own.tdp[at, pick].sum() <= budgets.tdp
    assert seen[Verdict.FITS] > 100
    assert seen[Verdict.NONE] > 100


def subset_sum(count: int) -> tuple[Slots, np.ndarray, Budgets]:
    """Every slot takes (x, 0) or (0, x), x even: only an even split fits, and half of the sum is odd."""
    sizes = np.array([2 * (50 + i * i) for i in range(1, count + 1)])
    assert sizes.sum() // 2 % 2
    area = np.stack([sizes, np.zeros_like(sizes)], axis=1)
    half = int(sizes.sum()) // 2
    return Slots(area, area[:, ::-1].copy()), np.ones(area.shape, dtype=bool), Budgets(half, half)


def test_what_prices_cannot_settle_is_merged() -> None:
    own, allowed, budgets = subset_sum(9)
    assert decide(own, allowed, budgets)[0] is Verdict.NONE
    more = Budgets(int(own.area.sum()), int(own.area.sum()))
    assert decide(own, allowed, more)[0] is Verdict.FITS


def test_giving_up_is_not_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    own, allowed, budgets = subset_sum(10)
    monkeypatch.setattr(two_budgets, "_MOST_STATES", 3)
    assert decide(own, allowed, budgets) == (Verdict.UNPROVEN, None)
    assert decide(own, allowed, budgets, over=lambda: True) == (Verdict.UNPROVEN, None)
