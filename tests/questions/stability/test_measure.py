"""Decision stability on tiny studies: laws that hold whatever the constants are, and the sums of the report."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from math import inf, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware import Calibration
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.plan import Plan, plan_of, under_technology
from accmine.questions.run.flow import solve_study
from accmine.questions.run.record import Outcome
from accmine.questions.stability import cases as stability_cases
from accmine.questions.stability import measure as module
from accmine.questions.stability.cases import World
from accmine.questions.stability.draws import Constant, constants_of
from accmine.questions.stability.measure import stability, stability_of, world_of
from accmine.questions.stability.record import Stability, rank_correlation
from accmine.questions.stability.report import render
from accmine.search import Kept
from tests.samples.search_sample import pipeline, study

KEYS: dict[str, Any] = {
    "space": {"tensor_cores": [1, 2, 3], "tensor_dim": [4, 8], "vector_cores": [1, 2], "vector_lanes": [4, 8]},
    "limits": {"area": "baseline", "tdp": "baseline"},
    "budget": {"work": 0.5, "deterministic": True, "workers": 1},
    "search": {"refine": "none", "top_k": 3, "shares": 1},
}


@pytest.fixture(autouse=True)
def few_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stability_cases, "MORE", 2)


@lru_cache(maxsize=8)
def solved(text: str) -> tuple[Plan, Outcome]:
    plan = plan_of(study(**{**KEYS, **json.loads(text)}))
    outcome, _ = solve_study(plan, Kept(), lambda *_: None, compare=False)
    return plan, outcome


def world(draws: int = 8, seed: int = 0, constants: tuple[Constant, ...] | None = None, **more: Any) -> World:
    plan, outcome = solved(json.dumps(more))
    every = constants_of(plan.technology, plan.template.calibration)
    own = constants if constants is not None else every[::4]
    return world_of(plan, outcome, None, own, draws, seed)


@lru_cache(maxsize=1)
def found() -> Stability:
    plan, outcome = solved("{}")
    return stability(plan, outcome, draws=6)


def still(plan: Plan) -> tuple[Constant, ...]:
    """The constants with bands of zero."""
    constants = constants_of(plan.technology, plan.template.calibration)
    return tuple(replace(c, low=c.nominal, high=c.nominal) for c in constants)


def test_the_sums_of_the_report() -> None:
    one = found()
    assert one.within <= one.draws - one.outside_limits
    assert one.share == one.within / one.draws
    assert one.standard_error == pytest.approx(sqrt(one.share * (1 - one.share) / one.draws))
    assert one.interval[0] <= one.share <= one.interval[1]
    assert max(one.outside.values(), default=0) <= one.outside_limits <= sum(one.outside.values())
    assert sum(w.share for w in one.winners) == pytest.approx(1 - one.nothing_fits / one.draws)
    answer = next(w for w in one.winners if w.chosen)
    assert answer.near == pytest.approx(one.share)  # two ways of counting the same
    assert answer.designs == one.designs
    assert all(w.near is not None and w.near >= w.share for w in one.winners)
    assert one.nominal is not None
    assert one.nominal.gap == solved("{}")[1].certificate.gap
    assert one.nominal_regret is not None
    assert all(row.regret[0] >= 0 and row.regret[1] >= 0 for row in one.constants)
    assert any(row.matters for row in one.constants)


def test_json_is_plain() -> None:
    text = json.dumps(found().to_json(), allow_nan=False)
    assert json.loads(text)["share"] == found().share
    assert len(json.loads(text)["constants"]) == len(found().constants)


def test_the_text_says_it() -> None:
    text = render(replace(found(), folder="runs/x"))
    one = found()
    assert f"in {one.within} of {one.draws} draws" in text
    assert "Fewer than 200 draws" in text
    assert "not to be added: the certificate" in text
    assert "for the constants exactly as they are" in text
    assert "runs/x/stability.json" in text
    for row in one.constants:
        assert row.matters or row.name in text.split("nothing compared here depends on it")[1]
    assert max(map(len, text.splitlines())) < 400
    interrupted = render(replace(one, asked=24, interrupted=True))
    assert "Interrupted: 6 of 24 draws" in interrupted


def test_bands_of_zero_change_nothing() -> None:
    plan, _ = solved("{}")
    one = stability_of(world(constants=still(plan)), 0.02)
    assert one.nominal_regret == 0.0
    assert (one.share, one.standard_error, one.outside_limits) == (1.0, 0.0, 0)
    assert not any(row.flips or row.matters for row in one.constants)


def test_one_design_is_always_the_best() -> None:
    one = world(limits={"area": "100000 mm^2", "tdp": "100000 W"})
    alone = replace(one, pools=((one.answer()[0],),), chosen=(0,))
    assert stability_of(alone, 1e-9).share == 1.0


def test_a_wider_tolerance_never_lowers_the_share() -> None:
    same = world()
    shares = [stability_of(same, tolerance).share for tolerance in (1e-6, 0.02, 0.3)]
    assert shares == sorted(shares)


def test_a_limit_out_of_reach_leaves_only_time() -> None:
    """Without limits nothing is infeasible, and no constant of the technology can flip a decision on speed."""
    one = stability_of(world(limits={}, device_limits={"area": "none", "tdp": "none"}), 0.02)
    assert one.outside_limits == 0
    assert not any(row.flips for row in one.constants if not row.name.startswith("timing."))


def test_what_nothing_depends_on_never_flips() -> None:
    for row in found().constants:
        if row.name in ("power.link_pj_per_bit", "power.mac_int8_pj", "area.flexible_pe_um2"):
            assert not row.matters
            assert not row.flips
            assert row.correlation == 0.0


def test_the_same_seed_gives_the_same_answer() -> None:
    def counted(one: Stability) -> dict[str, Any]:
        return {k: v for k, v in one.to_json().items() if k != "seconds"}

    plan, outcome = solved("{}")
    assert counted(stability(plan, outcome, draws=6)) == counted(found())
    other = stability(plan, outcome, draws=6, seed=1)
    assert [r.correlation for r in other.constants] != [r.correlation for r in found().constants]


def test_processes_change_nothing() -> None:
    one = world()
    budget = one.plan.study.budget.model_copy(update={"workers": 2})
    again = replace(one, plan=replace(one.plan, study=one.plan.study.model_copy(update={"budget": budget})))
    assert stability_of(one, 0.02).to_json() == stability_of(again, 0.02).to_json()


def test_names_change_nothing() -> None:
    plain = stability_of(world(), 0.02).to_json()
    renamed = stability_of(
        world(name="other", workload={"batch": 8, "microbatch": 4, "name": "renamed"}), 0.02
    ).to_json()
    assert renamed.pop("study") != plain.pop("study")
    assert renamed == plain


def test_limits_of_the_baseline_follow_the_technology() -> None:
    plan, _ = solved("{}")
    cheaper = plan.technology.perturbed({"area.uncore_mm2": 0.8, "power.uncore_w": 0.5})
    there = under_technology(plan, cheaper)
    assert there.area_mm2 == pytest.approx(plan.devices * area_mm2(plan.baseline, cheaper), abs=2e-3)
    assert there.tdp_w == pytest.approx(plan.devices * tdp_w(plan.baseline, cheaper), abs=2e-3)
    assert there.area_mm2 < plan.area_mm2
    fixed, _ = solved(json.dumps({"limits": {"area": "500 mm^2", "tdp": "250 W"}}))
    assert (under_technology(fixed, cheaper).area_mm2, under_technology(fixed, cheaper).tdp_w) == (500, 250)


def test_a_tight_limit_is_broken_in_half_of_the_draws() -> None:
    """An absolute limit at the answer's own area: whichever way the uncore moves decides."""
    plan, outcome = solved("{}")
    area = area_mm2(world(1).answer()[0], plan.technology)
    tight = plan_of(study(**{**KEYS, "limits": {"area": f"{area * (1 + 1e-9):.9f} mm^2"}}))
    uncore = next(c for c in constants_of(plan.technology, Calibration()) if c.name == "area.uncore_mm2")
    one = stability_of(world_of(tight, outcome, None, [uncore], 60, 3), 0.02)
    assert abs(one.outside_limits / 60 - 0.5) < 4 * sqrt(0.25 / 60)
    (row,) = one.constants
    assert row.flips
    assert (row.broken[0], row.broken[1]) == ((), ("area",))
    assert row.correlation > 0.8
    assert one.share <= 1 - one.outside_limits / 60


@pytest.mark.parametrize(
    "more",
    [
        {"models": ["gpt"], "workload": {"batch": 4, "microbatch": 1}, "mode": "heterogeneous", **pipeline(2)},
        {"models": ["mlp", "gpt"], "mode": "common", "deployment": "time-shared"},
        {"objective": "throughput-per-tdp", "floor": 0.5},
    ],
    ids=["pipeline", "two workloads", "per watt"],
)
def test_other_kinds_of_study(more: dict[str, Any]) -> None:
    plan, _ = solved(json.dumps(more))
    few = constants_of(plan.technology, plan.template.calibration)[::6]
    one = world(6, constants=few, **more)
    result = stability_of(one, 0.02)
    assert result.draws == 6
    assert len(result.pool) == len(one.groups)
    assert sum(w.share for w in result.winners) == pytest.approx(1 - result.nothing_fits / 6)
    calm = stability_of(replace(one, rows=np.repeat(one.rows[:1], len(one.rows), axis=0)), 0.02)
    assert calm.nominal_regret is not None  # a search of a tiny pipeline may miss what the least bounds show
    assert calm.share == (1.0 if calm.nominal_regret <= 0.02 else 0.0)
    assert "Best in the draws" in render(result)


def test_ctrl_c_keeps_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    one, calls = world(), list[int]()
    settle = stability_cases.settle

    def pressed(*arguments: Any) -> Any:
        calls.append(arguments[1])
        if len(calls) > len(one.rows) - 5:
            raise KeyboardInterrupt
        return settle(*arguments)

    monkeypatch.setattr(module, "settle", pressed)
    result = stability_of(one, 0.02)
    assert result.interrupted
    assert result.asked == 8
    assert result.draws == 3
    calls.clear()
    monkeypatch.setattr(module, "settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        stability_of(one, 0.02)


def test_ctrl_c_in_the_second_round_keeps_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the designs with more schedules than the others would be no fair ranking."""
    one = world()

    def pressed(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "more_orders", pressed)
    result = stability_of(one, 0.02)
    assert result.interrupted
    assert (result.draws, result.refined, result.checks) == (8, 0, ())
    assert "8 of 8 draws, from three quick schedules of every design" in render(result)


def test_options_out_of_range_are_named_at_once() -> None:
    plan, outcome = solved("{}")
    with pytest.raises(InputError) as caught:
        stability(plan, outcome, draws=0, seed=-1, tolerance=1.0)
    for word in ("draws", "seed", "tolerance"):
        assert word in str(caught.value)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=3, max_size=12))
def test_rank_correlation(pairs: list[tuple[float, float]]) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    rho = rank_correlation(a, b)
    assert -1 - 1e-9 <= rho <= 1 + 1e-9
    assert rank_correlation(b, a) == pytest.approx(rho)
    assert rank_correlation([-x for x in a], b) == pytest.approx(-rho, abs=1e-9)
    assert rank_correlation(a, [y * y * y for y in b]) == pytest.approx(rho, abs=1e-6) or len(set(b)) != len(
        {y * y * y for y in b}
    )


def test_rank_correlation_puts_broken_limits_last() -> None:
    assert rank_correlation([1, 2, 3, 4], [0.0, 0.1, inf, inf]) == pytest.approx(0.9486, abs=1e-3)
    assert rank_correlation([1, 2, 3], [inf, inf, inf]) == 0.0
