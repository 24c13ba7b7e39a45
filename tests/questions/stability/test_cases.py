"""Cases with makespans by hand: who fits, who is best, and how far the answer is from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.hardware import Calibration, Design
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.questions.stability import cases as module
from accmine.questions.stability.cases import (
    Case,
    World,
    checked,
    first_orders,
    list_makespans,
    more_orders,
    settle,
)
from accmine.questions.stability.draws import constants_of, drawn, swung
from accmine.search import search_problem
from tests.samples.search_sample import design, pipeline, planned

POOL = (design(1), design(2), design(3), design(4))
FREE: dict[str, Any] = {"limits": {}, "device_limits": {"area": "none", "tdp": "none"}}
PIPE: dict[str, Any] = {
    "models": ("gpt",), "workload": {"batch": 4, "microbatch": 1}, "mode": "heterogeneous", **pipeline(2), **FREE,
}  # fmt: skip


@lru_cache(maxsize=16)
def _world(text: str, draws: int) -> World:
    keys: dict[str, Any] = {"free": FREE, "pipe": PIPE}.get(text, {"limits": {"area": text}})
    plan, library = planned(**keys)
    constants = constants_of(plan.technology, plan.template.calibration)
    rows = np.vstack([[c.nominal for c in constants], drawn(constants, draws, 3), swung(constants)])
    groups = plan.groups(plan.study.mode)
    problems = tuple(search_problem(plan, group, len(groups), library) for group in groups)
    pools = tuple(POOL for _ in groups)
    return World(plan, library, constants, rows, draws, groups, problems, pools, tuple(1 for _ in groups), 0)


def world(text: str = "free", draws: int = 4) -> World:
    return _world(text, draws)


def makespans(one: World, factors: Sequence[float]) -> dict[tuple[int, Design], Any]:
    """Makespans that are a thousand cycles times a factor of each design of the pool."""
    found: dict[tuple[int, Design], Any] = {}
    for index, task in enumerate(one.plan.tasks):
        found |= {(index, d): np.full(len(task.phases), 1000 * f) for d, f in zip(POOL, factors, strict=True)}
    return found


speeds = st.lists(st.floats(0.5, 4), min_size=4, max_size=4)


@settings(max_examples=30, deadline=None)
@given(speeds, st.integers(0, 4))
def test_without_limits_the_regret_is_that_of_the_times(factors: list[float], case: int) -> None:
    found = settle(world(), case, makespans(world(), factors))
    assert found.broken == ()
    assert found.regret == pytest.approx(factors[1] / min(factors) - 1, abs=1e-9)
    assert factors[found.winner[0]] == pytest.approx(min(factors))
    assert found.best == pytest.approx(min(found.values))
    assert np.allclose(np.array(found.values) / found.value, np.array(factors) / factors[1])


@settings(max_examples=20, deadline=None)
@given(speeds, st.permutations(range(4)))
def test_the_order_of_the_pool_changes_nothing(factors: list[float], order: list[int]) -> None:
    one = world()
    turned = replace(one, pools=(tuple(POOL[i] for i in order),), chosen=(order.index(1),))
    cycles = makespans(one, factors)
    here, there = settle(one, 0, cycles), settle(turned, 0, cycles)
    assert (here.value, here.best, here.regret) == (there.value, there.best, there.regret)
    assert [here.values[i] for i in order] == list(there.values)


def test_values_are_relative_to_the_baseline() -> None:
    """The second design of the pool is the baseline: in every case its value is one."""
    one = world()
    assert POOL[1] == one.plan.baseline
    found = settle(replace(one, chosen=(0,)), 0, makespans(one, [4, 3, 2, 6]))
    assert found.values == pytest.approx((4 / 3, 1, 2 / 3, 2))
    assert (found.value, found.best) == pytest.approx((4 / 3, 2 / 3))


def test_the_answer_wins_where_nothing_is_better() -> None:
    found = settle(world(), 0, makespans(world(), [2, 2, 2, 2]))
    assert (found.winner, found.regret) == ((1,), 0.0), "not the first of equal ones"


@settings(max_examples=20, deadline=None)
@given(speeds, st.floats(1, 3))
def test_a_slower_answer_regrets_no_less(factors: list[float], slower: float) -> None:
    later = [f * (slower if i == 1 else 1) for i, f in enumerate(factors)]
    before, after = (settle(world(), 0, makespans(world(), f)).regret for f in (factors, later))
    assert after >= before - 1e-12


def test_limits_leave_out_what_is_too_large() -> None:
    technology = world().plan.technology
    sizes = [area_mm2(d, technology) for d in POOL]
    assert sizes == sorted(sizes)
    one = world(f"{(sizes[2] + sizes[3]) / 2:.6f} mm^2")
    found = settle(one, 0, makespans(one, [4, 3, 2, 1]))
    assert found.values[3] == inf
    assert (found.winner, found.broken) == ((2,), ())
    assert found.regret == pytest.approx(0.5)
    outside = settle(replace(one, chosen=(3,)), 0, makespans(one, [4, 3, 2, 1]))
    assert (outside.broken, outside.regret, outside.winner) == (("area",), inf, (2,))
    tiny = world("1 mm^2")
    nothing = settle(tiny, 0, makespans(tiny, [4, 3, 2, 1]))
    assert (nothing.best, nothing.winner, nothing.broken) == (inf, (), ("area",))


def test_regret() -> None:
    assert Case(3.0, (), 2.0, (0,), ()).regret == 0.5
    assert Case(2.0, (), 2.0 * (1 + 1e-15), (0,), ()).regret == 0.0, "never negative"
    assert Case(2.0, ("tdp",), 2.0, (0,), ()).regret == inf


def test_a_pipeline_is_as_fast_as_its_slowest_stage() -> None:
    """Stages have equal times by hand, so that both need the fast design."""
    one = world("pipe")
    assert len(one.groups) == 2
    found = settle(one, 0, makespans(one, [4, 2, 1, 3]))
    assert found.winner == (2, 2)
    assert found.values == ()
    assert found.regret > 0.5
    assert settle(one, 0, makespans(one, [4, 1, 2, 3])).regret == 0.0


def test_rows_of_cases() -> None:
    one = world(draws=4)
    for index, constant in enumerate(one.constants):
        for which, value in enumerate((constant.low, constant.high)):
            row = one.rows[one.end(index, which)]
            assert row[index] == value
            others = [c.nominal for c in one.constants]
            assert np.array_equal(np.delete(row, index), np.delete(others, index))
    assert one.end(len(one.constants) - 1, 1) == len(one.rows) - 1


def test_constants_of_a_case() -> None:
    one = world()
    own = Calibration()
    for index, constant in enumerate(one.constants):
        low = one.end(index, 0)
        assert (one.calibration(own, low) != own) == (constant.is_timing and constant.low != constant.nominal)
        silicon = one.technology(low)
        costs = [(area_mm2(d, t), tdp_w(d, t)) for t in (silicon, one.plan.technology) for d in POOL[:1]]
        if constant.is_timing:
            assert costs[0] == costs[1]
        else:
            assert costs[0][0] <= costs[1][0] * (1 + 1e-12)
    assert one.calibration(own, 0) == own


def test_spread_draws_are_distinct_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    one = world(draws=6)
    every = one.spread()
    assert sorted(every) == [1, 2, 3, 4, 5, 6], "all of them where there are few"
    monkeypatch.setattr(module, "MORE", 2)
    assert one.spread() == every[:2]
    timing = [i for i, c in enumerate(one.constants) if c.is_timing]
    width = np.array([c.high - c.low for c in one.constants if c.is_timing])
    far = np.abs((one.rows[1:7, timing] - one.rows[0, timing]) / width).max(axis=1)
    assert every[0] == 1 + far.argmax()
    still = replace(one, rows=np.repeat(one.rows[:1], len(one.rows), axis=0))
    assert still.spread() == []


def test_keys_are_distinct_tasks_on_designs() -> None:
    one = world("pipe")
    assert one.answer() == [POOL[1], POOL[1]]
    keys = one.keys([POOL[:2], POOL[1:3]])
    assert len(set(keys)) == len(keys)
    firsts = {one.first(m) for g in one.groups for m in g.members}
    assert {index for index, _ in keys} == firsts
    assert {d for _, d in keys} == set(POOL[:3])
    assert one.keys([[], []]) == []


def test_only_several_workloads_and_floors_need_references() -> None:
    assert not world().needs_references
    floored, _ = planned(objective="throughput-per-tdp", floor=0.5)
    assert replace(world(), plan=floored).needs_references
    plan, _ = planned(models=("mlp", "gpt"), mode="common", deployment="time-shared")
    assert replace(world(), plan=plan).needs_references


def test_orders_that_are_kept() -> None:
    one = world(draws=2)
    key, every = (0, POOL[1]), [0, 1, 2]
    task = one.plan.tasks[0]
    first, more = first_orders(one, key, every), more_orders(one, key, every)
    assert first.shape == more.shape == (len(task.phases), 3)
    assert np.all(first[:, 1:] >= first[:, :1] * (1 - 1e-9)), "the nominal time model is the fastest of all"
    many = list_makespans(task, one.library, POOL[1], 0, 24)
    assert np.all(many <= list_makespans(task, one.library, POOL[1], 0))
    assert np.all(many * 0.9 <= first[:, 0]), "kept orders are schedules too"
    assert np.array_equal(first_orders(one, key, [2])[:, 0], first[:, 2]), "cases do not touch each other"


def test_a_checked_answer_has_no_regret_against_itself() -> None:
    one = world()
    cycles = makespans(one, [9, 9, 9, 9])
    assert checked(one, 1, cycles, one.chosen) == 0.0
    there = checked(one, 1, cycles, (0,))
    back = checked(replace(one, chosen=(0,)), 1, cycles, (1,))
    assert (1 + there) * (1 + back) == pytest.approx(1)
    assert checked(one, 1, makespans(one, [1, 2, 3, 4]), (0,)) == there, "both are scheduled anew"
