"""Gap of a study: valid bounds, monotone values, pure rows, interrupts that are heard, and the prover in its place."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine import registry
from accmine.errors import CheckError, InfeasibleError
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.problems.design_search import Solution
from accmine.questions.gap.cases import rows_of
from accmine.questions.gap.measure import Ground, better_of, spread
from accmine.record import Record
from accmine.result import StopReason
from accmine.search import GAP, answer_of, own_bound, study_value, totals
from accmine.search.proof import LISTS
from accmine.search.schedules import list_work
from accmine.study import Search
from tests.samples.gap_sample import BUDGET, KEYS, ground, measured, no_prover, rows, study
from tests.samples.search_sample import designs, fits, listed


@pytest.mark.parametrize("case", KEYS)
def test_values_fall_and_the_bound_is_below_them(case: str) -> None:
    found = measured(case)
    assert found.first is not None
    assert found.refined is not None
    assert found.best is not None
    assert found.own is not None
    assert 0 < found.whole.value <= found.own <= found.best.value <= found.refined.value <= found.first.value
    assert found.first_s <= found.seconds


@pytest.mark.parametrize("case", KEYS)
def test_the_trace_ends_at_the_row(case: str) -> None:
    trace = measured(case).trace
    best = measured(case).best
    assert best is not None
    assert trace[-1][1:] == (best.value, measured(case).whole.value)
    for (s, objective, bound), (later, lower, higher) in pairwise(trace):
        assert s <= later
        assert bound is not None
        assert higher is not None
        assert bound <= higher
        assert objective is None or (lower is not None and lower <= objective)


@pytest.mark.parametrize("case", ["one device", "per TDP", "common"])
def test_no_design_beats_the_bound(case: str) -> None:
    base = ground(case)
    (problem,) = base.problems
    (group,) = base.groups
    plan = base.plan
    values = []
    for design in (d for d in designs(problem.template) if fits(problem, d)):
        evaluation = listed(problem, design)
        times: list[list[Any]] = [[None] * len(pipeline.tasks) for pipeline in plan.pipelines]
        for (w, s), cycles in zip(group.members, evaluation.cycles, strict=True):
            times[w][s] = [c / design.frequency_hz for c in cycles]
        values.append(float(study_value(plan, times, tdp_w(design, plan.technology) * plan.devices)))
    assert len(values) > 1
    assert measured(case).whole.value <= min(values)
    best = measured(case).best
    assert best is not None
    assert best.value <= min(values) * (1 + 1e-12)  # so few designs are all looked at


@pytest.mark.full
@pytest.mark.parametrize("seed", range(30))
def test_laws_of_random_studies(seed: int) -> None:
    """Bounds below everything, values that fall, and parts that multiply, with and without the prover."""
    chance = Random(seed)
    space = {
        "tensor_cores": sorted(chance.sample(range(1, 6), 2)),
        "vector_cores": sorted(chance.sample(range(1, 6), 2)),
        "tensor_dim": [chance.choice([4, 8])],
        "vector_lanes": sorted(chance.sample([4, 8, 16], 2)),
    }
    keys = dict(KEYS[chance.choice(list(KEYS))]) | {"space": space, "operator_split": chance.choice(["even", "none"])}
    keys |= {"limits": {"area": "900 mm^2", "tdp": chance.choice(["300 W", None])}}
    keys |= {"floor": 0.1} if keys.get("objective") == "throughput-per-tdp" else {}
    with no_prover() if seed % 2 else nullcontext(), Ground(study(**keys)) as base:
        found = base.measure(base.study.search)
    row, *_ = rows_of("s", base, found, "m", {})
    assert found.first is not None
    assert found.refined is not None
    assert found.best is not None
    assert found.own is not None
    assert 0 < found.whole.value <= found.own <= found.best.value <= found.refined.value <= found.first.value
    assert row.gap_after is not None
    assert row.gap_refined is not None
    assert row.gap_before is not None
    assert row.gap_after <= row.gap_refined <= row.gap_before
    if len(base.groups) > 1:
        return
    plan, (problem,), (group,) = base.plan, base.problems, base.groups
    for design in (d for d in designs(problem.template) if fits(problem, d)):
        evaluation = listed(problem, design)
        times: list[list[Any]] = [[None] * len(pipeline.tasks) for pipeline in plan.pipelines]
        for (w, s), cycles in zip(group.members, evaluation.cycles, strict=True):
            times[w][s] = [c / design.frequency_hz for c in cycles]
        value = float(study_value(plan, times, tdp_w(design, plan.technology) * plan.devices))
        assert found.whole.value <= value * (1 + 1e-12)


@pytest.mark.parametrize("case", KEYS)
def test_the_same_again_and_whatever_was_measured_before(case: str) -> None:
    base = ground(case)
    base.measure(Search.model_validate(base.study.search.model_dump() | {"hysteresis": 0, "top_k": 1}))
    again = base.measure(base.study.search)
    first = measured(case)
    assert again.refined is not None
    assert first.refined is not None
    assert again.refined.value == first.refined.value
    assert again.refined.designs() == first.refined.designs()
    assert [row[1:] for row in again.trace] == [row[1:] for row in first.trace]


def test_an_answer_is_what_its_schedules_make() -> None:
    base, best = ground("pipeline per TDP"), measured("pipeline per TDP").best
    assert best is not None
    again = answer_of(base.plan, best.final, "")
    assert (again.value, again.area_mm2, again.tdp_w) == (best.value, best.area_mm2, best.tdp_w)
    chosen = [schedule.design for schedule in best.final.values()]
    assert best.area_mm2 == pytest.approx(sum(area_mm2(d, base.plan.technology) for d in chosen))
    assert own_bound(base.plan, best) <= best.value
    assert better_of(None, replace(best, value=float("inf"))) is None
    assert better_of(best, replace(best, value=best.value)) is best


def test_workloads_that_take_turns_share_their_chip() -> None:
    base, best = ground("common"), measured("common").best
    assert best is not None
    design = best.final[0, 0].design
    used = totals(base.plan, dict.fromkeys(best.final, design))
    assert used == pytest.approx((area_mm2(design, base.plan.technology), tdp_w(design, base.plan.technology)))


def test_limits_that_nothing_meets() -> None:
    with pytest.raises(InfeasibleError), Ground(study(limits={"area": "1 mm^2"})):
        pass


def test_a_heuristic_without_a_design_has_no_value() -> None:
    base = ground("one device")
    empty = base._measured(None, None, base.session.fresh(base._budget()), False)
    row = rows_of("s", base, empty, "wham-like", {})[0]
    assert row.heuristic is None
    assert row.gap_before is None
    assert row.best == pytest.approx(_rate(base, base.known))
    assert row.gap_after is not None


def _rate(base: Ground, answer: Any) -> float:
    return base.plan.pipelines[0].batch / base.plan.reference_s[0] / float(answer.value)


class Prover:
    """Stands for the search with a proof: reports the least list schedule of all designs, and a bound."""

    name = "best-first"
    bound = 0.99
    claimed = 0.0
    seen: tuple[Any, ...] = ()

    def __init__(self, **_: Any) -> None:
        """Takes the options of the one it stands for."""

    def search(self, record: Record[Solution]) -> StopReason:
        problem = record.problem
        Prover.seen = (record.stop, record.seed, problem.first)
        found = sorted(
            (listed(problem, d) for d in designs(problem.template) if fits(problem, d)), key=lambda e: e.value
        )
        bound = Prover.claimed = found[0].value * self.bound
        if bound == float("inf"):
            record.no_solution("least of all designs")
            return StopReason.PROVED
        record.raise_bound(bound / 2, "half of it")
        record.raise_bound(bound, "least of all designs")
        record.pool.update({e.design: e for e in found})
        return StopReason.TIME


@pytest.fixture
def prover(monkeypatch: pytest.MonkeyPatch) -> type[Prover]:
    monkeypatch.setitem(registry.SOLVERS, ("design-search", "best-first"), "tests.questions.gap.test_measure:Prover")
    monkeypatch.setattr(
        registry, "_load", lambda target, load=registry._load: Prover if "Prover" in target else load(target)
    )
    monkeypatch.setattr(Prover, "bound", 0.99)
    return Prover


@pytest.mark.parametrize("case", ["one device", "per TDP"])
def test_the_bound_of_the_prover_counts(case: str, prover: type[Prover]) -> None:
    with Ground(study(**KEYS[case])) as base:
        found = base.measure(base.study.search)
        stop, seed, hint = prover.seen
        assert (seed, hint) == (base.session.seed, (base.plan.baseline,))
        graphs = [len(phase.graph) for task in base.plan.tasks for phase in task.phases]
        unit = list_work(sum(graphs) // len(graphs), LISTS)
        assert stop.work == pytest.approx(GAP.shares["prove"] * BUDGET["work"] / unit)
    assert found.best is not None
    assert found.whole.method == "least of all designs"
    assert found.whole.value == prover.claimed * base.plan.devices
    row = rows_of("s", base, found, "m", {})[0]
    assert row.gap_after is not None
    assert 0 <= row.gap_after <= 0.01
    assert max(bound or 0.0 for _, _, bound in found.trace) == found.whole.value
    assert row.proof == "least of all designs"


@pytest.mark.parametrize("case", ["one device", "per TDP", "common"])
def test_the_shipped_prover_agrees(case: str) -> None:
    with Ground(study(**KEYS[case])) as base:
        found = base.measure(base.study.search)
    known = measured(case)
    assert found.best is not None
    assert known.best is not None
    assert known.whole.value <= found.whole.value <= known.best.value * (1 + 1e-9)
    assert found.whole.value <= found.best.value <= known.best.value * (1 + 1e-9)


def test_a_prover_that_proves_too_much_is_found_out(prover: type[Prover], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prover, "bound", 1.01)
    with Ground(study()) as base, pytest.raises(CheckError, match="above a verified value"):
        base.measure(base.study.search)


def test_a_prover_that_leaves_nothing(prover: type[Prover], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prover, "bound", float("inf"))
    with pytest.raises(InfeasibleError, match="proven by least of all designs"), Ground(study()):
        pass


@pytest.mark.parametrize("case", ["pipeline", "bottleneck"])
def test_a_pipeline_is_no_single_search(case: str, prover: type[Prover]) -> None:
    prover.seen = ()
    with Ground(study(**KEYS[case])):
        assert prover.seen == ()


@given(st.lists(st.integers(), unique=True, max_size=40))
def test_spread_keeps_everything_ends_first(values: list[int]) -> None:
    found = spread(values)
    assert sorted(found) == sorted(values)
    assert found[:2] == list(dict.fromkeys([*values[-1:], *values[:1]]))


@pytest.mark.parametrize("case", KEYS)
def test_rows_hold_together(case: str) -> None:
    whole, *stages = rows(case)
    assert len(stages) == (0 if case in ("one device", "per TDP") else len(ground(case).plan.tasks))
    for row in rows(case):
        sign = 1 if row.sense == "minimize" else -1
        known = [row.bound, row.own_bound, row.best]
        assert None not in known
        assert known == sorted(known, key=lambda value: sign * value)  # type: ignore[operator]
        assert row.gap_after is not None
        assert row.schedule_part is not None
        assert row.bound_part is not None
        assert 1 - row.gap_after == pytest.approx((1 - row.schedule_part) * (1 - row.bound_part), abs=1e-12)
    assert whole.gap_before is not None
    assert whole.gap_refined is not None
    assert whole.gap_after is not None
    assert whole.gap_after <= whole.gap_refined <= whole.gap_before
    assert whole.operators == sum(row.operators or 0 for row in stages) or not stages
