"""The dynamic program of 1F1B: exact where every level is a tick, below it where levels are coarser."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.solvers.stage_selection import one_forward_one_backward
from accmine.solvers.stage_selection.one_forward_one_backward import OneForwardOneBackwardProgram
from accmine.solvers.stage_selection.pipeline_programs import Prices, StageOptions
from tests.samples.program_sample import Case


def least(case: Case, prices: Prices) -> float:
    """Least relaxed step + priced costs of all choices."""
    program = case.program()
    values: list[float] = []
    for choice in case.choices:
        costs = sum(float(s.cost(prices)[o]) for s, o in zip(case.stages, choice, strict=True))
        values.append(program.relaxed(np.array(choice)) + costs)
    return min(values)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 5), st.floats(0, 5))
def test_levels_of_one_tick_are_exact(seed: int, area: float, tdp: float) -> None:
    case, prices = Case("1f1b", seed), Prices(area, tdp)
    program = case.program()
    assert isinstance(program, OneForwardOneBackwardProgram)
    found = program.minimise(prices)
    assert found.value <= least(case, prices) + 1e-6
    if program.step == 1:
        assert found.value == pytest.approx(least(case, prices), abs=1e-6)
        costs = sum(float(s.cost(prices)[o]) for s, o in zip(case.stages, found.rows, strict=True))
        assert program.relaxed(found.rows) + costs == pytest.approx(found.value, abs=1e-6)


def test_most_cases_have_levels_of_one_tick() -> None:
    steps = [getattr(Case("1f1b", seed).program(), "step", 0) for seed in range(40)]
    assert steps.count(1) > 20


def test_finer_levels_never_lower_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    rises = 0
    for seed in range(60):
        case = Case("1f1b", seed)
        values = []
        for levels in (64, 256, 1024, 65536):
            monkeypatch.setattr(one_forward_one_backward, "LEVELS", (levels, levels))
            values.append(case.program().minimise(case.prices).value)
        monkeypatch.undo()
        assert values[-1] <= case.least + 1e-6
        for coarse, fine in pairwise(values):
            assert coarse <= fine + 2.0 * case.microbatches * len(case.stages), "a grid loses ticks of its own step"
        rises += values[0] < values[-1] - 1e-6
    assert rises > 3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 1.0))
def test_a_share_of_the_levels_is_still_a_bound(seed: int, share: float) -> None:
    case = Case("1f1b", seed)
    program = case.program()
    full = program.minimise(case.prices).value
    program.refine(share)
    assert program.minimise(case.prices).value <= case.least + 1e-6
    program.refine(1.0)
    assert program.minimise(case.prices).value == full


def test_one_stage_is_busy_with_all_microbatches() -> None:
    times = np.array([3, 5])
    costs = np.array([9, 0])
    zero = 0 * times
    own = StageOptions(np.arange(2), times, times, zero, np.array([1, 1]), costs, zero, zero)
    program = OneForwardOneBackwardProgram([own], [], 4)
    assert program.minimise(Prices(0.0, 0.0)).value == 4 * 3 + 1
    dear = program.minimise(Prices(10.0, 0.0))
    assert (dear.value, dear.rows.tolist()) == (4 * 5 + 1, [1])
