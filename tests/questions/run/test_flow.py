"""What a run finds: against every design of a tiny space, and what an interrupt at any step leaves."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from accmine.errors import InfeasibleError
from accmine.plan import Plan, plan_of
from accmine.problems.design_search import TIE
from accmine.questions.run import flow
from accmine.questions.run.flow import find, solve_study
from accmine.questions.run.summary import Findings
from accmine.report import Watch
from accmine.search import Kept, search_problem
from tests.samples.search_sample import designs, everything, folder, pipeline, study

KEYS: dict[str, Any] = {
    "space": {"tensor_cores": [1, 2], "tensor_dim": [8], "vector_cores": [1, 2], "vector_lanes": [8]},
    "limits": {"area": "baseline", "tdp": "baseline"},
    "budget": {"work": 0.5, "deterministic": True},
    "search": {"refine": "none", "top_k": 2, "shares": 1},
}
CASES: dict[str, dict[str, Any]] = {
    "one": {},
    "pipeline": {"models": ("gpt",), **pipeline(2)},
    "two": {"models": ("mlp", "gpt")},
}
STEPS = {
    "one": ["baseline", "bound", "propose", "confirm", "select", "refine", "prove"],
    "pipeline": ["baseline", "propose", "confirm", "select", "refine", "bound"],
    "two": ["baseline", "bound", "propose", "confirm", "select", "refine", "prove"],
}
"""The steps of each case; two workloads on one device share one design."""


class Notes(Watch):
    """Remembers steps, figures and the unit; raises a Ctrl-C as each of the steps in ``at`` begins."""

    def __init__(self, *at: str) -> None:
        self.at = list(at)
        self.steps: list[str] = []
        self.values: list[float] = []
        self.bounds: list[float] = []
        self.units: list[str] = []

    def step(self, name: str) -> None:
        self.steps.append(name)
        if name in self.at:
            self.at.remove(name)
            raise KeyboardInterrupt

    def unit(self, unit: str, shown: Any) -> None:
        assert shown(2.0) != shown(1.0)
        self.units.append(unit)

    def progress(self, seconds: float, value: float | None, bound: float | None) -> None:
        assert seconds >= 0
        verified = self.steps[-1] not in ("propose", "confirm")  # before, attention may be one operator
        self.values += [value] if value is not None and verified else []
        self.bounds += [] if bound is None else [bound]


def plan_for(case: str) -> Plan:
    return plan_of(study(**(KEYS | CASES[case])))


def found(case: str, notes: Notes, **more: Any) -> Findings:
    return find(plan_for(case), Kept(), notes.progress, watch=notes, **({"compare": False} | more))


@cache
def whole_run(case: str) -> tuple[Findings, Notes]:
    notes = Notes()
    return found(case, notes), notes


@pytest.mark.parametrize("case", CASES)
def test_the_steps_come_in_their_order_and_are_timed(case: str) -> None:
    findings, notes = whole_run(case)
    assert list(dict.fromkeys(notes.steps)) == STEPS[case] == list(findings.seconds)
    assert all(seconds >= 0 for seconds in findings.seconds.values())
    assert len(notes.units) == 1
    assert not findings.interrupted
    assert (findings.baselines, findings.changes, list(findings.modes)) == ((), (), [findings.plan.study.mode])


@pytest.mark.parametrize("case", CASES)
def test_bounds_stay_below_the_values_and_both_close_in(case: str) -> None:
    findings, notes = whole_run(case)
    assert all(b <= a * (1 + TIE) for a, b in pairwise(notes.values))
    assert findings.trace[-1][1:] == (findings.chosen.value, findings.whole.value)
    assert set(notes.values[-1:]) <= {findings.chosen.value}  # none where what was proposed is what was verified
    assert max(notes.bounds) <= findings.whole.value <= findings.chosen.value * (1 + 1e-9)
    assert 0 < findings.own_bound <= findings.chosen.value <= findings.first.value * (1 + TIE)
    assert findings.chosen.value <= 1.0 + 1e-9  # that of the baseline, which is one of the designs


@pytest.mark.parametrize("case", ["one", "two"])
def test_no_design_of_the_space_is_better_and_none_is_below_the_bound(case: str) -> None:
    findings, _ = whole_run(case)
    plan = findings.plan
    (group,) = plan.groups(plan.study.mode)
    every = everything(search_problem(plan, group, 1, plan.library()))
    assert 1 < len(every) <= len(designs(plan.template))
    assert findings.chosen.value <= min(e.value for e in every) * (1 + TIE)
    assert findings.whole.value <= min(e.value for e in every)
    assert findings.whole.feasible == len(every)
    assert {s.design for s in findings.final.values()} <= {e.design for e in every}


def test_with_references_the_baseline_is_not_scheduled_again() -> None:
    findings, _ = whole_run("one")
    assert findings.plan.reference_s
    notes = Notes()
    again = find(findings.plan, Kept(), notes.progress, compare=False, watch=notes)
    assert "baseline" not in notes.steps
    assert again.plan.reference_s == findings.plan.reference_s
    assert max(again.whole.value, findings.whole.value) <= min(again.chosen.value, findings.chosen.value) * (1 + 1e-9)


@pytest.mark.parametrize(("case", "step"), [(c, step) for c in ("one", "pipeline") for step in STEPS[c][1:]])
def test_ctrl_c_at_a_step_leaves_a_verified_answer(case: str, step: str) -> None:
    findings, _ = whole_run(case)
    notes = Notes(step)
    stopped = found(case, notes)
    assert stopped.interrupted
    assert findings.whole.value <= stopped.chosen.value * (1 + 1e-9)
    assert findings.chosen.value <= stopped.chosen.value <= 1.0 + 1e-9
    assert 0 < stopped.own_bound <= stopped.chosen.value
    assert set(stopped.final) == set(findings.final)
    assert notes.at == []


def test_ctrl_c_behind_the_proof_keeps_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: Any) -> Any:
        raise KeyboardInterrupt

    notes = Notes()
    monkeypatch.setattr(flow, "joined", pressed)
    findings = found("one", notes)
    assert findings.interrupted
    assert notes.bounds[-1] == max(notes.bounds)
    assert findings.whole.value == pytest.approx(notes.bounds[-1], rel=1e-9)
    assert findings.whole.value > notes.bounds[0], "the proof raised it"


def test_ctrl_c_before_anything_is_verified_ends_the_run() -> None:
    with pytest.raises(KeyboardInterrupt):
        found("one", Notes("baseline"))


def test_a_second_ctrl_c_ends_the_run() -> None:
    notes = Notes("propose", "select")
    with pytest.raises(KeyboardInterrupt):
        found("one", notes)
    assert notes.at == []


def test_given_designs_are_candidates() -> None:
    """With no work for a search, the answer is the best of the baseline and of what was given."""
    findings, _ = whole_run("one")
    (best,) = {s.design for s in findings.final.values()}
    bare: dict[str, Any] = KEYS | {"budget": {"work": 1e-9, "deterministic": True}}
    given = find(plan_of(study(**bare)), Kept(), lambda *_: None, first=[best], compare=False)
    assert given.chosen.value <= findings.first.value * (1 + 1e-9)


@pytest.mark.parametrize("case", ["one", "pipeline"])
def test_what_is_compared_agrees_with_the_answer(case: str) -> None:
    findings = found(case, Notes(), compare=True)
    assert findings.skipped == ()
    assert len(findings.baselines) >= 1
    mode = findings.plan.study.mode
    assert findings.modes[mode] == findings.chosen
    assert {mode} <= set(findings.modes) <= ({mode} if case == "one" else {"common", "homogeneous", mode})
    # One design for the stages of the only pipeline is one for all devices; more freedom is never worse.
    common = findings.modes.get("common", findings.chosen)
    assert findings.modes.get("homogeneous", common) == common
    assert findings.chosen.value <= common.value * (1 + TIE)


def test_the_outcome_and_its_lanes_are_those_of_the_plan() -> None:
    findings, _ = whole_run("pipeline")
    outcome, lanes = solve_study(findings.plan, Kept(), lambda *_: None, compare=False)
    assert findings.whole.value <= outcome.value * (1 + 1e-9) <= 1.0 + 1e-8
    assert [w.step_s for w in outcome.workloads] == pytest.approx(
        [outcome.value * s for s in findings.plan.reference_s]
    )
    assert len(lanes) >= len(findings.final) == len(outcome.stages) == 2


@pytest.mark.parametrize("case", CASES)
def test_what_nothing_meets_is_proven(case: str) -> None:
    keys = KEYS | CASES[case] | {"limits": {"area": "0.5 mm^2"}}
    with pytest.raises(InfeasibleError, match=r"limits\.area"):
        find(plan_of(study(**keys)), Kept(), lambda *_: None)


def test_a_space_of_one_design_has_one_answer() -> None:
    base = str(folder() / "base.yaml")
    only = KEYS | {"space": {}, "accelerator": {"use": base}}
    findings = find(plan_of(study(**only)), Kept(), lambda *_: None, compare=False)
    assert {s.design for s in findings.final.values()} == {findings.plan.baseline}
    assert findings.whole.feasible == 1
    assert 0 < findings.whole.value <= findings.chosen.value <= 1.0 + 1e-9
