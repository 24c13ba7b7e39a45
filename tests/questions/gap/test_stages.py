"""Stages alone: no choice of designs within the limits beats the bound of a stage."""

from __future__ import annotations

from itertools import product

import pytest

from accmine.hardware.technology import area_mm2, tdp_w
from accmine.questions.gap.stages import stage_own_bound
from accmine.search import stage_value
from tests.samples.gap_sample import ground, measured
from tests.samples.search_sample import designs, fits, listed

CASES = ["pipeline", "pipeline per TDP", "bottleneck", "common"]


@pytest.mark.parametrize("case", CASES)
def test_no_choice_within_the_limits_beats_the_bound_of_a_stage(case: str) -> None:
    base = ground(case)
    plan = base.plan
    offers = [[d for d in designs(problem.template) if fits(problem, d)] for problem in base.problems]
    seen = 0
    for choice in product(*offers):
        chips = [plan.devices if len(base.groups) == 1 else len(g.members) for g in base.groups]
        area = sum(n * area_mm2(d, plan.technology) for n, d in zip(chips, choice, strict=True))
        tdp = sum(n * tdp_w(d, plan.technology) for n, d in zip(chips, choice, strict=True))
        if area > plan.area_mm2 or tdp > plan.tdp_w:
            continue
        seen += 1
        for group, problem, design in zip(base.groups, base.problems, choice, strict=True):
            evaluation = listed(problem, design)
            for i, (w, s) in enumerate(group.members):
                times = [cycles / design.frequency_hz for cycles in evaluation.cycles[i]]
                value = stage_value(plan, plan.pipelines[w].tasks[s], times, tdp_w(design, plan.technology))
                assert base.stages[w, s] <= value
    assert seen > 1


@pytest.mark.parametrize("case", CASES)
def test_values_of_stages_are_those_of_their_schedules(case: str) -> None:
    base, best = ground(case), measured(case).best
    assert best is not None
    for member, schedule in best.final.items():
        tdp = tdp_w(schedule.design, base.plan.technology)
        value = stage_value(base.plan, schedule.task, schedule.phase_s, tdp)
        own = stage_own_bound(base.plan, best, member, tdp)
        assert 0 < own <= value
        assert base.stages[member] <= value
        if base.study.objective == "throughput":
            assert value == pytest.approx(schedule.busy_s)
        elif base.study.objective == "throughput-per-tdp":
            assert value == pytest.approx(schedule.busy_s * tdp)
        else:
            assert value < schedule.busy_s
        if all(phase.result.bound == phase.cycles for phase in schedule.phases):
            assert own == pytest.approx(value)


def test_stages_of_one_device_are_not_bounded_apart() -> None:
    assert ground("one device").stages == {}
