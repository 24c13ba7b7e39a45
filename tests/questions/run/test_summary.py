"""The outcome of what a run found: every figure again from the schedules, and the words of how it ended."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import inf, isnan
from typing import Any

import pytest

from accmine.hardware.technology import area_mm2, idle_w, tdp_w
from accmine.plan import plan_of
from accmine.questions.run.flow import find
from accmine.questions.run.summary import Findings, summarize, trace_lanes
from accmine.result import StopReason
from accmine.search import Kept
from accmine.search.value import FLOAT
from accmine.system import step_time
from tests.samples.search_sample import pipeline, study

KEYS: dict[str, Any] = {
    "space": {"tensor_cores": [1, 2], "tensor_dim": [8], "vector_cores": [1, 2], "vector_lanes": [8]},
    "limits": {"area": "baseline", "tdp": "baseline"},
    "budget": {"work": 0.5, "deterministic": True},
    "search": {"refine": "none", "top_k": 2, "shares": 1},
}


@lru_cache(maxsize=3)
def findings(case: str) -> Findings:
    cases: dict[str, dict[str, Any]] = {
        "one": {},
        "pipeline": {"models": ("gpt",), **pipeline(2)},
        "two": {"models": ("mlp", "gpt")},
    }
    return find(plan_of(study(**(KEYS | cases[case]))), Kept(), lambda *_: None, compare=False)


@pytest.mark.parametrize("case", ["one", "pipeline", "two"])
def test_workloads_are_those_of_the_schedules(case: str) -> None:
    f = findings(case)
    technology = f.plan.technology
    for w, (row, own) in enumerate(zip(summarize(f).workloads, f.plan.pipelines, strict=True)):
        schedules = [f.final[w, s] for s in range(len(own.tasks))]
        busy = sum(
            run.repeats * phase.cycles / s.design.frequency_hz
            for s in schedules
            for run, phase in zip(s.task.phases, s.phases, strict=True)
        )
        if len(schedules) == 1:
            assert row.step_s == pytest.approx(busy)
        else:
            forward, backward, update = zip(*(own.times(s, x.phase_s) for s, x in enumerate(schedules)), strict=True)
            step = step_time(own.schedule, forward, backward, update, own.transfer_s, own.microbatches)
            assert row.step_s == pytest.approx(float(step))
        assert row.bubble == pytest.approx(max(0.0, 1 - busy / (row.step_s * len(schedules))), abs=1e-12)
        peak = sum(s.design.tensor_cores * s.design.tensor.macs * s.design.frequency_hz for s in schedules)
        assert row.mfu == pytest.approx(own.model_macs / (peak * row.step_s))
        assert row.hfu == pytest.approx(own.hardware_macs / (peak * row.step_s))
        idle = sum(idle_w(s.design, technology) for s in schedules) * row.step_s
        dynamic = sum(s.energy_j for s in schedules)
        links = row.energy_j - idle - dynamic
        sent = sum(x.sends_forward_bytes + x.sends_backward_bytes for x in own.stages) if len(schedules) > 1 else 0
        expected = own.microbatches * sent * technology.link_pj_per_byte * 1e-12
        assert links == pytest.approx(expected, abs=1e-9 * row.energy_j)
        assert (expected > 0) == (len(schedules) > 1)


@pytest.mark.parametrize("case", ["one", "pipeline", "two"])
def test_designs_are_listed_once_with_all_their_devices(case: str) -> None:
    f = findings(case)
    outcome = summarize(f)
    named = {(s.workload, s.name): s.design for s in outcome.stages}
    assert len(outcome.designs) == len({d.name for d in outcome.designs}) == len(set(named.values()))
    devices = [name for design in outcome.designs for name in design.devices]
    assert sorted(devices) == sorted(p.tasks[s].name for p in f.plan.pipelines for s in range(len(p.tasks)))
    for design in outcome.designs:
        (own,) = {s.design for s in f.final.values() if s.design.name == design.name}
        assert design.area_mm2 == area_mm2(own, f.plan.technology)
        assert design.tdp_w == tdp_w(own, f.plan.technology)
        assert f"Chosen by the study {f.plan.study.name}" in design.yaml
    if len(f.plan.pipelines) == 1:
        row = outcome.workloads[0]
        assert outcome.samples_per_s_per_w == pytest.approx(row.batch / row.step_s / outcome.tdp_w)
    else:
        assert isnan(outcome.samples_per_s_per_w)


def bounded(f: Findings, value: float, **more: Any) -> Findings:
    return replace(f, whole=replace(f.whole, value=value), own_bound=value, **more)


def test_gap_and_status_follow_value_and_bound() -> None:
    f = findings("one")
    value = f.chosen.value
    for share in (0.0, 0.25, 0.9):
        outcome = summarize(bounded(f, value * (1 - share)))
        assert outcome.certificate.gap == pytest.approx(share, abs=FLOAT)
        assert outcome.status == ("feasible" if share else "optimal")
        assert outcome.certificate.bound >= outcome.certificate.objective, "samples/s: the bound is above"
    assert summarize(bounded(f, value * (1 - FLOAT / 9))).status == "optimal", "what rounding alone makes is no gap"
    nothing = summarize(bounded(f, 0.0)).certificate
    assert (nothing.bound, nothing.gap) == (inf, 1.0)
    assert summarize(replace(bounded(f, value / 2), own_bound=value)).certificate.own_bound == pytest.approx(
        nothing.objective
    )


def test_the_word_for_the_end() -> None:
    f = findings("one")
    open_gap = bounded(f, f.chosen.value / 2)
    assert summarize(bounded(f, f.chosen.value)).stop == "proved"
    assert summarize(replace(open_gap, interrupted=True)).stop == "interrupted"

    def ended(finished: bool) -> Findings:
        end = StopReason.FINISHED if finished else StopReason.TIME
        groups = tuple(replace(g, mined=replace(g.mined, stop=end)) for g in f.chosen.groups)
        return replace(open_gap, chosen=replace(f.chosen, groups=groups))

    assert summarize(ended(True)).stop == "finished"
    late = summarize(ended(False))
    assert late.stop == "time"
    assert any("a longer budget may find a better one" in text for text in late.warnings)
    assert not any("longer budget" in text for text in summarize(ended(True)).warnings)


def test_warnings_name_what_was_not_done() -> None:
    f = findings("one")
    skipped = replace(f, skipped=("nvdla-like", "other constants"))
    assert "not compared: no time left for nvdla-like, other constants" in summarize(skipped).warnings
    broken = summarize(replace(skipped, interrupted=True)).warnings
    assert any(text.startswith("interrupted: the best verified so far") for text in broken)
    assert not any("no time left" in text for text in broken)
    template = replace(f.plan.template, calibration=replace(f.plan.template.calibration, launch_s=1e-6))
    other = summarize(replace(f, plan=replace(f.plan, template=template)))
    assert any("calibrations differ" in text for text in other.warnings)
    assert not any("calibrations differ" in text for text in summarize(f).warnings)


def test_modes_stand_side_by_side_only_where_there_are_several() -> None:
    f = findings("pipeline")
    worse = replace(f.chosen, value=2 * f.chosen.value, step_s=tuple(2 * t for t in f.chosen.step_s))
    rows = summarize(replace(f, modes={"heterogeneous": f.chosen, "common": worse})).modes
    assert [row.mode for row in rows] == ["heterogeneous", "common"]
    assert rows[1].relative == 2 * rows[0].relative == 2 * f.chosen.value
    assert rows[0].samples_per_s == pytest.approx([2 * rate for rate in rows[1].samples_per_s])
    assert rows[0].designs == tuple(f.chosen.design_of(member).design.name for member in sorted(f.final))
    assert summarize(replace(f, modes={"common": worse})).modes == ()


@pytest.mark.parametrize("case", ["one", "pipeline"])
def test_lanes_end_when_their_device_does(case: str) -> None:
    f = findings(case)
    lanes = trace_lanes(f)
    for (w, s), schedule in f.final.items():
        name = f.plan.pipelines[w].tasks[s].name
        own = [lane for lane in lanes if lane.process == name and not lane.counter]
        assert max(lane.start_s + lane.duration_s for lane in own) == pytest.approx(sum(schedule.phase_s))
    passes = [lane for lane in lanes if lane.process.endswith(" pipeline")]
    assert bool(passes) == (case == "pipeline")
    if passes:
        step = summarize(f).workloads[0].step_s
        assert max(lane.start_s + lane.duration_s for lane in passes) == pytest.approx(step)
