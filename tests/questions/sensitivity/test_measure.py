"""Sensitivity: the interval holds whatever the optima are, and nothing is claimed that a solved study contradicts."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine import cli
from accmine.hardware.technology import area_mm2
from accmine.plan import Plan, plan_of
from accmine.questions.run.flow import find
from accmine.questions.sensitivity import measure as module
from accmine.questions.sensitivity.added import bound_of_added
from accmine.questions.sensitivity.changes import changes_of
from accmine.questions.sensitivity.measure import Row, Sensitivity, gain_interval, sensitivity
from accmine.search import search_problem
from tests.samples.search_sample import designs, fits, listed, pipeline, planned, study, study_text

SPACE = {"tensor_cores": [1, 2, 3, 4, 6], "tensor_dim": [4, 8], "vector_cores": [1, 2], "vector_lanes": [4, 8]}
KEYS: dict[str, Any] = {
    "space": SPACE,
    "limits": {"area": "baseline", "tdp": "baseline"},
    "budget": {"work": 0.5, "deterministic": True},
    "search": {"refine": "none", "top_k": 2, "shares": 1},
}


def plan(**more: Any) -> Plan:
    return plan_of(study(**{**KEYS, **more}))


@lru_cache(maxsize=1)
def found() -> Sensitivity:
    return sensitivity(plan(), 1.0)


def row(key: str, of: Sensitivity | None = None) -> Row:
    (one,) = [row for row in (of or found()).rows if row.key == key]
    return one


@given(st.lists(st.floats(0.01, 100), min_size=6, max_size=6), st.booleans())
def test_the_interval_holds_for_all_optima(numbers: list[float], adds: bool) -> None:
    optimum, other, *slack = numbers
    changed = min(optimum, other) if adds else other
    v, b = optimum * (1 + slack[0]), optimum / (1 + slack[1])
    changed_v, changed_b = changed * (1 + slack[2]), changed / (1 + slack[3])
    least, most = gain_interval(v, b, changed_v, changed_b, adds=adds)
    truth = optimum / changed - 1
    assert least <= truth * (1 + 1e-12) + 1e-12
    assert truth <= most * (1 + 1e-12) + 1e-12
    assert not adds or least >= 0


def test_a_closed_gap_leaves_no_doubt() -> None:
    assert gain_interval(2.0, 2.0, 1.0, 1.0, adds=False) == (1.0, 1.0)
    assert gain_interval(2.0, 1.5, float("inf"), 2.0, adds=True) == (0.0, 0.0)
    assert gain_interval(2.0, 1.0, 1.0, 0.0, adds=True)[1] == float("inf")


def test_what_grows() -> None:
    changes = {change.key: change for change in changes_of(plan(), 10.0)}
    assert list(changes) == [
        "limits.area",
        "device_limits.area",
        "limits.tdp",
        "accelerator.hbm_bandwidth",
        "accelerator.hbm",
        "accelerator.tensor_sram",
        "accelerator.vector_sram",
    ]
    own = plan()
    assert changes["limits.area"].plan.area_mm2 == pytest.approx(1.1 * own.area_mm2)
    assert changes["accelerator.hbm_bandwidth"].plan.template.hbm_bytes_per_s == (77 * 10**9,)
    assert "every task fits" in changes["accelerator.hbm"].nothing
    assert changes["accelerator.tensor_sram"].before == "64 KiB"
    for change in changes.values():
        for design in designs(own.template):
            assert change.plan.template.contains(change.moved(design)), change.key
    free = {change.key for change in changes_of(plan(limits={}, device_limits={"area": "none"}), 1.0)}
    assert not any("limits" in key for key in free)


def test_a_limit_between_two_designs_buys_nothing() -> None:
    """The reticle is far above every design of the space: no design is added."""
    assert "no design of the template is between" in next(
        change.nothing for change in changes_of(plan(), 1.0) if change.key == "device_limits.area"
    )
    one = row("device_limits.area")
    assert (one.gain, one.least, one.most) == (0.0, 0.0, 0.0)
    assert one.verdict.startswith("buys nothing (proven)")
    assert one.next_size == "limits.area is tighter"


def test_rows_agree_with_themselves() -> None:
    answer = found()
    assert answer.sense == "maximize"
    assert answer.objective <= answer.bound * (1 + 1e-9)
    for one in answer.rows:
        assert one.objective is not None
        assert one.difference == pytest.approx(one.objective - answer.objective)
        assert one.gain == pytest.approx(one.objective / answer.objective - 1, abs=1e-12)
        assert one.bound is not None
        assert one.objective <= one.bound * (1 + 1e-9)
        assert one.least is not None
        assert one.most is not None
        assert one.least <= one.most
        if "limits" in one.key:
            assert one.gain is not None
            assert one.gain >= 0
            assert one.least >= 0


def only(monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    """Let the changes of these keys be all there are."""
    monkeypatch.setattr(
        module, "changes_of", lambda plan, percent: [c for c in changes_of(plan, percent) if c.key in keys]
    )


def test_the_next_size_of_a_limit_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit at the size named, the study has a better answer."""
    only(monkeypatch, "limits.area")
    here = sensitivity(plan(limits={"area": "baseline"}), 0.01)
    (one,) = here.rows
    size = re.match(r"from ([\d.]+) mm\^2 \(\+[\d.e-]+ %\) a design is known that is ([\d.]+) % better", one.next_size)
    assert size, one.next_size
    assert one.gain == 0
    there = sensitivity(plan(limits={"area": f"{float(size[1]) * 1.00001} mm^2"}), 0.01)
    assert there.objective >= here.objective * (1 + 0.99 * float(size[2]) / 100)


def test_a_larger_change_adds_to_what_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half again as much area and TDP: both answers are verified, and the larger one is no worse."""
    only(monkeypatch, "limits.tdp")
    wide = {change.key: change for change in changes_of(plan(), 50.0)}
    assert wide["limits.area"].nothing == ""
    large = sensitivity(plan(limits={"tdp": "baseline"}), 50.0)
    one = row("limits.tdp", large)
    assert one.gain is not None
    assert one.gain > 0.05
    assert one.least is not None
    assert one.designs != large.designs
    assert "found; the optimum moves by" in one.verdict


def test_the_bound_of_added_designs_is_one() -> None:
    own, library = planned(**KEYS | {"limits": {"area": "baseline"}})
    changes = {change.key: change for change in changes_of(own, 2.0)}
    change = changes["limits.area"]
    bound = bound_of_added(change, library)
    problem = search_problem(change.plan, change.plan.groups("heterogeneous")[0], 1, library)
    added = [d for d in designs(own.template) if fits(problem, d) and area_mm2(d, own.technology) > own.area_mm2]
    assert added
    values = [listed(problem, design).value for design in added]
    assert 0 < bound <= min(values) * (1 + 1e-9)
    assert bound >= min(values) / 2, "a bound that says something"
    none = changes_of(own, 1e-6)
    assert bound_of_added(next(c for c in none if c.key == "limits.area"), library) > bound


@pytest.mark.full
def test_a_pipeline_with_a_design_per_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "limits.area")
    answer = sensitivity(plan(models=("gpt",), space=SPACE | {"tensor_cores": [1, 2]}, **pipeline(2)), 2.0)
    (one,) = answer.rows
    assert one.least is not None
    assert one.least >= 0
    assert one.gain is not None
    assert one.gain >= 0
    assert one.gain > 0 or one.next_size.startswith("the next core fits from") or one.next_size == ""


def test_memory_that_is_short_is_solved() -> None:
    need = plan().tasks[0].memory_bytes
    mib = need // (1 << 20)
    sizes = [f"{max(1, mib)} MiB", f"{mib + 64} MiB"]
    change = {c.key: c for c in changes_of(plan(space=SPACE | {"hbm": sizes}), 1.0)}["accelerator.hbm"]
    assert (change.nothing == "") == (need > max(1, mib) << 20)


def write(folder: Path, **more: Any) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(study_text(**{**KEYS, **more}))
    return path


def call(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path)
    assert call("sensitivity", path, "--json") == 0, "the same study gives the same answer"
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found().to_json()))
    assert call("sensitivity", path, "--percent", "0") == 2
    capsys.readouterr()
    assert call("sensitivity", path, "--set", "limits.area=3 mm^2") == 1
    assert "limits.area: 3 mm^2 (--set limits.area=3 mm^2) -> at least" in capsys.readouterr().err


def test_ctrl_c_prints_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def limited(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return find(*arguments, **options)

    monkeypatch.setattr(module, "find", limited)
    assert call("sensitivity", write(tmp_path)) == 130
    shown = capsys.readouterr().out
    assert "interrupted" in shown
    assert "limits.area: " in shown
    assert "accelerator.vector_sram" not in shown


def test_a_change_begins_from_all_that_is_known_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of its own, with less time, must not miss what the unchanged study had among its candidates."""
    begun: list[set[str]] = []
    known: list[list[str]] = []

    def heard(*arguments: Any, **options: Any) -> Any:
        found = find(*arguments, **options)
        begun.append({design.name for design in options["first"]})
        known.append([e.design.name for g in found.chosen.groups for e in g.candidates[:2]])
        return found

    monkeypatch.setattr(module, "find", heard)
    answer = sensitivity(plan(limits={"area": "baseline"}, device_limits={"area": "none"}), 100.0)
    candidates, changed = known[0], begun[1:]
    assert len(candidates) > 1
    assert changed
    assert {*answer.designs, *candidates} <= changed[0], "those of a larger limit are what they are"
    assert all(len(designs) >= len(candidates) for designs in changed)
