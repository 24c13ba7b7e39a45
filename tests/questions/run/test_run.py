"""A run from end to end on tiny studies: outcome, run folder, resuming, determinism, and every way of saying no."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import accmine.questions.run.run as run_module
from accmine import cli, load, registry, solving
from accmine.errors import CheckError, InfeasibleError, InputError
from accmine.hardware import load_accelerator
from accmine.problems.design_search import TIE
from accmine.questions.run import flow
from accmine.questions.run.folder import RUN_FILES, RunFolder, RunState, list_runs
from accmine.questions.run.record import Outcome
from accmine.questions.run.run import run
from accmine.report import Watch, from_json
from accmine.search import bounds as certify
from accmine.search import candidates
from accmine.search import refine as refining
from accmine.study import as_mapping, load_study
from tests.samples.run_sample import known
from tests.samples.search_sample import BASE, pipeline, study_text

SPACE = {"tensor_cores": [1, 2], "vector_cores": [1, 2], "vector_lanes": [4, 8]}
LIMITS = {"area": "baseline", "tdp": "baseline"}
BUDGET = {"work": 10, "deterministic": True}
SEARCH = {"refine": "none", "top_k": 3, "shares": 3}


def write(folder: Path, **keys: Any) -> Path:
    """A tiny study that repeats exactly, as a file; keys as ``study_text``."""
    settings: dict[str, Any] = {"space": SPACE, "limits": LIMITS, "budget": BUDGET, "search": SEARCH} | keys
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.yaml"
    path.write_text(study_text(**settings))
    return path


def outcome_of(folder: Path, **keys: Any) -> Outcome:
    return run(load_study(write(folder, **keys)), runs_dir=folder / "runs")


def only_run(folder: Path) -> RunFolder:
    (found,) = list_runs(folder / "runs")
    return found


def call(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


def without_times(outcome: Outcome) -> dict[str, Any]:
    """The JSON form without what differs between equal runs."""
    table = outcome.to_json()
    for key in ("seconds", "trace", "folder"):
        del table[key]
    return table


CASES: dict[str, dict[str, Any]] = {
    "one device": {},
    "cp-sat": {"search": SEARCH | {"refine": "cp-sat", "select": "cp-sat"}, "budget": {"seconds": 2, "workers": 1}},
    "whole operators": {"operator_split": "none"},
    "recomputation": {"models": ("gpt",), "workload": {"recompute": "full"}},
    "bottleneck": {"objective": "bottleneck"},
    "per TDP": {"objective": "throughput-per-tdp"},
    "pipeline": {"models": ("gpt",), **pipeline(2)},
    "pipeline per TDP": {"models": ("gpt",), "objective": "throughput-per-tdp", "floor": 0.5, **pipeline(2)},
    "pipeline bottleneck, gpipe": {
        "models": ("gpt",),
        "objective": "bottleneck",
        "mode": "homogeneous",
        **pipeline(2, schedule="gpipe"),
    },
    "common": {"models": ("mlp", "gpt")},
    "common, mean, concurrent": {
        "models": ("mlp", "gpt"),
        "mode": "common",
        "aggregate": "mean",
        "deployment": "concurrent",
    },
    "common per TDP": {"models": ("mlp", "gpt"), "objective": "throughput-per-tdp", "floor": 0.5},
    "homogeneous": {"models": ("mlp", "gpt"), "mode": "homogeneous"},
    "two pipelines": {"models": ("mlp", "gpt"), **pipeline(2)},
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Outcome, Path]]:
    """Outcome and folder of a case; each is run once for all tests."""
    known: dict[str, tuple[Outcome, Path]] = {}

    def find(case: str) -> tuple[Outcome, Path]:
        if case not in known:
            folder = tmp_path_factory.mktemp("run")
            known[case] = outcome_of(folder, **CASES[case]), folder
        return known[case]

    return find


Done = Callable[[str], tuple[Outcome, Path]]


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_of_an_outcome_agree(case: str, done: Done) -> None:
    outcome, _ = done(case)
    keys = CASES[case]
    certificate = outcome.certificate
    worse, better = sorted((certificate.objective, certificate.bound), reverse=certificate.sense == "minimize")
    worse, better = (certificate.objective, certificate.bound)
    if certificate.sense == "maximize":
        worse, better = better, worse
    assert better <= worse * (1 + 1e-9)
    assert certificate.gap == pytest.approx(max(0.0, (worse - better) / worse), abs=1e-12)
    assert (outcome.status == "optimal") == (certificate.gap == 0.0)
    assert 0 < certificate.evaluated_designs <= certificate.feasible_designs * len(outcome.stages)
    assert certificate.within_one_percent >= 1
    models = keys.get("models", ("mlp",))
    depth = keys.get("parallel", {}).get("pipeline", 1)
    assert [row.name for row in outcome.workloads] == list(models)
    assert len(outcome.stages) == depth * len(models)
    for row in outcome.workloads:
        assert (row.batch, row.microbatch, row.microbatches) == (8, 4, 2)
        assert row.samples_per_s == pytest.approx(row.batch / row.step_s)
        assert 0 < row.mfu <= row.hfu < 1
        assert 0 <= row.bubble < 1
        assert row.energy_j > 0
        # Fused attention makes its scores again in the backward pass: work of the hardware, not of the model.
        again = row.name == "gpt" or keys.get("workload", {}).get("recompute") == "full"
        assert (row.mfu < row.hfu) == again
    if len(models) == 1:
        assert outcome.samples_per_s_per_w == pytest.approx(outcome.workloads[0].samples_per_s / outcome.tdp_w)
    else:
        assert math.isnan(outcome.samples_per_s_per_w), "samples of different models do not add up"


@pytest.mark.parametrize("case", CASES)
def test_the_value_is_that_of_the_objective(case: str, done: Done) -> None:
    outcome, _ = done(case)
    keys = CASES[case]
    objective = keys.get("objective", "throughput")
    assert outcome.objective == objective
    own = [row for row in outcome.baselines if row.operator_split == keys.get("operator_split", "even")]
    assert [row.name for row in own] == ["base"] or len(own) == 1
    relative = [
        theirs / ours for theirs, ours in zip(own[0].samples_per_s, own[0].own_samples_per_s, strict=True)
    ]  # of step times
    joined = sum(relative) / len(relative) if keys.get("aggregate") == "mean" else max(relative)
    assert own[0].ratio == pytest.approx(1 / joined)
    assert own[0].ratio_per_tdp == pytest.approx(own[0].ratio * own[0].tdp_w / outcome.tdp_w)
    assert own[0].own_samples_per_s == tuple(row.samples_per_s for row in outcome.workloads)
    # The baseline is scheduled twice, with another budget each time: its own time may differ a little.
    tolerance = 0.02 if SEARCH["refine"] != keys.get("search", SEARCH)["refine"] else 1e-9
    if objective == "throughput":
        assert outcome.value == pytest.approx(joined, rel=tolerance)
    elif objective == "throughput-per-tdp":
        assert outcome.value == pytest.approx(joined * outcome.tdp_w, rel=tolerance)
    else:
        assert outcome.value <= joined * (1 + tolerance)


@pytest.mark.parametrize("case", CASES)
def test_time_splits_sum_to_the_busy_time(case: str, done: Done) -> None:
    outcome, _ = done(case)
    for stage in outcome.stages:
        split = stage.time_split
        parts = (split.macs_s, split.fill_s, split.vector_s, split.hbm_s, split.dependency_s, split.idle_s)
        assert min(parts) >= -1e-12 * stage.busy_s
        assert sum(parts) == pytest.approx(stage.busy_s)
        (row,) = [w for w in outcome.workloads if w.name == stage.workload]
        assert stage.busy_s <= row.step_s * (1 + 1e-9)
        assert 0 < stage.memory_bytes <= stage.hbm_bytes
        assert stage.average_power_w > 0
        for phase in stage.phases:
            assert 0 < phase.bound_cycles <= phase.cycles
            assert (phase.status == "optimal") == (phase.bound_cycles == phase.cycles)
        assert stage.busy_s == pytest.approx(sum(p.repeats * p.cycles for p in stage.phases) / 700e6)


@pytest.mark.parametrize("case", CASES)
def test_limits_hold_and_designs_add_up(case: str, done: Done) -> None:
    outcome, _ = done(case)
    limits = {row.name: row for row in outcome.limits}
    assert set(limits) == {"limits.area", "limits.tdp", "device_limits.area"}
    for row in limits.values():
        assert 0 < row.used <= row.limit * (1 + 1e-9)
        assert row.active == (row.limit - row.used < row.least_step)
    assert limits["limits.area"].used == pytest.approx(outcome.area_mm2)
    assert limits["limits.tdp"].used == pytest.approx(outcome.tdp_w)
    assert limits["device_limits.area"].used == max(design.area_mm2 for design in outcome.designs)
    by_name = {design.name: design for design in outcome.designs}
    devices = [name for design in outcome.designs for name in design.devices]
    assert sorted(devices) == sorted(stage.name for stage in outcome.stages)
    shared = outcome.certificate.scope[0].startswith("mode common") and "deployment" not in CASES[case]
    counted = outcome.stages[: len(outcome.stages) // len(outcome.workloads)] if shared else outcome.stages
    assert sum(by_name[stage.design].area_mm2 for stage in counted) == pytest.approx(outcome.area_mm2)
    assert sum(by_name[stage.design].tdp_w for stage in counted) == pytest.approx(outcome.tdp_w)
    assert outcome.chips == len(counted)


@pytest.mark.parametrize("case", CASES)
def test_the_way_from_the_baseline_ends_at_the_answer(case: str, done: Done) -> None:
    outcome, _ = done(case)
    assert outcome.changes[0].what.startswith("base") or "one core per operator" in outcome.changes[0].what
    last = outcome.changes[-1]
    assert last.what == "schedule refined"
    assert last.within_limits
    assert last.samples_per_s == tuple(row.samples_per_s for row in outcome.workloads)
    assert last.area_mm2 == pytest.approx(outcome.area_mm2)
    assert last.tdp_w == pytest.approx(outcome.tdp_w)
    assert outcome.variant


@pytest.mark.parametrize("case", ["pipeline", "two pipelines"])
def test_modes_stand_side_by_side(case: str, done: Done) -> None:
    outcome, _ = done(case)
    modes = {row.mode: row for row in outcome.modes}
    assert list(modes) == ["common", "homogeneous", "heterogeneous"]
    assert modes["heterogeneous"].relative == outcome.value
    assert len(set(modes["common"].designs)) == 1
    for row in modes.values():
        assert len(row.designs) == len(outcome.stages)
        assert outcome.value <= row.relative * (1 + 1e-3)  # one design for all is also a choice per stage
    assert done("one device")[0].modes == ()


@pytest.mark.parametrize("case", ["one device", "common", "pipeline"])
def test_the_folder_of_a_run(case: str, done: Done) -> None:
    outcome, folder = done(case)
    found = only_run(folder)
    assert (found.state, str(found.path)) == (RunState.FINISHED, outcome.folder)
    shared = [name for name in RUN_FILES if name != "design.yaml"]
    files = {path.name for path in found.path.iterdir()}
    count = len(outcome.designs)
    designs = ["design.yaml"] if count == 1 else [f"design-{i}.yaml" for i in range(count)]
    assert files == {*shared, *designs, "state.json", "tasks"}
    assert from_json(Outcome, found.read_json("result.json")).to_json() == outcome.to_json()
    assert as_mapping(load_study(found.path / "study.yaml").study) == as_mapping(load_study(folder / "tiny.yaml").study)
    for name, design in zip(designs, outcome.designs, strict=True):
        assert load_accelerator(found.path / name).name == design.name
    events = known(found, "schedule.json")["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    assert slices
    assert all(event["dur"] >= 0 and event["ts"] >= 0 for event in slices)
    html = (found.path / "report.html").read_text()
    assert html.lstrip().startswith("<!")
    assert all(design.name in html for design in outcome.designs)
    trace = [tuple(row[k] for k in ("seconds", "objective", "bound")) for row in found.read_trace()]
    assert trace == [tuple(row) for row in outcome.trace]
    assert trace[-1][1:] == (pytest.approx(outcome.value), pytest.approx(trace[-1][2]))


def test_a_chosen_design_is_an_accelerator_and_a_baseline(done: Done, tmp_path: Path) -> None:
    outcome, folder = done("one device")
    design = only_run(folder).path / "design.yaml"
    path = write(tmp_path)
    again = run(load_study(path, [f"baseline={design}"], design=design), runs_dir=tmp_path / "runs")
    assert [d.name for d in again.designs] == [d.name for d in outcome.designs]
    assert again.certificate.feasible_designs == 1
    assert again.value == pytest.approx(1.0)
    assert again.workloads[0].samples_per_s == pytest.approx(outcome.workloads[0].samples_per_s, rel=0.02)


def test_a_finished_run_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = outcome_of(tmp_path)
    loaded = load_study(tmp_path / "tiny.yaml")
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_planned", lambda *_: pytest.fail("computed again"))
        found = run(loaded, runs_dir=tmp_path / "runs")
    assert found.earlier_run == only_run(tmp_path).when
    assert found.to_json() == first.to_json() | {"earlier_run": found.earlier_run}
    lines = len(only_run(tmp_path).read_trace())
    again = run(loaded, runs_dir=tmp_path / "runs", again=True)
    assert without_times(again) == without_times(first)
    assert len(only_run(tmp_path).read_trace()) == len(again.trace) <= lines + 1


def test_files_may_go_away_while_a_run_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "mine.yaml"
    base.write_text(BASE)
    path = write(tmp_path, baselines=[str(base)])
    solve = flow.solve_study

    def gone(*arguments: Any, **more: Any) -> Any:
        base.unlink()
        return solve(*arguments, **more)

    monkeypatch.setattr(run_module, "solve_study", gone)
    outcome = run(load_study(path), runs_dir=tmp_path / "runs")
    assert [row.name for row in outcome.baselines] == [str(base)] * 2
    assert only_run(tmp_path).finished


CLOCKS = ["700 MHz", "1 GHz"]


def test_a_list_is_searched_as_far_as_the_technology_holds(tmp_path: Path) -> None:
    outcome = outcome_of(tmp_path, space={"tensor_cores": [1, 2], "frequency": CLOCKS})
    assert all("_700MHz" in design.name for design in outcome.designs)
    (note,) = [line for line in outcome.warnings if "left out" in line]
    assert note.startswith("accelerator.frequency: 1 GHz left out")
    assert "hold up to 940 MHz" in note


FAST = ["accelerator.frequency=1 GHz", "accelerator={use: tpuv4-like}", "baseline=tpuv4-like"]


@pytest.mark.parametrize("change", FAST)
def test_what_the_technology_does_not_cover_leaves_no_folder(change: str, tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(InputError, match="the energies of tpu-16nm hold up to 940 MHz") as caught:
        run(load_study(path, [change, "technology=tpu-16nm"]), runs_dir=tmp_path / "runs")
    (complaint,) = caught.value.complaints
    assert complaint.where, "it names its place"
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("case", ["pipeline", "common", "per TDP"])
def test_equal_seed_and_work_give_the_same_result(case: str, done: Done, tmp_path: Path) -> None:
    assert without_times(outcome_of(tmp_path, **CASES[case])) == without_times(done(case)[0])


def test_two_workers_find_what_one_finds(tmp_path: Path) -> None:
    """Or what is tied with it at less TDP: other designs are in work when the proof is there, and get better."""
    free = {"seconds": None}
    one = outcome_of(tmp_path / "one", budget=free | {"workers": 1}, models=("mlp", "gpt"))
    two = outcome_of(tmp_path / "two", budget=free | {"workers": 2}, models=("mlp", "gpt"))
    assert two.certificate.bound == one.certificate.bound
    assert two.value == pytest.approx(one.value, rel=TIE)
    same = two.value == one.value and [d.name for d in two.designs] == [d.name for d in one.designs]
    assert same or (two.value > one.value and two.tdp_w < one.tdp_w)


def interrupt(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def test_interrupted_before_anything_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refining, "schedule_tasks", interrupt)
    path = write(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(load_study(path), runs_dir=tmp_path / "runs")
    found = only_run(tmp_path)
    assert found.state is RunState.INTERRUPTED
    assert known(found, "state.json")["exit_code"] == 130
    assert found.read_json("result.json") is None
    assert call("run", path, "--runs", tmp_path / "runs") == 130


def test_interrupted_in_mining_keeps_the_baseline_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, models=("gpt",), **pipeline(2))
    with monkeypatch.context() as patch:
        patch.setattr(candidates, "mine", interrupt)
        kept = run(load_study(path), runs_dir=tmp_path / "runs")
        assert call("run", path, "--runs", tmp_path / "runs") == 130
    found = only_run(tmp_path)
    assert (kept.stop, found.state, found.finished) == ("interrupted", RunState.INTERRUPTED, False)
    assert kept.value <= 1.0 + 1e-9  # the baseline at least, and what the bounds point at
    assert found.get("mine-heterogeneous") is None
    resumed = run(load_study(path), runs_dir=tmp_path / "runs")
    assert found.finished
    assert resumed.value <= kept.value


def test_interrupted_in_confirming_keeps_one_design(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = candidates.confirm
    calls: list[int] = []

    def first_interrupts(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(candidates, "confirm", first_interrupts)
    kept = run(load_study(write(tmp_path)), runs_dir=tmp_path / "runs")
    assert kept.stop == "interrupted"
    assert kept.certificate.bound >= kept.certificate.objective


def test_interrupted_in_refining_keeps_the_best_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, search=SEARCH | {"refine": "cp-sat"}, budget={"work": 2, "deterministic": True})
    real = refining.schedule_tasks
    calls: list[int] = []

    def second_interrupts(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:  # the first call schedules the baseline
            raise KeyboardInterrupt
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(refining, "schedule_tasks", second_interrupts)
        kept = run(load_study(path), runs_dir=tmp_path / "runs")
    found = only_run(tmp_path)
    assert (kept.stop, found.state, found.finished) == ("interrupted", RunState.INTERRUPTED, False)
    assert from_json(Outcome, found.read_json("result.json")).to_json() == kept.to_json()
    assert call("show", found.path) == 0
    with monkeypatch.context() as patch:  # the search is finished and read from the folder
        patch.setattr(candidates, "mine", lambda *_, **__: pytest.fail("mined again"))
        resumed = run(load_study(path), runs_dir=tmp_path / "runs")
    assert found.finished
    assert resumed.stop != "interrupted"
    assert resumed.value <= kept.value * (1 + 1e-9)


def test_an_interrupt_never_overwrites_a_better_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    real = flow.solve_study

    def ends_with(factor: float) -> Any:
        def interrupted(*arguments: Any, **named: Any) -> Any:
            outcome, lanes = real(*arguments, **named)
            return replace(outcome, stop="interrupted", value=outcome.value * factor), lanes

        return interrupted

    values = []
    for factor in (1.0, 2.0, 0.5):
        monkeypatch.setattr(run_module, "solve_study", ends_with(factor))
        kept = run(load_study(path), runs_dir=tmp_path / "runs")
        found = only_run(tmp_path)
        assert (kept.stop, found.state) == ("interrupted", RunState.INTERRUPTED)
        assert (found.read_json("result.json") or {})["value"] == kept.value
        values.append(kept.value)
    assert values[0] == values[1] == 2 * values[2]


def test_a_run_that_goes_on_begins_with_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, budget={"seconds": 20, "workers": 1})
    firsts: list[list[str]] = []
    real = flow.solve_study

    def heard(*arguments: Any, **named: Any) -> Any:
        firsts.append([design.name for design in named["first"]])
        outcome, lanes = real(*arguments, **named)
        return replace(outcome, stop="interrupted"), lanes

    monkeypatch.setattr(run_module, "solve_study", heard)
    kept = run(load_study(path), runs_dir=tmp_path / "runs")
    run(load_study(path), runs_dir=tmp_path / "runs")
    assert firsts == [[], [design.name for design in kept.designs]]


def test_python_raises_at_an_interrupt_unless_asked_to_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    monkeypatch.setattr(candidates, "mine", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load(path).run(runs_dir=tmp_path / "runs")
    assert (only_run(tmp_path).read_json("result.json") or {})["stop"] == "interrupted"
    assert load(path).run(runs_dir=tmp_path / "runs", on_interrupt="return").stop == "interrupted"


@pytest.mark.parametrize("keys", [{}, {"models": ("gpt",), **pipeline(2)}], ids=["one design", "pipeline"])
def test_an_interrupt_in_the_bound_keeps_the_answer(
    keys: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = certify.bound_whole
    calls: list[int] = []

    def first_interrupts(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(flow, "bound_whole", first_interrupts)
    kept = outcome_of(tmp_path, **keys)
    assert kept.stop == "interrupted"
    assert kept.certificate.bound >= kept.certificate.objective > 0
    assert only_run(tmp_path).state is RunState.INTERRUPTED


@pytest.mark.parametrize("step", ["restore", "_candidates", "_select", "not_worse", "own_bound", "_findings"])
def test_an_interrupt_between_two_searches_keeps_the_answer(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = getattr(flow, step), list[int]()

    def first_interrupts(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(flow, step, first_interrupts)
    kept = outcome_of(tmp_path)
    found = only_run(tmp_path)
    assert (kept.stop, found.state) == ("interrupted", RunState.INTERRUPTED)
    assert kept.value <= 1.0 + 1e-9
    assert (found.read_json("result.json") or {})["value"] == kept.value


class Heard(Watch):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.units: list[str] = []
        self.said: list[str] = []

    def step(self, name: str) -> None:
        self.steps.append(name)

    def unit(self, unit: str, shown: Callable[[float], float]) -> None:
        assert shown(1.0) > 0
        self.units.append(unit)

    def say(self, text: str) -> None:
        self.said.append(text)


def test_comparisons_without_time_are_named(tmp_path: Path) -> None:
    watch = Heard()
    loaded = load_study(write(tmp_path, budget={"seconds": 0, "workers": 1}))
    outcome = run(loaded, runs_dir=tmp_path / "runs", watch=watch)
    (warning,) = [text for text in outcome.warnings if text.startswith("not compared: no time left for")]
    assert "baselines" in warning
    assert outcome.baselines == ()
    assert watch.steps == ["baseline", "bound", "propose", "confirm", "select", "refine", "prove", "compare"]
    assert watch.units == ["samples/s"]
    assert "needs about" in watch.said[0]


class Interrupted:
    """A solver of operator schedules that is interrupted when it has found something."""

    def __init__(self, solver: Any) -> None:
        self._solver = solver
        self.name = solver.name

    def search(self, record: Any) -> Any:
        self._solver.search(record)
        raise KeyboardInterrupt


def test_an_interrupt_that_a_solver_hears_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.make_solver

    def heard(kind: str, name: str, **options: Any) -> Any:
        solver = real(kind, name, **options)
        return Interrupted(solver) if (kind, name) == ("operator-schedule", "auto") else solver

    monkeypatch.setattr(solving, "make_solver", heard)
    budget = {"work": 2, "deterministic": True}
    path = write(tmp_path, search=SEARCH | {"refine": "cp-sat"}, budget=budget)
    assert call("run", path, "--runs", tmp_path / "runs") == 130
    assert only_run(tmp_path).state is RunState.INTERRUPTED


def test_a_search_that_its_budget_ended_is_final_for_this_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, budget={"work": 0.001, "deterministic": True})
    with monkeypatch.context() as patch:
        patch.setattr(flow, "_select", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(load_study(path), runs_dir=tmp_path / "runs")
    kept = only_run(tmp_path).get("mine-heterogeneous")
    assert kept is not None
    assert kept["part"]["groups"][0]["finished"] is False
    with monkeypatch.context() as patch:
        patch.setattr(candidates, "mine", lambda *_, **__: pytest.fail("mined again"))
        assert run(load_study(path), runs_dir=tmp_path / "runs").stop == "time"


class Tampering:
    """A solver of operator schedules that starts everything at once."""

    def __init__(self, solver: Any) -> None:
        self._solver = solver
        self.name = solver.name

    def solve(self, problem: Any, **named: Any) -> Any:
        result: Any = solving.solve(problem, self._solver, **named)
        return replace(result, solution=replace(result.solution, start=result.solution.start * 0))


def test_a_wrong_schedule_is_never_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.make_solver

    def tampered(kind: str, name: str, **options: Any) -> Any:
        solver = real(kind, name, **options)
        return Tampering(solver) if kind == "operator-schedule" else solver

    monkeypatch.setattr(solving, "make_solver", tampered)
    path = write(tmp_path)
    with pytest.raises(CheckError):
        run(load_study(path), runs_dir=tmp_path / "runs")
    found = only_run(tmp_path)
    assert found.state is RunState.FAILED
    assert known(found, "state.json")["exit_code"] == 3
    assert found.read_json("result.json") is None
    assert call("run", path, "--runs", tmp_path / "runs") == 3


def test_a_bound_above_a_verified_value_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = certify.bound_whole
    monkeypatch.setattr(flow, "bound_whole", lambda *a, **n: replace(real(*a, **n), value=1e9))
    with pytest.raises(CheckError, match="bound"):
        outcome_of(tmp_path)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize(("limit", "unit"), [("area", "mm^2"), ("tdp", "W")])
def test_a_limit_nobody_can_meet(limit: str, unit: str, depth: int, tmp_path: Path) -> None:
    more = pipeline(depth) if depth > 1 else {}
    path = write(tmp_path, models=("gpt",), limits={limit: f"3 {unit}"}, **more)
    with pytest.raises(InfeasibleError) as caught:
        run(load_study(path), runs_dir=tmp_path / "runs")
    assert caught.value.conflict == (f"limits.{limit}: 3 {unit}",)
    found = only_run(tmp_path)
    assert known(found, "result.json")["status"] == "infeasible"
    assert known(found, "state.json")["exit_code"] == 1
    assert call("run", path, "--runs", tmp_path / "runs") == 1
    (remedy,) = caught.value.remedy
    assert caught.value.where[0].startswith(f"{path}:1:")
    needed = re.fullmatch(rf"limits\.{limit}: at least ([\d.]+) {re.escape(unit)}", remedy)
    assert needed
    works = run(load_study(path, [f"limits.{limit}={needed[1]} {unit}"]), runs_dir=tmp_path / "runs")
    assert works.status in ("optimal", "feasible")
    with pytest.raises(InfeasibleError):
        run(load_study(path, [f"limits.{limit}={float(needed[1]) - 2e-4} {unit}"]), runs_dir=tmp_path / "runs")


def test_memory_that_nothing_fits(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        models=("gpt",),
        workload={"batch": 1024, "microbatch": 512},
        space=SPACE | {"hbm": "1 MiB"},
        **pipeline(2),
    )
    with pytest.raises(InfeasibleError, match=r"gpt/stage0 needs .* of HBM, .* allowed has .*: weights") as caught:
        run(load_study(path), runs_dir=tmp_path / "runs")
    assert caught.value.conflict == ("accelerator.hbm: 1 MiB", "workloads.0.microbatch: 512")
    (size,) = [re.fullmatch(r"accelerator\.hbm: at least (\S+ \S+)", r) for r in caught.value.remedy[:1]]
    assert size
    assert call("run", path, "--runs", tmp_path / "runs") == 1
    works = run(load_study(path, [f"accelerator.hbm={size[1]}"]), runs_dir=tmp_path / "runs")
    assert all(stage.memory_bytes <= stage.hbm_bytes for stage in works.stages)


def test_a_space_beyond_the_reticle(tmp_path: Path) -> None:
    space = {"tensor_cores": [64], "tensor_dim": [256]}
    path = write(tmp_path, space=space, limits={})
    with pytest.raises(InfeasibleError) as caught:
        run(load_study(path), runs_dir=tmp_path / "runs")
    assert caught.value.conflict[0] == "accelerator.tensor_cores: [64]", "what may be chosen comes before limits"
    where = dict(zip(caught.value.conflict, caught.value.where, strict=True))
    assert where["device_limits.area: 858 mm^2"] == "default"
    assert call("run", path, "--runs", tmp_path / "runs") == 1


def test_a_floor_that_nothing_reaches(tmp_path: Path) -> None:
    path = write(tmp_path, objective="throughput-per-tdp", floor=1000)
    with pytest.raises(InfeasibleError, match="floor"):
        run(load_study(path), runs_dir=tmp_path / "runs")
    assert call("run", path, "--runs", tmp_path / "runs") == 1


def test_an_infeasible_run_can_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, limits={"area": "3 mm^2"})
    assert call("run", path, "--runs", tmp_path / "runs") == 1
    capsys.readouterr()
    assert call("show", "tiny", "--runs", tmp_path / "runs", "--json") == 0
    assert json.loads(capsys.readouterr().out)["conflict"] == ["limits.area: 3 mm^2"]
    assert call("show", "tiny", "--runs", tmp_path / "runs") == 0
    assert re.search(r"limits\.area: 3 mm\^2 \(.*tiny\.yaml:1:\d+\) -> at least", capsys.readouterr().out)


@pytest.mark.parametrize("objective", ["throughput", "bottleneck", "throughput-per-tdp"])
def test_without_time_the_baseline_is_the_answer(objective: str, tmp_path: Path) -> None:
    """The baseline meets its own limits and its own floor: a study of them is never called infeasible."""
    budget = {"seconds": 0, "workers": 1}
    search = SEARCH | {"refine": "cp-sat"}
    keys = pipeline(2) | {"models": ("gpt",), "objective": objective, "budget": budget, "search": search}
    outcome = outcome_of(tmp_path, **keys)
    assert outcome.value <= 1.0 + 1e-9 or objective == "throughput-per-tdp"
    assert outcome.status == "feasible"


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert call("run", write(tmp_path), "--runs", tmp_path / "file") == 2
    assert "file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("workloads.0.use=bert-lrge", "unknown workload"),
        ("limits.area=400", "no unit"),
        ("limits.areaa=400 mm^2", "areaa"),
        ("accelerator.tensor_cores=[]", "tensor_cores"),
        ("accelerator.tensor_cores=4..1", "tensor_cores"),
        ("workloads.0.microbatch=3", "does not divide"),
        ("parallel.pipeline=64", "cluster"),
        ("baseline=no-such-chip", "unknown accelerator"),
    ],
)
def test_bad_input_writes_nothing(
    change: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path)
    assert call("run", path, "--runs", tmp_path / "runs", "--set", change) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_pipeline_deeper_than_the_model(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleError, match=r"parallel\.pipeline: 60 .* -> at most 3, the layers of mlp"):
        outcome_of(tmp_path, **pipeline(60))
    assert known(only_run(tmp_path), "state.json")["exit_code"] == 1


def test_a_cyclic_graph_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = {
        "kind": "operator-schedule",
        "resources": {"tensor": 1},
        "operations": [
            {"name": "a", "duration": 1, "uses": {"tensor": 1}, "after": ["b"]},
            {"name": "b", "duration": 1, "uses": {"tensor": 1}, "after": ["a"]},
        ],
    }
    path = tmp_path / "cycle.json"
    path.write_text(json.dumps(table))
    assert call("solve", path, "-o", tmp_path / "result.json") == 2
    assert "cycl" in capsys.readouterr().err
    assert not (tmp_path / "result.json").exists()


def test_the_command_prints_and_shows_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path)
    assert call("run", path, "--runs", tmp_path / "runs") == 0
    printed = capsys.readouterr().out
    assert call("show", "tiny", "--runs", tmp_path / "runs", "--gantt", tmp_path / "g.png") == 0
    assert capsys.readouterr().out == printed
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")
    assert call("run", path, "--runs", tmp_path / "runs", "--json") == 0
    table = known(only_run(tmp_path), "result.json")
    assert table["earlier_run"] == ""
    assert json.loads(capsys.readouterr().out) == table | {"earlier_run": only_run(tmp_path).when}


def test_progress_is_told(tmp_path: Path) -> None:
    heard: list[tuple[float, float | None, float | None]] = []
    outcome = run(load_study(write(tmp_path)), runs_dir=tmp_path / "runs", on_progress=lambda *row: heard.append(row))
    assert tuple(heard) == outcome.trace
    assert [row[0] for row in heard] == sorted(row[0] for row in heard)
    assert heard[-1][1] == pytest.approx(outcome.value)
    assert heard[-1][2] is not None
