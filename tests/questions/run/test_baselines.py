"""Comparisons: baselines under the same rules, the way to the answer, another technology."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from accmine.cost import CostLibrary
from accmine.hardware import Design
from accmine.hardware.technology import area_mm2, tdp_w
from accmine.plan import Plan, costs_of, under_limits
from accmine.ports import Stop
from accmine.questions.run.baselines import baseline_rows, change_rows, variant_sentence
from accmine.search import Selection, schedule_task, select
from accmine.search.selection import settle
from accmine.study.inputs import VARIANTS
from tests.samples.search_sample import BASE, brute_groups, folder, pipeline, planned, session


def settled(mode: str = "heterogeneous", refine: str = "none", **keys: Any) -> tuple[Plan, CostLibrary, Selection]:
    """The best of all designs, with the schedules a run would make."""
    plan, library = planned(mode=mode, search={"refine": refine, "select": "cp-sat"}, **keys)
    groups = brute_groups(plan, library, mode, count=16)
    chosen = select(session(plan, library), mode, groups, Stop())
    assert chosen.chosen
    final = {
        (w, s): schedule_task(task, library, chosen.design_of((w, s)).design, refine, Stop(), 0)
        for w, p in enumerate(plan.pipelines)
        for s, task in enumerate(p.tasks)
    }
    return plan, library, settle(plan, chosen, final)


def fleet(plan: Plan, chosen: Selection) -> list[Design]:
    return [chosen.design_of((w, s)).design for w, p in enumerate(plan.pipelines) for s in range(len(p.tasks))]


def other(name: str, *changes: tuple[str, str]) -> str:
    """A baseline of its own in a file."""
    text = BASE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder() / f"{name}.yaml"
    path.write_text(text)
    return str(path)


CASES: list[dict[str, Any]] = [
    {"models": ("gpt",)},
    {"models": ("gpt",), **pipeline(2)},
    {"models": ("mlp", "gpt"), "mode": "common", "aggregate": "mean"},
    {"models": ("mlp", "gpt"), "mode": "common", "deployment": "concurrent"},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_baseline_itself_is_no_better_and_no_worse(case: dict[str, Any]) -> None:
    """In a space of one design the answer is the baseline."""
    plan, library, chosen = settled(**case, space={})
    rows = baseline_rows(session(plan, library), chosen, fleet(plan, chosen), Stop())
    assert [row.operator_split for row in rows] == ["even", "none"]
    for row in rows:
        assert row.ratio == pytest.approx(1.0)
        assert row.ratio_per_tdp == pytest.approx(1.0)
        assert row.samples_per_s == pytest.approx(row.own_samples_per_s)
        assert row.area_mm2 == pytest.approx(plan.devices * area_mm2(plan.baseline, plan.technology))
        assert row.tdp_w == pytest.approx(plan.devices * tdp_w(plan.baseline, plan.technology))
        assert row.note == ""


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ratios_are_those_of_throughput(case: dict[str, Any]) -> None:
    weak = other("weak", ("tensor_cores: 2", "tensor_cores: 1"))
    base = other("same")
    plan, library, chosen = settled(**case, baselines=[base, weak])
    rows = baseline_rows(session(plan, library), chosen, fleet(plan, chosen), Stop())
    assert [(row.name, row.operator_split) for row in rows] == [
        (base, "even"),
        (weak, "even"),
        (base, "none"),
        (weak, "none"),
    ]
    for row in rows:
        each = [theirs / own for theirs, own in zip(row.samples_per_s, row.own_samples_per_s, strict=True)]
        joined = max(each) if plan.study.aggregate == "worst" else sum(each) / len(each)
        assert row.ratio == pytest.approx(1 / joined)
        assert row.ratio_per_tdp == pytest.approx(row.ratio * row.tdp_w / chosen.tdp_w)
        if row.operator_split == "even":
            own = [p.batch / t for p, t in zip(plan.pipelines, chosen.step_s, strict=True)]
            assert row.own_samples_per_s == pytest.approx(own)
    assert rows[0].ratio >= 1 - 1e-9, "the baseline is in the space"
    assert rows[1].ratio >= rows[0].ratio, "a core less is no faster"
    assert all(a.own_samples_per_s >= b.own_samples_per_s for a, b in zip(rows[:2], rows[2:], strict=True))


def test_without_splitting_there_is_one_comparison() -> None:
    plan, library, chosen = settled(models=("gpt",), operator_split="none")
    rows = baseline_rows(session(plan, library), chosen, fleet(plan, chosen), Stop())
    assert [row.operator_split for row in rows] == ["none"]
    assert rows[0].own_samples_per_s == (8 / chosen.step_s[0],)


def test_notes_say_what_a_baseline_lacks() -> None:
    small = other("small", ("hbm: 16 GiB", "hbm: 1 MiB"))
    large = other("large", ("tensor_cores: 2", "tensor_cores: 40"))
    plan, library, chosen = settled(
        models=("gpt",),
        baselines=[small, large],
        limits={"area": "420 mm^2"},
        workload={"batch": 256, "microbatch": 256},
    )
    notes = {
        (row.name, row.operator_split): row.note
        for row in baseline_rows(session(plan, library), chosen, fleet(plan, chosen), Stop())
    }
    assert "GiB of HBM" in notes[small, "even"]
    assert "outside the limits" in notes[large, "none"]


def test_workers_change_nothing() -> None:
    plan, library, chosen = settled(models=("gpt",), **pipeline(2))
    designs = fleet(plan, chosen)
    alone = baseline_rows(session(plan, library), chosen, designs, Stop())
    with ThreadPoolExecutor(2) as executor:
        assert baseline_rows(session(plan, library, executor=executor), chosen, designs, Stop(workers=2)) == alone


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("split", ["even", "none"])
def test_the_way_from_the_baseline_to_the_answer(case: dict[str, Any], split: str) -> None:
    plan, library, chosen = settled(**case, operator_split=split, limits={"area": "835 mm^2"})
    rows = change_rows(session(plan, library), chosen.step_s, fleet(plan, chosen))
    assert "one core per operator" in rows[0].what
    assert rows[0].area_mm2 == pytest.approx(plan.devices * area_mm2(plan.baseline, plan.technology))
    last = rows[-1]
    assert last.what == "schedule refined"
    assert last.samples_per_s == tuple(p.batch / t for p, t in zip(plan.pipelines, chosen.step_s, strict=True))
    assert last.area_mm2 == pytest.approx(chosen.area_mm2)
    assert last.tdp_w == pytest.approx(chosen.tdp_w)
    assert last.within_limits
    evenly = [row for row in rows if row.what == "operators split evenly over cores"]
    assert len(evenly) == (split == "even")
    if split == "even":
        before = rows[rows.index(evenly[0]) - 1]
        assert evenly[0].area_mm2 == before.area_mm2
    assert all(a >= b * (1 - 1e-9) for a, b in zip(last.samples_per_s, rows[-2].samples_per_s, strict=True))


def test_another_technology() -> None:
    plan, library, chosen = settled(models=("gpt",), limits={"area": "baseline"})
    sentence = variant_sentence(session(plan, library), chosen, Stop())
    assert VARIANTS["tpu-16nm"] in sentence
    assert "winner" in sentence
    alone, library, chosen = settled(models=("gpt",), space={})
    same = variant_sentence(session(alone, library), chosen, Stop())
    assert same.startswith("the winner is the same under tpu-16nm-multiplier")
    tight, library, chosen = settled(models=("gpt",), limits={"area": "414 mm^2"}, **{})
    assert isinstance(library, CostLibrary)
    assert "tpu-16nm-multiplier" in variant_sentence(session(tight, library), chosen, Stop())
    assert all(name != other and other in VARIANTS for name, other in VARIANTS.items())


@pytest.mark.parametrize("limit", ["area", "tdp"])
def test_who_does_not_fit_under_another_technology_is_not_its_winner(limit: str) -> None:
    """A limit of each device holds there as well, and the sentence says which one is not met, and by how much."""
    plan, library, chosen = settled(models=("gpt",), space={}, device_limits={"area": "none"})
    assert plan.inputs.variant is not None
    (design,) = fleet(plan, chosen)
    costs = [costs_of(design, technology) for technology in (plan.technology, plan.inputs.variant)]
    here, there = (row[limit == "tdp"] for row in costs)
    most = {f"device_limits.{limit}": (here + there) / 2}
    sentence = variant_sentence(session(under_limits(plan, most), library), chosen, Stop())
    if there > here:
        assert sentence.startswith("under tpu-16nm-multiplier none of")
        assert f"device_limits.{limit}: {there:.10g}" in sentence
    else:
        assert sentence.startswith("the winner is the same")
    some = {f"device_limits.{limit}": there * 0.999}
    assert "does not fit there" in variant_sentence(session(under_limits(plan, some), library), chosen, Stop())


def test_a_baseline_outside_the_limits_of_one_device_is_told() -> None:
    plan, library, chosen = settled(models=("gpt",), space={})
    rows = baseline_rows(session(plan, library), chosen, fleet(plan, chosen), Stop())
    assert not any("outside" in row.note for row in rows)
    tight = under_limits(plan, {"device_limits.area": 1.0})
    rows = baseline_rows(session(tight, library), chosen, fleet(plan, chosen), Stop())
    assert all(row.note == "outside the limits" for row in rows)
