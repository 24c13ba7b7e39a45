"""Budgets: shares that add up to 1, what is left goes on or is thrown away, work is one total."""

from __future__ import annotations

from math import inf

import pytest

from accmine.ports import Stop
from accmine.search import ANSWER, GAP, GAP_STAGES, RUN, Budget, share_of
from accmine.search import budget as module
from accmine.search.budget import ROUND, Table
from accmine.study.parts import Budget as Limits


class Clock:
    """A clock that moves when it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.mark.parametrize("shares", [RUN.shares, GAP.shares, GAP_STAGES.shares, ANSWER.shares, ROUND], ids=list)
def test_every_table_adds_up_to_one(shares: dict[str, float]) -> None:
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-12)
    assert min(shares.values()) > 0


def seconds(budget: Budget, share: float = 1.0) -> float:
    found = budget.part(share).seconds
    assert found is not None
    return found


ABC = {"a": 0.2, "b": 0.3, "c": 0.5}


def test_what_a_step_leaves_goes_to_those_behind_it(clock: Clock) -> None:
    budget = Budget(Table(ABC), Stop(seconds=10.0))
    budget.begin("a")
    assert seconds(budget) == pytest.approx(2.0)
    clock.now += 0.4
    assert seconds(budget, 0.5) == pytest.approx(0.8), "a share of what the step has left"
    budget.begin("b")
    assert seconds(budget) == pytest.approx(9.6 * 0.3 / 0.8)
    clock.now += 9.6
    assert (budget.over, budget.late) == (True, True)
    budget.begin("c")
    assert seconds(budget) == 0.0


def test_steps_that_do_not_come_take_nothing(clock: Clock) -> None:
    del clock
    budget = Budget(Table(ABC), Stop(seconds=10.0, work=10.0), steps=["a", "c"])
    budget.begin("a")
    assert seconds(budget) == pytest.approx(10 * 0.2 / 0.7)
    budget.begin("c")
    assert budget.part().work == pytest.approx(10.0)


def test_fixed_shares_stay_whatever_was_left(clock: Clock) -> None:
    budget = Budget(Table(ABC, hands_on=False), Stop(seconds=10.0, work=100.0))
    for late in (0.1, 7.0):
        clock.now += late
        budget.begin("b")
        assert (seconds(budget), budget.part().work) == pytest.approx((3.0, 30.0))
        budget.spend(30.0)
        assert budget.part().work == 0.0


def test_work_is_counted_against_one_total() -> None:
    budget = Budget(Table(ABC), Stop(work=10.0))
    spent = 0.0
    for step in ABC:
        budget.begin(step)
        for _ in range(50):
            work = budget.part(0.5).work
            assert work is not None
            budget.spend(work)
            spent += work
    assert spent == pytest.approx(10.0)
    assert spent <= 10.0
    assert budget.part().seconds is None


def test_the_clock_counts_from_when_the_run_began(clock: Clock) -> None:
    budget = Budget(RUN, Stop(seconds=10.0), began=clock.now - 4.0)
    assert (budget.seconds, budget.left) == (4.0, 6.0)
    budget.end()
    assert budget.late


def test_a_part_of_a_part_is_charged(clock: Clock) -> None:
    del clock
    budget = Budget(Table(ABC), Stop(seconds=10.0, work=10.0))
    budget.begin("a")
    inner = budget.inner(Table({"x": 0.5, "y": 0.5}))
    inner.begin("x")
    assert inner.part() == Stop(seconds=1.0, work=1.0)
    assert budget.part().work == 0.0


def test_a_study_that_goes_by_work_looks_at_no_clock() -> None:
    budget = Budget.of(Limits(deterministic=True, seconds=7.0, workers=3, seed=5), RUN)
    assert (budget.total, budget.seed) == (Stop(seconds=None, work=7.0, workers=1), 5)
    assert Budget.of(Limits(deterministic=True, work=3.0), RUN).total.work == 3.0
    free = Budget.of(Limits(seconds=None, workers=3), RUN)
    free.begin("refine")
    assert free.part() == Stop(workers=3)
    assert free.left == inf
    assert share_of(Stop(seconds=4.0, workers=2), 0.5) == Stop(seconds=2.0, workers=2)
